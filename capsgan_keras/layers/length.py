"""The lengths of capsules."""

import keras

from capsgan_keras.checks import check_capsules
from capsgan_keras.routing.agreement import vector_length
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class Length(keras.layers.Layer):
    """Length of each capsule's vector: the probability that its entity is there.

    Input shape: `(batch, num_capsule, dim_capsule)`.

    Output shape: `(batch, num_capsule)`. It is float32 under half-precision policies too, for the
    losses and probabilities that follow.

    Source: Sabour et al. 2017 (arXiv 1710.09829), section 2.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import Length

    capsules = np.array([[[3.0, 4.0]]])
    Length()(capsules)  # [[5.0]]
    ```
    """

    def build(self, input_shape: Shape) -> None:
        """Check the input's rank; there are no weights."""
        check_capsules(self, input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """Return the lengths of `inputs`."""
        return vector_length(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return `(batch, num_capsule)`."""
        check_capsules(self, input_shape)
        return tuple(input_shape[:-1])
