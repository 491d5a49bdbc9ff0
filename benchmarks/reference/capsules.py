"""Two textbook ways to compute a `CapsuleLayer` with dynamic routing.

`MapFnCapsules` computes as CapsNet-Keras does (github.com/XifengGuo/CapsNet-Keras): it repeats the
inputs for every output capsule, and `map_fn` makes the predictions of one image after the other.
`EinsumCapsules` makes all predictions in one einsum. Both hold the predictions
`(batch, num_capsule, num_input, dim_capsule)`; `CapsuleLayer` does not.
"""

import keras
import numpy as np
import tensorflow as tf

from capsgan_keras.layers import CapsuleLayer
from capsgan_keras.routing import dynamic_routing

EPSILON = 1e-12
"""The package's. CapsNet-Keras adds 1e-7, but then values could not be compared."""


class TextbookCapsules(keras.layers.Layer):
    """Hold the kernel and the options of both ways.

    Args:
        num_capsule, dim_capsule, routings: As in `CapsuleLayer`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, num_input, input_dim)`.

    Output shape: `(batch, num_capsule, dim_capsule)`.
    """

    def __init__(self, num_capsule, dim_capsule, routings=3, **kwargs):
        super().__init__(**kwargs)
        self.num_capsule = num_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings

    def build(self, input_shape):
        """Create the kernel in the layout of CapsNet-Keras, so that no step moves weights."""
        _, num_input, input_dim = input_shape
        shape = (self.num_capsule, num_input, self.dim_capsule, input_dim)
        self.kernel = self.add_weight(name="kernel", shape=shape)


class MapFnCapsules(TextbookCapsules):
    """Compute predictions by tiled inputs and `map_fn`, then route as CapsNet-Keras does."""

    def call(self, inputs):
        """Return the output capsules of `inputs`."""
        repeated = tf.tile(tf.expand_dims(inputs, 1), [1, self.num_capsule, 1, 1])
        kernel = tf.convert_to_tensor(self.kernel)
        predictions = tf.map_fn(lambda capsules: tf.linalg.matvec(kernel, capsules), repeated)
        logits = tf.zeros(tf.shape(predictions)[:3], predictions.dtype)
        for iteration in range(self.routings):
            couplings = tf.nn.softmax(logits, axis=1)
            capsules = _squash(tf.linalg.matvec(predictions, couplings, transpose_a=True))
            if iteration < self.routings - 1:
                logits += tf.linalg.matvec(predictions, capsules)
        return capsules


class EinsumCapsules(TextbookCapsules):
    """Compute predictions by one einsum, then route by the package's `dynamic_routing`."""

    def call(self, inputs):
        """Return the output capsules of `inputs`."""
        predictions = tf.einsum("bid,jikd->bjik", inputs, tf.convert_to_tensor(self.kernel))
        return dynamic_routing(predictions, routings=self.routings)


def _squash(vectors):
    squared = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    return squared / (1.0 + squared) / tf.sqrt(squared + EPSILON) * vectors


def textbook_layer(layer, kind=MapFnCapsules):
    """Return a textbook layer with the options of a `CapsuleLayer`, but not yet its weights.

    Raises:
        ValueError: Where the layer has options that CapsNet-Keras has not.
    """
    if layer.routing != "dynamic" or layer.use_bias or layer.stop_gradients:
        raise ValueError(
            "The textbook layers have dynamic routing with gradients through all iterations, and "
            f"no bias. Received: routing={layer.routing!r}, use_bias={layer.use_bias}, "
            f"stop_gradients={layer.stop_gradients}"
        )
    options = layer.num_capsule, layer.dim_capsule, layer.routings
    return kind(*options, dtype=layer.dtype_policy, name=layer.name)


def textbook_kernel(kernel, num_capsule, input_dim):
    """Bring a `CapsuleLayer`'s kernel, or its gradient, into the layout of CapsNet-Keras.

    Args:
        kernel: Array `(num_input * input_dim, num_capsule * dim_capsule)`.
        num_capsule: Number of output capsules.
        input_dim: Components of an input capsule.

    Returns:
        Array `(num_capsule, num_input, dim_capsule, input_dim)`.
    """
    split = np.reshape(kernel, (-1, input_dim, num_capsule, kernel.shape[1] // num_capsule))
    return np.transpose(split, (2, 0, 3, 1))


def textbook_weights(layer):
    """Return any layer's weights as a list of arrays, a capsule kernel in the textbook layout."""
    weights = layer.get_weights()
    if isinstance(layer, CapsuleLayer):
        return [textbook_kernel(weights[0], layer.num_capsule, layer.input.shape[-1])]
    return weights
