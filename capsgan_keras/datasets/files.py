"""Opening the files of data sets, with errors that name the file."""

import contextlib
import gzip
import os
from collections.abc import Iterator
from typing import IO, cast

from capsgan_keras.datasets.dataset import DatasetError

GZIP_MAGIC = b"\x1f\x8b"
GZIP_LARGEST_RATIO = 1032
"""How many bytes a byte of a gzip file can stand for, by its algorithm."""


@contextlib.contextmanager
def reading(source: str | os.PathLike, expected: str) -> Iterator[None]:
    """Turn whatever a decoder raises on a bad file into a `DatasetError`.

    The message names the `source`, and what was `expected`, such as "an idx file".
    """
    try:
        yield
    except DatasetError:
        raise
    # Decoders document few of the errors that damaged bytes draw from them: zlib.error,
    # struct.error, SyntaxError, IndexError, MemoryError and more have been seen.
    except Exception as error:
        raise DatasetError(
            f"{source}: could not be read as {expected}. {type(error).__name__}: {error}"
        ) from error


def open_plain_or_gzip(path: str | os.PathLike) -> IO[bytes]:
    """Open a file for reading, through gzip if its first bytes say so, whatever its name."""
    with open(path, "rb") as stream:
        is_gzip = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    return cast(IO[bytes], gzip.open(path, "rb")) if is_gzip else open(path, "rb")
