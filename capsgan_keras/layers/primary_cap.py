"""Primary capsules: a convolution whose channels are grouped into squashed vectors."""

from typing import Any

import keras

from capsgan_keras.checks import check_positive
from capsgan_keras.layers.grouped_convolution import GroupedConvolution
from capsgan_keras.layers.weight_options import Constraint, Initializer, Regularizer
from capsgan_keras.routing.agreement import squash


@keras.saving.register_keras_serializable(package="capsgan_keras")
class PrimaryCap(GroupedConvolution):
    """Primary capsules: one convolution, its channels grouped into vectors, squashed.

    Args:
        dim_capsule: Positive integer: the components of each capsule's vector.
        n_channels: Positive integer: the types of capsules at each position.
        kernel_size: Size of the convolution's kernel, an integer or two.
        strides: Strides of the convolution, an integer or two.
        padding: `"valid"` or `"same"`.
        use_bias: Whether the convolution adds a bias.
        kernel_initializer: Initializer of the convolution's kernel; by default normal, with the
            variance `2 / (dim_capsule * fan_in)`. The squared length before squash is then twice
            the mean square of the inputs, on average.
        bias_initializer: Initializer of its bias.
        kernel_regularizer: Regularizer of its kernel.
        bias_regularizer: Regularizer of its bias.
        kernel_constraint: Constraint of its kernel.
        bias_constraint: Constraint of its bias.
        flatten: Whether the capsules of all positions are put in one row. Without it they keep
            their places, as `ConvCapsuleLayer` needs.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, height, width, channels)`, in this order whatever Keras's global image
    data format is.

    Output shape: `(batch, new_height * new_width * n_channels, dim_capsule)`, or without `flatten`
    `(batch, new_height, new_width, n_channels, dim_capsule)`; lengths in [0, 1).

    Raises:
        ValueError: On arguments out of range, or images smaller than a valid kernel.

    Source: Sabour et al. 2017 (arXiv 1710.09829), section 4. The argument names are those of
    CapsNet-Keras.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import PrimaryCap

    features = np.zeros((2, 20, 20, 256), "float32")
    layer = PrimaryCap(dim_capsule=8, n_channels=32, kernel_size=9, strides=2)
    capsules = layer(features)  # (2, 1152, 8)
    ```
    """

    squash = staticmethod(squash)
    kernel_name = "kernel"

    def __init__(
        self,
        dim_capsule: int,
        n_channels: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        use_bias: bool = True,
        kernel_initializer: Initializer | None = None,
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        flatten: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(dim_capsule, flatten, **kwargs)
        check_positive(n_channels=n_channels)
        if kernel_initializer is None:
            kernel_initializer = keras.initializers.VarianceScaling(
                2.0 / dim_capsule, mode="fan_in", distribution="untruncated_normal"
            )
        self.n_channels = int(n_channels)
        self._make_convolution(
            keras.layers.Conv2D,
            dim_capsule * n_channels,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, and the state of the convolution."""
        return super().get_config() | {"n_channels": self.n_channels}
