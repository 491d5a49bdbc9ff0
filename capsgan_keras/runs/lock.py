"""A lock on what one process writes. The system holds it, so that a kill releases it."""

import contextlib
import datetime
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_FAR = 1 << 30
"""The byte that is locked on Windows, where others cannot read what is locked."""


class InUseError(ValueError):
    """Another process writes what was to be written."""


@contextlib.contextmanager
def working(lock: str | os.PathLike, wait: bool = False) -> Iterator[None]:
    """Hold a lock while the block runs.

    The file says who holds the lock and since when. A file that a kill has left holds nothing.

    Args:
        lock: The file to lock. It is removed in the end, with the folders that were made for it
            and are still empty.
        wait: Whether to wait for another process.

    Raises:
        InUseError: Where another process holds it. The message says which and since when.
        OSError: Where the file cannot be written.
    """
    lock = Path(lock)
    made = [folder for folder in (lock.parent, *lock.parent.parents) if not folder.exists()]
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _acquire(lock, wait) as stream:
            try:
                since = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
                holder = f"process {os.getpid()} on {socket.gethostname()}, since {since}"
                stream.truncate(0)
                stream.write(holder.encode("utf-8", "replace"))
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows removes no open file
                    lock.unlink()
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # it holds something now
                folder.rmdir()


def check_free(lock: str | os.PathLike) -> None:
    """Raise an `InUseError` where another process holds a lock."""
    with contextlib.suppress(FileNotFoundError), open(lock, "rb") as stream:
        _hold(stream, lock, wait=False)


def _acquire(lock: Path, wait: bool) -> IO[bytes]:
    while True:
        stream = lock.open("a+b", buffering=0)
        try:
            _hold(stream, lock, wait)
            if os.path.samestat(os.fstat(stream.fileno()), lock.stat()):
                return stream
        except FileNotFoundError:  # its holder removed it meanwhile
            pass
        except BaseException:
            stream.close()
            raise
        stream.close()


def _hold(stream: IO[bytes], lock: str | os.PathLike, wait: bool) -> None:
    try:
        _lock(stream, wait)
    except OSError as error:
        if error.errno not in _BUSY:
            return  # a file system without locks is no reason not to work
        stream.seek(0)
        holder = stream.read(1000).decode("utf-8", "replace") or "another process"
        raise InUseError(
            f"{Path(lock).parent}: is being written by {holder}. Wait until that has ended, or end "
            "it. Commands that only read go on"
        ) from error


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: IO[bytes], wait: bool) -> None:
        stream.seek(_FAR)
        # Windows gives up waiting after ten seconds.
        msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(stream: IO[bytes], wait: bool) -> None:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
