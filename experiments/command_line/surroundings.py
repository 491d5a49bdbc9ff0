"""What the surroundings of a command may be: streams, warnings, figures, other workers."""

import atexit
import io
import os
import sys
import warnings

_with_its_place = warnings.formatwarning


def prepare():
    """Let neither a stream, nor a warning, nor a missing display end the work of a command.

    Call it before the command writes or imports anything.
    """
    _open_standard_streams()
    escape_what_cannot_be_printed()
    sys.stdout, sys.stderr = _lasting(sys.stdout, 1), _lasting(sys.stderr, 2)
    if any(action == "error" for action, *_ in warnings.filters):
        # Libraries warn while they are imported. Processes that this one starts read the other two.
        warnings.simplefilter("default")
        sys.warnoptions.clear()
        os.environ.pop("PYTHONWARNINGS", None)
    warnings.formatwarning = _one_line
    os.environ["MPLBACKEND"] = "agg"  # figures go to files


def _one_line(message, category, *place, **line):
    """Return what users should know as the commands say it, and other warnings as Python does."""
    if issubclass(category, UserWarning):
        return f"warning: {message}\n"
    return _with_its_place(message, category, *place, **line)


def escape_what_cannot_be_printed():
    """Let the standard streams write escapes for characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def end_without_other_workers(status):
    """Let the process end with a status where other workers of JAX have ended, or go on.

    JAX would wait for them for minutes, and abort then.
    """
    jax = sys.modules.get("jax")  # a command without workers need not import it
    if jax is not None and jax.distributed.is_initialized():
        atexit.register(_end, status)


def _end(status):
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _open_standard_streams():
    """Open the null device where a standard stream is closed.

    A file that is opened later would have its number, and get what libraries in C write there.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _lasting(stream, number):
    """Return a stream like the one of the process, which goes on where nobody reads any more.

    Characters that its encoding lacks are written as escapes.

    Args:
        stream: The stream; None where it was closed.
        number: Its file descriptor in that case.
    """
    if sys.platform == "win32" and stream is not None:
        return stream  # a console there takes no bytes
    try:
        number, encoding = stream.fileno(), stream.encoding
        interactive = stream.isatty()
    except (AttributeError, OSError):  # none, or one without a file
        if stream is not None:
            return stream
        encoding, interactive = "utf-8", False
    buffered = io.BufferedWriter(_Lasting(number))
    return io.TextIOWrapper(
        buffered,
        encoding,
        errors="backslashreplace",
        line_buffering=interactive or stream is sys.stderr,
    )


class _Lasting(io.RawIOBase):
    """Bytes to a file descriptor; to the null device once writing has failed."""

    def __init__(self, number):
        self._number = number

    def fileno(self):
        return self._number

    def isatty(self):
        return os.isatty(self._number)

    def writable(self):
        return True

    def write(self, data):
        try:
            return os.write(self._number, data)
        except BlockingIOError:
            return None
        except OSError:  # the reader of a pipe, or the terminal, is gone, or a disk is full
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._number)
            os.close(null)
            return len(data)
