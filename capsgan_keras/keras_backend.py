"""A look at the wished Keras backend when this module is imported, before Keras fails."""

import importlib.util
import json
import os
import sys
from pathlib import Path

_BACKENDS = ("tensorflow", "jax", "torch", "numpy", "openvino")


def check_keras_backend() -> None:
    """Raise an `ImportError` where the wished backend of Keras is not installed.

    It is wished by `KERAS_BACKEND`, else by Keras's `keras.json`. Once Keras is imported, its
    backend is chosen and nothing is checked.
    """
    if "keras" in sys.modules:
        return
    name, where = os.environ.get("KERAS_BACKEND"), "The environment variable KERAS_BACKEND"
    received = "KERAS_BACKEND"
    if not name:
        folder = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
        file = Path(folder, "keras.json")
        try:
            name = json.loads(file.read_text(encoding="utf-8"))["backend"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return  # as Keras does, where it is missing or damaged
        where, received = f"The backend in {file}", "backend"
    installed = list(filter(_is_installed, _BACKENDS))
    if name not in installed:
        raise ImportError(
            f"{where} must name an installed backend of Keras: "
            f"{', '.join(installed)}. Received: {received}={name!r}"
        )


def _is_installed(name: str) -> bool:
    try:
        needed = (name, "jax") if name == "numpy" else (name,)  # Keras's own takes parts of JAX
        return all(importlib.util.find_spec(each) is not None for each in needed)
    except ImportError:  # something on the path forbids it
        return False


check_keras_backend()
