"""The callbacks that write runs while they train."""

import time
from typing import Any

import keras

from capsgan_keras.runs.directory import RunDirectory, sample_images
from capsgan_keras.training.averages import averaged
from capsgan_keras.types import History


class WriteEpochs(keras.callbacks.Callback):
    """Write a run's history and then its checkpoint after each epoch.

    The checkpoint is written last. Whatever a kill interrupts, the last complete checkpoint is
    then not ahead of the other files.

    Args:
        directory: The run directory to write to.
        history: The logs of the epochs before, to which the new ones are added.
        seconds: Seconds that the epochs before took.
    """

    def __init__(
        self, directory: RunDirectory, history: History | None = None, seconds: float = 0.0
    ) -> None:
        super().__init__()
        self.directory = directory
        self.history = {} if history is None else history
        self.seconds = seconds

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop the clock, which counts training alone, and write the files."""
        self.seconds += time.perf_counter() - self._started
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self.write(epoch + 1)
        self.directory.write_checkpoint(self.model, epoch + 1, self.history, self.seconds)

    def write(self, epoch: int) -> None:
        """Write what comes before the checkpoint of an epoch, counted from 1."""
        del epoch
        self.directory.write_history(self.history)


class WriteRun(WriteEpochs):
    """Write a run's samples, history and checkpoint after each epoch.

    Where the generator's optimizer averages weights, the samples are those of the averages; the
    checkpoint holds both.

    Args:
        directory: The run directory to write to.
        sample_seed: Integer: sets the latents of the sample grid, the same for all epochs.
        history: The logs of the epochs before, to which the new ones are added.
        seconds: Seconds that the epochs before took.
        keep_every: Keep the networks of every so many epochs besides; None for none.
    """

    def __init__(
        self,
        directory: RunDirectory,
        sample_seed: int,
        history: History | None = None,
        seconds: float = 0.0,
        keep_every: int | None = None,
    ) -> None:
        super().__init__(directory, history, seconds)
        self.sample_seed = sample_seed
        self.keep_every = keep_every

    def write(self, epoch: int) -> None:
        """Write the samples, the history and the networks that are kept."""
        with averaged(self.model):
            images = sample_images(self.model, self.sample_seed)
        self.directory.write_samples(epoch, images)
        super().write(epoch)
        if self.keep_every and epoch % self.keep_every == 0:
            self.directory.keep(self.model, epoch)
