"""The state of the layers that a layer holds, which Keras's configs leave out.

Whether a layer inside another one is frozen, and its dtype policy, can be set at any time. Keras
saves both for the layers of a functional or sequential model, but not for those of another layer.
"""

from typing import Any, Self

import keras

from capsgan_keras.types import DType


class LayerWithSublayers(keras.layers.Layer):
    """A layer whose config holds the state of the layers inside, which follow its policy."""

    @keras.layers.Layer.dtype_policy.setter
    def dtype_policy(self, policy: DType) -> None:
        """Set the dtype policy of the layer and of those inside."""
        keras.layers.Layer.dtype_policy.fset(self, policy)
        for inner in self._flatten_layers(include_self=False):
            inner.dtype_policy = policy

    def get_config(self) -> dict[str, Any]:
        """Return Keras's arguments, and the state of the layers inside."""
        return super().get_config() | {"sublayers": sublayer_states(self)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the layer that `get_config` describes."""
        return from_config_with_sublayers(cls, config)


def sublayer_states(layer: keras.Layer) -> list[dict[str, Any]]:
    """Return `trainable` and the dtype policy of all layers inside `layer`, outer ones first."""
    return [
        {"trainable": inner.trainable, "dtype": keras.dtype_policies.serialize(inner.dtype_policy)}
        for inner in layer._flatten_layers(include_self=False)
    ]


def from_config_with_sublayers(cls: type, config: dict[str, Any]) -> Any:
    """Return `cls(**config)` after restoring `config["sublayers"]`, which older files lack.

    Raises:
        ValueError: Where the object holds another number of layers.
    """
    arguments = dict(config)
    states = arguments.pop("sublayers", None)
    layer = cls(**arguments)
    if states is None:
        return layer
    for inner, state in zip(layer._flatten_layers(include_self=False), states, strict=True):
        inner.trainable = state["trainable"]
        policy = keras.dtype_policies.deserialize(state["dtype"])
        if inner.dtype_policy != policy:
            inner.dtype_policy = policy
    return layer
