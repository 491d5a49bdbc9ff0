"""Tiny data sets in the official file formats."""

import gzip
import struct

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _same_start():
    """Replaces the fixture of all tests that clears Keras's session: these build no models.

    Clearing collects garbage, which takes longer than most of these tests.
    """


@pytest.fixture(autouse=True)
def no_data_dir(monkeypatch):
    """Keeps the user's own data folder out of the tests."""
    monkeypatch.delenv("CAPSGAN_DATA_DIR", raising=False)


def _random_set(rng, shape, train_count, test_count):
    return {
        "x_train": rng.integers(0, 256, (train_count, *shape), np.uint8),
        "y_train": rng.integers(0, 10, train_count),
        "x_test": rng.integers(0, 256, (test_count, *shape), np.uint8),
        "y_test": rng.integers(0, 10, test_count),
    }


@pytest.fixture
def mnist_arrays():
    return _random_set(np.random.default_rng(0), (28, 28), 7, 4)


@pytest.fixture
def cifar10_arrays():
    """Ten training images, two for each of the five batches, and three test images."""
    return _random_set(np.random.default_rng(1), (32, 32, 3), 10, 3)


def idx_bytes(array):
    """The idx format: magic number, dimensions (big-endian), elements."""
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def write_idx():
    """Writes the four idx files of MNIST into a folder; `dot` and `end` vary their names."""

    def write(folder, arrays, dot="-", end=""):
        folder.mkdir(parents=True, exist_ok=True)
        parts = {"x_train": "train-images", "y_train": "train-labels"}
        parts |= {"x_test": "t10k-images", "y_test": "t10k-labels"}
        for key, stem in parts.items():
            content = idx_bytes(arrays[key])
            if end == ".gz":
                content = gzip.compress(content)
            (folder / f"{stem}{dot}idx{arrays[key].ndim}-ubyte{end}").write_bytes(content)
        return folder

    return write


def python2_batch(images, labels):
    """A CIFAR-10 batch, opcode by opcode as Python 2 wrote the official ones (protocol 2)."""
    planes = images.transpose(0, 3, 1, 2).tobytes()
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            b"U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03",
            b"U\x06labelsq\x04]q\x05(",
            *(b"K" + bytes([label]) for label in labels),
            b"e",
            b"U\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
            b"K\x00\x85q\tU\x01b\x87Rq\n(K\x01M"
            + struct.pack("<H", len(images))
            + b"M\x00\x0c\x86",
            b"cnumpy\ndtype\nq\x0bU\x02u1K\x00K\x01\x87Rq\x0c",
            b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89T" + struct.pack("<i", len(planes)) + planes + b"tb",
            b"U\tfilenamesq\r]q\x0e(",
            *(b"U\x07img.pngr" + struct.pack("<I", 15 + index) for index in range(len(images))),
            b"eu.",
        ]
    )


@pytest.fixture
def write_batches():
    """Writes the six official batches of CIFAR-10 into a folder."""

    def write(folder, arrays):
        folder.mkdir(parents=True, exist_ok=True)
        size = len(arrays["x_train"]) // 5
        for index in range(5):
            part = slice(index * size, (index + 1) * size)
            content = python2_batch(arrays["x_train"][part], arrays["y_train"][part])
            (folder / f"data_batch_{index + 1}").write_bytes(content)
        (folder / "test_batch").write_bytes(python2_batch(arrays["x_test"], arrays["y_test"]))
        (folder / "batches.meta").write_bytes(b"not read")
        return folder

    return write
