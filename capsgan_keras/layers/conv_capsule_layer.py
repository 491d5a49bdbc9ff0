"""A convolutional layer of capsules: routing within a window, with shared weights."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_choice, check_pair
from capsgan_keras.layers.routed_capsules import RoutedCapsules, check_activations_shape
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class ConvCapsuleLayer(RoutedCapsules):
    """Convolutional capsules: those of a window vote for those at its place, then routing.

    All windows share the weights. Couplings are normalized over the output capsules of one place,
    each window by itself. In the paper of EM routing, capsules at different places compete too,
    where their windows overlap.

    Args:
        num_capsule: Positive integer: the types of output capsules at each place.
        dim_capsule: Positive integer: the components of each output vector.
        kernel_size: Size of the window, an integer or two.
        strides: Steps from window to window, an integer or two.
        padding: `"valid"` or `"same"`; then zero capsules surround the input, whose votes count
            for nothing. For your own routing they are votes of zero with an activation of 0.
        **kwargs: All other arguments of `CapsuleLayer`; and `name`, `dtype` and `trainable`, as in
            every Keras layer.

    Input shape: `(batch, height, width, types, input_dim)`, the last two known. For EM routing and
    your own also a list of that and activations `(batch, height, width, types)`.

    Output shape: `(batch, new_height, new_width, num_capsule, dim_capsule)`, as in `CapsuleLayer`.
    With EM routing the list of that and activations `(batch, new_height, new_width, num_capsule)`.

    Raises:
        ValueError: On arguments out of range or that do not fit each other, or inputs smaller than
            a valid window.

    Source: Hinton, Sabour, Frosst, "Matrix capsules with EM routing", ICLR 2018, section 4.

    Example:

    ```python
    import keras
    import numpy as np

    from capsgan_keras.layers import CapsuleLayer, ConvCapsuleLayer, PrimaryCap

    images = np.zeros((2, 16, 16, 1), "float32")
    capsules = PrimaryCap(8, 4, kernel_size=5, strides=2, flatten=False)(images)  # (2, 6, 6, 4, 8)
    capsules = ConvCapsuleLayer(6, 8, kernel_size=3, strides=2)(capsules)  # (2, 2, 2, 6, 8)
    capsules = CapsuleLayer(10, 16)(keras.layers.Reshape((-1, 8))(capsules))  # (2, 10, 16)
    ```
    """

    def __init__(
        self,
        num_capsule: int,
        dim_capsule: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        **kwargs: Any,
    ) -> None:
        super().__init__(num_capsule, dim_capsule, **kwargs)
        check_choice("padding", padding, ("valid", "same"))
        self.kernel_size = check_pair("kernel_size", kernel_size)
        self.strides = check_pair("strides", strides)
        self.padding = padding

    def build(self, input_shape: Any) -> None:
        """Create the kernel and, if `use_bias`, the bias; the routing's weights too."""
        types, input_dim = self._known_capsules(input_shape)
        spec = keras.InputSpec(ndim=5, axes={3: types, 4: input_dim})
        alone = self._split(input_shape)[1] is None
        self.input_spec = spec if alone else [spec, keras.InputSpec(ndim=4, axes={3: types})]
        height, width = self.kernel_size
        self._build_routing(height * width * types, input_dim)

    def call(self, inputs: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
        """Return the output capsules of `inputs`, and their activations if the routing has any."""
        capsules, activations = self._split(inputs)
        capsules = as_floating("inputs", capsules)
        activations = self._activations(capsules, activations)
        places, rows = self._windows(capsules)
        if activations is not None:
            activations = ops.squeeze(self._windows(activations[..., None])[1], axis=-1)
        known = places[1:] if all(isinstance(size, int) for size in places[1:]) else (1, 1)
        routed = self._route(rows, activations, positions=known[0] * known[1])
        outputs = [ops.reshape(tensor, (*places, *tensor.shape[1:])) for tensor in routed]
        return outputs if self.returns_activations else outputs[0]

    def compute_output_shape(self, input_shape: Any) -> Shape | list[Shape]:
        """Return the shape of the capsules, in a list with that of the activations."""
        self._known_capsules(input_shape)
        batch, *sides, _, _ = self._split(input_shape)[0]
        if self.padding == "same":
            sides = [
                side and -(-side // step) for side, step in zip(sides, self.strides, strict=True)
            ]
        else:
            sizes = zip(sides, self.kernel_size, self.strides, strict=True)
            sides = [side and (side - kernel) // step + 1 for side, kernel, step in sizes]
        shape = (batch, *sides, self.num_capsule, self.dim_capsule)
        return [shape, shape[:-1]] if self.returns_activations else shape

    def _windows(self, inputs: Tensor) -> tuple[tuple[Any, ...], Tensor]:
        """Cut out all windows.

        Args:
            inputs: Tensor of shape `(batch, height, width, types, dim)`.

        Returns:
            `(batch, new_height, new_width)`, each an integer or, where not known, a tensor; and
            the windows, `(batch * new_height * new_width, kernel height * width * types, dim)`.
        """
        if self.padding == "same":
            sides = zip(ops.shape(inputs)[1:3], self.kernel_size, self.strides, strict=True)
            pads = [_same_padding(*each) for each in sides]
            inputs = ops.pad(inputs, [(0, 0), *pads, (0, 0), (0, 0)])
        height, width = self.kernel_size
        down, across = self.strides
        # Keras's own patches are a convolution with an identity matrix: more work than the votes.
        parts = [
            inputs[:, y : y - height + 1 or None : down, x : x - width + 1 or None : across]
            for y in range(height)
            for x in range(width)
        ]
        windows = ops.stack(parts, axis=3)
        types, dim = inputs.shape[3:]
        return tuple(ops.shape(windows)[:3]), ops.reshape(windows, (-1, len(parts) * types, dim))

    def _known_capsules(self, input_shape: Any) -> tuple[int, int]:
        shape, activations = self._split(input_shape)
        if len(shape) != 5 or shape[3] is None or shape[4] is None:
            raise ValueError(
                "ConvCapsuleLayer expects capsules of shape (batch, height, width, types, "
                f"input_dim), the last two known. Received: input_shape={tuple(shape)}"
            )
        check_activations_shape(shape, activations)
        for side, kernel in zip(shape[1:3], self.kernel_size, strict=True):
            if self.padding == "valid" and side is not None and side < kernel:
                raise ValueError(
                    "`kernel_size` must not be larger than the input with `padding`='valid'. "
                    f"Received: kernel_size={self.kernel_size}, input_shape={tuple(shape)}"
                )
        return shape[3], shape[4]

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, and the state of a routing with weights."""
        return super().get_config() | {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
        }


def _same_padding(side: Any, kernel: int, step: int) -> tuple[Any, Any]:
    """Return how many zeros come before and after, as in a convolution; tensors for a tensor."""
    total = -side % step + kernel - step
    total = max(total, 0) if isinstance(total, int) else ops.maximum(total, 0)
    return total // 2, total - total // 2
