"""The lengths of capsules."""

import keras

from capsgan_keras.checks import check_capsules
from capsgan_keras.routing.agreement import vector_length


@keras.saving.register_keras_serializable(package="capsgan_keras")
class Length(keras.layers.Layer):
    """Length of each capsule's vector: the probability that its entity is there.

    Input shape: `(batch, num_capsule, dim_capsule)`.

    Output shape: `(batch, num_capsule)`. Always float32 under half-precision policies, since
    losses and probabilities follow.

    Source: Sabour et al. 2017 (arXiv 1710.09829), section 2.

    Example:

    >>> capsules = np.array([[[3.0, 4.0]]])
    >>> Length()(capsules)  # [[5.0]]
    """

    def build(self, input_shape):
        """Check the input's rank; there are no weights."""
        check_capsules(self, input_shape)

    def call(self, inputs):
        """Return the lengths of `inputs`."""
        return vector_length(inputs)

    def compute_output_shape(self, input_shape):
        """Return `(batch, num_capsule)`."""
        check_capsules(self, input_shape)
        return tuple(input_shape[:-1])
