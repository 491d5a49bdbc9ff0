"""Other ways to compute a layer of capsules, on the weights of a `CapsuleLayer`.

`EinsumCapsules` has the predictions made by one einsum before they are routed; it computes what
`CapsuleLayer` does. `AttentionCapsules` routes without iterations, by self-attention, as
Efficient-CapsNet does (Mazzia, Salvetti, Chiaberge 2021, arXiv 2101.12491, section 3.2): another
function, here for what it costs.
"""

import keras
from keras import ops

from capsgan_keras.routing.agreement import dynamic_routing, squash


class _Predicting(keras.layers.Layer):
    """Capsules whose predictions are a tensor `(batch, num_capsule, num_input, dim_capsule)`.

    Args:
        num_capsule, dim_capsule, routings: As in `CapsuleLayer`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, num_input_capsules, input_dim)`.

    Output shape: `(batch, num_capsule, dim_capsule)`.
    """

    def __init__(self, num_capsule, dim_capsule, routings=3, **kwargs):
        super().__init__(**kwargs)
        self.num_capsule = num_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings

    def build(self, input_shape):
        """Create the kernel, in the shape of `CapsuleLayer.kernel`."""
        _, num_input, input_dim = input_shape
        self.kernel = self.add_weight(
            name="kernel",
            shape=(num_input * input_dim, self.num_capsule * self.dim_capsule),
            initializer="glorot_uniform",
        )

    def _predictions(self, inputs):
        shape = (*inputs.shape[1:], self.num_capsule, self.dim_capsule)
        return ops.einsum("bid,idjk->bjik", inputs, ops.reshape(self.kernel, shape))


class EinsumCapsules(_Predicting):
    """Predictions by one einsum, then routing by agreement."""

    def call(self, inputs):
        """Return the output capsules of `inputs`."""
        return dynamic_routing(self._predictions(inputs), routings=self.routings)


class AttentionCapsules(_Predicting):
    """Predictions by one einsum, then one step of self-attention; `routings` has no meaning."""

    def build(self, input_shape):
        """Create the kernel and the prior of the couplings."""
        super().build(input_shape)
        self.prior = self.add_weight(
            name="prior", shape=(self.num_capsule, input_shape[1]), initializer="zeros"
        )

    def call(self, inputs):
        """Return the output capsules of `inputs`."""
        predictions = ops.cast(self._predictions(inputs), "float32")
        # Each prediction's agreement with all others is its product with their sum.
        sums = ops.sum(predictions, axis=2, keepdims=True)
        agreement = ops.sum(predictions * sums, axis=-1) / self.dim_capsule**0.5
        couplings = ops.softmax(agreement, axis=1) + ops.cast(self.prior, "float32")
        weighted = ops.squeeze(ops.matmul(couplings[:, :, None, :], predictions), axis=2)
        return squash(weighted)
