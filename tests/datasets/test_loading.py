import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from capsgan_keras.datasets import DATASET_NAMES, DatasetError, download, load_dataset

REAL_DATA = os.environ.get("CAPSGAN_DATA_DIR")


def test_digits():
    dataset = load_dataset("digits")
    assert dataset.name == "digits"
    assert dataset.x_train.shape == (1437, 28, 28, 1)
    assert dataset.x_test.shape == (360, 28, 28, 1)
    assert dataset.x_train.dtype == np.uint8
    assert (dataset.x_train.min(), dataset.x_train.max()) == (0, 255)
    assert dataset.class_names == tuple("0123456789")
    original = load_digits()
    labels = np.concatenate([dataset.y_train, dataset.y_test])
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, original.target)
    # Shrunk to 8x8 again, every image is nearly the one it was made of.
    images = np.concatenate([dataset.x_train, dataset.x_test])[..., 0]
    for image, digit in zip(images, original.images, strict=True):
        shrunk = np.asarray(Image.fromarray(image).resize((8, 8), Image.Resampling.BOX))
        assert np.corrcoef(shrunk.ravel(), digit.ravel())[0, 1] > 0.95


def test_digits_are_the_same_each_time():
    assert load_dataset("digits").checksum == load_dataset("digits").checksum


def test_digits_in_another_size():
    dataset = load_dataset("digits", image_size=(16, 20), channels=3)
    assert dataset.image_shape == (16, 20, 3)
    # Not resized twice: at 8x8 they are scikit-learn's own pixels.
    small = load_dataset("digits", image_size=8).x_train[..., 0]
    np.testing.assert_allclose(small, load_digits().images[:1437] * 255 / 16, atol=0.5)


def test_named_set_is_converted_on_request(tmp_path, mnist_arrays, write_idx):
    write_idx(tmp_path, mnist_arrays)
    dataset = load_dataset("mnist", tmp_path, image_size=32, channels=3)
    assert dataset.x_train.shape == (7, 32, 32, 3)
    assert dataset.x_test.shape == (4, 32, 32, 3)
    np.testing.assert_array_equal(dataset.y_train, mnist_arrays["y_train"])


def test_npz_goes_before_official_files(tmp_path, mnist_arrays, write_idx):
    write_idx(tmp_path, mnist_arrays)
    inverted = {**mnist_arrays, "x_train": 255 - mnist_arrays["x_train"]}
    np.savez(tmp_path / "mnist.npz", **inverted)
    images = load_dataset("mnist", tmp_path).x_train[..., 0]
    np.testing.assert_array_equal(images, inverted["x_train"])


def test_environment_variable_names_the_folder(
    tmp_path, mnist_arrays, cifar10_arrays, write_idx, write_batches, monkeypatch
):
    write_idx(tmp_path, mnist_arrays)
    write_batches(tmp_path / "cifar-10-batches-py", cifar10_arrays)
    monkeypatch.setenv("CAPSGAN_DATA_DIR", str(tmp_path))
    assert load_dataset("mnist").x_train.shape == (7, 28, 28, 1)
    assert load_dataset("cifar10").x_train.shape == (10, 32, 32, 3)


def test_argument_goes_before_environment_variable(tmp_path, mnist_arrays, write_idx, monkeypatch):
    write_idx(tmp_path / "argument", mnist_arrays)
    monkeypatch.setenv("CAPSGAN_DATA_DIR", str(tmp_path / "not there"))
    assert len(load_dataset("mnist", data_dir=tmp_path / "argument").x_train) == 7


def test_home_folder_is_expanded(tmp_path, mnist_arrays, write_idx, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_idx(tmp_path / "data", mnist_arrays)
    assert len(load_dataset("mnist", data_dir="~/data").x_train) == 7
    np.savez(tmp_path / "own.npz", x=mnist_arrays["x_train"])
    assert len(load_dataset("~/own.npz").x_train) == 7


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_data_dir_without_the_set(tmp_path, name, monkeypatch):
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: pytest.fail("download"))
    with pytest.raises(DatasetError, match=rf"does not hold {name}. Looked for: {name}\.npz") as e:
        load_dataset(name, data_dir=tmp_path)
    assert str(e.value).startswith(f"{tmp_path}: ")
    assert {"mnist": "t10k-labels-idx1-ubyte", "cifar10": "cifar-10-python.tar.gz"}[name] in str(
        e.value
    )


def test_folder_that_does_not_exist(tmp_path, monkeypatch):
    missing = tmp_path / "missing"
    with pytest.raises(DatasetError, match=rf"^{re.escape(str(missing))}: is not a folder.*data_d"):
        load_dataset("mnist", data_dir=missing)
    monkeypatch.setenv("CAPSGAN_DATA_DIR", str(missing))
    with pytest.raises(DatasetError, match=r"is not a folder.*variable CAPSGAN_DATA_DIR"):
        load_dataset("mnist")
    with pytest.raises(DatasetError, match=r"must name a folder. Received: data_dir=''"):
        load_dataset("mnist", data_dir="")


@pytest.mark.parametrize("variable", ["unset", "empty", "folder without it"])
def test_keras_supplies_what_no_folder_holds(tmp_path, mnist_arrays, monkeypatch, variable):
    if variable != "unset":
        monkeypatch.setenv("CAPSGAN_DATA_DIR", "" if variable == "empty" else str(tmp_path))
    train = mnist_arrays["x_train"], mnist_arrays["y_train"]
    test = mnist_arrays["x_test"], mnist_arrays["y_test"]
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: (train, test))
    dataset = load_dataset("mnist")
    np.testing.assert_array_equal(dataset.x_train[..., 0], train[0])
    np.testing.assert_array_equal(dataset.y_test, test[1])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_keras_supplies_cifar10_in_either_format(cifar10_arrays, monkeypatch, data_format):
    def load_data():
        arrays = dict(cifar10_arrays)
        if data_format == "channels_first":
            arrays |= {key: arrays[key].transpose(0, 3, 1, 2) for key in ("x_train", "x_test")}
        return (
            (arrays["x_train"], arrays["y_train"][:, np.newaxis]),
            (arrays["x_test"], arrays["y_test"][:, np.newaxis]),
        )

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", load_data)
    monkeypatch.setattr(keras.config, "image_data_format", lambda: data_format)
    dataset = load_dataset("cifar10")
    np.testing.assert_array_equal(dataset.x_train, cifar10_arrays["x_train"])
    np.testing.assert_array_equal(dataset.y_test, cifar10_arrays["y_test"])


def test_download_that_stands_still_ends(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def load_data():
            with socket.create_connection(server.getsockname()) as connection:
                return connection.recv(1)

        monkeypatch.setattr(keras.datasets.mnist, "load_data", load_data)
        monkeypatch.setattr(download, "DOWNLOAD_TIMEOUT", 0.05)
        with pytest.raises(DatasetError, match=r"could not download it \(TimeoutError"):
            load_dataset("mnist")
    assert socket.getdefaulttimeout() is None


OFFLINE = """
import json, pathlib, socket, sys
sys.modules["tensorflow"] = None  # as if it were not installed

def getaddrinfo(*arguments, **options):
    raise socket.gaierror(-2, "Name or service not known")

socket.getaddrinfo = getaddrinfo
from capsgan_keras.datasets import DatasetError, load_dataset

result = {"digits": load_dataset("digits").x_train.shape}
for name in ("mnist", "cifar10"):
    try:
        load_dataset(name)
    except DatasetError as error:
        result[name] = {"message": str(error)}
print()
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """What `load_dataset` does without a network, without TensorFlow, with Keras's cache empty."""
    keras_home = tmp_path_factory.mktemp("keras_home")
    settings = {"KERAS_HOME": str(keras_home), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    environment = {key: value for key, value in os.environ.items() if key != "CAPSGAN_DATA_DIR"}
    process = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        capture_output=True,
        text=True,
        env=environment | settings,
        cwd=Path(__file__).parents[2],
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1]), keras_home


def test_digits_need_neither_network_nor_tensorflow(offline):
    assert offline[0]["digits"] == [1437, 28, 28, 1]


@pytest.mark.parametrize(
    ("name", "file"), [("mnist", "train-images-idx3-ubyte"), ("cifar10", "cifar-10-batches-py/")]
)
def test_without_a_network_one_error_names_all_ways(offline, name, file):
    result, keras_home = offline
    message = result[name]["message"]
    for way in ("data_dir", "--data-dir", "CAPSGAN_DATA_DIR", f"{name}.npz", file, "digits"):
        assert way in message
    assert "~/.keras/datasets" in message
    assert "URL fetch failure" in message
    assert list((keras_home / "datasets").iterdir()) == []


@pytest.mark.parametrize("name", ["imagenet", "MNIST", "no/such/path", "", "a\0b", "x" * 5000])
def test_unknown_names_and_paths(name):
    with pytest.raises(DatasetError, match=r"path of an \.npz file or a folder of images") as e:
        load_dataset(name)
    assert all(f"'{known}'" in str(e.value) for known in DATASET_NAMES)
    assert str(e.value).endswith(f"Received: name_or_path={name!r}")


@pytest.mark.parametrize("value", [None, 3, ["mnist"]])
def test_name_of_another_type(value):
    with pytest.raises(DatasetError, match="must be one of"):
        load_dataset(value)


def test_path_named_like_a_data_set(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    Image.new("L", (3, 2)).save(tmp_path / "digits" / "1.png")
    monkeypatch.chdir(tmp_path)
    assert load_dataset("./digits").image_shape == (2, 3, 1)
    assert load_dataset(Path("digits")).image_shape == (2, 3, 1)
    assert load_dataset("digits").image_shape == (28, 28, 1)


@pytest.mark.parametrize(
    "image_size", [0, -1, (28,), (28, 0), (1, 2, 3), 2.5, True, "28", (8.0, 8)]
)
def test_wrong_image_size(image_size):
    with pytest.raises(ValueError, match=r"`image_size` must be.*Received: image_size="):
        load_dataset("digits", image_size=image_size)


@pytest.mark.parametrize("channels", [0, 2, 5, "rgb", [1]])
def test_wrong_channels(channels):
    with pytest.raises(
        ValueError, match=r"`channels` must be None, 1, 3 or 4. Received: channels="
    ):
        load_dataset("digits", channels=channels)


@pytest.mark.data
@pytest.mark.skipif(not REAL_DATA, reason="CAPSGAN_DATA_DIR is not set")
def test_real_sets():
    mnist = load_dataset("mnist", REAL_DATA)
    assert (mnist.x_train.shape, mnist.x_test.shape) == ((60000, 28, 28, 1), (10000, 28, 28, 1))
    assert mnist.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    # Mean and deviation of MNIST's training pixels, as every tutorial normalises by them.
    assert mnist.x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert mnist.x_train.std() / 255 == pytest.approx(0.3081, abs=5e-5)
    cifar10 = load_dataset("cifar10", REAL_DATA)
    assert (cifar10.x_train.shape, cifar10.x_test.shape) == (
        (50000, 32, 32, 3),
        (10000, 32, 32, 3),
    )
    assert np.bincount(cifar10.y_train).tolist() == [5000] * 10
    means = cifar10.x_train.mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
