"""What the JSON files of a run must hold. They are checked once, where they are read."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from capsgan_keras.files import read_json


class RunError(ValueError):
    """A folder that is not the run that it was taken for, or a file of a run that is damaged."""


TEXT, WHOLE, NUMBER = (str,), (int,), (int, float)
CONFIG = {
    "settings": {
        "model": TEXT,
        "seed": WHOLE,
        "precision": TEXT,
        "epochs": WHOLE,
        "batch_size": WHOLE,
        "latent_dim": WHOLE,
    },
    "dataset": {
        "name": TEXT,
        "source": TEXT,
        "checksum": TEXT,
        "images": WHOLE,
        "image_shape": [WHOLE],
    },
    "versions": {str: TEXT},
    "commit": (str, type(None)),
    "learning_rates": {str: (int, float, str, type(None))},
    "discriminator_outputs": TEXT,
    "devices": WHOLE,
}
"""What `config.json` holds of each name, as `check_kinds` takes it."""
METRICS = {
    "epochs": WHOLE,
    "final": {str: NUMBER},
    "seconds": NUMBER,
    "images_per_second": NUMBER,
    "parameters": {str: WHOLE},
}
"""What `metrics.json` holds."""
STATE = {"epoch": WHOLE, "seconds": NUMBER, "history": {str: [NUMBER]}, "gan_checksum": TEXT}
"""What the `state.json` of a checkpoint holds."""


def read_record(path: Path) -> Any:
    """Return what a JSON file of a run holds.

    Raises:
        RunError: Where it cannot be read.
    """
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: could not be read. {error}") from error


def check_parts(path: Path, value: Any, names: Iterable[str]) -> None:
    """Raise a `RunError` unless `value` is a dictionary with these names."""
    lacking = [name for name in names if not isinstance(value, dict) or name not in value]
    if lacking:
        raise RunError(f"{path}: is damaged: it lacks {', '.join(map(repr, lacking))}")


def check_kinds(path: Path, value: Any, kind: Any, name: str = "") -> None:
    """Raise a `RunError` where a part of a JSON value is of another kind than it must be.

    Args:
        path: The file, for the message.
        value: The value.
        kind: A tuple of types; a list with the kind of every item; a dictionary from names to
            kinds, of which the value may lack some and have others; `{str: kind}` for any names.
        name: What the value is called, for the message.
    """
    if isinstance(kind, tuple):
        good = type(value) in kind and (not isinstance(value, float) or math.isfinite(value))
        parts: Iterable[tuple[str, Any, Any]] = ()
    elif isinstance(kind, list):
        good = isinstance(value, list)
        parts = ((f"{name}[{i}]", each, kind[0]) for i, each in enumerate(value if good else ()))
    else:
        good = isinstance(value, dict)
        parts = _named_parts(value, kind, name) if good else ()
    if not good:
        shown = repr(value)
        raise RunError(
            f"{path}: is damaged: {name or 'its content'} is "
            f"{shown if len(shown) < 60 else f'a {type(value).__name__}'}"
        )
    for part in parts:
        check_kinds(path, part[1], part[2], part[0])


def _named_parts(
    value: Mapping[str, Any], kind: Mapping[Any, Any], name: str
) -> list[tuple[str, Any, Any]]:
    return [
        (f"{name}.{key}" if name else key, each, kind.get(str, kind.get(key)))
        for key, each in value.items()
        if str in kind or key in kind
    ]


def check_epochs(path: Path, history: Mapping[str, list[float]], epochs: int) -> None:
    """Raise a `RunError` unless a history has a value of each log for each of some epochs.

    Args:
        path: The file, for the message.
        history: The logs of the epochs.
        epochs: How many there must be.
    """
    wrong = {name: len(values) for name, values in history.items() if len(values) != epochs}
    if wrong or (epochs and not history):
        found = ", ".join(f"{count} of {name}" for name, count in wrong.items()) or "no log"
        raise RunError(f"{path}: is damaged: {epochs} epochs are done, and it holds {found}")
