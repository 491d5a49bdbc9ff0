"""Writing files so that a kill, or a full disk, leaves the complete old or new file."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTIAL = ".writing-"
"""Prefix of files and folders that are still being written. A leftover of a kill can be removed."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a path to write to, which replaces `path` when the block ends without an error.

    Args:
        path: The file or folder to write. A folder of this name must not exist yet.

    Yields:
        A `Path` in the same folder, of the same suffix, for a file or folder to be written.

    Raises:
        OSError: Where writing fails. What was written so far is removed.
    """
    path = Path(path)
    partial = path.with_name(PARTIAL + path.name)
    _remove(partial)
    try:
        yield partial
        for written in [*partial.rglob("*"), partial]:
            _sync(written)
        os.replace(partial, path)
    except BaseException as error:
        _remove(partial)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = os.fspath(path)  # a full disk is reported without a name
        raise
    _sync(path.parent)  # the new name itself


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file (UTF-8)."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write a JSON file; numbers must be finite."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def file_in_the_way(folder: str | os.PathLike) -> Path | None:
    """Return the part of a folder's path that is a file; None where a folder can be made."""
    folder = Path(folder)
    return next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)


def remove_partial(folder: str | os.PathLike) -> None:
    """Remove from a folder what killed writers left behind."""
    for leftover in Path(folder).glob(PARTIAL + "*"):
        _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
