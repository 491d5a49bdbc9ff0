import io
import re
import zipfile

import numpy as np
import pytest

from capsgan_keras.datasets import DatasetError, load_dataset


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)


@pytest.mark.parametrize("image_name", ["x_train", "images", "x"])
@pytest.mark.parametrize("label_name", ["y_train", "labels", "y", None])
def test_reads_images_and_labels(tmp_path, images, image_name, label_name):
    arrays = {image_name: images, "something_else": np.array(["not", "read"])}
    labels = np.array([5, 0, 7, 7, 1, 300], np.int16)
    if label_name:
        arrays[label_name] = labels
    np.savez(tmp_path / "own.set.npz", **arrays)
    dataset = load_dataset(tmp_path / "own.set.npz")
    assert dataset.name == "own.set"
    assert dataset.class_names is None
    np.testing.assert_array_equal(dataset.x_train, images)
    if label_name:
        assert dataset.y_train.dtype == np.int64
        np.testing.assert_array_equal(dataset.y_train, labels)
    else:
        assert dataset.y_train is None
    assert dataset.x_test.shape == (0, 5, 4, 3)
    assert dataset.x_test.dtype == np.uint8
    assert dataset.y_test is None


@pytest.mark.parametrize("has_labels", [False, True])
def test_reads_a_test_split(tmp_path, images, has_labels):
    arrays = {"x_train": images[:4], "x_test": images[4:]}
    if has_labels:
        arrays["y_test"] = np.array([1, 2])
    np.savez_compressed(tmp_path / "own.npz", **arrays)
    dataset = load_dataset(str(tmp_path / "own.npz"))
    np.testing.assert_array_equal(dataset.x_train, images[:4])
    np.testing.assert_array_equal(dataset.x_test, images[4:])
    assert dataset.y_train is None
    assert (dataset.y_test is not None) == has_labels


def test_grey_images_get_a_channel_axis(tmp_path, images):
    np.savez(tmp_path / "grey.npz", images=images[..., 0])
    dataset = load_dataset(tmp_path / "grey.npz")
    np.testing.assert_array_equal(dataset.x_train, images[..., :1])


def test_converts_both_splits_on_request(tmp_path, images):
    np.savez(tmp_path / "own.npz", x_train=images, x_test=images[:2])
    dataset = load_dataset(tmp_path / "own.npz", image_size=(16, 20), channels=1)
    assert dataset.x_train.shape == (6, 16, 20, 1)
    assert dataset.x_test.shape == (2, 16, 20, 1)
    np.testing.assert_array_equal(dataset.x_train[:2], dataset.x_test)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": None}, r"exactly one of the images .*Received: \['y_train'\]"),
        ({"x": np.zeros((6, 5, 4), np.uint8)}, r"exactly one .*Received: \['images', 'x', 'y_t"),
        ({"labels": np.arange(6)}, r"at most one of the labels"),
        ({"y_test": np.arange(6)}, r"holds 'y_test' without 'x_test'"),
        ({"x_test": np.zeros((2, 5, 4, 1), np.uint8)}, r"\(5, 4, 3\) and \(5, 4, 1\)"),
        ({"images": np.zeros((6, 3, 16, 16), np.uint8)}, r"1, 3 or 4 channels"),
        ({"images": np.zeros((6, 16), np.uint8)}, r"1, 3 or 4 channels"),
        ({"images": np.zeros((6, 5, 4), bool)}, r"must be uint8, values 0 to 255. Received: dtype"),
        ({"images": np.zeros((6, 5, 4))}, r"np.rint\(255 \* images\)"),
        ({"y_train": np.arange(5)}, r"own.npz: y_train: expected 6 labels"),
        ({"y_train": np.array([0, 1, 2, 3, 4, 2**63], np.uint64)}, r"max=9223372036854775808"),
        ({"y_train": np.zeros(6, "m8[s]")}, r"labels must be integers"),
    ],
)
def test_wrong_arrays(tmp_path, images, change, message):
    arrays = {"images": images, "y_train": np.arange(6), **change}
    path = tmp_path / "own.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(DatasetError, match=message) as raised:
        load_dataset(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_unknown_keys_are_listed(tmp_path):
    np.savez(tmp_path / "own.npz", pictures=np.zeros(3), tags=np.zeros(3))
    with pytest.raises(DatasetError, match=r"holds none of .*Received: \['pictures', 'tags'\]"):
        load_dataset(tmp_path / "own.npz")


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "own.npz", images=np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DatasetError, match=r"own.npz: .*Object arrays cannot be loaded"):
        load_dataset(tmp_path / "own.npz")


def test_member_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        archive.writestr("images.npy", b"no array")
    with pytest.raises(DatasetError, match=r"own.npz: its member 'images' is not an array"):
        load_dataset(tmp_path / "own.npz")


def _npy_bytes():
    stream = io.BytesIO()
    np.save(stream, np.zeros((3, 4, 4), np.uint8))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", _npy_bytes()]
)
def test_files_of_another_kind(tmp_path, content):
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    pattern = rf"^{re.escape(str(path))}: is not an \.npz archive \(a zip file\), or is cut short"
    with pytest.raises(DatasetError, match=pattern):
        load_dataset(path)


def test_one_changed_pixel_is_noticed(tmp_path, images):
    path = tmp_path / "own.npz"
    np.savez(path, images=images)
    content = bytearray(path.read_bytes())
    content[content.index(images.tobytes()) + 7] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="Bad CRC-32"):
        load_dataset(path)


def test_what_a_dataset_holds_can_be_saved_and_loaded(tmp_path, images):
    np.savez(tmp_path / "first.npz", x_train=images[:4], y_train=np.arange(4), x_test=images[4:])
    first = load_dataset(tmp_path / "first.npz")
    np.savez(tmp_path / "second.npz", x=first.x_train, y=first.y_train, x_test=first.x_test)
    assert load_dataset(tmp_path / "second.npz").checksum == first.checksum
