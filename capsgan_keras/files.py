"""Writing files so that a kill, or a full disk, leaves the old one or the new one whole."""

import contextlib
import json
import os
import shutil
from pathlib import Path

PARTIAL = ".writing-"
"""Prefix of what is not whole yet; a leftover of it means nothing."""


@contextlib.contextmanager
def replacing(path):
    """Give a path to write to, which takes the place of `path` once the block has ended well.

    Args:
        path: The file or folder to be. Where it is a folder, no folder of its name may exist.

    Yields:
        A `Path` in the same folder, of the same suffix, to write a file or make a folder at.

    Raises:
        OSError: Where writing fails; what was written so far is removed.
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


def write_text(path, text):
    """Write a text file (UTF-8)."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Write a JSON file; numbers must be finite."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def file_in_the_way(folder):
    """Return the part of a path that is a file, where a folder has to be; None where none is."""
    folder = Path(folder)
    return next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)


def remove_partial(folder):
    """Remove what killed writers left in a folder."""
    for leftover in Path(folder).glob(PARTIAL + "*"):
        _remove(leftover)


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path):
    if os.name == "nt" and path.is_dir():  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
