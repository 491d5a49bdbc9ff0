"""Single kernels of TensorFlow for what Keras computes by many operations, in a train step.

Keras's batch normalization reads the features again and again, by some twenty operations, and its
Adam has ten for each variable. TensorFlow has one kernel for each. A convolution of repeated pixels
multiplies each pixel by several weights whose sum does as well: it is a transposed convolution by
these sums, at less than half of the cost. Layers and optimizers stay Keras's own, so that a saved
network loads without this package.
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
_NONE = ((0, 0), (0, 0), (0, 0))


@contextmanager
def fused_kernels(
    model: keras.Model, optimizers: Iterable[keras.optimizers.Optimizer]
) -> Iterator[None]:
    """Let upsampled convolutions, batch normalization of images and Adam use the kernels.

    Where they can, and until the end. The values are those of Keras, but for rounding.
    """
    layers = [layer for layer in model._flatten_layers() if _normalizes_images(layer)]
    pairs = list(upsampled_convolutions(model))
    adams = [optimizer for optimizer in optimizers if _is_plain_adam(optimizer)]
    changed: list[tuple[Any, str, Callable]] = [
        *((layer, "call", _normalize) for layer in layers),
        *((upsampling, "call", _leave) for upsampling, _ in pairs),
        *((convolution, "call", _convolve_upsampled) for _, convolution in pairs),
        *((adam, "update_step", _update) for adam in adams),
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


def upsampled_convolutions(
    model: keras.Model,
) -> Iterator[tuple[keras.layers.UpSampling2D, keras.layers.Conv2D]]:
    """Yield each layer that repeats pixels for a convolution, and for nothing else."""
    shown = {id(tensor) for each in (model, *model._flatten_layers()) for tensor in _outputs(each)}
    for layer in model._flatten_layers():
        if not _repeats_pixels(layer) or id(layer.output) in shown:
            continue
        readers = [node.operation for node in layer._outbound_nodes]
        if len(readers) == 1 and _convolves_plainly(readers[0]):
            yield layer, readers[0]


def _outputs(layer: keras.layers.Layer) -> list[Any]:
    functional = getattr(layer, "_functional", layer)  # that of a sequential model
    return keras.tree.flatten(getattr(functional, "outputs", []))


def _repeats_pixels(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.UpSampling2D
        and len(layer._inbound_nodes) == 1
        and layer.size == (2, 2)
        and layer.interpolation == "nearest"
        and layer.data_format == "channels_last"
        and layer.activity_regularizer is None
    )


def _convolves_plainly(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.built
        and len(layer._inbound_nodes) == 1
        and all(side % 2 for side in layer.kernel_size)
        and (layer.strides, layer.dilation_rate, layer.groups) == ((1, 1), (1, 1), 1)
        and (layer.padding, layer.data_format) == ("same", "channels_last")
        and not layer.lora_enabled
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


def _leave(layer: keras.layers.UpSampling2D, inputs: Tensor) -> Tensor:
    """Leave the pixels to `_convolve_upsampled`."""
    return inputs


def _convolve_upsampled(layer: keras.layers.Conv2D, inputs: Tensor) -> Tensor:
    """Do as the `call` of the layer, on pixels that were not yet repeated."""
    # The sums are rounded once: not the variable as a layer gets it, in its compute dtype.
    kernel = tf.convert_to_tensor(layer.kernel._value)[::-1, ::-1]
    kernel = tf.pad(kernel, ((1, 0), *_NONE)) + tf.pad(kernel, ((0, 1), *_NONE))
    kernel = tf.transpose(kernel, (1, 0, 3, 2))
    kernel = tf.pad(kernel, ((1, 0), *_NONE)) + tf.pad(kernel, ((0, 1), *_NONE))
    kernel = tf.cast(tf.transpose(kernel, (1, 0, 2, 3)), layer.compute_dtype)
    count, height, width, _ = ops.shape(inputs)  # numbers where they are known
    shape = (count, 2 * height, 2 * width, layer.filters)
    outputs = tf.nn.conv2d_transpose(inputs, kernel, shape, strides=2, padding="SAME")
    if layer.use_bias:
        outputs += tf.cast(tf.convert_to_tensor(layer.bias), outputs.dtype)
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
