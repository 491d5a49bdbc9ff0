"""Callbacks of training: the order of batches, and the end of a run that has diverged."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.training.batches import EpochBatches


class NonFiniteError(ArithmeticError):
    """Training has diverged: a logged value or a weight is not finite."""


class FollowEpoch(keras.callbacks.Callback):
    """Tell an `EpochBatches` which epoch begins.

    Args:
        batches: The `EpochBatches` that `fit` reads.
    """

    def __init__(self, batches: EpochBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the epoch."""
        self.batches.epoch = epoch


class StopOnNonFinite(keras.callbacks.Callback):
    """Raise `NonFiniteError` at the first batch after which a logged value is not finite.

    Keras's `TerminateOnNaN` reads only a log named `loss`. At the end of an epoch this callback
    reads the weights and moments too, since the last update shows in no log. Put it before
    callbacks that save.
    """

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember the epoch for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the logs."""
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise NonFiniteError(
                    f"{name} is {value} in epoch {self._epoch + 1}, step {batch + 1}"
                )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check all variables that a checkpoint would hold."""
        for variable in [*self.model.variables, *self.model.optimizer.variables]:
            if not np.isfinite(ops.convert_to_numpy(variable)).all():
                raise NonFiniteError(
                    f"the variable {variable.path} is not finite after epoch {epoch + 1}"
                )
