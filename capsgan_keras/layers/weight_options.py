"""Initializers, regularizers and constraints, as layers with a kernel and a bias hold them."""

import keras

Initializer = str | keras.initializers.Initializer
Regularizer = str | keras.regularizers.Regularizer | None
Constraint = str | keras.constraints.Constraint | None

_MODULES = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
}


def serialize_weight_options(layer: keras.Layer) -> dict[str, dict | None]:
    """Return the config of `layer.kernel_initializer`, `layer.bias_constraint` and so on."""
    return {
        f"{weight}_{kind}": module.serialize(getattr(layer, f"{weight}_{kind}"))
        for weight in ("kernel", "bias")
        for kind, module in _MODULES.items()
    }
