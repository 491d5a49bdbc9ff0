"""Data sets that Keras downloads."""

import socket

import numpy as np

from capsgan_keras.datasets.definition import SourcedArrays

DOWNLOAD_TIMEOUT = 30.0


def download_with_keras(name: str) -> SourcedArrays:
    """Return the arrays of `keras.datasets.NAME`, from its cache or the network."""
    # Data sets from files need NumPy alone.
    import keras

    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)  # else a download that stands still never ends
    try:
        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    finally:
        socket.setdefaulttimeout(previous)
    if x_train.ndim == 4 and keras.config.image_data_format() == "channels_first":
        x_train, x_test = np.moveaxis(x_train, 1, -1), np.moveaxis(x_test, 1, -1)
    return [(f"keras.datasets.{name}", array) for array in (x_train, y_train, x_test, y_test)]
