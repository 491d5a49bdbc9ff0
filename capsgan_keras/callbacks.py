"""Callbacks for `GAN.fit`, beside Keras's own."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import keras

from capsgan_keras.checks import check_choice, check_kind, check_positive, check_whole
from capsgan_keras.files import file_in_the_way, usable_path
from capsgan_keras.gan import GAN
from capsgan_keras.gan.latents import check_truncation
from capsgan_keras.plotting import image_grid
from capsgan_keras.runs.directory import SAMPLE_COLUMNS, SAMPLE_ROWS, write_grid
from capsgan_keras.training.averages import averaged

__all__ = ["SampleGrid"]

_PLACES = {"folder": "samples", "tensorboard": "logs"}


class SampleGrid(keras.callbacks.Callback):
    """Write a grid of generated images after every so many epochs, always of the same latents.

    Where the generator's optimizer averages weights, the images are those of the averages.
    Training is the same with this callback and without.

    Args:
        every: Positive integer: an epoch whose number is a multiple of it gets a grid. The first
            epoch has the number 1.
        to: `"folder"`: PNG files `epoch-0005.png` and so on. `"tensorboard"`: images named
            `samples`, beside the scalars of `keras.callbacks.TensorBoard`, with its step numbers.
        path: The folder, or the `log_dir` of `keras.callbacks.TensorBoard`. By default `"samples"`,
            or `"logs"` as in Keras.
        rows: Positive integer.
        columns: Positive integer.
        seed: Integer of at least 0 that sets the latents.
        truncation: As in `GAN.generate`.

    Raises:
        ValueError: On arguments out of range. When training begins, where the model is no GAN of
            this package, or `path` can be no folder.
        ImportError: For TensorBoard, where TensorFlow or TensorBoard is not installed.

    Example:

    ```python
    from capsgan_keras import CapsuleGAN, load_dataset
    from capsgan_keras.callbacks import SampleGrid

    digits = load_dataset("digits", image_size=16).x_train[:64]
    gan = CapsuleGAN(image_shape=(16, 16, 1), latent_dim=8, seed=0)
    gan.compile()
    gan.fit(digits, epochs=2, callbacks=[SampleGrid(every=2, path="grids")])  # epoch-0002.png
    ```
    """

    def __init__(
        self,
        every: int = 1,
        to: str = "folder",
        path: str | os.PathLike | None = None,
        rows: int = SAMPLE_ROWS,
        columns: int = SAMPLE_COLUMNS,
        seed: int = 0,
        truncation: float | None = None,
    ) -> None:
        super().__init__()
        check_positive(every=every, rows=rows, columns=columns)
        check_whole(seed=seed)
        check_choice("to", to, _PLACES)
        check_truncation(truncation)
        self.every = every
        self.to = to
        self.path = usable_path(_PLACES[to] if path is None else path)
        self.rows, self.columns = rows, columns
        self.seed = seed
        self.truncation = truncation
        self._log: TensorBoardLog | None = None
        if to == "tensorboard":
            check_tensorboard()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuse, before the first epoch, what could not be written after it."""
        check_kind(GAN, "a GAN of this package, whose images SampleGrid writes", model=self.model)
        blocked = file_in_the_way(self.path)
        if blocked is not None:
            raise ValueError(
                f"`path` must lead to a folder, and {blocked} is a file. "
                f"Received: path={os.fspath(self.path)!r}"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the grid, where it is the epoch's turn."""
        if (epoch + 1) % self.every:
            return
        with averaged(self.model):
            images = self.model.generate(
                self.rows * self.columns, seed=self.seed, truncation=self.truncation
            )
        if self.to == "folder":
            self.path.mkdir(parents=True, exist_ok=True)
            write_grid(self.path, epoch + 1, images, self.rows, self.columns)
            return
        if self._log is None:
            self._log = TensorBoardLog(self.path / "samples")
        grid = image_grid(images, self.rows, self.columns)
        self._log.write("image", "samples", grid[None], epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close what TensorBoard reads."""
        if self._log is not None:
            self._log.close()
            self._log = None


def check_tensorboard() -> None:
    """Raise an `ImportError` where what writes TensorBoard's files is not installed."""
    for package in ("tensorflow", "tensorboard"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(
                f"Logs for TensorBoard need {package}, which is not installed. Install it by "
                f"pip install {package}"
            )


class TensorBoardLog:
    """One file for TensorBoard, which reads only the newest file of a folder while it grows.

    Args:
        folder: The file's folder, which no other writer may share.
    """

    def __init__(self, folder: Path) -> None:
        from tensorflow import summary  # optional: other backends train without it

        self._summary = summary
        self._writer = summary.create_file_writer(str(folder))

    def write(self, kind: str, name: str, value: Any, step: int) -> None:
        """Add `tf.summary.<kind>(name, value, step)`, so that a reader finds it at once."""
        with self._writer.as_default():
            getattr(self._summary, kind)(name, value, step=step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
