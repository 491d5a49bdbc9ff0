"""How much memory there is, and the refusal of what takes more."""

import contextlib
import os
import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]  # a module elsewhere

_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_LIMITS = ("memory.max", "memory.limit_in_bytes")
"""Files with a control group's limit: of version 2 of Linux's control groups, and of version 1."""


def memory_bytes() -> int:
    """Return how many bytes of memory this process can have at most.

    It is the least of the machine's memory, the limits of its control groups (as containers have
    them) and the limits of the process (`ulimit -v`, `ulimit -d`). Where the system tells none of
    these, it is `sys.maxsize`.
    """
    return min([sys.maxsize, *_physical(), *_of_control_groups(), *_of_process()])


def check_memory(what: str, n_bytes: int) -> None:
    """Raise a `ValueError` where something takes more memory than this process can have.

    Args:
        what: What takes it, with the argument that sets its size, such as ``"`n`=1000000"``.
        n_bytes: How many bytes it takes, by an estimate that is rather too low.
    """
    limit = memory_bytes()
    if n_bytes > limit:
        raise ValueError(
            f"{what} takes at least {_readable(n_bytes)} of memory. This process can have "
            f"{_readable(limit)}"
        )


def _readable(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.1f} GB"


def _physical() -> list[int]:
    try:
        return [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, OSError, ValueError):  # not every system says it
        return []


def _of_process() -> list[int]:
    if resource is None:
        return []
    soft = [resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in soft if limit != resource.RLIM_INFINITY]


def _of_control_groups() -> list[int]:
    """Return the limits of the process's control group and of all that it lies in."""
    places = {_CGROUPS, _CGROUPS / "memory"}
    with contextlib.suppress(OSError):  # not Linux
        for line in _OWN_CGROUPS.read_text(encoding="utf-8", errors="replace").splitlines():
            group = line.rpartition(":")[2].lstrip("/")
            for root in (_CGROUPS, _CGROUPS / "memory"):
                place = root / group
                places.update(p for p in (place, *place.parents) if p.is_relative_to(root))
    found = []
    for path in (place / name for place in places for name in _LIMITS):
        with contextlib.suppress(OSError, ValueError):  # there is none, or it is "max"
            found.append(int(path.read_text(encoding="ascii")))
    return found
