"""What a command that trains or evaluates needs of Keras's configuration, and of the clock."""

import time

import keras

from experiments.errors import SettingsError

_KERAS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
"""Keras's own defaults, under which all published results were made. The records of a run do not
name them."""
_YEARS = range(1980, 2108)
"""Those that the archive of a `.keras` file can hold as a date."""


def check_surroundings():
    """Refuse surroundings that would give other results, or let every checkpoint fail.

    Raises:
        SettingsError: Where `keras.json` changes what Keras computes, or the clock shows a year
            that a saved model cannot hold.
    """
    for name, default in _KERAS.items():
        value = getattr(keras.config, name)()
        if value != default:
            raise SettingsError(
                f"Experiments run with Keras's own `{name}`, {default!r}: take it out of "
                f"keras.json. Received: {name}={value!r}"
            )
    year = time.localtime().tm_year
    if year not in _YEARS:
        raise SettingsError(
            f"The clock must show a year from {_YEARS[0]} to {_YEARS[-1]}, for a saved model holds "
            f"its date: set the clock. Received: {year}"
        )
