"""A look at the wished Keras backend when this module is imported, before Keras fails."""

import importlib.util
import os
import sys

_BACKENDS = ("tensorflow", "jax", "torch", "numpy", "openvino")


def check_keras_backend() -> None:
    """Raise an `ImportError` where `KERAS_BACKEND` names no backend that is installed.

    Once Keras is imported, its backend is chosen and nothing is checked.
    """
    name = os.environ.get("KERAS_BACKEND")
    if not name or "keras" in sys.modules:
        return
    installed = [backend for backend in _BACKENDS if importlib.util.find_spec(backend)]
    if name not in installed:
        raise ImportError(
            "The environment variable KERAS_BACKEND must name an installed backend of Keras: "
            f"{', '.join(installed)}. Received: KERAS_BACKEND={name!r}"
        )


check_keras_backend()
