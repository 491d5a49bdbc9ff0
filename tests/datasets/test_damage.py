"""Damaged files of every format: a DatasetError that names the file, or a valid data set."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from capsgan_keras.datasets import Dataset, DatasetError, load_dataset

IMAGE_FORMATS = ("png", "jpg", "bmp", "gif", "webp", "tif", "ppm")
CHANGES = 60


@pytest.fixture
def cases(tmp_path, mnist_arrays, cifar10_arrays, write_idx, write_batches):
    """The file to damage and the data set to load, by the name of the format."""
    idx = write_idx(tmp_path / "idx", mnist_arrays)
    idx_gz = write_idx(tmp_path / "idx-gz", mnist_arrays, end=".gz")
    np.savez(tmp_path / "stored.npz", **mnist_arrays)
    np.savez_compressed(tmp_path / "deflated.npz", **mnist_arrays)
    batches = write_batches(tmp_path / "batches", cifar10_arrays)
    cases = {
        "idx images": (idx / "train-images-idx3-ubyte", ("mnist", idx)),
        "idx labels": (idx / "t10k-labels-idx1-ubyte", ("mnist", idx)),
        "idx gz": (idx_gz / "train-images-idx3-ubyte.gz", ("mnist", idx_gz)),
        "npz": (tmp_path / "stored.npz", (tmp_path / "stored.npz",)),
        "npz compressed": (tmp_path / "deflated.npz", (tmp_path / "deflated.npz",)),
        "batch": (batches / "data_batch_2", ("cifar10", batches)),
    }
    for end, mode in ((".tar", "w"), (".tar.gz", "w:gz")):
        path = tmp_path / end / f"cifar-10-python{end}"
        path.parent.mkdir()
        with tarfile.open(path, mode) as archive:
            archive.add(batches, "cifar-10-batches-py")
        cases[end] = (path, ("cifar10", path.parent))
    for extension in IMAGE_FORMATS:
        path = tmp_path / extension / f"image.{extension}"
        path.parent.mkdir()
        Image.fromarray(cifar10_arrays["x_train"][0]).save(path)
        cases[extension] = (path, (path.parent,))
    return cases


def damaged_copies(content, rng):
    """Yields copies cut short and copies with a wrong byte, most of those near either end."""
    size = len(content)
    for cut in rng.integers(0, size, CHANGES // 3):
        yield content[:cut]
    yield content[: size // 2] + content[size // 2 + 1 :]
    near_ends = [*rng.integers(0, min(size, 200), CHANGES // 3)]
    near_ends += [*(size - 1 - rng.integers(0, min(size, 200), CHANGES // 3))]
    for position in (*near_ends, *rng.integers(0, size, CHANGES // 3)):
        changed = bytearray(content)
        changed[position] ^= 1 << rng.integers(0, 8)
        yield bytes(changed)


@pytest.mark.parametrize(
    "name",
    [
        "idx images",
        "idx labels",
        "idx gz",
        "npz",
        "npz compressed",
        "batch",
        ".tar",
        ".tar.gz",
        *IMAGE_FORMATS,
    ],
)
def test_damaged_file(cases, name):
    path, arguments = cases[name]
    content = path.read_bytes()
    assert isinstance(load_dataset(*arguments), Dataset)
    refused = 0
    for damaged in damaged_copies(content, np.random.default_rng(0)):
        path.write_bytes(damaged)
        message = None
        try:
            dataset = load_dataset(*arguments)
        except DatasetError as error:
            message = str(error)
        if message is None:
            assert dataset.x_train.dtype == np.uint8
            assert dataset.x_train.ndim == 4
        else:
            assert message.startswith(str(path))
            refused += 1
    # Formats without a checksum cannot tell a changed pixel; a lost end they can.
    assert refused >= CHANGES // 4
