"""The run directory: what a training run leaves, and what it goes on from.

| file | holds |
|---|---|
| `config.json` | settings, versions, commit, data set |
| `history.csv` | the logs of each epoch |
| `samples/epoch-0001.png` ... | 100 images from the same latents after each epoch |
| `checkpoint/epoch-0001/` | the last epoch's `gan.keras` and `state.json`, to resume from |
| `curves.png` | the history as a figure |
| `gan.keras`, `generator.keras` | the trained networks |
| `metrics.json` | final values, time, sizes of the networks; written last: the run is finished |
| `README.md` | a model card |

Every file is written under another name and renamed, and a checkpoint is renamed as a folder, so
that a kill at any moment leaves a directory that can be read and resumed.
"""

import csv
import dataclasses
import functools
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import keras

from capsgan_keras import files, plotting
from capsgan_keras.training.averages import use_averages

FORMAT = "capsgan_keras run 1"
SAMPLE_ROWS, SAMPLE_COLUMNS = 10, 10


class RunError(ValueError):
    """A folder that is not the run that it was taken for, or a file of a run that is damaged."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        path: Its folder.
        epoch: Number of epochs done.
        history: Dictionary of lists: the logs of these epochs.
        seconds: Seconds that these epochs took.
    """

    path: Path
    epoch: int
    history: dict
    seconds: float

    def load_gan(self):
        """Return the GAN, compiled, with its moments and seeds.

        Raises:
            RunError: Where the file is damaged.
        """
        return _load_model(self.path / "gan.keras")


class RunDirectory:
    """Writes a run directory, and reads what is in it.

    Args:
        path: The folder, which need not exist.
    """

    def __init__(self, path):
        self.path = Path(path)

    # ---- reading

    @property
    def exists(self):
        """Whether the folder holds a run, finished or not.

        Raises:
            RunError: Where it is a file, or a folder of other things.
        """
        blocked = files.file_in_the_way(self.path)
        if blocked is not None:
            raise RunError(f"{self.path}: is not the folder of a run: {blocked} is a file")
        if not self.path.exists():
            return False
        if (self.path / "config.json").is_file():
            return True
        runs = sorted(config.parent.name for config in self.path.glob("*/config.json"))
        if runs:
            raise RunError(f"{self.path}: is no run, but holds some: {', '.join(runs)}")
        others = [p.name for p in self.path.iterdir() if not p.name.startswith(files.PARTIAL)]
        if others:
            raise RunError(
                f"{self.path}: is no run: it holds {', '.join(sorted(others)[:3])}, "
                "and no config.json"
            )
        return False

    @property
    def finished(self):
        """Whether the run has ended."""
        return (self.path / "metrics.json").is_file()

    def read_config(self):
        """Return the dictionary that `create` was given.

        Raises:
            RunError: Where `config.json` is damaged or belongs to something else.
        """
        path = self.path / "config.json"
        config = _read_json(path)
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise RunError(f"{path}: is not the config of a run: it lacks the format {FORMAT!r}")
        settings, dataset = ("model", "seed", "precision"), ("name", "source", "checksum")
        for part, needed in {"settings": settings, "dataset": dataset}.items():
            _check_parts(path, config, [part])
            _check_parts(path, config[part], needed)
        return config

    def read_metrics(self):
        """Return what `finish` was given.

        Raises:
            RunError: Where the file is damaged.
        """
        path = self.path / "metrics.json"
        metrics = _read_json(path)
        _check_parts(path, metrics, ["epochs", "final", "parameters"])
        return metrics

    def read_history(self):
        """Return the logs as a dictionary of lists, as in `keras.callbacks.History.history`.

        Raises:
            RunError: Where the file is damaged.
        """
        path = self.path / "history.csv"
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                lines = list(csv.reader(stream))
            if not lines:
                raise ValueError("It is empty")
            names, *rows = lines
            for row in rows:
                if len(row) != len(names):
                    raise ValueError(f"Its head is {','.join(names)!r}, a row {','.join(row)!r}")
            columns = zip(*([float(value) for value in row] for row in rows), strict=True)
            return {
                name: list(values)
                for name, values in zip(names, columns, strict=True)
                if name != "epoch"
            }
        except ValueError as error:
            raise RunError(f"{path}: is damaged. {error}") from error

    def newest_checkpoint(self):
        """Return the last whole `Checkpoint`, or None where no epoch was finished.

        Raises:
            RunError: Where it is damaged.
        """
        folders = self._by_epoch("checkpoint")
        if not folders:
            return None
        epoch = max(folders)
        path = folders[epoch] / "state.json"
        state = _read_json(path)
        try:
            return Checkpoint(folders[epoch], epoch, state["history"], state["seconds"])
        except (KeyError, TypeError) as error:
            raise RunError(f"{path}: is damaged: it lacks history or seconds") from error

    # ---- writing

    def create(self, config):
        """Make the folder with its `config.json`.

        Args:
            config: Dictionary of what JSON can hold.

        Raises:
            OSError: Where the folder cannot be made.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        files.remove_partial(self.path)
        files.write_json(self.path / "config.json", {"format": FORMAT} | config)

    def write_samples(self, epoch, images):
        """Write the grid of an epoch's images, uint8 `(100, height, width, channels)`."""
        folder = self.path / "samples"
        folder.mkdir(exist_ok=True)
        grid = plotting.image_grid(images, SAMPLE_ROWS, SAMPLE_COLUMNS)
        plotting.save_image(folder / f"epoch-{epoch:04d}.png", grid)

    def write_history(self, history):
        """Write the logs of all epochs so far, a dictionary of lists."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *history])
        rows = zip(*history.values(), strict=True)
        writer.writerows([epoch, *values] for epoch, values in enumerate(rows, start=1))
        files.write_text(self.path / "history.csv", text.getvalue())

    def write_checkpoint(self, gan, epoch, history, seconds):
        """Write a checkpoint, then remove the older ones.

        Args:
            gan: A compiled `capsgan_keras.GAN`.
            epoch: Number of epochs done.
            history: Dictionary of lists: the logs of these epochs.
            seconds: Seconds that these epochs took.
        """
        folder = self.path / "checkpoint"
        folder.mkdir(exist_ok=True)
        newest = folder / f"epoch-{epoch:04d}"
        with files.replacing(newest) as partial:
            partial.mkdir()
            gan.save(partial / "gan.keras")
            state = {"epoch": epoch, "seconds": seconds, "history": history}
            files.write_json(partial / "state.json", state)
        self._remove_checkpoints(keep=newest)

    def restore(self, checkpoint, images):
        """Bring the other files to the state of a checkpoint, whatever a kill has left.

        Args:
            checkpoint: What the run goes on from.
            images: The sample images of that epoch.
        """
        for folder in (self.path, self.path / "samples", self.path / "checkpoint"):
            files.remove_partial(folder)
        self._remove_checkpoints(keep=checkpoint.path)
        for epoch, path in self._by_epoch("samples").items():
            if epoch > checkpoint.epoch:
                path.unlink()
        self.write_samples(checkpoint.epoch, images)
        self.write_history(checkpoint.history)

    def finish(self, gan, metrics, curves, card):
        """Write what a finished run has besides.

        Args:
            gan: The trained `capsgan_keras.GAN`.
            metrics: Dictionary of what JSON can hold.
            curves: A `matplotlib.figure.Figure`.
            card: The model card, a text.
        """
        plotting.save_figure(self.path / "curves.png", curves)
        for name, model in (("gan.keras", gan), ("generator.keras", gan.generator)):
            with files.replacing(self.path / name) as partial:
                model.save(partial)
        files.write_text(self.path / "README.md", card)
        files.write_json(self.path / "metrics.json", metrics)

    def _by_epoch(self, folder):
        """Return the paths in a folder that are named after an epoch, by that epoch."""
        return {
            int(match[1]): path
            for path in self.path.glob(f"{folder}/epoch-*")
            if (match := re.fullmatch(r"epoch-(\d+)", path.stem))
        }

    def _remove_checkpoints(self, keep):
        for path in self._by_epoch("checkpoint").values():
            if path != keep:
                shutil.rmtree(path)


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that was read by `load_run`.

    Attributes:
        path: Its folder.
        config: Dictionary: `settings`, `dataset` (name, checksum, number of images), `versions`,
            `commit`, and the learning rates in use.
        finished: Whether it has ended.
        history: Dictionary of lists: the logs of each epoch (of those in the last checkpoint,
            where the run has not ended).
        metrics: Dictionary: final values, seconds, images per second, sizes of the networks; None
            where the run has not ended.
    """

    path: Path
    config: dict = dataclasses.field(repr=False)
    finished: bool
    history: dict = dataclasses.field(repr=False)
    metrics: dict | None = dataclasses.field(repr=False)

    @functools.cached_property
    def gan(self):
        """The GAN, loaded when first asked for: the trained one, or that of the last checkpoint.

        Where the run averages the generator's weights, it has the averages.

        Raises:
            RunError: Where no epoch was finished, or the file is damaged.
        """
        if self.finished:
            return _load_model(self.path / "gan.keras")
        checkpoint = RunDirectory(self.path).newest_checkpoint()
        if checkpoint is None:
            raise RunError(f"{self.path}: holds no model yet, for no epoch was finished")
        gan = checkpoint.load_gan()
        use_averages(gan)
        return gan


def sample_images(gan, seed):
    """Return the images of a run's sample grid, uint8 `(100, height, width, channels)`.

    Args:
        gan: A `capsgan_keras.GAN`.
        seed: Integer that sets the latents.
    """
    return gan.generate(SAMPLE_ROWS * SAMPLE_COLUMNS, seed=seed)


def load_run(path):
    """Read a run directory.

    Args:
        path: The folder of one run, such as `runs/digits/capsule-seed0`, finished or not.

    Returns:
        A `Run`.

    Raises:
        RunError: (a `ValueError`) where there is no run, or a file of it is damaged; the message
            names the folder or the file.

    Example:

    ```python
    run = load_run("runs/digits/capsule-seed0")
    images = run.gan.generate(64, seed=0)
    ```
    """
    directory = RunDirectory(Path(path).expanduser())
    if not directory.exists:
        state = "is empty" if directory.path.exists() else "does not exist"
        raise RunError(f"{directory.path}: is no run: the folder {state}")
    config = directory.read_config()
    if directory.finished:
        history, metrics = directory.read_history(), directory.read_metrics()
    else:
        checkpoint = directory.newest_checkpoint()
        history, metrics = (checkpoint.history if checkpoint else {}), None
    return Run(directory.path, config, directory.finished, history, metrics)


def _load_model(path):
    if path.is_file() and not zipfile.is_zipfile(path):  # Keras would say that there is no file
        raise RunError(f"{path}: could not be loaded. It is no archive as Keras writes it")
    try:
        return keras.saving.load_model(path)
    # Keras, zipfile and h5py raise errors of many kinds on damaged files.
    except Exception as error:
        raise RunError(f"{path}: could not be loaded. {type(error).__name__}: {error}") from error


def _read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: could not be read. {error}") from error


def _check_parts(path, value, names):
    lacking = [name for name in names if not isinstance(value, dict) or name not in value]
    if lacking:
        raise RunError(f"{path}: is damaged: it lacks {', '.join(map(repr, lacking))}")
