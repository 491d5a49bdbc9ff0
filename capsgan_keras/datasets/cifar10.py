"""CIFAR-10's official batches: pickles, read without letting them run code.

The format is described at https://www.cs.toronto.edu/~kriz/cifar.html: a dictionary with `data`
(uint8, `(n, 3072)`, the red, green and blue planes of an image one after the other) and `labels`.
"""

import functools
import io
import os
import pickle
import pickletools
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from capsgan_keras.datasets.dataset import DatasetError, checked_labels
from capsgan_keras.datasets.definition import DatasetDefinition, SourcedArrays
from capsgan_keras.datasets.download import download_with_keras
from capsgan_keras.datasets.files import open_plain_or_gzip, reading

TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "test_batch"
BATCHES = (*TRAIN_BATCHES, TEST_BATCH)
BATCH_FOLDERS = ("cifar-10-batches-py", "")
ARCHIVES = tuple(
    f"{stem}{end}"
    for stem in ("cifar-10-python", "cifar-10-batches-py")
    for end in (".tar.gz", ".tar")
)
NUM_CLASSES = 10
LARGEST_BATCH = 200_000_000
"""Bytes. The official batches have 31 million."""
Batch = tuple[np.ndarray, np.ndarray]
"""uint8 images `(n, 32, 32, 3)` and int64 labels `(n,)`."""


def read_folder(folder: Path) -> SourcedArrays | None:
    """Read the batches or the archive of a folder; return None where it holds neither."""
    for batch_folder in BATCH_FOLDERS:
        source = folder / batch_folder
        present = [name for name in BATCHES if os.path.isfile(source / name)]
        if present:
            return _join(source, {name: _read_batch_file(source / name) for name in present})
    for archive in ARCHIVES:
        source = folder / archive
        if os.path.isfile(source):
            return _join(source, read_archive(source))
    return None


def read_archive(path: Path) -> dict[str, Batch]:
    """Read the batches of a tar archive by name, gzipped or not, without unpacking it to disk."""
    batches = {}
    with reading(path, "a tar archive"), open_plain_or_gzip(path) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if member.isfile() and name in BATCHES:
                    _check_size(f"{path}, member {member.name}", member.size)
                    content = archive.extractfile(member).read()  # type: ignore[union-attr]  # None for folders only
                    batches[name] = read_batch(f"{path}, member {member.name}", content)
        # tarfile stops before the end of the file, gzip compares its checksum there.
        while stream.read(1 << 20):
            pass
    return batches


def _read_batch_file(path: Path) -> Batch:
    with reading(path, "a CIFAR-10 batch"):
        _check_size(str(path), path.stat().st_size)
        content = path.read_bytes()
    return read_batch(str(path), content)


def _check_size(source: str, size: int) -> None:
    """Refuse what is no batch before it is read: a small archive may hold gigabytes of zeros."""
    if size > LARGEST_BATCH:
        raise DatasetError(
            f"{source}: a CIFAR-10 batch takes at most {LARGEST_BATCH} bytes. Received: {size}"
        )


def _join(source: Path, batches: dict[str, Batch]) -> SourcedArrays:
    missing = [name for name in BATCHES if name not in batches]
    if missing:
        raise DatasetError(f"{source}: lacks CIFAR-10's batches {', '.join(missing)}")
    images, labels = zip(*(batches[name] for name in TRAIN_BATCHES), strict=True)
    arrays = (np.concatenate(images), np.concatenate(labels), *batches[TEST_BATCH])
    return [(str(source), array) for array in arrays]


def read_batch(source: str, content: bytes) -> Batch:
    """Read one batch from its pickle; `source` names it in errors.

    Raises:
        DatasetError: If the pickle is damaged, asks for anything that a batch does not need, or
            holds other things than a batch.
    """
    with reading(source, "a CIFAR-10 batch"):
        _check_memo(content)
        batch = _BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(batch, dict):
            raise DatasetError(
                f"{source}: a CIFAR-10 batch is a dictionary. Received: {type(batch).__name__}"
            )
        # Written by Python 2 the keys are bytes, written by Python 3 they may be text.
        batch = {key.decode() if isinstance(key, bytes) else key: batch[key] for key in batch}
        data, labels = batch.get("data"), batch.get("labels")
        if not isinstance(data, _PickledArray) or not isinstance(labels, list):
            raise DatasetError(
                f"{source}: a CIFAR-10 batch has an array 'data' and a list 'labels'. "
                f"Received: { {key: type(value).__name__ for key, value in batch.items()} }"
            )
        pixels = data.to_numpy()
        if pixels.ndim != 2 or pixels.shape[0] == 0 or pixels.shape[1] != 3072:
            raise DatasetError(
                f"{source}: 'data' must have the shape (n, 3072). Received: shape={pixels.shape}"
            )
        if not all(type(label) is int for label in labels):
            raise DatasetError(f"{source}: 'labels' must be a list of integers")
        labels = np.array(labels, np.int64)
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, checked_labels(f"{source}: labels", labels, len(images), NUM_CLASSES)


def _check_memo(content: bytes) -> None:
    """Refuse a pickle that counts its memo wrongly.

    A pickler numbers what it stores one by one. The unpickler makes room up to the number it is
    told, so that one damaged byte can ask for all the memory of the machine.
    """
    for position, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > position:
            raise pickle.UnpicklingError(f"memo number {argument} at operation {position}")


class _BatchUnpickler(pickle.Unpickler):
    """An unpickler that admits an array of bytes, and no other global."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for the global {module}.{name}, which no CIFAR-10 batch needs: refused"
            ) from None


class _PickledDtype:
    """A stand-in for `numpy.dtype` that keeps the type's code."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        self.code = code.decode() if isinstance(code, bytes) else code

    def __setstate__(self, state: Any) -> None:
        """Ignore the rest of a dtype: byte order and fields mean nothing to single bytes."""


class _PickledArray:
    """A stand-in for `numpy.ndarray` as `_reconstruct` makes it: empty, its state follows.

    Nothing in a pickle reaches NumPy's own code for restoring arrays, which trusts what it is
    given, and no private module of NumPy needs to be named.
    """

    def __init__(self, subtype: Any = None, shape: Any = None, code: Any = None) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def to_numpy(self) -> np.ndarray:
        """Return the state as a uint8 array; refuse any other dtype or a wrong length."""
        if self.state is None:
            raise pickle.UnpicklingError("an array without content")
        _, shape, dtype, is_fortran, content = self.state
        if not isinstance(dtype, _PickledDtype) or dtype.code not in ("u1", "|u1", "B"):
            code = getattr(dtype, "code", type(dtype).__name__)
            raise pickle.UnpicklingError(f"an array of dtype {code!r}, expected uint8")
        if not isinstance(content, bytes):
            raise pickle.UnpicklingError(f"array content of type {type(content).__name__}")
        return np.frombuffer(content, np.uint8).reshape(shape, order="F" if is_fortran else "C")


def _encode_latin1(text: str, encoding: str | bytes) -> bytes:
    """Encode as `_codecs.encode` does, by which Python 3 writes bytes for Python 2."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"encoding {encoding!r} refused, expected latin1")
    return text.encode("latin1")


_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy", "ndarray"): _PickledArray,
    ("numpy", "dtype"): _PickledDtype,
    ("_codecs", "encode"): _encode_latin1,
}

CIFAR10 = DatasetDefinition(
    name="cifar10",
    title="CIFAR-10",
    image_shape=(32, 32, 3),
    class_names=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    terms="CIFAR-10 (A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, "
    "2009). No licence is stated; its author asks to cite that report. The images come from 80 "
    "Million Tiny Images, which its makers withdrew in 2020.",
    minimum_accuracy=0.80,
    files="the official batches data_batch_1 to data_batch_5 and test_batch in "
    "cifar-10-batches-py/, or cifar-10-python.tar.gz (also cifar-10-python.tar, "
    "cifar-10-batches-py.tar.gz, cifar-10-batches-py.tar)",
    subfolders=("cifar-10-batches-py-target",),  # where keras.datasets keeps its copy
    read_folder=read_folder,
    download=functools.partial(download_with_keras, "cifar10"),
    hub_name="uoft-cs/cifar10",
)
