"""The train step on TensorFlow."""

import tensorflow as tf

from capsgan_keras.training import adversarial


class AdversarialTrainer:
    """Overrides the steps of `keras.Model` on the TensorFlow backend."""

    def train_step(self, data):
        """Update both players on one batch and return the logs."""
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise NotImplementedError(
                "Training a GAN on several replicas is not supported: each would draw the same "
                "noise and normalize its own part of the batch, another experiment. Received: a "
                f"{type(tf.distribute.get_strategy()).__name__} with "
                f"{tf.distribute.get_strategy().num_replicas_in_sync} replicas"
            )
        return adversarial.train_step(self, self.real_images(data), differentiate, apply_gradients)

    def test_step(self, data):
        """Score one batch and return the logs."""
        return adversarial.test_step(self, self.real_images(data))


def differentiate(gan, play, groups):
    """See `capsgan_keras.training.adversarial`."""
    del gan
    with tf.GradientTape(persistent=len(groups) > 1) as tape:
        losses, outputs = play()
    gradients = [
        tape.gradient(loss, variables) for loss, variables in zip(losses, groups, strict=True)
    ]
    return losses, outputs, gradients


def apply_gradients(gan, optimizer, gradients, variables):
    """See `capsgan_keras.training.adversarial`."""
    del gan
    optimizer.apply(gradients, variables)
