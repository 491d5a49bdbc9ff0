"""What the benchmarks share: timing in turn, spreads, peak memory, the machine's description."""

import argparse
import errno
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path("results/benchmarks")
WARM_UP = 2
DISAGREED, REFUSED = 1, 2


class DisagreementError(ArithmeticError):
    """Two ways to do the same compute different values: their times can't be compared."""


class CannotMeasureError(RuntimeError):
    """What is asked for can't be measured: data are missing, or a program ended too early."""


def run_command(name, run, options):
    """Run a benchmark and say on standard error what stops it.

    Args:
        name: The module's name, for messages.
        run: Function of the options.
        options: The parsed arguments.

    Returns:
        The exit status: 0; 1 where values that should agree differ; 2 where the backend can't do
        what is asked for, a file can't be written, or a process of its own fails.
    """
    # Read when TensorFlow is imported, which is after the arguments, so that --help is quick.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        run(options)
    except DisagreementError as error:
        print(f"python -m benchmarks.{name}: error: {error}", file=sys.stderr)
        return DISAGREED
    except (
        OSError,
        NotImplementedError,
        CannotMeasureError,
        subprocess.CalledProcessError,
    ) as error:
        print(f"python -m benchmarks.{name}: error: {error}", file=sys.stderr)
        return REFUSED
    return 0


def gradient_backend():
    """Return the Keras backend's name.

    Raises:
        NotImplementedError: Where it can't differentiate what the package's layers compute.
    """
    import keras

    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise NotImplementedError(
            "GANs train on the Keras backends tensorflow and jax: set the environment variable "
            f"KERAS_BACKEND. Received: backend {backend!r}"
        )
    return backend


def new_parser(name, description, output):
    """Return an `ArgumentParser` with `--output`.

    Args:
        name: The module's name.
        description: Its docstring.
        output: Words for the default file.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--output", type=Path, help=f"the file to write (default: {output})")
    return parser


def positive(text):
    """Return the positive whole number that a word of the command line stands for."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive whole number. Received: {text}")
    return number


def time_in_turn(functions, calls, repeats, warm_up=WARM_UP):
    """Time functions in turn, so that whatever else the machine does slows all of them alike.

    Args:
        functions: Dictionary of functions without arguments that end when their work is done.
        calls: How often a function is called each time that its turn comes.
        repeats: How often the turn comes.
        warm_up: How often each is called first, untimed.

    Returns:
        Dictionary with the keys of `functions`: lists of seconds a call, one number a turn.
    """
    for function in functions.values():
        for _ in range(warm_up):
            function()
    seconds = {key: [] for key in functions}
    for _ in range(repeats):
        for key, function in functions.items():
            start = time.perf_counter()
            for _ in range(calls):
                function()
            seconds[key].append((time.perf_counter() - start) / calls)
    return seconds


def spread(values):
    """Return `median`, `min` and `max` of numbers, as a dictionary."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(dividends, divisors):
    """Return the `spread` of ratios that are taken within each round."""
    pairs = zip(dividends, divisors, strict=True)
    return spread([dividend / divisor for dividend, divisor in pairs])


def cell(values, digits):
    """Write a `spread` as `median (min-max)`, or as one number where all are the same.

    Args:
        values: A `spread`, a single number, or None, which is a dash.
        digits: Format of a number, such as `".1f"`.
    """
    if values is None:
        return "-"
    if not isinstance(values, dict):
        return format(values, digits)
    median, low, high = (format(values[key], digits) for key in ("median", "min", "max"))
    return median if values["min"] == values["max"] else f"{median} ({low}-{high})"


def output_file(given, default):
    """Return the file to write, made sure of before anything is measured.

    Args:
        given: `pathlib.Path`, or None for the default.
        default: Name of the file in `FOLDER`.

    Raises:
        OSError: Where a file can't be written there; its folder is made.
    """
    path = given or FOLDER / default
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
    return path


def mebibytes(count):
    """Write a number of bytes in MiB; a dash for None."""
    return "-" if count is None else f"{count / 2**20:,.0f}"


def memory_of(module, arguments):
    """Run `python -m module arguments` in a process of its own, for `peak_memory` there.

    Returns:
        What it printed last, read as JSON.

    Raises:
        subprocess.CalledProcessError: Where it fails.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(printed.splitlines()[-1])


def peak_memory(function):
    """Return the bytes by which the process grows above its present size while a function runs.

    Linux counts the peak of a process for its whole life: call this once in a process whose
    earlier peaks are over, best before anything large was done. None on other systems.
    """
    status = Path("/proc/self/status")
    clear = Path("/proc/self/clear_refs")
    if not (status.exists() and clear.exists()):
        return None
    clear.write_text("5")  # forget the peak so far
    before = _kib(status, "VmRSS")
    function()
    return 1024 * max(0, _kib(status, "VmHWM") - before)


def _kib(status, name):
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def write_result(path, settings, results):
    """Write a benchmark's JSON file, with the machine's description, and say so."""
    from capsgan_keras.files import write_json

    write_json(path, {"machine": machine(), "settings": settings, **results})
    print(f"Written to {path}")


def machine():
    """Describe the machine and the versions, without names or paths."""
    import keras

    from capsgan_keras.runs.provenance import git_commit, versions
    from experiments.training.precision import cpu_flags

    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "bfloat16_instructions": cpu_flags(),
        "devices": keras.distribution.list_devices(),
        "system": platform.system(),
        "versions": versions(),
        "commit": git_commit(),
    }


def cores():
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _cpu_model(path="/proc/cpuinfo"):
    """The processor's name, as Linux knows it, else as Python does."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
