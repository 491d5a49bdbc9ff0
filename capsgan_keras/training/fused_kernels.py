"""Single kernels of TensorFlow for what Keras computes by many operations, in a train step.

Keras's batch normalization reads the features again and again, by some twenty operations, and its
Adam has ten for each variable. TensorFlow has one kernel for each. A convolution of repeated pixels
multiplies each pixel by up to four weights, where their sum would do: it is a transposed
convolution by these sums, which takes 36 products in the place of 100 for kernels of 5x5. Layers
and optimizers stay Keras's own, so that a saved network loads without this package.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from capsgan_keras.types import Tensor

_DTYPES = ("float32", "bfloat16", "float16")
_OWN = {"call", "convolution_op", "update_step"}
"""Methods that a layer or optimizer has of its own, in the place of its class's, are left alone."""


@contextmanager
def fused_kernels(
    model: keras.Model, optimizers: Iterable[keras.optimizers.Optimizer]
) -> Iterator[None]:
    """Let upsampled convolutions, batch normalization of images and Adam use the kernels.

    They do so where they can, until the end of the context. The values are those of Keras, but for
    rounding.
    """
    layers = list(model._flatten_layers())
    repeated = _Repeated()
    kinds: list[tuple[str, Callable, Callable, Iterable]] = [
        ("call", _normalizes_images, _normalize, layers),
        ("call", _repeats_pixels, repeated.repeat, layers),
        ("call", _convolves_plainly, repeated.convolve, layers),
        ("update_step", _is_plain_adam, _update, optimizers),
    ]
    changed: list[tuple[Any, str, Callable]] = [
        (owner, method, function)
        for method, fits, function, owners in kinds
        for owner in owners
        if fits(owner) and not vars(owner).keys() & _OWN
    ]
    for owner, method, function in changed:
        # Not by setattr, for which Keras and TensorFlow have rules of their own.
        vars(owner)[method] = partial(function, owner)
    try:
        yield
    finally:
        for owner, method, _ in changed:
            del vars(owner)[method]


# Not subclasses, which may compute something else.
def _normalizes_images(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.built
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and layer.trainable
        and not (layer.synchronized or layer.renorm)
        and layer.compute_dtype in _DTYPES
    )


def _repeats_pixels(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.UpSampling2D
        and layer.size == (2, 2)
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
    )


def _convolves_plainly(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.built
        and all(side % 2 for side in layer.kernel_size)
        and (layer.strides, layer.dilation_rate, layer.groups) == ((1, 1), (1, 1), 1)
        and (layer.padding, layer.data_format) == ("same", "channels_last")
        and layer.compute_dtype in _DTYPES
    )


def _is_plain_adam(optimizer: keras.optimizers.Optimizer) -> bool:
    return type(optimizer) is keras.optimizers.Adam and not optimizer.amsgrad


def _normalize(
    layer: keras.layers.BatchNormalization,
    inputs: Tensor,
    training: bool | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Do as the `call` of the layer."""
    if not training or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    like = layer.moving_mean
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=ops.convert_to_tensor(layer.gamma) if layer.scale else ops.ones_like(like),
        offset=ops.convert_to_tensor(layer.beta) if layer.center else ops.zeros_like(like),
        mean=[],
        variance=[],
        epsilon=layer.epsilon,
    )
    # The kernel divides the squares by one less than their number, Keras by the number.
    count = ops.cast(tf.size(inputs) // tf.size(mean), "float32")
    variance = variance * ops.maximum(count - 1.0, 1.0) / count
    # With a control dependency TensorFlow does not join this and a ReLU after it into one kernel,
    # which makes zeros of NaN.
    with tf.control_dependencies([outputs]):
        for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + value * (1.0 - layer.momentum))
    return outputs


class _Repeated:
    """What layers have repeated, to convolve the pixels themselves in its place.

    A convolution is changed only where its input is such a tensor. Whatever else reads the tensor
    gets it as ever; where nothing does, TensorFlow leaves it out of the graph.
    """

    def __init__(self) -> None:
        self._pixels: dict[Any, Tensor] = {}

    def repeat(self, layer: keras.layers.UpSampling2D, inputs: Tensor) -> Tensor:
        """Do as the `call` of the layer."""
        outputs = type(layer).call(layer, inputs)
        self._pixels[outputs.ref()] = inputs
        return outputs

    def convolve(self, layer: keras.layers.Conv2D, inputs: Tensor) -> Tensor:
        """Do as the `call` of the layer."""
        pixels = self._pixels.get(inputs.ref())
        if pixels is None:
            return type(layer).call(layer, inputs)
        weights = tf.cast(layer.kernel, "float32")  # the sums are rounded once
        moved = [
            tf.pad(weights, ((down, 1 - down), (right, 1 - right), (0, 0), (0, 0)))
            for down in (0, 1)
            for right in (0, 1)
        ]
        kernel = tf.transpose(tf.add_n(moved)[::-1, ::-1], (0, 1, 3, 2))
        kernel = tf.cast(kernel, layer.compute_dtype)
        count, height, width, _ = ops.shape(pixels)  # numbers where they are known
        shape = (count, 2 * height, 2 * width, layer.filters)
        outputs = tf.nn.conv2d_transpose(pixels, kernel, shape, strides=2, padding="SAME")
        if layer.use_bias:
            outputs += tf.cast(layer.bias, outputs.dtype)
        return outputs if layer.activation is None else layer.activation(outputs)


def _update(
    adam: keras.optimizers.Adam, gradient: Tensor, variable: tf.Variable, learning_rate: Tensor
) -> None:
    """Do as the `update_step` of the optimizer."""
    if isinstance(gradient, tf.IndexedSlices):
        type(adam).update_step(adam, gradient, variable, learning_rate)
        return
    index, dtype = adam._get_variable_index(variable), variable.dtype
    step = ops.cast(adam.iterations + 1, dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=adam._momentums[index].value.handle,
        v=adam._velocities[index].value.handle,
        beta1_power=ops.power(ops.cast(adam.beta_1, dtype), step),
        beta2_power=ops.power(ops.cast(adam.beta_2, dtype), step),
        lr=ops.cast(learning_rate, dtype),
        beta1=adam.beta_1,
        beta2=adam.beta_2,
        epsilon=adam.epsilon,
        grad=ops.cast(gradient, dtype),
    )
