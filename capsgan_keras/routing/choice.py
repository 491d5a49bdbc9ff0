"""The interface of a routing, and the built-in ones by their names."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from capsgan_keras.routing.agreement import check_routings, dynamic_routing
from capsgan_keras.routing.attention import InvertedDotProductRouting, SelfAttentionRouting
from capsgan_keras.routing.blockwise import route_inputs
from capsgan_keras.routing.em import EMRouting
from capsgan_keras.routing.initial_variance import length_keeping_variance
from capsgan_keras.routing.votes import DenseVotes
from capsgan_keras.types import DType, Tensor

Routing = Callable[..., Any]
"""`route(votes, activations)`, a function, an object or a Keras layer: see `docs/routings.md`."""

BY_AGREEMENT = ("dynamic", "leaky")
LENGTHS_ARE_PROBABILITIES = (*BY_AGREEMENT, "self_attention")
"""Names of the routings whose capsules have lengths in [0, 1)."""
NAMES = (*LENGTHS_ARE_PROBABILITIES, "inverted_dot_product", "em")


class DynamicRouting:
    """Dynamic or leaky routing with the interface of the others; it has no weights.

    Args:
        routing: `"dynamic"` or `"leaky"`.
        routings: As in `dynamic_routing`.
        stop_gradients: As in `dynamic_routing`.
    """

    returns_activations = False
    uses_activations = False

    def __init__(self, routing: str, routings: int, stop_gradients: bool) -> None:
        self.routing = routing
        self.options: dict[str, Any] = {
            "routings": routings,
            "leaky": routing == "leaky",
            "stop_gradients": stop_gradients,
        }

    def __call__(
        self, votes: Tensor, activations: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Return the capsules that get `votes`."""
        return dynamic_routing(votes, bias=bias, **self.options)

    def route_inputs(
        self, inputs: Tensor, kernel: Tensor, positions: int = 1, bias: Tensor | None = None
    ) -> Tensor:
        """Return the capsules that get linear votes; arguments as in `blockwise.route_inputs`."""
        return route_inputs(inputs, kernel, bias=bias, positions=positions, **self.options)

    def couplings(
        self, votes: Tensor, activations: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Return the couplings of the last iteration; arguments as of a call."""
        # An iteration's logits are the agreements with the sum of all outputs before it.
        query = ops.zeros_like(votes[:, :, 0])
        for routings in range(1, self.options["routings"]):
            query += dynamic_routing(votes, bias=bias, **self.options | {"routings": routings})
        return DenseVotes(votes).couplings(query, orphans=self.options["leaky"])

    def initial_variance(
        self, num_input: int, input_dim: int, num_capsule: int, dim_capsule: int
    ) -> float:
        """Return the variance of kernel weights that keeps lengths; arguments as of the kernel."""
        return length_keeping_variance(
            num_input, num_capsule, dim_capsule, self.options["routings"], self.routing
        )


def get_routing(routing: Any, routings: int, stop_gradients: bool, dtype: DType) -> Routing:
    """Return the routing that a name or an object stands for.

    Args:
        routing: One of `NAMES`, the config of a routing, or a routing.
        routings: Iterations, for those that a name stands for.
        stop_gradients: Whether couplings are constants, for those by agreement.
        dtype: Dtype policy of those that a name stands for.

    Raises:
        ValueError: On another name or kind of object, iterations out of range, or
            `stop_gradients` with other routings.
    """
    check_routings(routings)
    if isinstance(routing, dict):
        routing = keras.saving.deserialize_keras_object(routing)
    if not callable(routing) and not isinstance(routing, str):
        raise _unknown(routing)
    if stop_gradients and routing not in BY_AGREEMENT:
        raise _only_by_agreement("stop_gradients", stop_gradients, routing)
    if callable(routing) and not isinstance(routing, type):
        return routing
    if routing not in NAMES:
        raise _unknown(routing)
    if routing in BY_AGREEMENT:
        return DynamicRouting(routing, int(routings), stop_gradients)
    if routing == "self_attention":
        return SelfAttentionRouting(dtype=dtype, name=routing)
    kind = InvertedDotProductRouting if routing == "inverted_dot_product" else EMRouting
    return kind(routings, dtype=dtype, name=routing)


def _unknown(routing: Any) -> ValueError:
    return ValueError(
        f"`routing` must be one of {', '.join(map(repr, NAMES))}, or a function or object that "
        f"takes votes and activations. Received: {routing=}"
    )


def check_gives_probabilities(routing: Any) -> None:
    """Raise a `ValueError` unless capsules of this routing have lengths in [0, 1)."""
    if not isinstance(routing, str) or routing not in LENGTHS_ARE_PROBABILITIES:
        raise ValueError(
            f"`routing` must be one of {', '.join(map(repr, LENGTHS_ARE_PROBABILITIES))}, since "
            "the length of a final capsule is a probability: that of others is not in [0, 1). "
            f"Received: {routing=}"
        )


def check_bias(use_bias: bool, routing: Any) -> None:
    """Raise a `ValueError` where a bias is wished with a routing that adds none."""
    if use_bias and routing not in BY_AGREEMENT:
        raise _only_by_agreement("use_bias", use_bias, routing)


def serialize_routing(routing: str | Routing) -> Any:
    """Return the name of a built-in routing, or the config of an object as Keras writes it.

    Raises:
        ValueError: For a lambda, which no file can hold.
    """
    if isinstance(routing, str):
        return routing
    if getattr(routing, "__name__", None) == "<lambda>":
        raise ValueError(
            "`routing` must be a function with a name, registered by "
            "`keras.saving.register_keras_serializable`, to be saved. Received: a lambda"
        )
    return keras.saving.serialize_keras_object(routing)


def _only_by_agreement(name: str, value: Any, routing: Any) -> ValueError:
    return ValueError(
        f"`{name}` is for the routings {' and '.join(map(repr, BY_AGREEMENT))}. "
        f"Received: {name}={value!r}, routing={routing!r}"
    )
