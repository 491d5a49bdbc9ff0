"""Checks that every evaluation makes of the images it is given."""

import math

import numpy as np
import numpy.typing as npt


def as_numbers(name: str, values: npt.ArrayLike) -> np.ndarray:
    """Return numbers as a float64 array; raise a `ValueError` where they are something else."""
    array = as_array(name, values)
    if array.dtype.kind not in "biuf" and "float" not in array.dtype.name:  # not a bfloat16
        raise ValueError(f"`{name}` must be numbers. Received: {name} of dtype {array.dtype}")
    return array.astype(np.float64, copy=False)


def as_array(name: str, values: npt.ArrayLike) -> np.ndarray:
    """Return `values` as an array; raise a `ValueError` where they have no common shape."""
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be an array, or lists of one length. "
            f"Received: {name} of type {type(values).__name__}"
        ) from error


def check_images(name: str, images: npt.ArrayLike, like: np.ndarray | None = None) -> np.ndarray:
    """Return images `(n, height, width, channels)`, uint8 or float in [0, 1], as an array.

    Raises:
        ValueError: If there is no image, a value is outside its range, the dtype is neither
            uint8 nor float, or the images' shape is not that of `like`, where it is given.
    """
    images = as_array(name, images)
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            f"`{name}` must be images of shape (n, height, width, channels), at least one. "
            f"Received: {name}.shape={images.shape}"
        )
    if like is not None and images.shape[1:] != like.shape[1:]:
        raise ValueError(
            f"`{name}` must have images of shape {like.shape[1:]}, as the other images have. "
            f"Received: {name}.shape={images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f"`{name}` must be uint8 in 0 to 255 or float in [0, 1]. "
            f"Received: {name}.dtype={images.dtype}"
        )
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):  # written so that a NaN fails too
        raise ValueError(
            f"`{name}`, being float, must lie in [0, 1]. "
            f"Received: {name} with values from {low} to {high}"
        )
    return images


def check_uint8_images(
    name: str, images: npt.ArrayLike, like: np.ndarray | None = None
) -> np.ndarray:
    """Return images as `check_images` does, and refuse any other dtype than uint8."""
    images = as_array(name, images)
    if images.dtype != np.uint8:
        raise ValueError(f"`{name}` must be uint8 images. Received: {name}.dtype={images.dtype}")
    return check_images(name, images, like)


def check_labels(name: str, labels: npt.ArrayLike, n_images: int) -> np.ndarray:
    """Return class labels as an int64 array `(n_images,)`; refuse others than integers from 0."""
    labels = as_array(name, labels)
    if labels.shape != (n_images,):
        raise ValueError(
            f"`{name}` must have one label an image, shape ({n_images},). "
            f"Received: {name}.shape={labels.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"`{name}` must be integers. Received: {name}.dtype={labels.dtype}")
    labels = labels.astype(np.int64)
    if labels.min() < 0:
        raise ValueError(
            f"`{name}` must not be negative (-1 marks an unlabelled point in scikit-learn). "
            f"Received: a label {labels.min()}"
        )
    return labels


def flatten(images: np.ndarray) -> np.ndarray:
    """Return images `(n, height, width, channels)` as rows `(n, height * width * channels)`."""
    return images.reshape(len(images), math.prod(images.shape[1:]))


def unit_floats(images: np.ndarray) -> np.ndarray:
    """Return images, uint8 or float in [0, 1], as float64 rows with pixels in [0, 1]."""
    flat = flatten(images)
    return flat / 255 if flat.dtype == np.uint8 else flat.astype(np.float64)
