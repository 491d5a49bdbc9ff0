"""The limit of a training step: the time of its convolutions alone.

A simultaneous step goes through the networks so often:

- generator: once forward, once back;
- discriminator: once forward and once back for the real and for the generated images each, and
  once more back to the generated images, for the generator's loss.

Back means the gradients for a layer's inputs and for its kernel. A convolution of repeated pixels
is the transposed convolution that the step computes in its place. The discriminator's own loss
needs no gradient for the images, and the generator's loss none for the discriminator's kernels.
Matrix products, normalization, activations, losses and optimizers are left out, so that no way to
write them can make a step faster than this.
"""

import functools
import itertools

import keras
import tensorflow as tf
from keras import layers, ops

from capsgan_keras.layers import PrimaryCap


def convolutions_alone(gan, batch_size, dtype):
    """Return a function that computes the convolutions of a simultaneous step, and no more.

    Args:
        gan: A `capsgan_keras.GAN`.
        batch_size: Real images in a step; as many are generated.
        dtype: `"float32"` or `"bfloat16"`.
    """
    passes = [
        _Pass(layer, shape, dtype) for layer, shape in _convolutions(gan.generator, batch_size)
    ]
    for index, (layer, shape) in enumerate(_convolutions(gan.discriminator, batch_size)):
        first = index == 0
        passes += [
            _Pass(layer, shape, dtype, to_inputs=0 if first else 1),
            _Pass(layer, shape, dtype, to_inputs=1 if first else 2),
        ]
    tensors = [one.tensors for one in passes]

    @tf.function
    def compute(tensors):
        return [one.compute(*each) for one, each in zip(passes, tensors, strict=True)]

    return functools.partial(compute, tensors)


def _convolutions(network, batch_size):
    """Yield a functional model's convolutions, each with the shape of its inputs."""
    for before, layer in itertools.pairwise(network.layers):
        shape = (batch_size, *layer.input.shape[1:]) if layer.weights else None
        if isinstance(before, layers.UpSampling2D):
            sides = [side + 1 for side in layer.kernel_size]
            small = (batch_size, *before.input.shape[1:])
            transposed = layers.Conv2DTranspose(
                layer.filters, sides, strides=2, padding="same", data_format="channels_last"
            )
            transposed.build(small)
            yield transposed, small
        elif isinstance(layer, PrimaryCap):
            yield layer.convolution, shape
        elif isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
            yield layer, shape


class _Pass:
    """One way of a batch through a convolution: forward, then back.

    Args:
        layer: A built `Conv2D` or `Conv2DTranspose`.
        shape: Of the inputs.
        dtype: Of all tensors.
        to_inputs: How often the gradient for the inputs is needed.
    """

    def __init__(self, layer, shape, dtype, to_inputs=1):
        self.convolution = (
            ops.conv_transpose if isinstance(layer, layers.Conv2DTranspose) else ops.conv
        )
        self.options = {
            "strides": layer.strides,
            "padding": layer.padding,
            "data_format": "channels_last",
        }
        output = layer.compute_output_shape(shape)
        # Random, and others for each pass: equal products would be computed once.
        self.tensors = [
            keras.random.normal(each, dtype=dtype)
            for each in (shape, layer.kernel.shape, output, *[output] * max(0, to_inputs - 1))
        ]
        self.to_inputs = to_inputs

    def compute(self, inputs, kernel, *gradients):
        """Return the value, the kernel's gradient, and the inputs' gradients."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([inputs, kernel])
            value = self.convolution(inputs, kernel, **self.options)
        to_kernel = tape.gradient(value, kernel, gradients[0])
        to_inputs = [
            tape.gradient(value, inputs, gradient) for gradient in gradients[: self.to_inputs]
        ]
        return value, to_kernel, to_inputs
