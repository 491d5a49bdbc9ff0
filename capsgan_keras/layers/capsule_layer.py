"""A fully connected layer of capsules with routing."""

from typing import Any

import keras

from capsgan_keras.checks import check_capsules
from capsgan_keras.layers.routed_capsules import RoutedCapsules, check_activations_shape
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.routing.initial_variance import (
    length_keeping_variance as length_keeping_variance,  # older code imports it from here
)
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class CapsuleLayer(RoutedCapsules):
    """Fully connected capsules: each input capsule votes for each output capsule, then routing.

    With `num_capsule=1` and dynamic routing every coupling is exactly 1 at every iteration, since
    the softmax over the output capsules has one element. The layer then computes
    `squash(sum_i W_i u_i)` as one matrix product. Values and gradients are the same, whatever
    `routings` is.

    Args:
        num_capsule: Positive integer: the number of output capsules.
        dim_capsule: Positive integer: the components of each output vector.
        routings: Integer, at least 1: iterations of a routing that is given by its name.
            Self-attention has none.
        routing: `"dynamic"` (Sabour et al., procedure 1), `"leaky"` (with an orphan category in
            the softmax, so that it acts on one output capsule too), `"self_attention"`,
            `"inverted_dot_product"` or `"em"`. Or a function, an object or a Keras layer with
            their interface, `route(votes, activations)`.
        use_bias: Whether a bias of shape `(num_capsule, dim_capsule)` is added before squashing;
            for dynamic and leaky routing.
        stop_gradients: Whether the couplings count as constants in the gradient; for dynamic and
            leaky routing.
        kernel_initializer: Initializer of the kernel; by default normal, with the variance that
            the routing needs for stacked layers to learn. The kernel has the shape
            `(num_input_capsules * input_dim, num_capsule * dim_capsule)`, so that initializers
            that scale by the shape count all terms of the sum that is squashed.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        kernel_constraint: Constraint of the kernel.
        bias_constraint: Constraint of the bias.
        transform: How a capsule votes: `"linear"`, by a matrix `(input_dim, dim_capsule)` for each
            pair, or `"matrix"`. Then capsules are square matrices, and votes are products with a
            matrix of that size, as in the paper of EM routing. The kernel has the shape
            `(num_input_capsules * side, num_capsule * side)`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, num_input_capsules, input_dim)`; the last two must be known. For EM
    routing and your own also a list of that and activations `(batch, num_input_capsules)`; without
    them the lengths of the capsules are their activations.

    Output shape: `(batch, num_capsule, dim_capsule)` in the compute dtype, with dynamic, leaky and
    self-attention routing of lengths in [0, 1). With EM routing the list of that and activations
    `(batch, num_capsule)` in (0, 1). Votes and routing are computed in float32 at least.

    Raises:
        ValueError: On arguments out of range or that do not fit each other, or an unknown number
            of input capsules.

    Source: Sabour et al. 2017 (arXiv 1710.09829). The argument names are those of CapsNet-Keras.
    The other routings name theirs in `capsgan_keras.routing`.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import CapsuleLayer

    primary_capsules = np.zeros((2, 1152, 8), "float32")
    capsules = CapsuleLayer(num_capsule=10, dim_capsule=16)(primary_capsules)  # (2, 10, 16)
    poses, activations = CapsuleLayer(10, 16, routing="em")(primary_capsules)  # and (2, 10)
    ```
    """

    def build(self, input_shape: Any) -> None:
        """Create the kernel and, if `use_bias`, the bias; the routing's weights too."""
        num_input, input_dim = self._known_capsules(input_shape)
        # Another number of capsules of the same size in all would mix up their votes.
        spec = keras.InputSpec(ndim=3, axes={1: num_input, 2: input_dim})
        alone = self._split(input_shape)[1] is None
        self.input_spec = spec if alone else [spec, keras.InputSpec(ndim=2, axes={1: num_input})]
        self._build_routing(num_input, input_dim)

    def call(self, inputs: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
        """Return the output capsules of `inputs`, and their activations if the routing has any."""
        capsules, activations = self._split(inputs)
        capsules = as_floating("inputs", capsules)
        routed = self._route(capsules, self._activations(capsules, activations))
        return list(routed) if self.returns_activations else routed[0]

    def couplings(self, inputs: Tensor | list[Tensor]) -> Tensor:
        """Return the weights that the routing gives to votes, `(batch, num_capsule, num_input)`.

        They are those of the last iteration. Of each input capsule they add up to 1 with dynamic,
        inverted dot-product and EM routing, to less with leaky routing. With self-attention the
        prior is added.

        Args:
            inputs: As of a call. The layer must be built.

        Raises:
            ValueError: With a routing of your own that has no method `couplings`.
        """
        if not hasattr(self.router, "couplings"):
            raise ValueError(
                "`routing` must have a method `couplings(votes, activations)`. "
                f"Received: routing={self.routing!r}"
            )
        capsules, activations = self._split(inputs)
        capsules = as_floating("inputs", capsules)
        votes = self._votes(capsules)
        options = {} if self.bias is None else {"bias": self.bias}
        return self.router.couplings(votes, self._activations(capsules, activations), **options)

    def compute_output_shape(self, input_shape: Any) -> Shape | list[Shape]:
        """Return `(batch, num_capsule, dim_capsule)`, in a list with that of the activations."""
        self._known_capsules(input_shape)
        batch = self._split(input_shape)[0][0]
        shape = (batch, self.num_capsule, self.dim_capsule)
        return [shape, shape[:2]] if self.returns_activations else shape

    def _known_capsules(self, input_shape: Any) -> tuple[int, int]:
        shape, activations = self._split(input_shape)
        check_capsules(self, shape)
        _, num_input, input_dim = shape
        if num_input is None or input_dim is None:
            raise ValueError(
                "CapsuleLayer needs a known number and dimension of input capsules, because each "
                "has weights of its own: give the input a fixed number of capsules, for primary "
                "capsules images of a fixed height and width. "
                f"Received: input_shape={tuple(shape)}"
            )
        check_activations_shape(shape, activations)
        return num_input, input_dim
