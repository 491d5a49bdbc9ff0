"""Seconds that a command line takes to answer `--help`, and to get to its first training step.

    python -m benchmarks.startup
    python -m benchmarks.startup --repeats 1 --help-repeats 3

`python -m experiments.digits --help`, timed in turn with a Python that does nothing. Then
`python -m experiments.digits --model ...` as a user would start it, unchanged, in a new folder;
it is ended once its progress bar shows the first training step. What it prints tells the parts
apart:

- import: up to the end of `import experiments.training.train`, from runs that do nothing else, one
  in each round;
- data: from there to the line with the number of images (the difference of two runs' times, and
  so less exact than the others);
- building: to the line with the folder: choosing the arithmetic, building and compiling;
- first step: to the progress bar's first step: tracing and computing it.

All in --repeats rounds. Every run is a process of its own, after one that is not counted and
brings the files from the disk.
"""

import itertools
import os
import re
import subprocess
import sys
import tempfile
import time

from benchmarks.measuring import (
    FOLDER,
    CannotMeasureError,
    cell,
    new_parser,
    output_file,
    positive,
    ratios,
    run_command,
    spread,
    time_in_turn,
    write_result,
)
from benchmarks.training import MODELS

EXPERIMENT = "experiments.digits"
PARTS = ("import", "data", "building", "first step")
IMPORTED = "imported"
IMPORT = ["-c", f"import experiments.training.train; print({IMPORTED!r}, flush=True)"]
MARKS = {
    "data": rb"training images of shape",
    "building": rb": epochs 1 to \d+ in ",
    # Keras's progress bar, behind "Epoch 1/60" and a new line.
    "first step": rb"\b1/\d+\b[^\n]*/step",
}
"""What the experiment prints when a part ends."""
_ENOUGH = 65_536
"""Bytes read at a time, at most."""


def main(argv=None):
    """Run the benchmark, print a table and write a JSON file.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 2 where a command fails or the file can't be written.
    """
    return run_command("startup", run, parse(argv))


def parse(argv):
    """Return the parsed arguments.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = new_parser("startup", __doc__, FOLDER / "startup.json")
    parser.add_argument(
        "--model", choices=(*MODELS, "both"), default="both", help="what to train (default: both)"
    )
    parser.add_argument(
        "--repeats", type=positive, default=5, help="rounds up to the first step (default: 5)"
    )
    parser.add_argument(
        "--help-repeats", type=positive, default=11, help="rounds of --help (default: 11)"
    )
    return parser.parse_args(argv)


def run(options):
    """Measure what the options ask for, print it and write it.

    Raises:
        CannotMeasureError: Where the experiment ends before its first step.
        subprocess.CalledProcessError: Where `--help` fails.
        OSError: Where the file can't be written.
    """
    output = output_file(options.output, "startup.json")
    models = MODELS if options.model == "both" else (options.model,)
    answers = measure_help(options.help_repeats)
    starts = measure_start(models, options.repeats)
    print(table(answers, starts))
    settings = {
        "experiment": EXPERIMENT,
        "help_repeats": options.help_repeats,
        "repeats": options.repeats,
    }
    write_result(output, settings, {"help": answers, "first_step": starts})


def measure_help(repeats):
    """Time `--help`, in turn with a Python that does nothing.

    Args:
        repeats: How often.

    Returns:
        Dictionary for the JSON file: `seconds` and `python_alone_seconds`, and `times_python`,
        their ratio; spreads.

    Raises:
        subprocess.CalledProcessError: Where the command fails.
    """
    commands = {"help": ["-m", EXPERIMENT, "--help"], "python": ["-c", "pass"]}
    functions = {
        name: lambda words=words: subprocess.run(
            [sys.executable, *words], check=True, stdout=subprocess.DEVNULL
        )
        for name, words in commands.items()
    }
    seconds = time_in_turn(functions, calls=1, repeats=repeats, warm_up=1)
    return {
        "seconds": spread(seconds["help"]) | {"rounds": seconds["help"]},
        "python_alone_seconds": spread(seconds["python"]) | {"rounds": seconds["python"]},
        "times_python": ratios(seconds["help"], seconds["python"]),
    }


def measure_start(models, repeats):
    """Time what comes before the first training step ends.

    Args:
        models: Names of models.
        repeats: How often each is started.

    Returns:
        Dictionary for the JSON file: for each model a dictionary with the spreads of `total`, in
        seconds, and of `parts`, with the `PARTS` as keys.

    Raises:
        CannotMeasureError: Where the experiment ends before its first step.
    """
    import_marks = {"import": IMPORTED.encode()}
    rounds = {model: [] for model in models}
    for number in range(1 + repeats):
        imported = watch(IMPORT, import_marks)
        for model in models:
            with tempfile.TemporaryDirectory() as folder:
                words = ["-m", EXPERIMENT, "--model", model, "--run-dir", folder]
                times = imported | watch(words, MARKS)
            if number:  # the first brings the files from the disk
                rounds[model].append(times)
    return {
        model: {
            "total": spread([times[PARTS[-1]] for times in each]),
            "parts": summarize(each),
        }
        for model, each in rounds.items()
    }


def watch(words, marks):
    """Start Python, and note when what it prints shows the marks; end it at the last.

    Args:
        words: The arguments of Python.
        marks: Dictionary of regular expressions (bytes), in the order in which they come.

    Returns:
        Dictionary with the keys of `marks`: seconds since the start.

    Raises:
        CannotMeasureError: Where it ends before.
    """
    # Unbuffered, so that what is printed is seen at once.
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    seconds, printed = {}, b""
    waiting = dict(marks)
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=errors, env=environment
        )
        try:
            # A pipe gives what there is, however little.
            while waiting and (piece := os.read(process.stdout.fileno(), _ENOUGH)):
                now = time.perf_counter() - start
                printed += piece
                while waiting:
                    part, pattern = next(iter(waiting.items()))
                    if not (found := re.search(pattern, printed)):
                        break
                    printed = printed[found.end() :]
                    seconds[part] = now
                    del waiting[part]
        finally:
            process.kill()
            process.communicate()
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    if waiting:
        raise CannotMeasureError(
            f"python {' '.join(words)} ended before its {next(iter(waiting))}"
            + (f": {lines[-1]}" if lines else "")
        )
    return seconds


def summarize(rounds):
    """Turn times since the start into the seconds of each part.

    Args:
        rounds: List of dictionaries, one a round: when each of the `PARTS` ended.

    Returns:
        Dictionary with the `PARTS` as keys: spreads, with the rounds.
    """
    values = {part: [] for part in PARTS}
    for times in rounds:
        ends = [0.0, *(times[part] for part in PARTS)]
        for part, (begin, end) in zip(PARTS, itertools.pairwise(ends), strict=True):
            values[part].append(end - begin)
    return {part: spread(each) | {"rounds": each} for part, each in values.items()}


def table(answers, starts):
    """Return the results as a text: medians, with least and most in brackets."""
    lines = [
        "seconds; medians (least-most)",
        f"{'--help':14}{cell(answers['seconds'], '.2f'):>22}",
        f"{'python alone':14}{cell(answers['python_alone_seconds'], '.2f'):>22}",
        f"{'to first step':14}" + "".join(f"{model:>22}" for model in starts),
    ]
    for part in PARTS:
        cells = "".join(f"{cell(each['parts'][part], '.2f'):>22}" for each in starts.values())
        lines.append(f"{part:14}{cells}")
    cells = "".join(f"{cell(each['total'], '.2f'):>22}" for each in starts.values())
    lines.append(f"{'total':14}{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
