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
    installed = list(filter(_is_installed, _BACKENDS))
    if name not in installed:
        raise ImportError(
            "The environment variable KERAS_BACKEND must name an installed backend of Keras: "
            f"{', '.join(installed)}. Received: KERAS_BACKEND={name!r}"
        )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # something on the path forbids it
        return False


check_keras_backend()
