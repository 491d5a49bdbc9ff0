"""Small compressed files that hold gigabytes are refused before their contents are read."""

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile

import pytest

from capsgan_keras.datasets import DatasetError
from capsgan_keras.datasets.cifar10 import read_archive
from capsgan_keras.datasets.mnist import read_idx
from capsgan_keras.datasets.npz import read_arrays

ZEROS = bytes(1 << 20)
MEGABYTES = 300
HEADER = struct.pack(">4I", 2051, 1, 2, 2)
HUGE_HEADER = struct.pack(">4I", 2051, 2**32 - 1, 28, 28)


class Zeros(io.RawIOBase):
    """A stream of zeros."""

    def read(self, size=-1):
        return bytes(size)


def idx(path, header):
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(header)
        for _ in range(MEGABYTES):
            stream.write(ZEROS)
    return lambda: read_idx(path, 3)


def archive(path):
    member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    member.size = MEGABYTES << 20
    with tarfile.open(path, "w:gz", compresslevel=1) as stream:
        stream.addfile(member, Zeros())
    return lambda: read_archive(path)


def member_of_zeros(path):
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x.npy", "w", force_zip64=True) as stream,
    ):
        for _ in range(MEGABYTES):
            stream.write(ZEROS)
    return lambda: read_arrays(path, ("x",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: idx(path, b""), "magic number"),
        (lambda path: idx(path, HEADER), "that is 20 bytes in all. Received: 21 bytes or more"),
        (lambda path: idx(path, HUGE_HEADER), "too few even if compressed"),
        (archive, "takes at most 200000000 bytes"),
        (member_of_zeros, "'x' is not an array"),
    ],
)
def test_a_small_file_of_many_zeros_takes_no_memory(tmp_path, make, message):
    read = make(tmp_path / "bomb")
    assert (tmp_path / "bomb").stat().st_size < 5e6
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=message):
            read()
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
