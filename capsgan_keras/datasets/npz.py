"""Data sets in `.npz` archives."""

import os
import zipfile

import numpy as np

from capsgan_keras.datasets.dataset import DatasetError, checked_images, checked_labels
from capsgan_keras.datasets.files import reading

TRAIN_IMAGES = ("x_train", "images", "x")
TRAIN_LABELS = ("y_train", "labels", "y")
NPY_MAGIC = b"\x93NUMPY"
TEST_IMAGES = "x_test"
TEST_LABELS = "y_test"
Split = tuple[np.ndarray, np.ndarray | None]
"""Images and labels; None where they have none."""


def read_arrays(path: str | os.PathLike, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read those of the named arrays that an archive holds, at least one, without unpickling."""
    with reading(path, "an .npz archive of arrays"), open(path, "rb") as stream:
        # np.load would take another file for a pickle, and advise to allow that.
        if not zipfile.is_zipfile(stream):
            raise DatasetError(f"{path}: is not an .npz archive (a zip file), or is cut short")
        with zipfile.ZipFile(stream) as members:
            for member in members.namelist():
                # np.load reads a member that is no array to its end, and hands out its bytes.
                name = member.removesuffix(".npy")
                if name in names:
                    with members.open(member) as content:
                        if content.read(len(NPY_MAGIC)) != NPY_MAGIC:
                            raise DatasetError(f"{path}: its member {name!r} is not an array")
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as archive:
            found = sorted(archive.files)
            arrays = {name: archive[name] for name in names if name in found}
    if not arrays:
        raise DatasetError(f"{path}: holds none of the arrays {names}. Received: {found}")
    return arrays


def read_splits(path: str | os.PathLike) -> tuple[Split, Split]:
    """Read the splits of an archive of the user's own; without test images the second is empty."""
    arrays = read_arrays(path, (*TRAIN_IMAGES, *TRAIN_LABELS, TEST_IMAGES, TEST_LABELS))
    image_names = [name for name in TRAIN_IMAGES if name in arrays]
    label_names = [name for name in TRAIN_LABELS if name in arrays]
    if len(image_names) != 1 or len(label_names) > 1:
        raise DatasetError(
            f"{path}: must hold exactly one of the images {TRAIN_IMAGES} and at most one of the "
            f"labels {TRAIN_LABELS}. Received: {sorted(arrays)}"
        )
    train = _checked_split(path, arrays, image_names[0], *label_names)
    if TEST_IMAGES not in arrays:
        if TEST_LABELS in arrays:
            raise DatasetError(f"{path}: holds {TEST_LABELS!r} without {TEST_IMAGES!r}")
        return train, (train[0][:0], None)
    test = _checked_split(path, arrays, TEST_IMAGES, TEST_LABELS)
    if train[0].shape[1:] != test[0].shape[1:]:
        raise DatasetError(
            f"{path}: training and test images must have one shape. "
            f"Received: {train[0].shape[1:]} and {test[0].shape[1:]}"
        )
    return train, test


def _checked_split(
    path: str | os.PathLike,
    arrays: dict[str, np.ndarray],
    image_name: str,
    label_name: str | None = None,
) -> Split:
    images = checked_images(f"{path}: {image_name}", arrays[image_name])
    if label_name is None or label_name not in arrays:
        return images, None
    return images, checked_labels(f"{path}: {label_name}", arrays[label_name], len(images))
