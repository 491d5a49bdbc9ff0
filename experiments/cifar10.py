"""Train both GANs on CIFAR-10 and compare them: section 5, figure 2 and table 2 of the paper.

The paper is CapsuleGAN (arXiv 1802.06167). One command makes all tables and figures from nothing:

    python -m experiments.cifar10 --settings tuned --seeds 3
    python -m experiments.cifar10 --settings paper --seeds 3

It trains both models with each seed, and then evaluates all runs together: the metric as a
tournament, the semi-supervised table and sample quality. Interrupted, it goes on by --resume, with
more seeds too. Without arguments: the tuned settings, one seed.

Expected: coloured, varied images without a frame, from both models. No objects after two epochs.
Time of the tuned settings on 2 CPU cores with bfloat16: about 75 s an epoch for each model, two and
a half hours for three seeds; for the evaluation half an hour once, to train the classifier of
sample quality, and then about 15 minutes with one seed, longer with more. The paper's settings have
discriminators of 5.6 and 3.3 million parameters and are for a GPU.
"""

import dataclasses
import sys

from experiments import command_line, mnist
from experiments.evaluation_settings import Evaluation, QualitySettings
from experiments.settings import Settings

TUNED = Settings(settings="tuned", dataset="cifar10", epochs=20, batch_size=64)
"""The package's defaults for colour images, which were found on CIFAR-10."""

PAPER = dataclasses.replace(
    mnist.PAPER,
    dataset="cifar10",
    # The paper has no other settings for these images. Its software's example for them repeats
    # pixels and then convolves 5x5.
    upsampling="nearest",
    generator_kernel_size=5,
)
"""What the paper says, and where it is silent what DCGAN and its software did."""

EVALUATION = Evaluation(quality=QualitySettings())


def main(argv=None):
    """Run the command line and return the exit status."""
    return command_line.main("cifar10", (TUNED, PAPER), EVALUATION, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
