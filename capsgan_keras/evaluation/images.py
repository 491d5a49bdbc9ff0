"""Checks that every evaluation makes of the images it is given."""

import math

import numpy as np


def check_images(name, images, like=None):
    """Checks a set of images and gives it back as an array.

    Args:
        name: str. The argument's name, for the error message.
        images: array of shape `(n, height, width, channels)`, uint8 in 0 to 255 or float in
            [0, 1].
        like: optional array. Its images' shape `(height, width, channels)` is the one expected.

    Returns:
        The images as a NumPy array of the same dtype.

    Raises:
        ValueError: If there is no image, the shape is another one, a value is outside its range
            or the dtype is neither uint8 nor float.
    """
    images = np.asarray(images)
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


def check_uint8_images(name, images, like=None):
    """Does as `check_images` does, for a function that takes uint8 images only.

    Args:
        name: str. The argument's name, for the error message.
        images: uint8 array of shape `(n, height, width, channels)`.
        like: optional array whose images' shape is the one expected.

    Returns:
        The images as a uint8 NumPy array.

    Raises:
        ValueError: If the images are not uint8, or as `check_images` says.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"`{name}` must be uint8 images. Received: {name}.dtype={images.dtype}")
    return check_images(name, images, like)


def flatten(images):
    """Makes one row of every image.

    Args:
        images: array of shape `(n, height, width, channels)`; n may be 0.

    Returns:
        The array as `(n, height * width * channels)`, of the same dtype.
    """
    return images.reshape(len(images), math.prod(images.shape[1:]))


def unit_floats(images):
    """Makes one row of every image, with pixels in [0, 1].

    Args:
        images: array of shape `(n, height, width, channels)`, uint8 or float in [0, 1].

    Returns:
        float64 array of shape `(n, height * width * channels)`.
    """
    flat = flatten(images)
    return flat / 255 if flat.dtype == np.uint8 else flat.astype(np.float64)


def check_labels(name, labels, n_images):
    """Checks the class labels of a set of images.

    Args:
        name: str. The argument's name, for the error message.
        labels: integer array of shape `(n_images,)`, all at least 0.
        n_images: int. How many labels there must be.

    Returns:
        The labels as an int64 array of shape `(n_images,)`.

    Raises:
        ValueError: If the shape or the dtype is another one, or a label is negative.
    """
    labels = np.asarray(labels)
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
