import re
import struct

import numpy as np
import pytest

from capsgan_keras.datasets import DatasetError, load_dataset

TRAIN_IMAGES = "train-images-idx3-ubyte"


def assert_is_mnist(dataset, arrays):
    assert dataset.name == "mnist"
    assert dataset.image_shape == (28, 28, 1)
    assert dataset.class_names == tuple("0123456789")
    for (images, labels), split in zip(dataset, ("train", "test"), strict=True):
        np.testing.assert_array_equal(images[..., 0], arrays[f"x_{split}"])
        np.testing.assert_array_equal(labels, arrays[f"y_{split}"])
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert images.flags.writeable


@pytest.mark.parametrize("subfolder", ["", "mnist", "MNIST/raw"])
@pytest.mark.parametrize(("dot", "end"), [("-", ""), (".", ""), ("-", ".gz"), (".", ".gz")])
def test_reads_idx_files(tmp_path, write_idx, mnist_arrays, subfolder, dot, end):
    write_idx(tmp_path / subfolder, mnist_arrays, dot, end)
    assert_is_mnist(load_dataset("mnist", tmp_path), mnist_arrays)


@pytest.mark.parametrize("subfolder", ["", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("channel_axis", [False, True])
def test_reads_npz(tmp_path, mnist_arrays, subfolder, channel_axis):
    stored = dict(mnist_arrays)
    if channel_axis:
        stored |= {key: stored[key][..., np.newaxis] for key in ("x_train", "x_test")}
    (tmp_path / subfolder).mkdir(parents=True, exist_ok=True)
    np.savez_compressed(tmp_path / subfolder / "mnist.npz", **stored)
    assert_is_mnist(load_dataset("mnist", tmp_path), mnist_arrays)


def test_recognises_gzip_by_its_content(tmp_path, write_idx, mnist_arrays):
    for path in write_idx(tmp_path, mnist_arrays, end=".gz").iterdir():
        path.rename(path.with_suffix(""))
    assert_is_mnist(load_dataset("mnist", tmp_path), mnist_arrays)


def test_missing_idx_files_are_named(tmp_path, write_idx, mnist_arrays):
    write_idx(tmp_path, mnist_arrays)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DatasetError, match="lacks train-labels and t10k-images"):
        load_dataset("mnist", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:10], r"takes 16 bytes. Received: 10 bytes"),
        (lambda b: b"", r"takes 16 bytes. Received: 0 bytes"),
        (lambda b: b"\0\0\x0d\3" + b[4:], r"is 2051. Received: 3331"),
        (lambda b: b[:4] + b[8:], r"Received: 5500 bytes"),
        (lambda b: b[:-1], r"shape \(7, 28, 28\), that is 5504 bytes in all. Received: 5503"),
        (lambda b: b + b"\0", r"that is 5504 bytes in all. Received: 5505 bytes"),
        (lambda b: b[:8] + struct.pack(">II", 14, 56) + b[16:], r"\(7, 14, 56\)"),
        (lambda b: b[:4] + struct.pack(">I", 0) + b[8:16], r"none of it zero"),
    ],
)
def test_wrong_idx_content(tmp_path, write_idx, mnist_arrays, change, message):
    path = write_idx(tmp_path, mnist_arrays) / TRAIN_IMAGES
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DatasetError, match=message) as raised:
        load_dataset("mnist", tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_images_in_the_place_of_labels(tmp_path, write_idx, mnist_arrays):
    write_idx(tmp_path, mnist_arrays)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.write_bytes((tmp_path / TRAIN_IMAGES).read_bytes())
    with pytest.raises(DatasetError, match=rf"{re.escape(str(labels))}: .*2049. Received: 2051"):
        load_dataset("mnist", tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("y_train", np.array([0, 1, 2, 3, 4, 5, 10]), r"y_train: .*between 0 and 9.*max=10"),
        ("y_test", np.array([0, 1, 2, -1]), r"y_test: .*Received: min=-1"),
        ("y_test", np.arange(3), r"expected 4 labels, one for each image. Received: shape=\(3,\)"),
        ("y_test", np.arange(8).reshape(4, 2), r"Received: shape=\(4, 2\)"),
        ("y_test", np.arange(4.0), r"labels must be integers. Received: dtype=float64"),
        ("x_train", np.zeros((7, 28, 27), np.uint8), r"x_train: .*\(n, 28, 28, 1\)"),
        ("x_test", np.zeros((4, 28, 28, 3), np.uint8), r"x_test: .*\(n, 28, 28, 1\)"),
        ("x_test", np.zeros((0, 28, 28), np.uint8), r"none of it zero"),
        ("x_test", np.zeros((4, 28, 28), np.float32), r"must be uint8, .*to_uint8.*float32"),
        ("x_test", np.zeros((4, 28, 28), np.int64), r"must be uint8, .*Received: dtype=int64"),
    ],
)
def test_wrong_arrays_in_npz(tmp_path, mnist_arrays, key, value, message):
    path = tmp_path / "mnist.npz"
    np.savez(path, **{**mnist_arrays, key: value})
    with pytest.raises(DatasetError, match=message) as raised:
        load_dataset("mnist", tmp_path)
    assert str(raised.value).startswith(f"{path}: {key}: ")


def test_npz_without_labels(tmp_path, mnist_arrays):
    np.savez(tmp_path / "mnist.npz", x_train=mnist_arrays["x_train"])
    with pytest.raises(DatasetError, match=r"mnist.npz: lacks the arrays y_train, x_test, y_test"):
        load_dataset("mnist", tmp_path)
