"""Train both GANs on CIFAR-10 and compare them: section 5, figure 2 and table 2 of the paper.

The paper is CapsuleGAN (arXiv 1802.06167). One command makes all tables and figures from nothing:

    python -m experiments.cifar10 --settings tuned --seeds 3
    python -m experiments.cifar10 --settings paper --seeds 3
    python -m experiments.cifar10 --settings stack --seeds 3

It trains both models with each seed, and then evaluates all runs together: the metric as a
tournament, the semi-supervised table and sample quality. Interrupted, it goes on by --resume, with
more seeds too. Without arguments: the tuned settings, one seed.

Expected: coloured, varied images without a frame, from both models: single things before a plain
ground; a horse, a ship or a car that one can name in some. Time of the tuned settings on 2 CPU
cores with bfloat16, two runs at a time with a core each: 165 to 191 s an epoch, 77 to 89 minutes
for a run and four hours and a quarter for three seeds; for the evaluation 20 to 30 minutes once, to
train the classifier of sample quality, and then 10 minutes with one seed and 20 to 26 with three.
Time of the paper's settings, two runs at a time with a core each: 25 minutes a run for CapsuleGAN
and 17 for the convolutional GAN, an hour and five minutes for three seeds; the evaluation as above.
What comes out are coloured blobs, some of CapsuleGAN's with a border. With the settings stack an
epoch takes 98 to 105 s for CapsuleGAN and 32 for the convolutional GAN, with a core each. What
comes out are varied textures from CapsuleGAN, and few variants of one image from the other model.
"""

import dataclasses
import sys

from experiments import mnist
from experiments.command_line import training
from experiments.settings.evaluations import Evaluation, QualitySettings
from experiments.settings.training import tuned

TUNED = tuned("cifar10", settings="tuned", epochs=28)
"""Found in trials, some by eye and some on held-out training images (docs/trials.md)."""

PAPER = dataclasses.replace(
    mnist.PAPER,
    dataset="cifar10",
    # The paper has no other settings for these images. Its software's example for them repeats
    # pixels and then convolves 5x5.
    upsampling="nearest",
    generator_kernel_size=5,
    # DCGAN's rate for all networks. With MNIST's, the generator's five times as high, pixels were
    # black, white or glaring after two epochs (docs/trials.md).
    generator_learning_rate=2e-4,
    capsule_learning_rate=2e-4,
    convolutional_learning_rate=2e-4,
    # Few, for time.
    epochs=6,
)
"""As on MNIST, but with DCGAN's rates and fewer epochs."""

STACK = dataclasses.replace(
    mnist.STACK,
    dataset="cifar10",
    # Its package's example for these images is another one: a slower decay, three doublings of a
    # 4x4 grid, running averages in batch normalization, and max-pooling in the discriminator. It
    # has L1 and L2 penalties of 1e-7, which are left out here.
    time_decay=1e-5,
    # Both packages' rate, unlike on MNIST: here the generator lives (docs/trials.md).
    capsule_learning_rate=1e-3,
    generator_filters=(256, 128, 128, 64),
    generator_scales=(1, 2, 2, 2),
    generator_kernel_size=5,
    generator_last_kernel_size=5,
    generator_activation="leaky_relu",
    generator_batch_statistics=False,
    convolutional_filters=(64, 128, 256),
    convolutional_downsampling="max_pooling",
    convolutional_activation="leaky_relu",
    convolutional_layer_dropout=0.0,
    convolutional_dropout=0.0,
    convolutional_units=None,
    convolutional_head="average",
)
"""What the examples of the paper's own packages did, at a quarter of their width."""

EVALUATION = Evaluation(quality=QualitySettings())


def main(argv=None):
    """Run the command line and return the exit status."""
    return training.main("cifar10", (TUNED, PAPER, STACK), EVALUATION, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
