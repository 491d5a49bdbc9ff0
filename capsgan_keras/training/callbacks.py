"""Callbacks of training: the order of batches, averages, and the end where it has diverged."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_kind
from capsgan_keras.training.averages import part_from_averages, start_averages, use_averages
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

    `GAN.fit` has one before all other callbacks, so that none saves a broken model. At the end of
    an epoch it reads the weights and moments too, since the last update shows in no log.

    Args:
        terminators: Callbacks `keras.callbacks.TerminateOnNaN`. Where there are any, these stop
            training in their own way, and no error is raised. By themselves they read only a log
            named `loss`, which a GAN does not have.
    """

    def __init__(self, terminators: Sequence[keras.callbacks.TerminateOnNaN] = ()) -> None:
        super().__init__()
        self.terminators = terminators

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember the epoch for the message."""
        self._epoch = epoch
        self._batch = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the logs."""
        self._batch = batch
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                self._stop(f"{name} is {value} in epoch {self._epoch + 1}, step {batch + 1}")
                return

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check all variables that a checkpoint would hold."""
        broken = first_non_finite([*self.model.variables, *self.model.optimizer.variables])
        if broken is not None and not self.model.stop_training:
            self._stop(f"the variable {broken.path} is not finite after epoch {epoch + 1}")

    def _stop(self, message: str) -> None:
        if not self.terminators:
            raise NonFiniteError(message)
        for terminator in self.terminators:
            terminator.on_batch_end(self._batch, {"loss": math.nan})


class EndWithAverages(keras.callbacks.Callback):
    """End training with the generator's averages, before other callbacks end it in their ways.

    `GAN.fit` has one before all other callbacks. So `EarlyStopping` restores the best epoch's
    weights of both players, and does not lose the generator's.
    """

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Let averages start from the weights, so that training without a step keeps them."""
        start_averages(self.model)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Replace the generator's weights; Keras has replaced a discriminator's."""
        use_averages(self.model)
        if self.model.discriminator_optimizer.use_ema:
            part_from_averages(self.model.player_variables[1])


class EndOfSwaps(keras.callbacks.Callback):
    """Swap weights and averages back where training stops before its last epoch.

    `keras.callbacks.SwapEMAWeights(swap_on_epoch=True)` leaves them swapped then, and `fit` would
    end with the trained weights in the place of their averages. `GAN.fit` has one after all other
    callbacks.

    Args:
        swaps: The callbacks that swap.
    """

    def __init__(self, swaps: Sequence[keras.callbacks.SwapEMAWeights]) -> None:
        super().__init__()
        self.swaps = swaps

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Let each do what it does at the begin of an epoch."""
        if self.model.stop_training:
            for swap in self.swaps:
                swap.on_epoch_begin(epoch + 1)


def with_checks_and_averages(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return the callbacks of `GAN.fit`: those given, between the package's own.

    Args:
        callbacks: What `fit` was given: a callback, a list of them, a `CallbackList`, or None.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    given = [] if callbacks is None else keras.tree.flatten(callbacks)
    for callback in given:
        check_kind(keras.callbacks.Callback, "a Keras callback or several", callbacks=callback)

    def of_class(kind: type) -> list[keras.callbacks.Callback]:
        return [callback for callback in given if isinstance(callback, kind)]

    first: list[keras.callbacks.Callback] = [EndWithAverages()]
    if not of_class(StopOnNonFinite):
        first.insert(0, StopOnNonFinite(of_class(keras.callbacks.TerminateOnNaN)))
    return [*first, *given, EndOfSwaps(of_class(keras.callbacks.SwapEMAWeights))]


def first_non_finite(variables: Iterable[keras.Variable]) -> keras.Variable | None:
    """Return the first variable with a value that is not finite; None where all are finite."""
    for variable in variables:
        # By Keras: NumPy warns of its variables.
        if not bool(ops.all(ops.isfinite(variable))):
            return variable
    return None


def check_finite_weights(use: str, model: keras.Model) -> None:
    """Raise `NonFiniteError` where a weight of a model is not finite.

    Args:
        use: What the model was to be used for, for the message.
        model: The model.
    """
    broken = first_non_finite(model.weights)
    if broken is not None:
        raise NonFiniteError(
            f"`{use}` needs finite weights: training has diverged, or a file is damaged. "
            f"Received: the variable {broken.path} with NaN or infinity"
        )
