"""`load_dataset`: one door to the bundled, the official and the user's own data sets."""

import contextlib
import numbers
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from capsgan_keras.datasets import cifar10, folder, mnist, npz
from capsgan_keras.datasets.dataset import (
    Dataset,
    DatasetError,
    build_dataset,
    checked_images,
    checked_labels,
)
from capsgan_keras.datasets.pixels import MODES, convert_images

DATA_DIR_VARIABLE = "CAPSGAN_DATA_DIR"
DATASET_NAMES = ("digits", "mnist", "cifar10")
DIGITS_TRAIN_COUNT = 1437
DOWNLOAD_TIMEOUT = 30.0
_OFFICIAL: dict[str, ModuleType] = {"mnist": mnist, "cifar10": cifar10}
_NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")


def load_dataset(
    name_or_path: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
) -> Dataset:
    """Loads a data set of images by its name, or from a file or folder.

    - `"digits"`: the 1,797 handwritten digits that come with scikit-learn, resized from 8x8 to
      28x28; the first 1,437 for training, the last 360 for testing. Needs no download.
    - `"mnist"`, `"cifar10"`: searched for in `data_dir`, else in the folder named by the
      environment variable `CAPSGAN_DATA_DIR`, as an `.npz` archive or as the official files (idx;
      pickled batches, in a folder or a tar). Where `data_dir` is not given and that folder lacks
      them, `keras.datasets` supplies them from its cache or downloads them.
    - a path to an `.npz` archive with the images `x_train`, `images` or `x`, and as far as there
      are any their labels `y_train`, `labels` or `y`, and `x_test`, `y_test`.
    - a path to a folder of images, with one sub-folder for each class if there are classes. A
      folder named like one of the data sets above is reached by `./mnist` or a `Path`.

    Args:
        name_or_path: one of the names, or a path.
        data_dir: the folder to search for MNIST and CIFAR-10; the others do not use it.
        image_size: `(height, width)`, or one number for both, to resize all images to (bicubic);
            None keeps their size.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA) to convert all images to. None keeps the channels
            of an array; a folder of images gets 1 if all images are grey, else 3.

    Returns:
        A `Dataset`: uint8 images `(n, height, width, channels)` and int64 labels `(n,)`.

    Raises:
        DatasetError: (a `ValueError`) if the data set cannot be found, or a file of it is damaged
            or holds something else; the message names the file.
        ValueError: if `image_size` or `channels` is not one of the above.
    """
    image_size = _checked_image_size(image_size)
    if channels not in (None, *MODES):
        raise ValueError(f"`channels` must be None, 1, 3 or 4. Received: channels={channels!r}")
    # A Path is never taken for a name, so that a folder of the same name can be reached.
    if isinstance(name_or_path, str) and name_or_path in DATASET_NAMES:
        if name_or_path == "digits":
            return _load_digits(image_size, channels)
        return _load_official(name_or_path, data_dir, image_size, channels)
    return _load_path(name_or_path, image_size, channels)


def _checked_image_size(image_size) -> tuple[int, int] | None:
    if image_size is None:
        return None
    sides = image_size if isinstance(image_size, tuple | list) else (image_size, image_size)
    is_valid = len(sides) == 2 and all(
        isinstance(side, numbers.Integral) and not isinstance(side, bool) and side > 0
        for side in sides
    )
    if not is_valid:
        raise ValueError(
            "`image_size` must be a positive integer or a pair (height, width) of them. "
            f"Received: image_size={image_size!r}"
        )
    return int(sides[0]), int(sides[1])


def _load_digits(image_size: tuple[int, int] | None, channels: int | None) -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    images = convert_images(images, image_size or (28, 28), channels)
    labels = digits.target.astype(np.int64)
    return build_dataset(
        "digits",
        (images[:DIGITS_TRAIN_COUNT], labels[:DIGITS_TRAIN_COUNT]),
        (images[DIGITS_TRAIN_COUNT:], labels[DIGITS_TRAIN_COUNT:]),
        tuple(str(name) for name in digits.target_names),
    )


def _load_path(path, image_size: tuple[int, int] | None, channels: int | None) -> Dataset:
    expanded = os.path.expanduser(path) if isinstance(path, str | os.PathLike) else ""
    if not os.path.exists(expanded):
        raise DatasetError(
            f"The data set must be one of {DATASET_NAMES}, or the path of an .npz file or a folder "
            f"of images that exists. Received: name_or_path={path!r}"
        )
    path = Path(expanded)
    if path.is_dir():
        images, labels, class_names = folder.read_folder(path, image_size, channels)
        return build_dataset(path.resolve().name, (images, labels), None, class_names)
    (x_train, y_train), test = npz.read_splits(path)
    if test is not None:
        test = convert_images(test[0], image_size, channels), test[1]
    train = convert_images(x_train, image_size, channels), y_train
    return build_dataset(path.stem, train, test, None)


def _load_official(
    name: str, data_dir, image_size: tuple[int, int] | None, channels: int | None
) -> Dataset:
    official = _OFFICIAL[name]

    def checked_split(images_from, images, labels_from, labels):
        images = checked_images(images_from, images, official.IMAGE_SHAPE)
        labels = checked_labels(labels_from, labels, len(images), len(official.CLASS_NAMES))
        return convert_images(images, image_size, channels), labels

    x_train, y_train, x_test, y_test = _search_data_dir(name, data_dir) or _load_from_keras(name)
    train, test = checked_split(*x_train, *y_train), checked_split(*x_test, *y_test)
    return build_dataset(name, train, test, official.CLASS_NAMES)


def _search_data_dir(name: str, data_dir) -> list[tuple[str, np.ndarray]] | None:
    """Searches `data_dir`, else the folder of the environment variable.

    Returns:
        The unchecked arrays `x_train, y_train, x_test, y_test`, each after where it came from;
        None where the variable's folder lacks them, or no folder is named.
    """
    is_explicit = data_dir is not None
    searched = data_dir if is_explicit else os.environ.get(DATA_DIR_VARIABLE)
    if not searched:
        if is_explicit:
            raise DatasetError("`data_dir` must name a folder. Received: data_dir=''")
        return None
    searched = Path(os.path.expanduser(searched))
    if not os.path.isdir(searched):
        setting = "data_dir" if is_explicit else f"environment variable {DATA_DIR_VARIABLE}"
        raise DatasetError(f"{searched}: is not a folder that exists ({setting})")
    official = _OFFICIAL[name]
    for subfolder in official.SUBFOLDERS:
        path = searched / subfolder / f"{name}.npz"
        if os.path.isfile(path):
            return _read_official_npz(path)
    found = official.read_folder(searched)
    if found is None and is_explicit:
        raise DatasetError(f"{searched}: does not hold {name}. Looked for: {official.FILES}")
    return found


def _read_official_npz(path: Path) -> list[tuple[str, np.ndarray]]:
    arrays = npz.read_arrays(path, _NPZ_NAMES)
    missing = [name for name in _NPZ_NAMES if name not in arrays]
    if missing:
        raise DatasetError(f"{path}: lacks the arrays {', '.join(missing)}")
    return [(f"{path}: {name}", arrays[name]) for name in _NPZ_NAMES]


def _load_from_keras(name: str) -> list[tuple[str, np.ndarray]]:
    import keras

    try:
        with _socket_timeout(DOWNLOAD_TIMEOUT):
            (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    # Keras raises a bare Exception where a download fails.
    except Exception as error:
        raise DatasetError(_explain_missing(name, error)) from error
    if name == "cifar10" and keras.config.image_data_format() == "channels_first":
        x_train, x_test = np.moveaxis(x_train, 1, -1), np.moveaxis(x_test, 1, -1)
    return [(f"keras.datasets.{name}", array) for array in (x_train, y_train, x_test, y_test)]


def _explain_missing(name: str, error: Exception) -> str:
    variable = os.environ.get(DATA_DIR_VARIABLE)
    state = f"its folder {variable} does not hold {name}" if variable else "not set"
    return (
        f"{name} was not found on this machine, and keras.datasets could not download it "
        f"({type(error).__name__}: {error}). Ways to get it:\n"
        f"- name a folder that holds it by `data_dir` (--data-dir on the command line) or by the "
        f"environment variable {DATA_DIR_VARIABLE} ({state}). Accepted: {_OFFICIAL[name].FILES}.\n"
        "- run once where there is a network: keras.datasets keeps what it downloads in "
        "~/.keras/datasets, or in $KERAS_HOME/datasets.\n"
        "- load 'digits' instead: real handwritten digits that need no download."
    )


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Ends a download that stands still; keras.datasets itself would wait for ever."""
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)
