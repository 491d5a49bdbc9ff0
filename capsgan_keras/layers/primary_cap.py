"""Primary capsules: a convolution whose channels are grouped into squashed vectors."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_bool, check_choice, check_filters, check_positive
from capsgan_keras.layers.sublayers import from_config_with_sublayers, sublayer_states
from capsgan_keras.layers.weight_options import (
    Constraint,
    Initializer,
    Regularizer,
    serialize_weight_options,
    weight_option,
)
from capsgan_keras.routing.agreement import squash
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import DType, Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class PrimaryCap(keras.layers.Layer):
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
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, height, width, channels)`, in this order whatever Keras's global image
    data format is.

    Output shape: `(batch, new_height * new_width * n_channels, dim_capsule)`, lengths in [0, 1).

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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(dim_capsule=dim_capsule, n_channels=n_channels)
        _check_pair(kernel_size=kernel_size, strides=strides)
        check_choice("padding", padding, ("valid", "same"))
        check_bool(use_bias=use_bias)
        self.dim_capsule = int(dim_capsule)
        self.n_channels = int(n_channels)
        if kernel_initializer is None:
            kernel_initializer = keras.initializers.VarianceScaling(
                2.0 / dim_capsule, mode="fan_in", distribution="untruncated_normal"
            )
        self.convolution = keras.layers.Conv2D(
            filters=dim_capsule * n_channels,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format="channels_last",
            use_bias=use_bias,
            kernel_initializer=weight_option("kernel_initializer", kernel_initializer),
            bias_initializer=weight_option("bias_initializer", bias_initializer),
            kernel_regularizer=weight_option("kernel_regularizer", kernel_regularizer),
            bias_regularizer=weight_option("bias_regularizer", bias_regularizer),
            kernel_constraint=weight_option("kernel_constraint", kernel_constraint),
            bias_constraint=weight_option("bias_constraint", bias_constraint),
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="convolution",
        )
        self.kernel_size = self.convolution.kernel_size
        self.strides = self.convolution.strides
        self.padding = padding
        self.use_bias = use_bias
        self.kernel_initializer = self.convolution.kernel_initializer
        self.bias_initializer = self.convolution.bias_initializer
        self.kernel_regularizer = self.convolution.kernel_regularizer
        self.bias_regularizer = self.convolution.bias_regularizer
        self.kernel_constraint = self.convolution.kernel_constraint
        self.bias_constraint = self.convolution.bias_constraint

    @keras.layers.Layer.dtype_policy.setter
    def dtype_policy(self, policy: DType) -> None:
        """Set the dtype policy of the layer and its convolution."""
        keras.layers.Layer.dtype_policy.fset(self, policy)
        self.convolution.dtype_policy = policy

    @property
    def kernel(self) -> keras.Variable:
        """The convolution's kernel, `(height, width, channels, n_channels * dim_capsule)`."""
        return self.convolution.kernel

    def build(self, input_shape: Shape) -> None:
        """Create the convolution's weights."""
        self._check_images(input_shape)
        self.convolution.build(input_shape)

    def _check_images(self, input_shape: Shape) -> None:
        """Raise a `ValueError` unless the kernel fits features of this shape."""
        if len(input_shape) != 4 or input_shape[-1] is None:
            raise ValueError(
                "PrimaryCap expects features of shape (batch, height, width, channels), with a "
                f"known number of channels. Received: input_shape={tuple(input_shape)}"
            )
        sides = zip(self.kernel_size, input_shape[1:3], strict=True)
        if self.padding == "valid" and any(side and kernel > side for kernel, side in sides):
            raise ValueError(
                "`kernel_size` must be at most the features' height and width, or `padding` "
                f"'same'. Received: kernel_size={self.kernel_size}, "
                f"input_shape={tuple(input_shape)}"
            )

    def call(self, inputs: Tensor) -> Tensor:
        """Return the primary capsules of `inputs`."""
        features = self.convolution(as_floating("inputs", inputs))
        _, height, width, _ = features.shape
        if height is None or width is None:
            shape = (ops.shape(features)[0], -1, self.dim_capsule)
        else:
            shape = (-1, height * width * self.n_channels, self.dim_capsule)
        return squash(ops.reshape(features, shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return `(batch, num_capsules, dim_capsule)`, None for what the input leaves open."""
        self._check_images(input_shape)
        batch, height, width, _ = self.convolution.compute_output_shape(input_shape)
        known = height is not None and width is not None
        return batch, height * width * self.n_channels if known else None, self.dim_capsule

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, and the state of the convolution."""
        return super().get_config() | {
            "dim_capsule": self.dim_capsule,
            "n_channels": self.n_channels,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "use_bias": self.use_bias,
            **serialize_weight_options(self),
            "sublayers": sublayer_states(self),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PrimaryCap":
        """Return the layer that `get_config` describes."""
        return from_config_with_sublayers(cls, config)


def _check_pair(**arguments: Any) -> None:
    """Raise a `ValueError` unless each argument is a positive integer, or two of them."""
    for name, value in arguments.items():
        check_filters(value, count=2 if isinstance(value, (tuple, list)) else None, name=name)
