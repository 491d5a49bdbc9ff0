"""Train both GANs on MNIST: section 5 and figure 1 of the paper (arXiv 1802.06167).

    python -m experiments.mnist

Expected: digits that a person recognises, from both models. Time: about 45 s an epoch for each
model on 2 CPU cores with bfloat16, then 3 minutes for the evaluation.
"""

import sys

from experiments import command_line
from experiments.evaluation_settings import Evaluation
from experiments.settings import Settings

MNIST = Settings(
    dataset="mnist",
    epochs=20,
    batch_size=64,
    decay=0.5,
    latent_dim=32,
    generator_learning_rate=1e-3,
    capsule_filters=(64, 128),
    capsule_kernel_size=5,
    capsule_strides=2,
    capsule_padding="same",
    capsule_batch_norm=False,
    n_channels=16,
    capsule_learning_rate=2e-4,
    convolutional_filters=(48, 96, 192),
    convolutional_learning_rate=2e-4,
)
EVALUATION = Evaluation()


def main(argv=None):
    """Run the command line and return the exit status."""
    return command_line.main("mnist", MNIST, EVALUATION, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
