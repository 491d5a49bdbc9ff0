"""The command line that the evaluations share."""

import argparse
import sys
from pathlib import Path

from experiments.command_line.arguments import INTERRUPTED, USAGE_ERROR
from experiments.command_line.logs import quiet_tensorflow


def parser(name, description):
    """Return a parser with the arguments that all evaluations take.

    Args:
        name: Name of the module under `experiments`, and of its result file.
        description: The module's docstring.
    """
    command = argparse.ArgumentParser(
        prog=f"python -m experiments.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument("runs", nargs="+", metavar="RUN", help="folder of a finished run")
    command.add_argument("--data-dir", help="as in the experiment that made the runs")
    command.add_argument(
        "--output",
        type=Path,
        help=f"folder that gets {name}.json (default: evaluation/ beside the first run, and in it "
        "a folder named after the seeds of the runs, such as seed0/ or seeds0-2/)",
    )
    command.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a damaged file, or results of other runs or settings",
    )
    command.add_argument(
        "--verbose", type=int, choices=(0, 1), default=1, help="0: no progress (default: 1)"
    )
    return command


def main(command, argv, evaluate):
    """Parse the arguments, read the runs and evaluate them.

    Args:
        command: What `parser` returned, with the evaluation's own arguments.
        argv: Arguments; None for those of the process.
        evaluate: Function of the parsed arguments, the `FinishedRuns` and the result file's path
            that returns the text to print.

    Returns:
        The exit status: 0; 2 where arguments, runs or surroundings are wrong; 130 after an
        interrupt from the keyboard.
    """
    try:
        arguments = command.parse_args(argv)
    except SystemExit as stop:
        return stop.code
    quiet_tensorflow()
    name = command.prog.rpartition(".")[2]
    try:
        from experiments.evaluations.finished_runs import load_finished_runs

        runs = load_finished_runs(arguments.runs, arguments.data_dir)
        path = (arguments.output or runs.evaluation_folder).expanduser() / f"{name}.json"
        print(evaluate(arguments, runs, path))
        print(f"In {path}")
    except (ValueError, OSError) as error:
        print(f"{command.prog}: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("\nInterrupted. What is finished is kept; the same command goes on.", file=sys.stderr)
        return INTERRUPTED
    return 0
