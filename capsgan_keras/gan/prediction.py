"""Outputs of a network for many inputs, with as little memory as a few thousand need."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from capsgan_keras.datasets import scale_images
from capsgan_keras.machine import check_memory
from capsgan_keras.training import devices_per_batch, undistributed

_FLOAT32 = 4
CHUNK = 4096
"""Images held as floats at a time while many are generated or scored."""


def check_many(name: str, n: int, latent_dim: int, image_shape: tuple[int, ...]) -> None:
    """Raise a `ValueError` where as many latents and uint8 images take more memory than there is.

    Args:
        name: The argument that says how many.
        n: How many.
        latent_dim: Components of a latent vector, float32.
        image_shape: `(height, width, channels)`.
    """
    check_memory(f"`{name}`={n}", n * (_FLOAT32 * latent_dim + math.prod(image_shape)))


def scaled_pixels(images: np.ndarray) -> np.ndarray:
    """Return images, uint8 or floats in [-1, 1], as float32 in [-1, 1]."""
    return scale_images(images) if images.dtype == np.uint8 else images.astype("float32")


def predict_in_chunks(
    model: keras.Model,
    inputs: np.ndarray | list[np.ndarray],
    batch_size: int,
    before: Callable[[Any], Any] = lambda part: part,
    after: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> np.ndarray:
    """Return `after(model(before(inputs)))`, computed chunk by chunk.

    Args:
        model: The network.
        inputs: Array `(n, ...)`, n at least 1, or a list of such arrays for several inputs.
        batch_size: Positive integer: inputs in a forward pass. It is rounded up to a multiple of
            the devices that share the model's batches.
        before: Turns a chunk of inputs into what the network takes.
        after: Turns a chunk of the network's outputs into what is kept.
    """
    kept = []
    n = len(keras.tree.flatten(inputs)[0])
    with undistributed():
        devices = devices_per_batch(model)
        passed = -(-batch_size // devices) * devices
        for start in range(0, n, CHUNK):
            size = min(CHUNK, n - start)
            fillers = -size % devices
            chunk = before(_rows(inputs, slice(start, start + size)))
            if fillers:
                chunk = _rows(chunk, np.minimum(np.arange(size + fillers), size - 1))
            outputs = model.predict(chunk, batch_size=passed, verbose=0)
            kept.append(after(outputs[:size]))
    return np.concatenate(kept)


def _rows(inputs: Any, rows: Any) -> Any:
    """Return these rows of an array, or of each array of a list."""
    return keras.tree.map_structure(lambda part: part[rows], inputs)
