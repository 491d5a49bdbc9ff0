import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from capsgan_keras.datasets import Dataset


@pytest.fixture
def dataset():
    images = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4, 1)
    labels = np.array([2, 0, 1])
    return Dataset("tiny", images, labels, images[:1], None, ("a", "b", "c"))


def test_unpacks_as_keras_datasets_do(dataset):
    (x_train, y_train), (x_test, y_test) = dataset
    assert x_train is dataset.x_train
    assert y_train is dataset.y_train
    assert x_test is dataset.x_test
    assert y_test is None
    assert dataset.image_shape == (4, 4, 1)


def test_is_frozen(dataset):
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.x_train = dataset.x_test


def test_checksum_is_sha256_of_shapes_dtypes_and_bytes(dataset):
    described = (
        b"x_train |u1 (3, 4, 4, 1);" + bytes(range(48)),
        b"y_train <i8 (3,);" + np.array([2, 0, 1], "<i8").tobytes(),
        b"x_test |u1 (1, 4, 4, 1);" + bytes(range(16)),
        b"y_test None;",
    )
    assert dataset.checksum == hashlib.sha256(b"".join(described)).hexdigest()


def test_checksum_depends_on_every_array(dataset):
    changed_pixel = dataset.x_train.copy()
    changed_pixel[2, 3, 3, 0] ^= 1
    variants = [
        dataset,
        dataclasses.replace(dataset, x_train=changed_pixel),
        dataclasses.replace(dataset, x_train=dataset.x_train.reshape(3, 2, 8, 1)),
        dataclasses.replace(dataset, y_train=np.array([2, 1, 0])),
        dataclasses.replace(dataset, y_train=dataset.y_train.astype(np.int32)),
        dataclasses.replace(dataset, x_test=dataset.x_train[:0]),
        dataclasses.replace(dataset, y_test=np.array([0])),
    ]
    assert len({variant.checksum for variant in variants}) == len(variants)


def test_checksum_does_not_depend_on_memory_layout(dataset):
    transposed = np.asfortranarray(dataset.x_train)
    assert dataclasses.replace(dataset, x_train=transposed).checksum == dataset.checksum


def test_checksum_is_computed_once(dataset):
    first = dataset.checksum
    dataset.x_train[0] = 99
    assert dataset.checksum is first


def test_import_takes_only_numpy_and_the_standard_library():
    # An empty parent package keeps the package's own eager imports out.
    code = """
import pathlib, sys, types, importlib.util
parent = types.ModuleType("capsgan_keras")
parent.__path__ = importlib.util.find_spec("capsgan_keras").submodule_search_locations
sys.modules["capsgan_keras"] = parent
import capsgan_keras.datasets
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"numpy", "keras", "tensorflow", "jax", "sklearn", "PIL", "matplotlib"}))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "['numpy']", result.stderr


def test_held_out_images_are_the_test_images_and_no_longer_for_training():
    images = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1)
    whole = Dataset("tiny", images, np.arange(50), images[:2] + 100, np.array([7, 8]))
    parted = whole.hold_out(20)
    assert (parted.x_train.shape, parted.x_test.shape) == ((30, 1, 1, 1), (20, 1, 1, 1))
    together = np.concatenate([parted.x_train, parted.x_test]).ravel()
    np.testing.assert_array_equal(np.sort(together), np.arange(50))
    np.testing.assert_array_equal(parted.y_train, parted.x_train.ravel())
    np.testing.assert_array_equal(parted.y_test, parted.x_test.ravel())
    assert parted.x_test.max() > 40  # from all over
    assert parted.x_test.min() < 10
    assert parted.checksum == whole.hold_out(20).checksum != whole.checksum

    unlabelled = dataclasses.replace(whole, y_train=None).hold_out(20)
    assert unlabelled.y_train is None
    assert unlabelled.y_test is None


@pytest.mark.parametrize("count", [0, 3, 1.0, True, "1"])
def test_no_image_or_all_cannot_be_held_out(dataset, count):
    with pytest.raises(ValueError, match=rf"tiny: `count`.* from 1 to 2\. .*count={count!r}"):
        dataset.hold_out(count)
