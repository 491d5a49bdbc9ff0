"""Train a capsule classifier, or the plain convolutional network that is its control.

    python -m experiments.capsnet --model efficient --test affine --seeds 3
    python -m experiments.capsnet --model plain --size-of efficient --test affine --seeds 3
    python -m experiments.capsnet --model capsnet --width 0.25 --overlap
    python -m experiments.capsnet --dataset cifar10 --model deep --flips
    python -m experiments.capsnet --report runs/capsnet/mnist

Networks: that of Sabour et al. 2017 (arXiv 1710.09829), Efficient-CapsNet of Mazzia et al. 2021
(arXiv 2101.12491) and one with convolutional capsules; and for each the same layers without
capsules. All are trained alike, on images moved by up to 2 pixels. Published errors on MNIST:
Sabour et al. 0.25 %, CapsNet-Keras 0.34 %, Efficient-CapsNet 0.16 to 0.26 %.

A run leaves the network, its test error, pictures and a model card. --report makes the table of
finished runs, and trains nothing.
"""

import sys

from experiments.command_line.arguments import add_settings, new_parser, path, settings_from
from experiments.command_line.running import parse_and_run
from experiments.command_line.training import run_training
from experiments.errors import REFUSED
from experiments.settings.classifiers import ClassifierSettings

PROGRAM = "python -m experiments.capsnet"


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = new_parser("capsnet", __doc__, usage="%(prog)s [options]")
    add_settings(parser, ClassifierSettings())
    add = parser.add_argument
    add("--report", type=path, nargs="+", metavar="FOLDER", help="only the table of the runs there")
    add("--readme", type=path, nargs="+", default=(), help="Markdown files that get that table")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse, after --help or an error of its own
        return stop.code
    if arguments.report:
        return parse_and_run(parser, argv, _report, "Nothing was changed.")
    try:
        settings = settings_from(arguments, ClassifierSettings())
    except ValueError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return REFUSED
    return run_training(PROGRAM, argv, lambda: _train(settings))


def _train(settings: ClassifierSettings) -> None:
    # Here and not above: --help must not wait for Keras.
    from experiments.capsnet.report import report
    from experiments.capsnet.train import train
    from experiments.training.train import load_training_images

    folders = train(settings, load_training_images(settings))
    print(report(folders))


def _report(arguments) -> None:
    # Here and not above: --help must not wait for Keras.
    from experiments.capsnet.report import fill, report

    print(report(arguments.report))
    for page in arguments.readme:
        fill(page, arguments.report)


if __name__ == "__main__":
    sys.exit(main())
