"""Train both GANs on MNIST and compare them: section 5, figure 1 and table 1 of the paper.

The paper is CapsuleGAN (arXiv 1802.06167). One command makes all tables and figures from nothing:

    python -m experiments.mnist --settings tuned --seeds 3
    python -m experiments.mnist --settings paper --seeds 3
    python -m experiments.mnist --settings stack --seeds 3

It trains both models with each seed, and then evaluates all runs together: the metric as a
tournament, the semi-supervised table and sample quality. Interrupted, it goes on by --resume, with
more seeds too. Without arguments: the tuned settings, one seed.

Expected: digits that a person recognises, from both models. Time of the tuned settings on 2 CPU
cores with bfloat16: 40 to 60 s an epoch for each model, an hour and a quarter for three seeds; for
the evaluation 11 to 15 minutes with three seeds, besides 2 minutes once for the classifier of
sample quality. Time of the paper's settings: 67 s an epoch for CapsuleGAN and 49 s for the
convolutional GAN, two hours for three seeds, and the same for the evaluation. Time of the
settings stack with a core each: 129 to 153 s an epoch for CapsuleGAN and 114 to 139 s for the
convolutional GAN.
"""

import dataclasses
import sys

from experiments.command_line import training
from experiments.settings.evaluations import Evaluation, QualitySettings
from experiments.settings.training import Settings, tuned

TUNED = tuned("mnist", settings="tuned", epochs=14)
"""What gave the best images in trials."""

PAPER = Settings(
    settings="paper",
    dataset="mnist",
    # The paper says: a discriminator similar to the CapsNet of Sabour et al. (arXiv 1710.09829),
    # one final capsule, the margin loss (the package's own); a convolutional GAN after the
    # guidelines of DCGAN (arXiv 1511.06434), with the same generator. It gives no widths. Here
    # the layers are that CapsNet's at a quarter of its width (256 filters, 32 types), at which a
    # run takes about a tenth of the time on two cores.
    capsule_filters=(64,),
    capsule_kernel_size=9,
    capsule_strides=1,
    capsule_padding="valid",
    capsule_batch_norm=False,
    n_channels=8,
    primary_dim_capsule=8,
    num_capsule=1,
    dim_capsule=16,
    routing="dynamic",
    routings=3,
    # Its software, keras-adversarial, updated both players from one forward pass, with Adam, 100
    # normal latents and neither weight averages nor augmentation.
    update="simultaneous",
    latent_dim=100,
    latent_categories=0,
    generator_ema=0.0,
    # It is silent on batch and rates. Batch and momenta are DCGAN's. With DCGAN's rate of 2e-4 for
    # both players the capsule discriminator was right about 99.8 % of the second epoch's images and
    # images were noise (docs/trials.md), so the rates are the study's, to the last step.
    batch_size=128,
    beta_1=0.5,
    beta_2=0.999,
    generator_learning_rate=1e-3,
    capsule_learning_rate=2.5e-4,
    convolutional_learning_rate=2.5e-4,
    decay=0.0,
    # The other two networks follow DCGAN: transposed and strided convolutions, batch normalization,
    # and the filters of its authors' code for MNIST, 64 at half and 128 at a quarter of an image's
    # size.
    generator_filters=(128, 64),
    upsampling="transposed",
    convolutional_filters=(64, 128),
    convolutional_batch_norm=True,
    dropout=0.0,
    # It is silent on epochs too. These are what three seeds of both models do in two hours on two
    # cores.
    epochs=20,
)
"""What the paper says; where it is silent, what DCGAN and its software did, but for the capsule
discriminator's width, the rates and the epochs, of which the comments speak."""

STACK = dataclasses.replace(
    PAPER,
    settings="stack",
    # The examples of the paper's two packages, keras-adversarial and CapsNet-Keras, in the last
    # versions of their authors. Nobody knows whether the paper ran these settings.
    #
    # keras-adversarial: batches of 32, Adam with Keras's defaults, D's rate ten times G's, both
    # divided by 1 + 1e-4 times the updates; Glorot weights. The capsule D alone has G's rate: at
    # 1e-3 its loss is 1e-6 after two epochs, and CapsuleGAN makes noise (docs/trials.md).
    batch_size=32,
    beta_1=0.9,
    beta_2=0.999,
    generator_learning_rate=1e-4,
    capsule_learning_rate=1e-4,
    convolutional_learning_rate=1e-3,
    time_decay=1e-4,
    initializer="glorot",
    # A quarter of the packages' widths, which two cores can train; --width 1 for all of them. The
    # paper says that the number of parameters has to be low.
    width=0.25,
    generator_filters=(256, 128, 64),
    generator_scales=(2, 1, 1),
    generator_kernel_size=3,
    generator_last_kernel_size=1,
    upsampling="nearest",
    generator_output="sigmoid",
    generator_batch_statistics=True,
    # In its code a ReLU comes before each LeakyReLU of these convolutions.
    convolutional_filters=(256, 512),
    convolutional_activation="relu",
    convolutional_batch_norm=False,
    convolutional_layer_dropout=0.5,
    convolutional_units=256,
    dropout=0.0,
    convolutional_dropout=0.5,
    # CapsNet-Keras: a 9x9 convolution, 32 types of 8, one final capsule of 16, 3 routings.
    capsule_filters=(256,),
    capsule_activation="relu",
    n_channels=32,
    # keras-adversarial has 100.
    epochs=20,
)
"""What the examples of the paper's own packages did, at a quarter of their width."""

EVALUATION = Evaluation(quality=QualitySettings())


def main(argv=None):
    """Run the command line and return the exit status."""
    return training.main("mnist", (TUNED, PAPER, STACK), EVALUATION, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
