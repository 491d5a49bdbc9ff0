"""Train encoders with a generator (BiGAN), and measure what their codes are good for.

    python -m experiments.bigan --dataset mnist --seeds 3
    python -m experiments.bigan --dataset cifar10
    python -m experiments.bigan --dataset mnist --labels 1000

It trains a BiGAN (Donahue et al., arXiv 1605.09782; Dumoulin et al., arXiv 1606.00704) with a
capsule encoder and one with a convolutional encoder of the same size. Then it encodes all images
and predicts classes from the codes: by the nearest labelled one, by logistic regression and by
label spreading, with 100, 1,000 and 10,000 labels. Beside them stand raw pixels and as many
principal components. The table, a JSON file and the figures of reconstructions and of walks between
real images are in evaluation/ beside the runs. With --labels it trains a BiCoGAN (Jaiswal et al.,
arXiv 1711.07461), whose encoder infers class and style, and draws wanted classes in rows.

Interrupted, it goes on by --resume, with more seeds too.
"""

import sys

from experiments.bigan.published import settings_for
from experiments.command_line.arguments import add_settings, new_parser, settings_from
from experiments.command_line.training import run_training
from experiments.errors import REFUSED
from experiments.settings.encoders import UNUSED, CodeSettings

_HELPS = {
    "dataset": "mnist or cifar10, which have settings of their own; or another, as in "
    "experiments.mnist",
    "model": "kind of the encoder",
    "evaluate": "measure the codes and draw the figures once all are trained (default: yes)",
    "loss": "of all networks (default: that of --head); hinge is for --head dense alone",
    "dropout": "rate of dropout in the joint discriminator",
    "initializer": "of the weights of dense layers and convolutions (default: normal with "
    "deviation 0.02 in the generator, he in encoder and discriminator)",
}


def main(argv=None):
    """Run the command line and return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    program = "python -m experiments.bigan"
    usage = {"usage": "%(prog)s [options]"}
    chooser = new_parser("bigan", None, add_help=False, **usage)
    chooser.add_argument("--dataset", default="mnist")
    parser = new_parser("bigan", __doc__, **usage)
    try:
        # The data set's settings are the defaults of the other options, also in --help.
        defaults = settings_for(chooser.parse_known_args(argv)[0].dataset)
        add_settings(parser, defaults, leave_out=UNUSED, helps=_HELPS)
        add_settings(parser, CodeSettings())
        arguments = parser.parse_args(argv)
        settings = settings_from(arguments, defaults)
        codes = settings_from(arguments, CodeSettings())
    except ValueError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return REFUSED
    except SystemExit as stop:  # argparse, after --help or an error of its own
        return stop.code
    return run_training(program, argv, lambda: _work(settings, codes))


def _work(settings, codes):
    # Here and not above: --help must not wait for Keras.
    from experiments.bigan.running import train_and_measure

    print(train_and_measure(settings, codes))


if __name__ == "__main__":
    sys.exit(main())
