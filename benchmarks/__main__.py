"""Measure how fast the package is, against the textbook way in the same run.

    python -m benchmarks
    python -m benchmarks training growth --output speed.json

capsules          the capsule layer against two textbook forms: time and memory
training          the training step of both GANs against the textbook step and its own convolutions
label_spreading   the label-spreading table of both kernels against scikit-learn for each cell
growth            how time and memory grow with batch, width, side and points

All of them take about 25 minutes on 2 CPU cores; let nothing else run. label_spreading needs MNIST
(the environment variable CAPSGAN_DATA_DIR, else a download). A whole run writes
results/speed/speed.json, from which `python -m benchmarks.report` makes docs/speed.md and its
figure. The largest table of label_spreading takes 12 GB of memory, and is left out where there is
less. On the Keras backend jax, training runs alone, without the textbook step.
"""

import argparse
import sys

from benchmarks import report
from experiments.command_line.arguments import path
from experiments.command_line.logs import quiet_tensorflow
from experiments.settings.fields import run_package_file


def main(argv=None):
    """Run the command line.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 1 where values that should agree differ; 2 where the data, the backend
        or the file cannot be had.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, whose figures mean nothing"
    )
    parser.add_argument(
        "--output",
        type=path,
        help=f"the JSON file to write (default: {report.RESULTS} for a whole run, else none)",
    )
    options = parser.parse_args(argv)
    names = list(dict.fromkeys(options.names)) or list(report.SECTIONS)
    if unknown := [name for name in names if name not in report.SECTIONS]:
        parser.error(f"NAME must be one of {', '.join(report.SECTIONS)}. Received: {unknown[0]}")
    output = options.output
    if output is None and not options.names and not options.quick:
        output = report.RESULTS
    try:
        run_package_file("keras_backend.py")  # before Keras is imported
    except ImportError as error:
        parser.error(str(error))
    quiet_tensorflow()
    # Only here: Keras and NumPy come with it, for which --help need not wait.
    from benchmarks import running

    return running.run(names, options.quick, output, parser.prog)


if __name__ == "__main__":
    sys.exit(main())
