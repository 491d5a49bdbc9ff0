"""Masking all capsules but one."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_capsules
from capsgan_keras.routing.agreement import vector_length
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class Mask(keras.layers.Layer):
    """Set all capsules but one to zero and flatten, as the reconstruction decoder needs.

    With one input, the longest capsule of each sample is kept. With the two inputs
    `[capsules, mask]`, the capsule is kept where the row of `mask` is largest: for one-hot classes
    the one that they name. Exactly one is kept whatever the values are; of equal ones the first.

    Input shape: `(batch, num_capsule, dim_capsule)`, or a list of that and
    `(batch, num_capsule)`. The mask may have any dtype. Integer classes `(batch,)` are refused.

    Output shape: `(batch, num_capsule * dim_capsule)`.

    Source: Sabour et al. 2017 (arXiv 1710.09829), section 4.1.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import Mask

    capsules = np.array([[[3.0, 4.0], [1.0, 1.0]]])
    Mask()(capsules)  # [[3, 4, 0, 0]]: the longest
    Mask()([capsules, np.array([[0.0, 1.0]])])  # [[0, 0, 1, 1]]: the second
    ```
    """

    def build(self, input_shape: Any) -> None:
        """Check the input's rank; there are no weights."""
        self._capsules_shape(input_shape)

    def call(self, inputs: Tensor | list[Tensor]) -> Tensor:
        """Return the masked capsules, flattened."""
        if isinstance(inputs, list | tuple):
            capsules, choosing = map(ops.convert_to_tensor, inputs)
            # At each call, since the layer may have been built for capsules alone.
            self._capsules_shape((tuple(capsules.shape), tuple(choosing.shape)))
            choosing = ops.cast(choosing, "float32")
        else:
            capsules = as_floating("inputs", inputs)
            choosing = vector_length(capsules)
        mask = ops.one_hot(ops.argmax(choosing, axis=-1), capsules.shape[1], dtype=capsules.dtype)
        masked = capsules * mask[..., None]
        return ops.reshape(masked, (-1, capsules.shape[1] * capsules.shape[2]))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return `(batch, num_capsule * dim_capsule)`."""
        batch, num_capsule, dim_capsule = self._capsules_shape(input_shape)
        return batch, num_capsule * dim_capsule

    def _capsules_shape(self, input_shape: Any) -> tuple:
        shape, mask_shape = input_shape, None
        if isinstance(input_shape[0], list | tuple):
            if len(input_shape) != 2:
                raise ValueError(
                    "Mask expects capsules, or the list [capsules, mask]. "
                    f"Received: {len(input_shape)} inputs, {input_shape=}"
                )
            shape, mask_shape = input_shape
        check_capsules(self, shape)
        if None in tuple(shape[1:]):
            raise ValueError(
                "Mask needs a known number and dimension of capsules. "
                f"Received: input_shape={tuple(shape)}"
            )
        if mask_shape is not None and (
            tuple(mask_shape[1:]) != (shape[1],)
            or (None not in (mask_shape[0], shape[0]) and mask_shape[0] != shape[0])
        ):
            raise ValueError(
                f"The mask must have the shape (batch, {shape[1]}): one-hot classes, as "
                f"`keras.utils.to_categorical(classes, {shape[1]})` makes them. "
                f"Received: mask of shape {tuple(mask_shape)}, capsules of shape {tuple(shape)}"
            )
        return tuple(shape)
