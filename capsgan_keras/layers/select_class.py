"""The output of one class, of which a discriminator with a capsule for each class is asked."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class SelectClass(keras.layers.Layer):
    """Of the outputs for all classes, keep the one of each sample's own class.

    A class-conditional discriminator with a final capsule for each class is asked so: is this image
    a real one of its class? All capsules take part in the routing.

    Input shape: a list of outputs `(batch, num_classes)`, floats, and labels `(batch,)`, integers
    from 0 to `num_classes` - 1. Other labels give 0.

    Output shape: `(batch, 1)`, of the outputs' dtype.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import SelectClass

    lengths = np.array([[0.2, 0.9], [0.4, 0.1]], "float32")
    SelectClass()([lengths, np.array([1, 0])])  # [[0.9], [0.4]]
    ```
    """

    def build(self, input_shape: Any) -> None:
        """Check the inputs' shapes; there are no weights."""
        self._check(input_shape)

    def call(self, inputs: list[Tensor]) -> Tensor:
        """Return the outputs of the labels' classes."""
        values, labels = as_floating("inputs[0]", inputs[0]), ops.convert_to_tensor(inputs[1])
        mask = ops.one_hot(ops.cast(labels, "int32"), values.shape[-1], dtype=values.dtype)
        return ops.sum(values * mask, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return `(batch, 1)`."""
        return self._check(input_shape)[0], 1

    def _check(self, input_shape: Any) -> Shape:
        shapes = list(input_shape) if isinstance(input_shape, (list, tuple)) else []
        if [len(each) for each in shapes if isinstance(each, (list, tuple))] != [2, 1]:
            raise ValueError(
                "SelectClass expects the list [outputs, labels], of shapes (batch, num_classes) "
                f"and (batch,). Received: {input_shape=}"
            )
        return tuple(shapes[0])
