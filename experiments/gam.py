"""Let the discriminators of finished runs judge each other's images: the metric of section 5.2.

The generative adversarial metric of the paper (arXiv 1802.06167, equations 4 and 5) for each pair
of a convolutional GAN and a CapsuleGAN, with a cut of 0.5 and with each loss's own balance, and
all discriminators against all generators.

    python -m experiments.gam runs/mnist/convolutional-seed0 runs/mnist/capsule-seed0

Writes gam.json, which `python -m experiments.report` reads. `python -m experiments.mnist --seeds 3`
trains the runs and ends with it. With --over-epochs it compares the networks that the runs have
kept of some epochs (--keep-every of their experiment), and writes gam_epochs.json. The paper has
r_samples 0.79 and r_test 1.0 on MNIST, 1.0 and 0.72 on CIFAR-10. Time: about 30 s for two runs on 2
CPU cores.
"""

import sys

from experiments.command_line.arguments import settings_from
from experiments.command_line.evaluation import evaluate_runs, evaluation_parser
from experiments.settings.evaluations import GAM, GAM_EPOCHS, MetricSettings


def main(argv=None):
    """Run the command line and return the exit status."""
    defaults = MetricSettings()

    def evaluate(arguments, runs, path):
        # Here and not above: --help must not wait for Keras.
        from experiments.evaluations.gam import evaluate_metric
        from experiments.evaluations.gam_epochs import evaluate_epochs
        from experiments.reports.pages import tables

        settings = settings_from(arguments, defaults)
        compute = evaluate_epochs if arguments.over_epochs else evaluate_metric
        return tables(compute(runs, settings, path, arguments.overwrite, arguments.verbose))

    parser = evaluation_parser(GAM, __doc__, defaults)
    parser.add_argument(
        "--over-epochs", action="store_true", help="compare the networks of each kept epoch"
    )
    return evaluate_runs(
        lambda arguments: GAM_EPOCHS if arguments.over_epochs else GAM, parser, argv, evaluate
    )


if __name__ == "__main__":
    sys.exit(main())
