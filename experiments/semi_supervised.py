"""Classify test images by few labels and generated images: tables 1 and 2 of the paper.

Label spreading (scikit-learn) with n labelled real images and 50,000 images from the generator of
each run, raw pixels as features, the error on all test images (arXiv 1802.06167, section 5.3). In
the same table three controls: the nearest labelled image, label spreading on the labels alone, and
with real images in the place of generated ones.

    python -m experiments.semi_supervised runs/mnist/convolutional-seed0 runs/mnist/capsule-seed0

Writes semi_supervised.json, which `python -m experiments.report` reads. With --kernel rbf the file
is semi_supervised-rbf.json, and with --choose-settings too semi_supervised-rbf-chosen.json, so that
tables of both kernels can stand in one report. `python -m experiments.mnist --seeds 3` trains the
runs and ends with the first. The paper has errors of 0.2724, 0.1142 and 0.0531 for CapsuleGAN on
MNIST. Time: about 3 minutes for two runs on MNIST and 2 CPU cores, about 8 on CIFAR-10. With
--kernel rbf about 5 minutes for each row that has unlabelled images on MNIST, 10 on CIFAR-10, and
11 GB of memory.
"""

import sys

from experiments.command_line.arguments import settings_from
from experiments.command_line.evaluation import evaluate_runs, evaluation_parser
from experiments.settings.evaluations import SEMI_SUPERVISED, TableSettings


def main(argv=None):
    """Run the command line and return the exit status."""
    defaults = TableSettings()
    parser = evaluation_parser(SEMI_SUPERVISED, __doc__, defaults, leave_out=("stratified",))
    parser.add_argument(
        "--random-draws",
        dest="stratified",
        action="store_false",
        help="plain random draws (default: the same number from each class)",
    )

    def evaluate(arguments, runs, path):
        # Here and not above: --help must not wait for Keras.
        from experiments.evaluations.semi_supervised import evaluate_errors
        from experiments.reports.error_tables import error_table

        settings = settings_from(arguments, defaults)
        for sentence in settings.without_effect:
            print(f"warning: {sentence}", file=sys.stderr)
        return error_table(
            evaluate_errors(runs, settings, path, arguments.overwrite, arguments.verbose)
        )

    def file_name(arguments):
        return settings_from(arguments, defaults).file_name

    return evaluate_runs(file_name, parser, argv, evaluate)


if __name__ == "__main__":
    sys.exit(main())
