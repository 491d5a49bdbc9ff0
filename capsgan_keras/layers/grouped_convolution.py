"""What layers of primary capsules share: a convolution whose channels are grouped into vectors."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_bool, check_choice, check_pair, check_positive
from capsgan_keras.layers.sublayers import LayerWithSublayers
from capsgan_keras.layers.weight_options import serialize_weight_options, weight_option
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor


class GroupedConvolution(LayerWithSublayers):
    """Base of `PrimaryCap` and `DepthwisePrimaryCap`, which describe the arguments."""

    squash: Callable[..., Tensor]
    """How vectors are shrunk."""
    kernel_name: str
    """What Keras's convolution calls its kernel in the names of its options."""

    def __init__(self, dim_capsule: int, flatten: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive(dim_capsule=dim_capsule)
        check_bool(flatten=flatten)
        self.dim_capsule = int(dim_capsule)
        self.flatten = flatten

    def _make_convolution(self, kind: type[keras.Layer], *args: Any, **options: Any) -> None:
        """Create the convolution, and hold its options, which `get_config` returns."""
        check_choice("padding", options["padding"], ("valid", "same"))
        check_bool(use_bias=options["use_bias"])
        for name in ("kernel_size", "strides"):
            check_pair(name, options[name])
        for name in options:
            if name.endswith(("_initializer", "_regularizer", "_constraint")):
                # A depthwise convolution calls its kernel otherwise than the layer does.
                own = name.replace(self.kernel_name, "kernel")
                options[name] = weight_option(own, options[name])
        self.convolution = kind(
            *args,
            **options,
            data_format="channels_last",
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="convolution",
        )
        for name in ("kernel_size", "strides", "padding", "use_bias"):
            setattr(self, name, getattr(self.convolution, name))
        for name in ("initializer", "regularizer", "constraint"):
            setattr(self, f"bias_{name}", getattr(self.convolution, f"bias_{name}"))
            own = f"{self.kernel_name}_{name}"
            setattr(self, f"kernel_{name}", getattr(self.convolution, own))

    def build(self, input_shape: Shape) -> None:
        """Create the convolution's weights."""
        self._check_images(input_shape)
        self.convolution.build(input_shape)

    @property
    def kernel(self) -> keras.Variable:
        """The convolution's kernel, as Keras's convolution holds it."""
        return self.convolution.kernel

    def _check_images(self, input_shape: Shape) -> None:
        """Raise a `ValueError` unless the kernel fits features of this shape."""
        if len(input_shape) != 4 or input_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__} expects features of shape (batch, height, width, "
                "channels), with a known number of channels. "
                f"Received: input_shape={tuple(input_shape)}"
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
        _, height, width, channels = features.shape
        n_channels = channels // self.dim_capsule
        known = height is not None and width is not None
        rows, columns = (height, width) if known else tuple(ops.shape(features)[1:3])
        batch = -1 if known else ops.shape(features)[0]
        shape: tuple[Any, ...] = (batch, -1, self.dim_capsule)
        if not self.flatten:
            shape = (batch, rows, columns, n_channels, self.dim_capsule)
        elif known:
            shape = (batch, rows * columns * n_channels, self.dim_capsule)
        return self.squash(ops.reshape(features, shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the capsules, None for what the input leaves open."""
        self._check_images(input_shape)
        batch, height, width, channels = self.convolution.compute_output_shape(input_shape)
        n_channels = channels // self.dim_capsule
        if not self.flatten:
            return batch, height, width, n_channels, self.dim_capsule
        known = height is not None and width is not None
        return batch, height * width * n_channels if known else None, self.dim_capsule

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, and the state of the convolution."""
        return super().get_config() | {
            "dim_capsule": self.dim_capsule,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "use_bias": self.use_bias,
            **serialize_weight_options(self),
            "flatten": self.flatten,
        }
