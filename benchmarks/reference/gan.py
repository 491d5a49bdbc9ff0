"""The textbook way to train a GAN: alternating updates, capsules by `map_fn`, two loose optimizers.

The simultaneous step is here too, written out plainly. It is not timed: the package's
simultaneous step is checked against it.
"""

import keras
import tensorflow as tf

from benchmarks.reference.capsules import textbook_layer, textbook_weights
from capsgan_keras.layers import CapsuleLayer


class TextbookGAN:
    """Textbook copies of a GAN's networks and optimizers, and the steps that train them.

    The weights and the noise start as those of a new GAN.

    Args:
        gan: A compiled `capsgan_keras.GAN` with a seed, whose discriminator has one output.
    """

    def __init__(self, gan):
        self.generator = _copy(gan.generator)
        self.discriminator = _copy(gan.discriminator)
        self.loss = gan.loss
        self.latent_dim = gan.latent_dim
        self.noise = keras.random.SeedGenerator(gan.seed)
        self.generator_optimizer = _copy_optimizer(gan.generator_optimizer, self.generator)
        self.discriminator_optimizer = _copy_optimizer(
            gan.discriminator_optimizer, self.discriminator
        )

    @tf.function
    def alternating(self, images):
        """Update the discriminator, then the generator on new noise.

        Args:
            images: uint8 `(batch, height, width, channels)`.

        Returns:
            The discriminator's and the generator's loss.
        """
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        generated = self.generator(self._latents(images), training=True)
        with tf.GradientTape() as tape:
            on_generated = self.discriminator(generated, training=True)
            discriminator_loss = self._discriminator_loss(real, on_generated)
        variables = self.discriminator.trainable_variables
        gradients = tape.gradient(discriminator_loss, variables)
        self.discriminator_optimizer.apply(gradients, variables)

        with tf.GradientTape() as tape:
            generated = self.generator(self._latents(images), training=True)
            on_generated = self.discriminator(generated, training=True)
            generator_loss = self.loss(tf.ones_like(on_generated), on_generated)
        variables = self.generator.trainable_variables
        gradients = tape.gradient(generator_loss, variables)
        self.generator_optimizer.apply(gradients, variables)
        return discriminator_loss, generator_loss

    @tf.function
    def simultaneous(self, images):
        """Update both players from the same forward pass; arguments and result as above."""
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        with tf.GradientTape(persistent=True) as tape:
            generated = self.generator(self._latents(images), training=True)
            on_generated = self.discriminator(generated, training=True)
            discriminator_loss = self._discriminator_loss(real, on_generated)
            generator_loss = self.loss(tf.ones_like(on_generated), on_generated)
        of_generator = self.generator.trainable_variables
        of_discriminator = self.discriminator.trainable_variables
        generator_gradients = tape.gradient(generator_loss, of_generator)
        discriminator_gradients = tape.gradient(discriminator_loss, of_discriminator)
        self.generator_optimizer.apply(generator_gradients, of_generator)
        self.discriminator_optimizer.apply(discriminator_gradients, of_discriminator)
        return discriminator_loss, generator_loss

    def _discriminator_loss(self, real, on_generated):
        on_real = self.discriminator(real, training=True)
        return self.loss(tf.ones_like(on_real), on_real) + self.loss(
            tf.zeros_like(on_generated), on_generated
        )

    def _latents(self, images):
        shape = (tf.shape(images)[0], self.latent_dim)
        return keras.random.normal(shape, dtype="float32", seed=self.noise)


def _copy(network):
    """Return a copy of a functional model with the same weights and textbook capsules."""

    def copy_layer(layer):
        if isinstance(layer, CapsuleLayer):
            return textbook_layer(layer)
        return type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=copy_layer)
    for ours, theirs in zip(network.layers, copy.layers, strict=True):
        theirs.set_weights(textbook_weights(ours))
    return copy


def _copy_optimizer(optimizer, network):
    copy = type(optimizer).from_config(optimizer.get_config())
    copy.build(network.trainable_variables)
    return copy
