"""Writing files so that a kill, or a full disk, leaves the complete old or new file."""

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTIAL = ".writing-"
"""Prefix of files and folders that are still being written. A leftover of a kill can be removed."""
LOCK = ".lock"
"""Name, or its beginning, of a file that a process holds while it writes."""
BEFORE = ".before-"
"""Prefix of the old folder while a new one takes its place."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike, sync: bool = True) -> Iterator[Path]:
    """Give a path to write to, which replaces `path` when the block ends without an error.

    A file is replaced in one step, and never takes the place of a folder. For a folder no system
    has such a step that works everywhere: the old folder is moved aside, and `standing` finds it
    there after a kill in between.

    Args:
        path: The file or folder to write.
        sync: Whether to wait until the disk has it. Without, only a power cut can still take it.

    Yields:
        A `Path` in the same folder, of the same suffix, for a file or folder to be written.

    Raises:
        OSError: Where writing fails. What was written so far is removed.
    """
    path = Path(path)
    partial, before = path.with_name(PARTIAL + path.name), path.with_name(BEFORE + path.name)
    _remove(partial)
    _settle(path, before)
    try:
        yield partial
        for written in [*partial.rglob("*"), partial] if sync else ():
            _sync(written)
        if path.is_dir() and not path.is_symlink():
            if not partial.is_dir():
                raise IsADirectoryError(errno.EISDIR, "Is a folder, and not a file", str(path))
            os.rename(path, before)
        os.replace(partial, path)
    except BaseException as error:
        _settle(path, before)
        _remove(partial)
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            error.filename = os.fspath(path)  # a full disk is reported without a name
        raise
    if sync:
        _sync(path.parent)  # the new name itself
    _settle(path, before)


def standing(path: str | os.PathLike) -> Path:
    """Return where a file or folder lies: `path`, or the old folder that a kill left aside.

    `replacing` moves that folder back, or removes it, when `path` is written again.
    """
    path = Path(path)
    before = path.with_name(BEFORE + path.name) if path.name else path
    return path if os.path.lexists(path) or not before.is_dir() else before


def is_temporary(path: Path) -> bool:
    """Return whether a name is one of those that only writing makes."""
    return path.name.startswith((PARTIAL, LOCK, BEFORE))


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder, but for those that only writing makes."""
    return sorted(path.name for path in folder.iterdir() if not is_temporary(path))


def usable_path(path: str | os.PathLike, name: str = "path") -> Path:
    """Return a path with `~` expanded, once it is known that it may be a file or a folder.

    Args:
        path: What a person gave. There need be nothing at that place.
        name: The argument's name, for the message.

    Raises:
        ValueError: Where it is empty, no path, below the home of a person that the system does not
            know, a symbolic link that leads to itself, or neither a file nor a folder (a pipe, a
            device).
    """
    try:
        expanded = Path(path).expanduser()
        reason = "" if os.fspath(path) else "it is empty"
        if _is_special(expanded):
            reason = "it is a pipe or a device"
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass  # who reads or writes there says more of it
    except OSError as error:
        reason = str(error.strerror)
    except (RuntimeError, TypeError, ValueError) as error:  # no such home; no text; a null in it
        reason = str(error)
    if reason:
        raise ValueError(
            f"`{name}` must lead to a file or a folder: {reason}. Received: {name}={path!r}"
        )
    return expanded


def readable(name: str) -> str:
    """Return a file's name with escapes for its bytes that are no UTF-8, to be drawn."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def quoted(text: str | os.PathLike) -> str:
    """Return a text or a path in double quotes, as Python reads it."""
    return json.dumps(os.fspath(text), ensure_ascii=False)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file (UTF-8), with escapes for the bytes of file names that are no UTF-8."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write a JSON file; numbers must be finite."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def _is_special(path: str | os.PathLike) -> bool:
    """Return whether something that exists is neither a file nor a folder."""
    mode = os.stat(path).st_mode
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def refuse_pipe(path: str | os.PathLike) -> None:
    """Raise an `OSError` where a path leads to a pipe or a device, whose reader may never end."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if _is_special(path):
            raise OSError(
                errno.EINVAL, "Must be a file, and is a pipe or a device", os.fspath(path)
            )


def read_json(path: str | os.PathLike) -> Any:
    """Return what a JSON file (UTF-8) holds.

    Raises:
        ValueError: Where it holds something else, or lists within lists without end.
        OSError: Where it cannot be read.
    """
    refuse_pipe(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("Its values lie too deep within each other") from None


def file_in_the_way(folder: str | os.PathLike) -> Path | None:
    """Return the part of a folder's path that is a file; None where a folder can be made."""
    folder = Path(folder)
    return next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)


def remove_partial(folder: str | os.PathLike) -> None:
    """Remove from a folder what killed writers left behind."""
    for leftover in Path(folder).glob(PARTIAL + "*"):
        _remove(leftover)
    for before in Path(folder).glob(BEFORE + "*"):
        _settle(before.with_name(before.name.removeprefix(BEFORE)), before)


def _settle(path: Path, before: Path) -> None:
    """Move the old folder back where there is no new one; else remove it."""
    if not before.is_dir():
        return
    if os.path.lexists(path):
        _remove(before)
    else:
        os.rename(before, path)


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
