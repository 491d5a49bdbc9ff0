"""Checks of settings that no network's builder makes."""

from dataclasses import fields
from typing import Any

from capsgan_keras.checks import (
    check_above_zero,
    check_choice,
    check_not_negative,
    check_positive,
    check_share,
)
from capsgan_keras.gan.settings import LOSSES, NetworkSettings


def check_settings(settings: NetworkSettings, steps: int | None) -> None:
    """Raise a `ValueError` where a setting is out of its range that no network's builder checks."""
    missing = [each.name for each in fields(NetworkSettings)]
    # `steps` is an argument beside them.
    missing = [name for name in missing if name != "steps" and not hasattr(settings, name)]
    if missing:
        raise ValueError(
            "`settings` must be NetworkSettings, or have their fields. "
            f"Received: an object of type {type(settings).__name__} without {missing[0]}"
        )
    shares = ("beta_1", "beta_2", "decay", "generator_ema")
    check_share(**{name: getattr(settings, name) for name in shares})
    check_positive(batch_size=settings.batch_size, steps=1 if steps is None else steps)
    check_choice("loss", settings.loss, (None, *LOSSES))
    check_above_zero(**given(width=settings.width))
    check_not_negative(**given(time_decay=settings.time_decay))


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None, in whose place the builders' defaults stand."""
    return {name: value for name, value in options.items() if value is not None}
