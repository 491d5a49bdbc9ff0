"""A fully connected layer of capsules with routing by agreement."""

import math
from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_bool, check_capsules, check_choice, check_positive
from capsgan_keras.layers.weight_options import (
    Constraint,
    Initializer,
    Regularizer,
    serialize_weight_options,
    weight_option,
)
from capsgan_keras.routing.agreement import check_routings, squash
from capsgan_keras.routing.blockwise import route_inputs
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class CapsuleLayer(keras.layers.Layer):
    """Fully connected capsules: each input capsule predicts each output capsule, then routing.

    With `num_capsule=1` and dynamic routing every coupling is exactly 1 at every iteration, since
    the softmax over the output capsules has one element. The layer then computes
    `squash(sum_i W_i u_i)` as one matrix product. Values and gradients are the same, whatever
    `routings` is.

    Args:
        num_capsule: Positive integer: the number of output capsules.
        dim_capsule: Positive integer: the components of each output vector.
        routings: Integer, at least 1: routing iterations.
        routing: `"dynamic"` (Sabour et al., procedure 1), or `"leaky"`: with an orphan category
            in the softmax, as in the released code of Sabour et al. Leaky routing has an effect
            with one output capsule too.
        use_bias: Whether a bias of shape `(num_capsule, dim_capsule)` is added before squashing.
        stop_gradients: Whether the couplings count as constants in the gradient.
        kernel_initializer: Initializer of the kernel; by default normal, with the variance of
            `length_keeping_variance`, so that stacked layers learn. The kernel has the shape
            `(num_input_capsules * input_dim, num_capsule * dim_capsule)`, so that initializers
            that scale by the shape count all terms of the sum that is squashed.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        kernel_constraint: Constraint of the kernel.
        bias_constraint: Constraint of the bias.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, num_input_capsules, input_dim)`; the last two must be known.

    Output shape: `(batch, num_capsule, dim_capsule)`, lengths in [0, 1), in the compute dtype.
    Squashing and the couplings' softmax are computed in float32.

    Raises:
        ValueError: On arguments out of range, or an unknown number of input capsules.

    Source: Sabour et al. 2017 (arXiv 1710.09829). The argument names are those of CapsNet-Keras.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import CapsuleLayer

    primary_capsules = np.zeros((2, 1152, 8), "float32")
    capsules = CapsuleLayer(num_capsule=10, dim_capsule=16)(primary_capsules)  # (2, 10, 16)
    ```
    """

    def __init__(
        self,
        num_capsule: int,
        dim_capsule: int,
        routings: int = 3,
        routing: str = "dynamic",
        use_bias: bool = False,
        stop_gradients: bool = False,
        kernel_initializer: Initializer | None = None,
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_capsule=num_capsule, dim_capsule=dim_capsule)
        check_routings(routings)
        check_choice("routing", routing, ("dynamic", "leaky"))
        check_bool(use_bias=use_bias, stop_gradients=stop_gradients)
        self.num_capsule = int(num_capsule)
        self.dim_capsule = int(dim_capsule)
        self.routings = int(routings)
        self.routing = routing
        self.use_bias = use_bias
        self.stop_gradients = stop_gradients
        self.kernel_initializer = weight_option("kernel_initializer", kernel_initializer)
        self.bias_initializer = weight_option("bias_initializer", bias_initializer)
        self.kernel_regularizer = weight_option("kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = weight_option("bias_regularizer", bias_regularizer)
        self.kernel_constraint = weight_option("kernel_constraint", kernel_constraint)
        self.bias_constraint = weight_option("bias_constraint", bias_constraint)

    def build(self, input_shape: Shape) -> None:
        """Create the kernel and, if `use_bias`, the bias."""
        num_input, input_dim = self._known_capsules(input_shape)
        # Another number of capsules of the same size in all would mix up their votes.
        self.input_spec = keras.InputSpec(ndim=3, axes={1: num_input, 2: input_dim})
        self.kernel = self.add_weight(
            name="kernel",
            shape=(num_input * input_dim, self.num_capsule * self.dim_capsule),
            initializer=self.kernel_initializer or self._length_keeping(num_input),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.num_capsule, self.dim_capsule),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, inputs: Tensor) -> Tensor:
        """Return the output capsules of `inputs`."""
        inputs = as_floating("inputs", inputs)
        if self.num_capsule == 1 and self.routing == "dynamic":
            return self._one_capsule(inputs)
        num_input, input_dim = inputs.shape[1:]
        kernel = ops.reshape(
            self.kernel, (num_input, input_dim, self.num_capsule, self.dim_capsule)
        )
        return route_inputs(
            inputs,
            kernel,
            routings=self.routings,
            leaky=self.routing == "leaky",
            bias=self.bias,
            stop_gradients=self.stop_gradients,
        )

    def _one_capsule(self, inputs: Tensor) -> Tensor:
        num_input, input_dim = inputs.shape[1:]
        flat = ops.reshape(inputs, (-1, num_input * input_dim))
        total = ops.matmul(flat, self.kernel)
        if self.bias is not None:
            total = total + self.bias
        return squash(ops.reshape(total, (-1, 1, self.dim_capsule)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return `(batch, num_capsule, dim_capsule)`."""
        self._known_capsules(input_shape)
        return input_shape[0], self.num_capsule, self.dim_capsule

    def _length_keeping(self, num_input: int) -> keras.initializers.Initializer:
        variance = length_keeping_variance(
            num_input, self.num_capsule, self.dim_capsule, self.routings, self.routing
        )
        return keras.initializers.RandomNormal(stddev=math.sqrt(variance))

    def _known_capsules(self, input_shape: Shape) -> tuple[int, int]:
        check_capsules(self, input_shape)
        _, num_input, input_dim = input_shape
        if num_input is None or input_dim is None:
            raise ValueError(
                "CapsuleLayer needs a known number and dimension of input capsules, because each "
                "has weights of its own: give the input a fixed number of capsules, for primary "
                "capsules images of a fixed height and width. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        return num_input, input_dim

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments."""
        return super().get_config() | {
            "num_capsule": self.num_capsule,
            "dim_capsule": self.dim_capsule,
            "routings": self.routings,
            "routing": self.routing,
            "use_bias": self.use_bias,
            "stop_gradients": self.stop_gradients,
            **serialize_weight_options(self),
        }


def length_keeping_variance(
    num_input: int, num_capsule: int, dim_capsule: int, routings: int = 3, routing: str = "dynamic"
) -> float:
    """Return the variance of kernel weights that keeps capsules at middle lengths.

    Squash makes short vectors shorter: a length s becomes about s^2. With the couplings c of the
    first iteration, 1 / num_capsule (leaky: 1 / (num_capsule + 1)), independent weights of
    variance v, and input capsules of mean squared length q, the sum before squash has the mean
    squared length

    `E |s|^2 = g q`, with the gain `g = c^2 num_input dim_capsule v`,

    whatever the dimension of the input capsules is. So `v = g / (c^2 num_input dim_capsule)`. A
    layer maps lengths l to `g l^2 / (1 + g l^2)`. A length other than 0 comes back from this only
    for a gain of at least 4. Without further iterations the gain here is 6, which keeps a length of
    0.79. Further iterations lengthen the sums, since couplings move to predictions that agree.
    With them a gain of 3 keeps lengths of 0.3 to 0.9.

    Args:
        num_input: Number of input capsules.
        num_capsule: Number of output capsules.
        dim_capsule: Components of an output capsule.
        routings: Routing iterations.
        routing: `"dynamic"` or `"leaky"`.

    Example:

    ```python
    from capsgan_keras.layers.capsule_layer import length_keeping_variance

    length_keeping_variance(num_input=36, num_capsule=3, dim_capsule=4)  # 3 * 9 / (36 * 4) = 0.1875
    ```
    """
    categories = num_capsule + (routing == "leaky")
    gain = 6.0 if routings == 1 or categories == 1 else 3.0
    return gain * categories**2 / (num_input * dim_capsule)
