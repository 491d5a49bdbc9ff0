"""The mathematics of capsules: squashing, lengths and routing by agreement."""

from capsgan_keras.routing.agreement import (
    EPSILON,
    check_routings,
    dynamic_routing,
    squash,
    vector_length,
)
from capsgan_keras.routing.graph import at_least_float32, in_graph

__all__ = [
    "EPSILON",
    "at_least_float32",
    "check_routings",
    "dynamic_routing",
    "in_graph",
    "squash",
    "vector_length",
]
