"""Callbacks of a run: the order of batches, the end of a diverged run, and its files."""

import math
import time

import keras
import numpy as np
from keras import ops

from capsgan_keras.runs.directory import sample_images
from capsgan_keras.training.averages import averaged


class NonFiniteError(ArithmeticError):
    """Training has diverged: a logged value or a weight is not finite."""


class FollowEpoch(keras.callbacks.Callback):
    """Tells an `EpochBatches` which epoch begins.

    Args:
        batches: The `EpochBatches` that `fit` reads.
    """

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        """Set the epoch."""
        self.batches.epoch = epoch


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises `NonFiniteError` at the first batch after which a logged value is not finite.

    Keras's `TerminateOnNaN` reads only a log named `loss`. At the end of an epoch the weights
    and moments are looked at too, since the last update shows in no log. Put it before callbacks
    that save.
    """

    def on_epoch_begin(self, epoch, logs=None):
        """Remember the epoch for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Look at the logs."""
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise NonFiniteError(
                    f"{name} is {value} in epoch {self._epoch + 1}, step {batch + 1}"
                )

    def on_epoch_end(self, epoch, logs=None):
        """Look at all that a checkpoint would hold."""
        for variable in [*self.model.variables, *self.model.optimizer.variables]:
            if not np.isfinite(ops.convert_to_numpy(variable)).all():
                raise NonFiniteError(
                    f"the variable {variable.path} is not finite after epoch {epoch + 1}"
                )


class WriteRun(keras.callbacks.Callback):
    """Writes a run's samples, history and checkpoint after each epoch.

    Where the generator's optimizer averages weights, the samples are those of the averages; the
    checkpoint holds both.

    The checkpoint comes last, so that whatever a kill interrupts, the checkpoint that stands is
    not ahead of the other files.

    Args:
        directory: The `capsgan_keras.runs.directory.RunDirectory` to write to.
        sample_seed: Integer: sets the latents of the sample grid, the same for all epochs.
        history: Dictionary of lists of the epochs before, as in `Run.history`; it is extended.
        seconds: Seconds that the epochs before took.
    """

    def __init__(self, directory, sample_seed, history=None, seconds=0.0):
        super().__init__()
        self.directory = directory
        self.sample_seed = sample_seed
        self.history = {} if history is None else history
        self.seconds = seconds

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stop the clock, which counts training alone, and write."""
        self.seconds += time.perf_counter() - self._started
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))
        with averaged(self.model):
            images = sample_images(self.model, self.sample_seed)
        self.directory.write_samples(epoch + 1, images)
        self.directory.write_history(self.history)
        self.directory.write_checkpoint(self.model, epoch + 1, self.history, self.seconds)
