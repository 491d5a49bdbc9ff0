"""MNIST's official idx files.

The format is described at http://yann.lecun.com/exdb/mnist/: a big-endian magic number whose last
two bytes are the element type (8: unsigned byte) and the number of dimensions, the dimensions,
and the elements.
"""

import functools
import math
import os
import struct
from pathlib import Path

import numpy as np

from capsgan_keras.datasets.dataset import DatasetError
from capsgan_keras.datasets.definition import DatasetDefinition, SourcedArrays
from capsgan_keras.datasets.download import download_with_keras
from capsgan_keras.datasets.files import GZIP_LARGEST_RATIO, open_plain_or_gzip, reading

# In the order x_train, y_train, x_test, y_test: the stem and the number of dimensions.
PARTS = (("train-images", 3), ("train-labels", 1), ("t10k-images", 3), ("t10k-labels", 1))


def read_folder(folder: Path) -> SourcedArrays | None:
    """Read the four idx files of a folder; return None where it holds none of them."""
    paths = [_find_idx(folder, stem, ndim) for stem, ndim in PARTS]
    if not any(paths):
        return None
    missing = [stem for (stem, _), path in zip(PARTS, paths, strict=True) if path is None]
    if missing:
        raise DatasetError(
            f"{folder}: holds some of MNIST's idx files, but lacks {' and '.join(missing)}"
        )
    return [
        (str(path), read_idx(path, ndim))
        for path, (_, ndim) in zip(paths, PARTS, strict=True)
        if path is not None
    ]


def _find_idx(folder: Path, stem: str, ndim: int) -> Path | None:
    names = (f"{stem}{dot}idx{ndim}-ubyte{end}" for end in ("", ".gz") for dot in ("-", "."))
    return next((folder / name for name in names if os.path.isfile(folder / name)), None)


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Read an idx file of unsigned bytes with `ndim` dimensions, gzipped or not."""
    with reading(path, "an idx file"), open_plain_or_gzip(path) as stream:
        # No more than the header announces: a small gzip file may hold gigabytes of zeros.
        header_size = 4 * (1 + ndim)
        header = stream.read(header_size)
        if len(header) < header_size:
            raise DatasetError(
                f"{path}: an idx header of {ndim} dimensions takes {header_size} bytes. "
                f"Received: {len(header)} bytes"
            )
        magic, *shape = struct.unpack_from(f">{1 + ndim}I", header)
        expected_magic = 0x0800 + ndim
        if magic != expected_magic:
            raise DatasetError(
                f"{path}: the magic number of idx files of bytes with {ndim} dimensions is "
                f"{expected_magic}. Received: {magic}"
            )
        expected_size = header_size + math.prod(shape)
        file_size = path.stat().st_size
        announces = f"{path}: its header announces the shape {tuple(shape)}, that is "
        announces += f"{expected_size} bytes in all. Received:"
        if expected_size > GZIP_LARGEST_RATIO * file_size:
            raise DatasetError(f"{announces} {file_size} bytes, too few even if compressed")
        content = stream.read(expected_size - header_size + 1)
    size = header_size + len(content)
    if size != expected_size:
        raise DatasetError(f"{announces} {size} bytes{' or more' if size > expected_size else ''}")
    # A copy, because an array over bytes cannot be written to.
    return np.frombuffer(content, np.uint8).reshape(shape).copy()


MNIST = DatasetDefinition(
    name="mnist",
    title="MNIST",
    image_shape=(28, 28, 1),
    class_names=tuple("0123456789"),
    terms="MNIST (Y. LeCun, C. Cortes, C. J. C. Burges), made from NIST's special databases 1 "
    "and 3. Licence: CC BY-SA 3.0.",
    minimum_accuracy=0.985,
    files="the four idx files train-images-idx3-ubyte, train-labels-idx1-ubyte, "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (also train-images.idx3-ubyte and so on, "
    "also with .gz)",
    subfolders=("MNIST/raw",),
    read_folder=read_folder,
    download=functools.partial(download_with_keras, "mnist"),
    hub_name="ylecun/mnist",
)
