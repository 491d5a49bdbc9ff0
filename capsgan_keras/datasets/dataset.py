"""The data set type, and the checks that the arrays of every source go through."""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from capsgan_keras.checks import is_whole


class DatasetError(ValueError):
    """A data set that cannot be found, or a file of one that is not what it should be.

    Example:

    ```python
    from capsgan_keras.datasets import DatasetError, load_dataset
    try:
        load_dataset("no such folder")
    except DatasetError as error:
        print(error)
    ```
    """


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels of one data set, as `load_dataset` returns it.

    It unpacks as what the functions of `keras.datasets` return:
    `(x_train, y_train), (x_test, y_test) = load_dataset("mnist")`.

    Attributes:
        name: The name such as `"mnist"`, or that of the file or folder it came from.
        x_train: uint8 images `(n, height, width, channels)`, values 0 to 255.
        y_train: int64 labels `(n,)`, or None where the images have none.
        x_test: uint8 images of the same height, width and channels; `(0, height, width,
            channels)` where there is no test split.
        y_test: int64 labels of `x_test`, or None.
        class_names: The name of each label, or None where it is not known.

    Raises:
        DatasetError: If images are not uint8, or the arrays do not fit each other.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.datasets import Dataset
    images, labels = np.zeros((10, 28, 28, 1), np.uint8), np.arange(10)
    dataset = Dataset("zeros", images, labels, images[:2], labels[:2])
    print(dataset.hold_out(3).x_train.shape)  # (7, 28, 28, 1)
    ```
    """

    name: str
    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray | None = field(repr=False)
    x_test: np.ndarray = field(repr=False)
    y_test: np.ndarray | None = field(repr=False)
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the arrays' dtypes and shapes."""
        for name in ("x_train", "x_test"):
            images = getattr(self, name)
            if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
                raise DatasetError(
                    f"`{name}` must be uint8 images (n, height, width, channels), values 0 to "
                    f"255{_hint(images)}. Received: {_described(name, images)}"
                )
        for name, images in (("y_train", self.x_train), ("y_test", self.x_test)):
            labels = getattr(self, name)
            if labels is None:
                continue
            whole = isinstance(labels, np.ndarray) and labels.dtype.kind in "iu"
            if not whole or labels.shape != (len(images),):
                raise DatasetError(
                    f"`{name}` must be None, or {len(images)} integers, one an image. "
                    f"Received: {_described(name, labels)}"
                )

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield `(x_train, y_train)` and `(x_test, y_test)`."""
        yield self.x_train, self.y_train
        yield self.x_test, self.y_test

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of every image."""
        return self.x_train.shape[1:]

    def hold_out(self, count: int) -> "Dataset":
        """Return the data set with random training images in the place of the test images.

        It serves to choose settings without the test images. Which images are held out depends
        on the number of training images and on `count` alone. The `checksum` is another one.

        Args:
            count: How many training images to hold out.

        Raises:
            DatasetError: If `count` is no positive integer, or leaves no image for training.
        """
        if not is_whole(count) or not 0 < count < len(self.x_train):
            raise DatasetError(
                f"{self.name}: `count`, of training images to hold out, must be a whole number "
                f"from 1 to {len(self.x_train) - 1}. Received: count={count!r}"
            )
        order = np.random.default_rng(0).permutation(len(self.x_train))
        held_out, kept = np.sort(order[:count]), np.sort(order[count:])
        x, y = self.x_train, self.y_train
        return replace(
            self,
            x_train=x[kept],
            y_train=None if y is None else y[kept],
            x_test=x[held_out],
            y_test=None if y is None else y[held_out],
        )

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256, in hexadecimal, of the arrays' shapes, dtypes and bytes at the first use."""
        digest = hashlib.sha256()
        for array_name in ("x_train", "y_train", "x_test", "y_test"):
            array = getattr(self, array_name)
            if array is None:
                digest.update(f"{array_name} None;".encode())
                continue
            digest.update(f"{array_name} {array.dtype.str} {array.shape};".encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).data)
        return digest.hexdigest()


def _hint(images: object) -> str:
    """Return what to do with images of floats, in words."""
    if not isinstance(images, np.ndarray) or images.dtype.kind != "f":
        return ""
    return (
        ". Convert values in [0, 1] with `np.rint(255 * images).astype(np.uint8)`, values in "
        "[-1, 1] with `capsgan_keras.datasets.to_uint8(images)`"
    )


def _described(name: str, value: object) -> str:
    """Return an argument's dtype and shape in words, or its type where it is no array."""
    if isinstance(value, np.ndarray):
        return f"{name} of dtype {value.dtype}, shape {value.shape}"
    return f"{name} of type {type(value).__name__}"


def checked_images(
    source: str, images: np.ndarray, image_shape: tuple[int, int, int] | None = None
) -> np.ndarray:
    """Return uint8 images `(n, height, width)` or with channels as `(n, height, width, channels)`.

    Raises:
        DatasetError: If the dtype is another, there are no images, the channels are not 1, 3 or
            4, or the shape is not `image_shape`, where one is given.
    """
    if images.dtype != np.uint8:
        raise DatasetError(
            f"{source}: images must be uint8, values 0 to 255{_hint(images)}. "
            f"Received: dtype={images.dtype}, shape={images.shape}"
        )
    with_channels = images[..., np.newaxis] if images.ndim == 3 else images
    if image_shape is None:
        expected = "(n, height, width) or (n, height, width, channels) with 1, 3 or 4 channels"
        fits = with_channels.ndim == 4 and with_channels.shape[-1] in (1, 3, 4)
    else:
        expected = f"(n, {', '.join(map(str, image_shape))})"
        fits = with_channels.shape[1:] == image_shape
    if not fits or 0 in with_channels.shape:
        raise DatasetError(
            f"{source}: images must have the shape {expected}, none of it zero. "
            f"Received: shape={images.shape}"
        )
    return with_channels


def checked_labels(
    source: str, labels: np.ndarray, image_count: int, class_count: int | None = None
) -> np.ndarray:
    """Return integer labels `(n,)`, or `(n, 1)` as `keras.datasets` has them, as int64 `(n,)`.

    Raises:
        DatasetError: If they are not integers, not one per image, negative, or not below
            `class_count`, where it is given.
    """
    if labels.dtype.kind not in "iu":
        raise DatasetError(f"{source}: labels must be integers. Received: dtype={labels.dtype}")
    if labels.shape not in ((image_count,), (image_count, 1)):
        raise DatasetError(
            f"{source}: expected {image_count} labels, one for each image. "
            f"Received: shape={labels.shape}"
        )
    highest = np.iinfo(np.int64).max if class_count is None else class_count - 1
    if labels.min() < 0 or labels.max() > highest:
        raise DatasetError(
            f"{source}: labels must lie between 0 and {highest}. "
            f"Received: min={labels.min()}, max={labels.max()}"
        )
    return labels.reshape(-1).astype(np.int64)
