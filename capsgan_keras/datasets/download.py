"""Data sets that Keras downloads."""

import contextlib
import socket
from collections.abc import Iterator

import numpy as np

from capsgan_keras.datasets.definition import SourcedArrays

DOWNLOAD_TIMEOUT = 30.0


def download_with_keras(name: str) -> SourcedArrays:
    """Return the arrays of `keras.datasets.NAME`, from its cache or the network."""
    # Data sets from files need NumPy alone.
    import keras

    with _socket_timeout(DOWNLOAD_TIMEOUT):
        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    if x_train.ndim == 4 and keras.config.image_data_format() == "channels_first":
        x_train, x_test = np.moveaxis(x_train, 1, -1), np.moveaxis(x_test, 1, -1)
    return [(f"keras.datasets.{name}", array) for array in (x_train, y_train, x_test, y_test)]


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """End a download that stands still; keras.datasets itself would wait for ever."""
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)
