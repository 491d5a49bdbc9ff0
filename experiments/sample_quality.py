"""Measure how good and how varied the images of finished runs are.

The paper (arXiv 1802.06167, section 5.1) judges by eye. Here a small classifier, trained once on
the real images and kept in a cache folder, sees 10,000 images of each run: which share it
recognises, how the classes share them, distances in its feature space (not an Inception
network's), precision, recall, density and coverage, and whether training images were memorised.

    python -m experiments.sample_quality runs/mnist/convolutional-seed0 runs/mnist/capsule-seed0

Writes sample_quality.json, which `python -m experiments.report` reads. `python -m
experiments.mnist --seeds 3` trains the runs and ends with it. With --over-epochs it measures the
networks that the runs have kept of some epochs (--keep-every of their experiment), and writes
quality_epochs.json. Time: on 2 CPU cores 2 minutes for MNIST's classifier and about as long for two
runs; half an hour for CIFAR-10's.
"""

import sys

from experiments.command_line.arguments import path, settings_from
from experiments.command_line.evaluation import evaluate_runs, evaluation_parser
from experiments.settings.evaluations import (
    CLASSIFIERS,
    QUALITY_EPOCHS,
    SAMPLE_QUALITY,
    QualitySettings,
)


def main(argv=None):
    """Run the command line and return the exit status."""
    defaults = QualitySettings()
    parser = evaluation_parser(SAMPLE_QUALITY, __doc__, defaults)
    parser.add_argument(
        "--over-epochs", action="store_true", help="measure the networks of each kept epoch"
    )
    parser.add_argument(
        "--cache-dir",
        type=path,
        default=CLASSIFIERS,
        help=f"keeps the classifier (default: {CLASSIFIERS})",
    )

    def evaluate(arguments, runs, path):
        # Here and not above: --help must not wait for Keras.
        from experiments.evaluations.sample_quality import evaluate_quality
        from experiments.reports.pages import tables

        settings = settings_from(arguments, defaults)
        options = arguments.overwrite, arguments.verbose, arguments.cache_dir
        results = evaluate_quality(runs, settings, path, *options, arguments.over_epochs)
        return tables(results)

    return evaluate_runs(
        lambda arguments: QUALITY_EPOCHS if arguments.over_epochs else SAMPLE_QUALITY,
        parser,
        argv,
        evaluate,
    )


if __name__ == "__main__":
    sys.exit(main())
