import os
import pickle
import re
import struct
import tarfile

import numpy as np
import pytest

from capsgan_keras.datasets import DatasetError, load_dataset
from capsgan_keras.datasets.cifar10 import read_batch


def assert_is_cifar10(dataset, arrays):
    assert dataset.name == "cifar10"
    assert dataset.class_names[:2] == ("airplane", "automobile")
    assert dataset.class_names[9] == "truck"
    for (images, labels), split in zip(dataset, ("train", "test"), strict=True):
        np.testing.assert_array_equal(images, arrays[f"x_{split}"])
        np.testing.assert_array_equal(labels, arrays[f"y_{split}"])
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert images.flags.writeable


@pytest.mark.parametrize(
    "subfolder",
    [
        "",
        "cifar-10-batches-py",
        "cifar10/cifar-10-batches-py",
        "cifar-10-batches-py-target/cifar-10-batches-py",
    ],
)
def test_reads_batches_of_python_2(tmp_path, write_batches, cifar10_arrays, subfolder):
    write_batches(tmp_path / subfolder, cifar10_arrays)
    assert_is_cifar10(load_dataset("cifar10", tmp_path), cifar10_arrays)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("cifar-10-python.tar.gz", "w:gz"),
        ("cifar-10-batches-py.tar.gz", "w:gz"),
        ("cifar-10-python.tar", "w"),
        ("cifar-10-batches-py.tar", "w"),
        ("cifar-10-python.tar.gz", "w"),
    ],
)
def test_reads_archive_without_unpacking_it(tmp_path, write_batches, cifar10_arrays, name, mode):
    batches = write_batches(tmp_path / "batches", cifar10_arrays)
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with tarfile.open(data_dir / name, mode) as archive:
        archive.add(batches, "cifar-10-batches-py")
    assert_is_cifar10(load_dataset("cifar10", data_dir), cifar10_arrays)
    assert [path.name for path in data_dir.iterdir()] == [name]


@pytest.mark.parametrize("label_axis", [False, True])
def test_reads_npz(tmp_path, cifar10_arrays, label_axis):
    stored = dict(cifar10_arrays)
    if label_axis:
        stored |= {key: stored[key][:, np.newaxis] for key in ("y_train", "y_test")}
    np.savez(tmp_path / "cifar10.npz", **stored)
    assert_is_cifar10(load_dataset("cifar10", tmp_path), cifar10_arrays)


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("keys", ["bytes", "text"])
def test_reads_batches_of_python_3(cifar10_arrays, protocol, keys):
    images, labels = cifar10_arrays["x_test"], cifar10_arrays["y_test"]
    batch = {"data": images.transpose(0, 3, 1, 2).reshape(-1, 3072), "labels": labels.tolist()}
    if keys == "bytes":
        batch = {key.encode(): value for key, value in batch.items()}
    read_images, read_labels = read_batch("source", pickle.dumps(batch, protocol))
    np.testing.assert_array_equal(read_images, images)
    np.testing.assert_array_equal(read_labels, labels)


def test_missing_batches_are_named(tmp_path, write_batches, cifar10_arrays):
    batches = write_batches(tmp_path / "cifar-10-batches-py", cifar10_arrays)
    (batches / "data_batch_4").unlink()
    (batches / "test_batch").unlink()
    with pytest.raises(DatasetError, match=r"lacks CIFAR-10's batches data_batch_4, test_batch"):
        load_dataset("cifar10", tmp_path)
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(batches, "cifar-10-batches-py")
    (batches / "data_batch_1").unlink()
    for path in batches.iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match=r"tar.gz: lacks CIFAR-10's batches data_batch_4, test"):
        load_dataset("cifar10", tmp_path)


def test_checksum_of_gzip_is_compared(tmp_path, write_batches, cifar10_arrays):
    batches = write_batches(tmp_path / "batches", cifar10_arrays)
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(batches, "cifar-10-batches-py")
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # the checksum is in the eight bytes at the end
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"tar\.gz: .*CRC check failed"):
        load_dataset("cifar10", tmp_path)


def test_link_in_an_archive_is_not_followed(tmp_path, write_batches, cifar10_arrays):
    batches = write_batches(tmp_path / "batches", cifar10_arrays)
    target = tmp_path / "test_batch"
    (batches / "test_batch").rename(target)
    (batches / "test_batch").symlink_to(target)
    with tarfile.open(tmp_path / "cifar-10-python.tar", "w") as archive:
        archive.add(batches, "cifar-10-batches-py")
    target.unlink()
    with pytest.raises(DatasetError, match="lacks CIFAR-10's batches test_batch"):
        load_dataset("cifar10", tmp_path)


class _Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_refuses_to_run_code(tmp_path, write_batches, cifar10_arrays, protocol):
    batches = write_batches(tmp_path / "cifar-10-batches-py", cifar10_arrays)
    proof = tmp_path / "proof"
    attack = {b"data": _Call(os.system, f"touch {proof}"), b"labels": []}
    (batches / "data_batch_3").write_bytes(pickle.dumps(attack, protocol))
    pattern = rf"{re.escape(str(batches / 'data_batch_3'))}: .*the global \w+\.system.*refused"
    with pytest.raises(DatasetError, match=pattern):
        load_dataset("cifar10", tmp_path)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("numpy", "load"),
        ("numpy", "memmap"),
        ("numpy.core.multiarray", "fromfile"),
        ("_codecs", "lookup"),
        ("capsgan_keras.datasets.cifar10", "os"),
        ("copyreg", "_reconstructor"),
    ],
)
def test_refuses_every_other_global(module, name):
    content = f"c{module}\n{name}\n.".encode()
    with pytest.raises(DatasetError, match=rf"source: .*the global {module}\.{name}, .*refused"):
        read_batch("source", content)


def test_encode_admits_latin1_only():
    content = pickle.dumps({b"data": _Call(__import__("_codecs").encode, "a", "rot13")}, 2)
    with pytest.raises(DatasetError, match=r"encoding 'rot13' refused, expected latin1"):
        read_batch("source", content)


def _batch(data=None, labels=(0, 1, 2)):
    data = np.zeros((3, 3072), np.uint8) if data is None else data
    return {b"data": data, b"labels": list(labels)}


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (_batch(np.zeros((3, 3072), object)), "an array of dtype 'O8', expected uint8"),
        (_batch(np.zeros((3, 3072), np.float32)), "an array of dtype 'f4', expected uint8"),
        (_batch(np.zeros((3, 3072), np.int8)), "an array of dtype 'i1', expected uint8"),
        (_batch(np.zeros((3, 3071), np.uint8)), r"shape \(n, 3072\). Received: shape=\(3, 3071\)"),
        (_batch(np.zeros((0, 3072), np.uint8), []), r"Received: shape=\(0, 3072\)"),
        (_batch(np.zeros(3072, np.uint8)), r"Received: shape=\(3072,\)"),
        (_batch(b"text"), r"has an array 'data' and a list 'labels'. Received: .*'bytes'"),
        (_batch(labels=[0, 1]), r"expected 3 labels, one for each image. Received: shape=\(2,\)"),
        (_batch(labels=[0, 1, 10]), r"between 0 and 9. Received: min=0, max=10"),
        (_batch(labels=[0, 1, -1]), r"between 0 and 9. Received: min=-1"),
        (_batch(labels=[0, 1, 2.0]), "'labels' must be a list of integers"),
        (_batch(labels=[0, 1, 10**30]), "OverflowError"),
        ({b"data": np.zeros((3, 3072), np.uint8)}, r"has an array 'data' and a list 'labels'"),
        ([1, 2], "is a dictionary. Received: list"),
    ],
)
def test_wrong_content(batch, message):
    with pytest.raises(DatasetError, match=message) as raised:
        read_batch("the_file", pickle.dumps(batch, 4))
    assert str(raised.value).startswith("the_file: ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text, no pickle",
        pickle.dumps(_batch(), 2)[:-1],
        pickle.dumps(_batch(), 2)[:5000],
        # An array that claims more bytes than it has, and one without any.
        pickle.dumps(_batch(), 2).replace(b"M\x00\x0c", b"M\x01\x0c"),
        b"}(U\x04datacnumpy\nndarray\n)RU\x06labels]u.",
    ],
)
def test_damaged_pickle(content):
    with pytest.raises(DatasetError, match=r"^the_file: could not be read as a CIFAR-10 batch"):
        read_batch("the_file", content)


def test_memo_number_cannot_take_all_memory():
    # The unpickler would make a table of 2**32 entries for the largest of these numbers.
    content = b"\x80\x02}r" + struct.pack("<I", 2**31) + b"."
    with pytest.raises(DatasetError, match=r"memo number 2147483648 at operation 2"):
        read_batch("the_file", content)
