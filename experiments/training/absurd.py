"""The end of a training that has diverged though its numbers are still finite."""

import keras

from capsgan_keras.training.callbacks import NonFiniteError

LARGEST_LOSS = 1e3
"""The margin and the least-squares loss stay below 2. Cross-entropy is 88 where a probability is
the smallest that float32 holds."""
LARGEST_WEIGHT = 1e4
"""Weights start below 1. At the largest published learning rate, 1e-3, Adam takes ten million steps
to move one so far."""


class StopOnAbsurd(keras.callbacks.Callback):
    """Raise `NonFiniteError` at the end of an epoch whose losses or weights mean nothing any more.

    The rule: a loss, as the mean of the epoch, is beyond `LARGEST_LOSS`, or a trainable weight is
    beyond `LARGEST_WEIGHT`. Put it before callbacks that save.
    """

    def on_epoch_end(self, epoch, logs=None):
        """Check the losses and the weights."""
        for name, value in (logs or {}).items():
            if name.endswith("loss") and abs(value) > LARGEST_LOSS:
                raise NonFiniteError(
                    f"{name} is {value:.3g} in epoch {epoch + 1}, beyond {LARGEST_LOSS:g}"
                )
        for weight in self.model.trainable_variables:
            largest = float(keras.ops.max(keras.ops.abs(weight)))
            if largest > LARGEST_WEIGHT:
                raise NonFiniteError(
                    f"the weight {weight.path} is {largest:.3g} after epoch {epoch + 1}, beyond "
                    f"{LARGEST_WEIGHT:g}"
                )
