"""What stands in for the train step on backends that have none."""

import contextlib
from typing import Any

import keras

from capsgan_keras.types import Tensor


class AdversarialTrainer(keras.Model):
    """Refuse to train; layers, losses, saving and generating work on every backend."""

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Raise `NotImplementedError`."""
        raise self._unsupported("fit")

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Raise `NotImplementedError`."""
        raise self._unsupported("evaluate")

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Raise `NotImplementedError`."""
        raise self._unsupported("train_on_batch")

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Raise `NotImplementedError`."""
        raise self._unsupported("test_on_batch")

    def _unsupported(self, method: str) -> NotImplementedError:
        return NotImplementedError(
            f"`{type(self).__name__}.{method}` works on the Keras backends 'tensorflow' and "
            "'jax': set the environment variable KERAS_BACKEND before Python starts. "
            f"Received: backend {keras.backend.backend()!r}"
        )


def undistributed() -> contextlib.AbstractContextManager[None]:
    """Return a context without effect: nothing is distributed."""
    return contextlib.nullcontext()


def devices_per_batch(model: keras.Model) -> int:
    """Return 1: a batch is not divided among devices."""
    del model
    return 1


def loss_divisor(loss: keras.losses.Loss, targets: Tensor, outputs: Tensor) -> int:
    """Return 1: Keras divides the value of a loss by nothing."""
    del loss, targets, outputs
    return 1
