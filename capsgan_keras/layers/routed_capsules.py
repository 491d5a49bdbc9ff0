"""What layers of routed capsules share: weights, votes and the routing."""

import math
from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_bool, check_choice, check_positive, is_array
from capsgan_keras.layers.sublayers import LayerWithSublayers
from capsgan_keras.layers.weight_options import (
    Constraint,
    Initializer,
    Regularizer,
    serialize_weight_options,
    weight_option,
)
from capsgan_keras.routing.agreement import squash, vector_length
from capsgan_keras.routing.choice import Routing, check_bias, get_routing, serialize_routing
from capsgan_keras.routing.graph import as_floating, at_least_float32
from capsgan_keras.routing.initial_variance import length_keeping_variance
from capsgan_keras.routing.votes import linear_votes, matrix_votes
from capsgan_keras.types import Shape, Tensor


class RoutedCapsules(LayerWithSublayers):
    """Base of `CapsuleLayer` and `ConvCapsuleLayer`, which describe the arguments."""

    def __init__(
        self,
        num_capsule: int,
        dim_capsule: int,
        routings: int = 3,
        routing: str | Routing = "dynamic",
        use_bias: bool = False,
        stop_gradients: bool = False,
        kernel_initializer: Initializer | None = None,
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        transform: str = "linear",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_capsule=num_capsule, dim_capsule=dim_capsule)
        check_choice("transform", transform, ("linear", "matrix"))
        check_bool(use_bias=use_bias, stop_gradients=stop_gradients)
        self.router = get_routing(routing, routings, stop_gradients, self.dtype_policy)
        check_bias(use_bias, routing)
        self.num_capsule = int(num_capsule)
        self.dim_capsule = int(dim_capsule)
        self.routings = int(routings)
        self.routing = routing if isinstance(routing, str) else self.router
        self.use_bias = use_bias
        self.stop_gradients = stop_gradients
        self.transform = transform
        self.kernel_initializer = weight_option("kernel_initializer", kernel_initializer)
        self.bias_initializer = weight_option("bias_initializer", bias_initializer)
        self.kernel_regularizer = weight_option("kernel_regularizer", kernel_regularizer)
        self.bias_regularizer = weight_option("bias_regularizer", bias_regularizer)
        self.kernel_constraint = weight_option("kernel_constraint", kernel_constraint)
        self.bias_constraint = weight_option("bias_constraint", bias_constraint)

    @property
    def returns_activations(self) -> bool:
        """Whether the layer returns the list of poses and activations."""
        return getattr(self.router, "returns_activations", False)

    def _build_routing(self, num_input: int, input_dim: int) -> None:
        """Create the kernel, the bias if `use_bias`, and the weights of the routing."""
        rows, columns = input_dim, self.dim_capsule
        if self.transform == "matrix":
            rows = columns = math.isqrt(input_dim)
            if not input_dim == self.dim_capsule == rows**2:
                raise ValueError(
                    "`transform`='matrix' needs input and output capsules of one dimension that "
                    "is a square number. Received: input capsules of dimension "
                    f"{input_dim}, dim_capsule={self.dim_capsule}"
                )
        sizes = num_input, rows, self.num_capsule, columns
        variance = getattr(self.router, "initial_variance", _length_keeping)(*sizes)
        self._kernel_shape = sizes
        self.kernel = self.add_weight(
            name="kernel",
            shape=(num_input * rows, self.num_capsule * columns),
            initializer=self.kernel_initializer
            or keras.initializers.RandomNormal(stddev=math.sqrt(variance)),
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
        # Keras builds a routing that it loads from a file.
        if isinstance(self.router, keras.Layer) and not self.router.built:
            self.router.build((None, self.num_capsule, num_input, self.dim_capsule))

    def _split(self, inputs: Any) -> tuple[Any, Any]:
        """Return capsules and activations, or their shapes; the latter None where not given."""
        if not isinstance(inputs, list | tuple) or isinstance(inputs[0], int | None):
            return inputs, None
        takes = getattr(self.router, "uses_activations", True)
        if len(inputs) != 2 or not takes:
            wanted = "capsules, or the list [capsules, activations]" if takes else "capsules alone"
            raise ValueError(
                f"{type(self).__name__} with routing={self.routing!r} expects {wanted}. "
                f"Received: {len(inputs)} inputs"
            )
        return inputs[0], inputs[1]

    def _activations(self, capsules: Tensor, activations: Tensor | None) -> Tensor | None:
        """Return the activations that the routing gets: by default lengths."""
        if activations is not None:
            return at_least_float32(as_floating("activations", activations))
        if getattr(self.router, "uses_activations", True):
            return vector_length(capsules)
        return None

    def _route(
        self, inputs: Tensor, activations: Tensor | None, positions: int = 1
    ) -> tuple[Tensor, ...]:
        """Return `(capsules,)` or `(poses, activations)`.

        Args:
            inputs: Capsules `(rows, num_input_capsules, input_dim)`.
            activations: What `_activations` returns, `(rows, num_input_capsules)` or None.
            positions: How many of the rows one sample makes, as far as known.
        """
        linear = self.transform == "linear"
        if self.num_capsule == 1 and self.routing == "dynamic" and linear:
            return (self._one_capsule(inputs),)
        kernel = ops.reshape(self.kernel, self._kernel_shape)
        options = {} if self.bias is None else {"bias": self.bias}
        if linear and hasattr(self.router, "route_inputs"):
            routed = self.router.route_inputs(
                at_least_float32(inputs), at_least_float32(kernel), positions=positions, **options
            )
        else:
            routed = self.router(self._votes(inputs), activations, **options)
        routed = tuple(routed) if isinstance(routed, list | tuple) else (routed,)
        self._check_routed(routed)
        return tuple(ops.cast(tensor, inputs.dtype) for tensor in routed)

    def _votes(self, inputs: Tensor) -> Tensor:
        """Return the votes of capsules `(rows, num_input_capsules, input_dim)`."""
        kernel = at_least_float32(ops.reshape(self.kernel, self._kernel_shape))
        votes = linear_votes if self.transform == "linear" else matrix_votes
        return votes(at_least_float32(inputs), kernel)

    def _check_routed(self, routed: tuple[Tensor, ...]) -> None:
        """Raise a `ValueError` where the routing returned something else than it must."""
        expected = [(self.num_capsule, self.dim_capsule), (self.num_capsule,)]
        expected = expected[: 1 + self.returns_activations]
        found = [tuple(each.shape) if is_array(each) else type(each).__name__ for each in routed]
        if [shape[1:] for shape in found] != expected:
            wanted = " and ".join(str(("batch", *shape)) for shape in expected)
            raise ValueError(
                f"`routing` must return {wanted}, since its attribute `returns_activations` is "
                f"{self.returns_activations}. Received: tensors of shapes "
                f"{', '.join(map(str, found))}"
            )

    def _one_capsule(self, inputs: Tensor) -> Tensor:
        num_input, input_dim = inputs.shape[1:]
        flat = ops.reshape(at_least_float32(inputs), (-1, num_input * input_dim))
        total = ops.matmul(flat, at_least_float32(self.kernel))
        if self.bias is not None:
            total = total + at_least_float32(self.bias)
        return ops.cast(squash(ops.reshape(total, (-1, 1, self.dim_capsule))), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, and the state of a routing with weights."""
        return super().get_config() | {
            "num_capsule": self.num_capsule,
            "dim_capsule": self.dim_capsule,
            "routings": self.routings,
            "routing": serialize_routing(self.routing),
            "use_bias": self.use_bias,
            "stop_gradients": self.stop_gradients,
            **serialize_weight_options(self),
            "transform": self.transform,
        }


def _length_keeping(num_input: int, rows: int, num_capsule: int, columns: int) -> float:
    return length_keeping_variance(num_input, num_capsule, columns)


def check_activations_shape(capsules: Shape, activations: Shape | None) -> None:
    """Raise a `ValueError` unless there is one activation for each capsule."""
    if activations is None:
        return
    wanted, found = tuple(capsules[1:-1]), tuple(activations[1:])
    if len(wanted) != len(found) or any(
        a != b for a, b in zip(wanted, found, strict=True) if None not in (a, b)
    ):
        raise ValueError(
            "The activations must have the shape of the capsules without their last axis. "
            f"Received: activations of shape {tuple(activations)}, capsules of shape "
            f"{tuple(capsules)}"
        )
