"""Primary capsules of Efficient-CapsNet: a depthwise convolution, its channels grouped."""

import math
from typing import Any

import keras

from capsgan_keras.checks import check_pair
from capsgan_keras.layers.grouped_convolution import GroupedConvolution
from capsgan_keras.layers.weight_options import Constraint, Initializer, Regularizer
from capsgan_keras.routing.attention import exponential_squash
from capsgan_keras.types import Shape


@keras.saving.register_keras_serializable(package="capsgan_keras")
class DepthwisePrimaryCap(GroupedConvolution):
    """Primary capsules of Efficient-CapsNet: each component has a kernel for one channel alone.

    The channels of a depthwise convolution are grouped into vectors, and shrunk by
    `exponential_squash`. In the paper the kernel covers the whole of the features, so that 128
    channels become 16 capsules of 8. A smaller kernel gives as many at each position.

    Args:
        dim_capsule: Positive integer: the components of each capsule's vector. The channels of the
            input must be a multiple of it.
        kernel_size: Size of the kernels, an integer or two.
        strides: Stride of the convolution, an integer or two equal ones.
        padding: `"valid"` or `"same"`.
        use_bias: Whether the convolution adds a bias.
        kernel_initializer: Initializer of the kernels; by default normal, with the variance
            `1 / (dim_capsule * kernel height * kernel width)`. The squared length before the
            squash is then the mean square of the inputs, on average.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernels.
        bias_regularizer: Regularizer of the bias.
        kernel_constraint: Constraint of the kernels.
        bias_constraint: Constraint of the bias.
        flatten: As in `PrimaryCap`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, height, width, channels)`, in this order whatever Keras's global image
    data format is.

    Output shape: `(batch, new_height * new_width * n_channels, dim_capsule)`, or without `flatten`
    `(batch, new_height, new_width, n_channels, dim_capsule)`, with
    `n_channels = channels / dim_capsule`; lengths in [0, 1).

    Raises:
        ValueError: On arguments out of range, channels that are no multiple of `dim_capsule`, or
            images smaller than a valid kernel.

    Source: Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: capsule network with self-attention
    routing", Scientific Reports 11, 2021 (arXiv 2101.12491).

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import DepthwisePrimaryCap

    features = np.zeros((2, 9, 9, 128), "float32")
    capsules = DepthwisePrimaryCap(dim_capsule=8, kernel_size=9)(features)  # (2, 16, 8)
    ```
    """

    squash = staticmethod(exponential_squash)
    kernel_name = "depthwise"

    def __init__(
        self,
        dim_capsule: int,
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
        height, width = check_pair("kernel_size", kernel_size)
        if kernel_initializer is None:
            stddev = 1.0 / math.sqrt(dim_capsule * height * width)
            kernel_initializer = keras.initializers.RandomNormal(stddev=stddev)
        self._make_convolution(
            keras.layers.DepthwiseConv2D,
            kernel_size=(height, width),
            strides=strides,
            padding=padding,
            use_bias=use_bias,
            depthwise_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            depthwise_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )

    def build(self, input_shape: Shape) -> None:
        """Create the convolution's weights."""
        channels = input_shape[-1]
        if channels is not None and channels % self.dim_capsule:
            raise ValueError(
                "`dim_capsule` must divide the channels of the input. "
                f"Received: dim_capsule={self.dim_capsule}, {channels} channels"
            )
        super().build(input_shape)
