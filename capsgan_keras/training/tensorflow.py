"""The train step on TensorFlow."""

import keras
import tensorflow as tf

from capsgan_keras.training import adversarial, replicas


class AdversarialTrainer(keras.Model):
    """Overrides the steps of `keras.Model` on the TensorFlow backend."""

    def train_step(self, data):
        """Update both players on one batch, or this replica's part of it; return the logs."""
        real = self.real_images(data)
        if replicas.count() == 1:
            batch = adversarial.WholeBatch(real)
            return adversarial.train_step(self, batch, differentiate, apply_gradients)
        with replicas.own_seeds(self):
            batch = replicas.ReplicaBatch(real)
            logs = adversarial.train_step(self, batch, differentiate, apply_gradients)
        return replicas.reducible(logs)

    def test_step(self, data):
        """Score one batch and return the logs."""
        real = self.real_images(data)
        if replicas.count() == 1:
            return adversarial.test_step(self, adversarial.WholeBatch(real))
        return replicas.reducible(adversarial.test_step(self, replicas.ReplicaBatch(real)))

    def check_batch_size(self, size):
        """Raise a `ValueError` unless each replica gets an image of a batch of `size`."""
        parts = replicas.count_parts(self)
        largest = -(-size // parts)
        if largest * (parts - 1) >= size:
            raise ValueError(
                f"A batch must give each of the {parts} replicas an image; TensorFlow gives "
                f"{largest} to one after the other. Change the batch size, or leave images out. "
                f"Received: a batch of {size} images"
            )

    def make_train_function(self, force=False):
        """As in Keras; on several replicas batch normalization sees the whole batch."""
        before = self.train_function
        super().make_train_function(force)
        if replicas.count_parts(self) > 1:
            replicas.check_strategy(self)
            if self.train_function is not before:
                self.train_function = replicas.synchronizing(self, self.train_function)

    def make_test_function(self, force=False):
        """As in Keras."""
        super().make_test_function(force)
        if replicas.count_parts(self) > 1:
            replicas.check_strategy(self)

    def train_on_batch(self, *args, **kwargs):
        """As in Keras, on one replica."""
        self._refuse_replicas("train_on_batch")
        return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args, **kwargs):
        """As in Keras, on one replica."""
        self._refuse_replicas("test_on_batch")
        return super().test_on_batch(*args, **kwargs)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Do nothing: a GAN is built already.

        Keras would add up the first batch's parts to see their shape, which fails where they have
        different sizes, and always over several workers.
        """

    def _refuse_replicas(self, method):
        if replicas.count_parts(self) > 1:
            raise NotImplementedError(
                f"`{method}` gives every replica the whole batch: use `fit` or `evaluate`. "
                f"Received: {replicas.count_parts(self)} replicas"
            )


def differentiate(gan, play, groups):
    """See `capsgan_keras.training.adversarial`."""
    del gan
    with tf.GradientTape(persistent=len(groups) > 1) as tape:
        losses, outputs = play()
        if replicas.count() > 1:
            # Each replica has the whole loss, and their gradients will be summed up.
            losses = [loss / replicas.count() for loss in losses]
    gradients = [
        tape.gradient(loss, variables) for loss, variables in zip(losses, groups, strict=True)
    ]
    return losses, outputs, gradients


def apply_gradients(gan, optimizer, gradients, variables):
    """See `capsgan_keras.training.adversarial`."""
    del gan
    if replicas.count() > 1:
        gradients = replicas.whole_gradients(optimizer, gradients)
    optimizer.apply(gradients, variables)
