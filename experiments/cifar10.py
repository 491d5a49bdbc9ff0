"""Train both GANs on CIFAR-10: section 5 and figure 2 of the paper (arXiv 1802.06167).

    python -m experiments.cifar10

Expected: coloured, varied images without a frame, from both models. No objects after two epochs.
Time: about 75 s an epoch for each model on 2 CPU cores with bfloat16, then the evaluation.
"""

import sys

from experiments import command_line
from experiments.evaluation_settings import Evaluation
from experiments.settings import Settings

CIFAR10 = Settings(dataset="cifar10", epochs=20, batch_size=64)
EVALUATION = Evaluation()


def main(argv=None):
    """Run the command line and return the exit status."""
    return command_line.main("cifar10", CIFAR10, EVALUATION, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
