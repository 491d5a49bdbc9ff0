"""Initializers, regularizers and constraints, as layers with a kernel and a bias hold them."""

from typing import Any

import keras

Initializer = str | keras.initializers.Initializer
Regularizer = str | keras.regularizers.Regularizer | None
Constraint = str | keras.constraints.Constraint | None

_MODULES = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
}


def weight_option(name: str, value: Any) -> Any:
    """Return an initializer, a regularizer or a constraint as an object.

    Args:
        name: The argument's name, which ends with what it is.
        value: What Keras takes for it.

    Raises:
        ValueError: Where Keras knows no such object.
    """
    kind = name.rsplit("_", 1)[1]
    try:
        return _MODULES[kind].get(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be a Keras {kind} or its name. Received: {name}={value!r}"
        ) from error


def serialize_weight_options(layer: keras.Layer) -> dict[str, dict | None]:
    """Return the config of `layer.kernel_initializer`, `layer.bias_constraint` and so on."""
    return {
        f"{weight}_{kind}": module.serialize(getattr(layer, f"{weight}_{kind}"))
        for weight in ("kernel", "bias")
        for kind, module in _MODULES.items()
    }
