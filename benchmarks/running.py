"""Run benchmarks one after the other, and write their results as one JSON file."""

import importlib
import sys
import time

import keras

from benchmarks import report
from benchmarks.measuring import DisagreementError, machine
from capsgan_keras.datasets import DatasetError
from capsgan_keras.files import write_json

MODULES = {name: f"benchmarks.{name}" for name in report.SECTIONS} | {
    "training": "benchmarks.training.steps"
}
"""Imported one by one: on JAX some of them cannot be."""
DISAGREED, REFUSED = 1, 2


def run(names, quick, output, program):
    """Run benchmarks, print their tables, and say on standard error what stops them.

    Args:
        names: Keys of `MODULES`.
        quick: Whether sizes are tiny.
        output: `pathlib.Path` of the JSON file, or None to write nothing.
        program: The command, for messages.

    Returns:
        The exit status: 0; 1 where values that should agree differ; 2 where the data, the backend
        or the file cannot be had.
    """
    try:
        check_backend(names)
        if output:
            # What can't be written shows before the work.
            output.parent.mkdir(parents=True, exist_ok=True)
            if output.is_dir():
                raise IsADirectoryError(f"--output must be a file. Received the folder {output}")
        results = {"machine": machine(), "quick": quick}
        for name in names:
            start = time.perf_counter()
            results[name] = importlib.import_module(MODULES[name]).run(quick)
            results[name]["minutes"] = round((time.perf_counter() - start) / 60, 1)
            print("\n".join(report.SECTIONS[name](results[name])[1:]), flush=True)
        if output:
            write_json(output, results)
            print(f"Written to {output}")
    except DisagreementError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return DISAGREED
    except (OSError, NotImplementedError, DatasetError) as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return REFUSED
    return 0


def check_backend(names):
    """Refuse a Keras backend that the benchmarks cannot run on.

    Raises:
        NotImplementedError: On a backend other than TensorFlow; on JAX `training` alone is let
            through.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow" and (backend, list(names)) != ("jax", ["training"]):
        raise NotImplementedError(
            "The benchmarks need the Keras backend tensorflow; training alone runs on jax too. "
            f"Received: backend {backend!r}, {' '.join(names)}"
        )
