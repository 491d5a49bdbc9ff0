"""Reading a run: its records, and its networks when they are asked for."""

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

from capsgan_keras.files import standing, usable_path
from capsgan_keras.gan import GAN
from capsgan_keras.runs.directory import RunDirectory
from capsgan_keras.runs.display import run_html
from capsgan_keras.runs.models import check_gan, load_model
from capsgan_keras.runs.records import RunError, check_epochs
from capsgan_keras.training.averages import use_averages
from capsgan_keras.types import History


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that was read by `load_run`.

    Attributes:
        path: Its folder.
        config: Dictionary: `settings`, `dataset` (name, checksum, number of images), `versions`,
            `commit`, and the learning rates in use.
        finished: Whether it has ended.
        history: The logs of each epoch. Where the run has not ended, those of the epochs in the
            last checkpoint.
        metrics: Dictionary: final values, seconds, images per second, sizes of the networks. None
            where the run has not ended.
        model_file: Where the trained networks are: `gan.keras` in the folder, or the whole folder
            if that is a model in Keras's form of one. None where the run has not ended.
    """

    path: Path
    config: dict[str, Any] = dataclasses.field(repr=False)
    finished: bool
    history: History = dataclasses.field(repr=False)
    metrics: dict[str, Any] | None = dataclasses.field(repr=False)
    model_file: Path | None = dataclasses.field(default=None, repr=False)

    @functools.cached_property
    def gan(self) -> GAN:
        """The GAN, loaded when first asked for: the trained one, or that of the last checkpoint.

        Where the run averages the generator's weights, the generator has the averages.

        Raises:
            RunError: Where no epoch was finished, or the file is damaged.
        """
        return self.newest()[0]

    def newest(self) -> tuple[GAN, int]:
        """Load `gan` anew; return it, and the number of epochs that it was trained.

        Where another process trains the run, its checkpoint may be newer than `history`.

        Raises:
            RunError: As `gan`.
        """
        if self.model_file is not None:
            gan = load_model(self.model_file)
            check_gan(self.model_file, gan, self.config, self.metrics)
            return gan, (self.metrics or {})["epochs"]
        while True:
            checkpoint = RunDirectory(self.path).newest_checkpoint()
            if checkpoint is None:
                raise RunError(f"{self.path}: holds no model yet, for no epoch was finished")
            try:
                gan = checkpoint.load_gan(self.config)
            except (RunError, OSError):
                if checkpoint.path.exists():
                    raise
                continue  # the process that trains has just replaced it by a newer one
            use_averages(gan)
            return gan, checkpoint.epoch

    def _repr_html_(self) -> str:
        """Return what a notebook shows: pictures, curves, logs and settings."""
        return run_html(self.path, self.config, self.history, self.metrics)

    @property
    def kept_epochs(self) -> tuple[int, ...]:
        """The epochs whose networks the run keeps, in their order."""
        return tuple(RunDirectory(self.path).kept)

    def load_kept(self, epoch: int) -> GAN:
        """Return the GAN of a kept epoch, without optimizers.

        Args:
            epoch: One of `kept_epochs`.

        Raises:
            RunError: Where that epoch is not kept, or its file is damaged.
        """
        files = RunDirectory(self.path).kept
        if epoch not in files:
            raise RunError(f"{self.path}: keeps epochs {list(files)}. Received: epoch={epoch!r}")
        gan = load_model(files[epoch])
        check_gan(files[epoch], gan, self.config, self.metrics)
        return gan


def load_run(path: str | os.PathLike) -> Run:
    """Read a run directory.

    Args:
        path: The folder of one run, such as `runs/digits/capsule-seed0`, finished or not.

    Returns:
        The `Run`. Its networks are loaded when `run.gan` is first used.

    Raises:
        RunError: (a `ValueError`) where there is no run, or a file of it is damaged. The message
            names the folder or the file.

    Example:

    ```python
    from capsgan_keras import load_run
    from capsgan_keras.pretrained.loading import pretrained_path

    # As `python -m experiments.mnist` leaves it in runs/mnist/capsule-seed0:
    run = load_run(pretrained_path("capsule", "mnist"))
    print(run.history["d_loss"][-1], run.metrics["images_per_second"])
    images = run.gan.generate(4, seed=0)  # uint8 (4, 28, 28, 1)
    ```
    """
    try:
        directory = RunDirectory(standing(usable_path(path)))
    except ValueError as error:
        raise RunError(str(error)) from error
    if not directory.exists:
        state = "is empty" if directory.path.exists() else "does not exist"
        raise RunError(f"{directory.path}: is no run: the folder {state}")
    config = directory.read_config()
    if directory.finished:
        history, metrics = directory.read_history(), directory.read_metrics()
        check_epochs(directory.path / "history.csv", history, metrics["epochs"])
        model_file = directory.path / "gan.keras"
        return Run(directory.path, config, True, history, metrics, model_file)
    checkpoint = directory.newest_checkpoint()
    if checkpoint is not None:
        check_epochs(checkpoint.path / "state.json", checkpoint.history, checkpoint.epoch)
    return Run(directory.path, config, False, checkpoint.history if checkpoint else {}, None)
