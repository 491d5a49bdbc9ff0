"""What stands in for the train step on backends that have none."""

import keras


class AdversarialTrainer(keras.Model):
    """Refuses to train: layers, losses, saving and generating work on every backend."""

    def fit(self, *args, **kwargs):
        """Raise `NotImplementedError`."""
        raise self._unsupported("fit")

    def evaluate(self, *args, **kwargs):
        """Raise `NotImplementedError`."""
        raise self._unsupported("evaluate")

    def train_on_batch(self, *args, **kwargs):
        """Raise `NotImplementedError`."""
        raise self._unsupported("train_on_batch")

    def test_on_batch(self, *args, **kwargs):
        """Raise `NotImplementedError`."""
        raise self._unsupported("test_on_batch")

    def _unsupported(self, method):
        return NotImplementedError(
            f"`{type(self).__name__}.{method}` works on the Keras backends 'tensorflow' and "
            "'jax': set the environment variable KERAS_BACKEND before Python starts. "
            f"Received: backend {keras.backend.backend()!r}"
        )


def count_parts(model):
    """Return into how many parts a batch is divided: it is not."""
    del model
    return 1


def loss_divisor(loss, targets, outputs):
    """Return by what Keras divides the value of a loss: by nothing."""
    del loss, targets, outputs
    return 1
