"""Images that are moved, distorted or laid over each other, the same for the same seed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from capsgan_keras.checks import check_not_negative, check_whole, is_finite, is_whole

Seed = int | Sequence[int]
"""What `numpy.random.default_rng` takes: an integer of at least 0, or several."""


def shift_images(
    images: np.ndarray, pixels: int, seed: Seed, canvas: int | None = None
) -> np.ndarray:
    """Move each image by whole pixels, to all places within reach with equal probability.

    Args:
        images: uint8 `(n, height, width, channels)`.
        pixels: Whole number of at least 0: how far at most, up, down, left and right.
        seed: Integer of at least 0, or several: sets the moves.
        canvas: Side of the square, black images that are returned, in whose middle the images lie
            before they are moved; None for their own size.

    Returns:
        uint8 `(n, canvas, canvas, channels)`, or the shape of `images`; black where no image is.

    Raises:
        ValueError: On images of another kind, or arguments out of range.

    Example:

    ```python
    from capsgan_keras.datasets import load_dataset, shift_images

    digits = load_dataset("digits")
    shifted = shift_images(digits.x_train[:100], pixels=2, seed=0)  # uint8 (100, 28, 28, 1)
    ```
    """
    images = _on_canvas(images, canvas)
    check_whole(pixels=pixels)
    moves = _generator(seed).integers(-pixels, pixels + 1, (len(images), 2))
    return _moved(images, moves)


def affine_images(
    images: np.ndarray,
    seed: Seed,
    canvas: int | None = None,
    rotation: float = 20.0,
    shear: float = 0.2,
    scale: tuple[float, float] = (0.8, 1.2),
) -> np.ndarray:
    """Turn, shear, scale and move each image at random, in the ranges of affNIST.

    Each image is scaled, by a factor of its own for height and for width, then sheared along its
    rows, then turned, all about its middle and each drawn from a uniform distribution. It is
    interpolated linearly. Then it is moved by whole pixels, to all places with equal probability at
    which what is not black lies whole in the image. What is too large for that is put in the middle
    and cut off.

    Args:
        images: uint8 `(n, height, width, channels)`, bright on black.
        seed: Integer of at least 0, or several: sets what is drawn.
        canvas: As in `shift_images`; 40 for images of affNIST's size.
        rotation: Number of at least 0: degrees by which an image is turned at most, either way.
        shear: Number of at least 0: columns by which a row is moved against the next at most,
            either way.
        scale: Smallest and largest factor, above 0.

    Returns:
        uint8 `(n, canvas, canvas, channels)`, or the shape of `images`.

    Raises:
        ValueError: On images of another kind, or arguments out of range.

    Source: Tieleman, "affNIST", https://www.cs.toronto.edu/~tijmen/affNIST. Its own files are
    images 40x40 of other draws, and the order of its steps may be another.

    Example:

    ```python
    from capsgan_keras.datasets import affine_images, load_dataset

    digits = load_dataset("digits")
    distorted = affine_images(digits.x_test[:100], seed=0, canvas=40)  # uint8 (100, 40, 40, 1)
    ```
    """
    # Only here: the package reads data sets without SciPy, which comes with scikit-learn.
    from scipy.ndimage import affine_transform

    check_not_negative(rotation=rotation, shear=shear)
    pair = isinstance(scale, tuple | list) and len(scale) == 2 and all(map(is_finite, scale))
    if not pair or not 0 < scale[0] <= scale[1]:
        raise ValueError(
            "`scale` must be two finite numbers above 0, the smaller one first. "
            f"Received: scale={scale!r}"
        )
    images = _on_canvas(images, None)
    wanted = _on_canvas(images[:1], canvas).shape[1:3]
    rng = _generator(seed)
    count = len(images)
    angles = np.deg2rad(rng.uniform(-rotation, rotation, count))
    shears = rng.uniform(-shear, shear, count)
    factors = rng.uniform(*scale, (count, 2))
    places = rng.random((count, 2))
    # Twice the size holds an image however it is turned and, within reason, scaled. An even number
    # of pixels more keeps the middle where it is.
    more = 2 * -(-max(images.shape[1:3]) // 2)
    room = np.array(images.shape[1:3]) + more
    out = np.zeros((count, *wanted, images.shape[3]), np.uint8)
    for index, image in enumerate(images):
        matrix = _matrix(angles[index], shears[index], factors[index])
        middle = (np.array(image.shape[:2]) - 1) / 2
        offset = middle - matrix @ ((room - 1) / 2)
        warped = np.stack(
            [
                affine_transform(plane, matrix, offset, tuple(room), order=1, prefilter=False)
                for plane in np.moveaxis(image.astype(np.float64), 2, 0)
            ],
            axis=2,
        )
        out[index] = _placed(np.rint(warped).astype(np.uint8), wanted, places[index])
    return out


class Overlaps(NamedTuple):
    """Pairs of images over each other.

    Attributes:
        images: uint8 `(n, height, width, channels)`: the pairs.
        labels: Integers `(n, 2)`: the classes of both images, which differ.
        parts: uint8 `(n, 2, height, width, channels)`: both images alone, at their places.
    """

    images: np.ndarray
    labels: np.ndarray
    parts: np.ndarray


def overlap_images(
    images: np.ndarray,
    labels: np.ndarray,
    seed: Seed,
    shift: int = 4,
    first: np.ndarray | None = None,
) -> Overlaps:
    """Lay each image over one of another class, as MultiMNIST does.

    Both are moved by whole pixels, up to `shift` up, down, left and right, on a black image that is
    `2 * shift` larger. Their pixels are added and cut off at 255. The second image is drawn from
    all images of other classes with equal probability.

    Args:
        images: uint8 `(n, height, width, channels)`, bright on black.
        labels: Integers `(n,)`, of two classes at least.
        seed: Integer of at least 0, or several: sets partners and places.
        shift: Whole number of at least 0.
        first: Integers `(m,)` from 0 to n - 1: which images get a partner; None for all, in their
            order.

    Returns:
        `Overlaps`: images of MNIST's size become 36x36.

    Raises:
        ValueError: On images or labels of another kind, or arguments out of range.

    Source: Sabour et al. 2017 (arXiv 1710.09829), section 6.

    Example:

    ```python
    from capsgan_keras.datasets import load_dataset, overlap_images

    digits = load_dataset("digits")
    pairs = overlap_images(digits.x_test, digits.y_test, seed=0)
    pairs.images.shape  # (360, 36, 36, 1)
    pairs.labels[0]  # the two classes of the first
    ```
    """
    images = _on_canvas(images, None)
    check_whole(shift=shift)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),):
        raise ValueError(
            f"`labels` must be {len(images)} integers, one an image. "
            f"Received: labels of dtype {labels.dtype}, shape {labels.shape}"
        )
    if len(np.unique(labels)) < 2:
        raise ValueError("`labels` must be of two classes at least. Received: labels of one class")
    first = np.arange(len(images)) if first is None else np.asarray(first)
    known = first.dtype.kind in "iu" and first.ndim == 1
    if not known or (len(first) and not 0 <= first.min() <= first.max() < len(images)):
        raise ValueError(
            f"`first` must be None, or integers from 0 to {len(images) - 1}, of shape (m,). "
            f"Received: first of dtype {first.dtype}, shape {first.shape}"
        )
    rng = _generator(seed)
    second = rng.integers(0, len(images), len(first))
    while (same := labels[first] == labels[second]).any():
        second[same] = rng.integers(0, len(images), same.sum())
    pads = ((0, 0), (shift, shift), (shift, shift), (0, 0))
    pairs = [
        _moved(np.pad(images[chosen], pads), rng.integers(-shift, shift + 1, (len(first), 2)))
        for chosen in (first, second)
    ]
    total = np.minimum(pairs[0].astype(np.uint16) + pairs[1], 255).astype(np.uint8)
    return Overlaps(total, labels[np.stack([first, second], 1)], np.stack(pairs, 1))


def _generator(seed: Seed) -> np.random.Generator:
    numbers: Sequence[int] = seed if isinstance(seed, Sequence) else [seed]
    if not numbers or not all(is_whole(number) and number >= 0 for number in numbers):
        raise ValueError(
            f"`seed` must be an integer of at least 0, or several. Received: seed={seed!r}"
        )
    return np.random.default_rng(seed)


def _on_canvas(images: np.ndarray, canvas: int | None) -> np.ndarray:
    """Return uint8 images in the middle of black ones, or as they are."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(
            "`images` must be uint8 images (n, height, width, channels). "
            f"Received: images of type {type(images).__name__}, "
            f"dtype {getattr(images, 'dtype', None)}, shape {np.shape(images)}"
        )
    if canvas is None:
        return images
    height, width = images.shape[1:3]
    if not is_whole(canvas) or canvas < max(height, width):
        raise ValueError(
            f"`canvas` must be None, or a whole number of at least {max(height, width)}, the "
            f"larger side of the images. Received: canvas={canvas!r}"
        )
    above, left = (canvas - height) // 2, (canvas - width) // 2
    pads = ((0, 0), (above, canvas - height - above), (left, canvas - width - left), (0, 0))
    return np.pad(images, pads)


def _moved(images: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Move images down and right by whole pixels, `(n, 2)`; black comes in."""
    # What is moved by its own size is black, and by more too: that needs no more memory.
    most = max(images.shape[1:3])
    moves = np.clip(moves, -most, most)
    reach = int(np.abs(moves).max(initial=0))
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    rows = reach - moves[:, :1] + np.arange(height)
    columns = reach - moves[:, 1:] + np.arange(width)
    index = np.arange(len(images))[:, np.newaxis, np.newaxis]
    return padded[index, rows[:, :, np.newaxis], columns[:, np.newaxis, :]]


def _matrix(angle: float, shear: float, factors: np.ndarray) -> np.ndarray:
    """Return the matrix from (row, column) in the distorted image to those in the original."""
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.array([[cos, -sin], [sin, cos]])
    sheared = np.array([[1.0, 0.0], [shear, 1.0]])
    return np.linalg.inv(turned @ sheared @ np.diag(factors))


def _placed(image: np.ndarray, sides: Sequence[int], place: np.ndarray) -> np.ndarray:
    """Cut an image of some sides out of a larger one, what is not black at a random place."""
    starts = []
    for axis, side in enumerate(sides):
        lit = np.flatnonzero(image.any(axis=(1 - axis, 2)))
        low, high = (lit[0], lit[-1]) if lit.size else (0, 0)
        spare = side - (high + 1 - low)
        before = int(place[axis] * (spare + 1)) if spare >= 0 else spare // 2
        starts.append(low - before)
    # `side` more on each end, so that no cut leaves the image.
    pads = ((sides[0], sides[0]), (sides[1], sides[1]), (0, 0))
    down, right = (start + side for start, side in zip(starts, sides, strict=True))
    return np.pad(image, pads)[down : down + sides[0], right : right + sides[1]]
