"""Run all benchmarks, one after the other, each in a process of its own.

    python -m benchmarks
    python -m benchmarks --only capsules training
    python -m benchmarks --readme README.md

Results go to results/benchmarks/, and with --readme into the table of that file. Where one fails,
the others still run, and the exit status is 1. The semi-supervised table and GAM need MNIST (the
environment variable CAPSGAN_DATA_DIR, else a download). Time: about 75 minutes on 2 CPU cores; let
nothing else run. A file for --readme without a part to replace is refused, with exit status 2,
before anything is measured.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks import summary
from benchmarks.measuring import FOLDER, REFUSED

_TRAINING = ("--repeats", "5", "--steps", "8")
RUNS = {
    "capsules": (["capsules"],),
    "training": (
        ["training", *_TRAINING],
        ["training", *_TRAINING, "--networks", "tuned"],
        ["training", *_TRAINING, "--dataset-shape", "cifar10"],
    ),
    "generation": (["generation"],),
    "gam": (["gam"],),
    "semi_supervised": (
        ["semi_supervised", "--points", "50000", "--data", "mnist", "--repeats", "1"],
    ),
    "startup": (["startup"],),
    "growth": (["growth"],),
}
"""Modules and their arguments."""


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--only", nargs="+", choices=RUNS, default=list(RUNS), help="benchmarks (default: all)"
    )
    parser.add_argument("--readme", type=Path, help="Markdown file whose table is replaced")
    options = parser.parse_args(argv)
    if options.readme:
        try:
            summary.fill(options.readme, "")
        except (OSError, ValueError) as error:
            print(f"{parser.prog}: error: {error}", file=sys.stderr)
            return REFUSED
    failed = []
    for name in dict.fromkeys(options.only):
        for module, *arguments in RUNS[name]:
            print(f"== python -m benchmarks.{module} {' '.join(arguments)}", flush=True)
            command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
            if subprocess.run(command, check=False).returncode:
                failed.append(" ".join([module, *arguments]))
    if options.readme and summary.main([str(FOLDER), "--readme", str(options.readme)]):
        failed.append("summary")
    if failed:
        print(f"{parser.prog}: error: failed: {'; '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
