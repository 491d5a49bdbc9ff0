"""The mathematics of capsules: squashing, lengths and routing."""

from capsgan_keras.routing.agreement import (
    EPSILON,
    check_routings,
    dynamic_routing,
    squash,
    vector_length,
)
from capsgan_keras.routing.attention import (
    InvertedDotProductRouting,
    SelfAttentionRouting,
    exponential_squash,
)
from capsgan_keras.routing.em import EMRouting
from capsgan_keras.routing.graph import at_least_float32, in_graph

__all__ = [
    "EPSILON",
    "EMRouting",
    "InvertedDotProductRouting",
    "SelfAttentionRouting",
    "at_least_float32",
    "check_routings",
    "dynamic_routing",
    "exponential_squash",
    "in_graph",
    "squash",
    "vector_length",
]
