"""What the commands write on a terminal, or into a log: progress, and no chatter of libraries.

This file runs without NumPy and Keras, so that a command can call it before they are imported.
"""

import contextlib
import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_FILTER = """
import re, sys
left_out = re.compile(rb"[%s]\\d{4} \\d\\d:|WARNING: All log messages before absl")
for line in sys.stdin.buffer:
    if not left_out.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


def progress(verbose: int | None = None) -> int:
    """Return the `verbose` of Keras that shows progress where the output goes.

    Args:
        verbose: What a person has chosen, which is returned. None gives 1, a bar, on a terminal,
            and elsewhere 2, a line for each epoch: a bar floods a log.
    """
    if verbose is not None:
        return verbose
    return 1 if sys.stdout is not None and sys.stdout.isatty() else 2


def quiet_tensorflow() -> None:
    """Silence TensorFlow before it is imported. Its errors are raised in Python too.

    What else it logs at these levels is a search for GPUs and optimizations that it then does
    without, and that prediction was traced once for each network and size of batch. Whoever sets
    `TF_CPP_MIN_LOG_LEVEL` has the level that it says.
    """
    os.environ.setdefault(_LEVEL, "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # By its name: the experiments run this file beside the package's module.
    quiet = any(type(finder).__name__ == _QuietImport.__name__ for finder in sys.meta_path)
    if not quiet and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietImport())


class _QuietImport(MetaPathFinder):
    """Let TensorFlow heed its log level while it is imported, too, when it is first imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the other finders find, for TensorFlow alone."""
        if name != "tensorflow":
            return None
        place = sys.meta_path.index(self)
        del sys.meta_path[place]  # while the others are asked
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(place, self)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            sys.meta_path.remove(self)
            with _heeding_log_level():
                execute(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # of this loader alone
        return spec


@contextlib.contextmanager
def _heeding_log_level() -> Iterator[None]:
    """Leave out of standard error what libraries in C log below TensorFlow's level in the block.

    They read the level only once they are loaded. Another process passes the other lines on, so
    that none is lost where this one crashes.
    """
    level = os.environ.get(_LEVEL, "")
    letters = "IWE"[: int(level)] if level.isdecimal() else ""
    try:
        standard_error = os.dup(2) if letters and sys.executable else None
    except OSError:  # closed
        standard_error = None
    if standard_error is None:
        yield
        return
    command = [sys.executable, "-I", "-S", "-c", _FILTER % letters]
    with (
        os.fdopen(standard_error, "wb", buffering=0) as original,
        # Not of the terminal's group of processes: an interrupt is not for it.
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=original, start_new_session=True
        ) as passing_on,
    ):
        assert passing_on.stdin is not None
        try:
            os.dup2(passing_on.stdin.fileno(), 2)
            yield
        finally:
            os.dup2(original.fileno(), 2)
