"""Pixel values, sizes and channels of images."""

import math
from typing import TYPE_CHECKING

import numpy as np

from capsgan_keras.machine import check_memory

if TYPE_CHECKING:
    from PIL import Image

# Pillow's mode for each number of channels that a data set can have.
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def scale_images(images: np.ndarray) -> np.ndarray:
    """Scale images to the range of the generator's tanh.

    Args:
        images: uint8 array of any shape.

    Returns:
        float32 array of the same shape: `images / 127.5 - 1`, in [-1, 1].

    Raises:
        ValueError: If `images` is not uint8.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.datasets import scale_images
    print(scale_images(np.array([0, 255], np.uint8)))  # [-1.  1.]
    ```
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"`images` must be uint8. Received: images of dtype={images.dtype}")
    scaled = images.astype(np.float32)
    scaled /= 127.5
    scaled -= 1.0
    return scaled


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Turn images in [-1, 1] into uint8; the inverse of `scale_images`.

    Args:
        images: Float array of any shape. Values outside [-1, 1] are clipped.

    Returns:
        uint8 array of the same shape: `(images + 1) * 127.5`, rounded.

    Raises:
        ValueError: If `images` is not of a floating-point dtype, holds NaN, or looks like pixels
            from 0 to 255: no negative number, and one above 2.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.datasets import to_uint8
    print(to_uint8(np.array([-1.0, 0.0, 1.0])))  # [  0 128 255]
    ```
    """
    images = np.asarray(images)
    # NumPy counts the bfloat16 of a mixed-precision model among the kind "V".
    if images.dtype.kind not in "fV":
        raise ValueError(
            f"`images` must be floats in [-1, 1]. Received: images of dtype={images.dtype}"
        )
    pixels = images.astype(np.float32)
    if np.isnan(pixels).any():
        raise ValueError(
            "`images` must be finite. "
            f"Received: images with {np.isnan(pixels).sum()} values that are NaN"
        )
    if pixels.size and pixels.min() >= 0.0 and 2.0 < pixels.max() <= 255.0:
        raise ValueError(
            "`images` must lie in [-1, 1]; those of 0 to 255 become uint8 by "
            "`np.rint(images).astype(np.uint8)`. "
            f"Received: images from {pixels.min():g} to {pixels.max():g}"
        )
    pixels = np.clip(pixels, -1.0, 1.0)
    return np.rint((pixels + 1.0) * 127.5).astype(np.uint8)


def image_to_array(
    image: "Image.Image", image_size: tuple[int, int] | None, channels: int
) -> np.ndarray:
    """Return a Pillow image of 8 bits per channel as a uint8 array `(height, width, channels)`.

    It is resized (bicubic) to `image_size`, `(height, width)`, unless that is None. The channels
    are 1 (luma after ITU-R 601), 3 (RGB, without transparency) or 4 (RGBA).
    """
    # Only images of another size or from a folder need Pillow.
    from PIL.Image import Resampling

    image = image.convert(MODES[channels])
    if image_size is not None and image.size != image_size[::-1]:
        image = image.resize(image_size[::-1], Resampling.BICUBIC)
    return np.asarray(image).reshape(image.height, image.width, channels)


def check_size(count: int, shape: tuple[int, ...]) -> None:
    """Raise a `ValueError` where as many uint8 images take more memory than there is."""
    check_memory(f"`image_size`={shape[:2]} for {count:,} images", count * math.prod(shape))


def convert_images(
    images: np.ndarray, image_size: tuple[int, int] | None, channels: int | None
) -> np.ndarray:
    """Convert uint8 images `(n, height, width, channels)` as `image_to_array` does.

    None keeps the size or the channels. Where nothing changes, `images` itself is returned.
    """
    # Only images of another size or number of channels need Pillow.
    from PIL import Image

    shape = (*(image_size or images.shape[1:3]), channels or images.shape[3])
    if shape == images.shape[1:]:
        return images
    check_size(len(images), shape)
    converted = np.empty((len(images), *shape), np.uint8)
    for index, pixels in enumerate(images):
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        converted[index] = image_to_array(image, image_size, shape[-1])
    return converted
