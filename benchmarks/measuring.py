"""What the benchmarks share: timing in turn, spreads, comparing values, memory, the machine."""

import multiprocessing
import os
import platform
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import keras
import numpy as np
import sklearn

from capsgan_keras.runs.provenance import git_commit, versions
from experiments.training.precision import cpu_flags

_RESOLUTION = time.get_clock_info("perf_counter").resolution


class DisagreementError(ArithmeticError):
    """Two ways to compute the same give different values, so their times mean nothing."""


class Seconds(float):
    """What a function returns that has measured a part of itself, which counts alone."""


def time_in_turn(functions, calls, rounds, warm_up=1):
    """Time functions in turn, so that other work on the machine slows all of them alike.

    Args:
        functions: Dictionary of functions without arguments that end when their work is done. They
            may return `Seconds`.
        calls: How often a function is called each time that its turn comes.
        rounds: How often the turn comes.
        warm_up: How often each function is called first, untimed: it compiles then.

    Returns:
        Dictionary with the same keys: lists of seconds a call, one number a round.
    """
    for function in functions.values():
        for _ in range(warm_up):
            function()
    seconds = {key: [] for key in functions}
    for _ in range(rounds):
        for key, function in functions.items():
            start = time.perf_counter()
            results = [function() for _ in range(calls)]
            elapsed = time.perf_counter() - start
            if isinstance(results[0], Seconds):
                elapsed = sum(results)
            seconds[key].append(max(elapsed, _RESOLUTION) / calls)  # the clock may stand still
    return seconds


def spread(values):
    """Return `median`, `min` and `max` of numbers, as a dictionary."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(dividends, divisors):
    """Return the `spread` of the ratios that two lists of numbers have in each round."""
    pairs = zip(dividends, divisors, strict=True)
    return spread([dividend / divisor for dividend, divisor in pairs])


def exponent(sizes, rounds):
    """Fit costs by powers of the size, a straight line through the logarithms in each round.

    An exponent of 1 means that the cost is in proportion to the size.

    Args:
        sizes: Two or more positive numbers.
        rounds: For each size a list of positive costs, one a round.

    Returns:
        The `spread` of the exponents, or None where a cost is None or 0.
    """
    if not all(cost for costs in rounds for cost in costs):
        return None
    costs = np.log(np.asarray(rounds, dtype="float64"))
    return spread(np.polyfit(np.log(sizes), costs, deg=1)[0].tolist())


def draw_on(sizes, costs, size):
    """Draw costs on from the largest of several sizes to one that was not measured.

    It is for work that grows with the square of the size. Fixed costs of small sizes make the
    fitted power too low, and a processor's cache, which small sizes fit in, makes it too high.

    Args:
        sizes: Two or more positive numbers, ascending.
        costs: A positive cost for each.
        size: The size to draw on to.

    Returns:
        Dictionary: the fitted `exponent`, as the function of this name returns it, and two costs:
        `by_power`, which follows this exponent, and `by_square`. All are None where a cost is None
        or 0.
    """
    fitted = exponent(sizes, [[cost] for cost in costs])
    if fitted is None:
        return {"exponent": None, "by_power": None, "by_square": None}
    powers = {"by_power": fitted["median"], "by_square": 2}
    factor = size / sizes[-1]
    return {"exponent": fitted} | {way: costs[-1] * factor**n for way, n in powers.items()}


def difference(ours, reference):
    """Return the largest difference of two arrays, as a share of the largest reference value."""
    reference = np.asarray(reference, dtype="float64")
    largest = max(np.max(np.abs(reference)), np.finfo("float32").tiny)
    return float(np.max(np.abs(np.asarray(ours, dtype="float64") - reference)) / largest)


def check_values(what, differences, tolerance):
    """Refuse values that differ.

    Args:
        what: Words for what was computed.
        differences: Dictionary of numbers.
        tolerance: The largest that is allowed.

    Raises:
        DisagreementError: Where a number is above the tolerance, or not a number.
    """
    if not all(value <= tolerance for value in differences.values()):
        raise DisagreementError(
            f"{what} must agree with the reference within {tolerance:g}. Received: {differences}"
        )


def in_own_process(function, *arguments, quick=False):
    """Return what a module's function returns in a new process, whose memory is its own.

    With `quick` it is called in this process: a new one takes seconds to start.
    """
    if quick:
        return function(*arguments)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def peak_memory(function):
    """Return the bytes by which the process grows above its present size while a function runs.

    Call it in a process of its own: memory that was freed before is used again, and not counted.
    None on systems other than Linux.
    """
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not (status.exists() and clear.exists()):
        return None
    clear.write_text("5", encoding="ascii")  # Linux forgets the peak so far
    before = _kibibytes(status, "VmRSS")
    function()
    return 1024 * max(0, _kibibytes(status, "VmHWM") - before)


def _kibibytes(status, name):
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def machine():
    """Describe the machine and the versions, without names or paths."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return {
        "processor": processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "bfloat16_instructions": cpu_flags(),
        "devices": keras.distribution.list_devices(),
        "system": platform.system(),
        "versions": versions() | {"scikit-learn": sklearn.__version__},
        "commit": git_commit(),
    }


def processor(path="/proc/cpuinfo"):
    """Return the processor's name, as Linux knows it, else as Python does."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
