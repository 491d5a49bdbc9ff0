"""Settings of networks and optimizers for both GANs, and those that trials found.

This file runs without NumPy and Keras, so that a command line can read fields, defaults and help
texts from it and answer `--help` at once.
"""

from dataclasses import dataclass, field, replace
from typing import Any

LOSSES = ("margin", "cross-entropy", "least-squares", "hinge")


def _setting(default: Any, help: str, choices: tuple[Any, ...] | None = None) -> Any:
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """The networks and optimizers of a CapsuleGAN and of its convolutional opponent.

    `CapsuleGAN.from_settings` builds a GAN of them, and checks them by building it. The help
    text of each field says what it is; None stands for the default of the function that builds the
    network.
    """

    batch_size: int = _setting(128, "real images in a training step")
    steps: int | None = _setting(
        None, "training steps of a run, by whose end the rates have fallen"
    )
    update: str = _setting(
        "simultaneous",
        "whether both networks learn from one forward pass or in turn",
        ("simultaneous", "alternating"),
    )
    loss: str | None = _setting(
        None,
        "of both networks (default: margin with the capsule discriminator, cross-entropy with the "
        "convolutional one); hinge is for the convolutional GAN alone",
        LOSSES,
    )
    gradient_penalty: float | None = _setting(
        None, "weight of R1, the gradient penalty on real images (default: 0)"
    )
    penalty_every: int | None = _setting(
        None, "steps from one gradient penalty to the next, which weighs so much more (default: 1)"
    )
    spectral_normalization: bool | None = _setting(
        None,
        "divide each kernel of the discriminator by its largest singular value (default: no)",
    )
    augmentation: tuple[str, ...] | None = _setting(
        None,
        "what is changed at random in all images that the discriminator sees in training (default: "
        "nothing)",
        ("color", "translation", "cutout"),
    )
    flips: bool | None = _setting(
        None, "mirror half of the real images, others in each epoch (default: none)"
    )
    beta_1: float = _setting(0.5, "of Adam, for both networks: decay of the mean of the gradients")
    beta_2: float = _setting(
        0.999, "of Adam, for both networks: decay of the mean of their squares"
    )
    generator_learning_rate: float | None = _setting(None, "of the generator (default: 2e-4)")
    capsule_learning_rate: float | None = _setting(
        None,
        "of the capsule discriminator (default: 1e-4 with batch normalization in it, 2e-4 without)",
    )
    convolutional_learning_rate: float | None = _setting(
        None, "of the convolutional discriminator (default: 2e-4)"
    )
    decay: float = _setting(
        0.0,
        "share of the steps, at the end, in which both learning rates fall to a twentieth along a "
        "cosine",
    )
    time_decay: float | None = _setting(
        None, "learning rates are divided by 1 + this times the steps done (default: they are not)"
    )
    generator_ema: float = _setting(
        0.0,
        "momentum of the moving average of the generator's weights that is saved, shown and "
        "evaluated in their place; 0: none",
    )
    latent_dim: int = _setting(100, "components of a latent vector, --latent-categories among them")
    latent_categories: int = _setting(
        0, "components of a latent vector, the last ones, that choose a category; 0: none"
    )
    learn_category_shares: bool | None = _setting(
        None,
        "after training, choose each category, if there are any, as often as real images are like "
        "its images (default: each equally often)",
    )
    width: float | None = _setting(
        None,
        "factor of the numbers of filters, units and types of capsules that are given (default: 1)",
    )
    generator_filters: tuple[int, ...] = _setting(
        (128, 64), "channels of the generator's first grid, and of each convolution but the last"
    )
    generator_scales: tuple[int, ...] | None = _setting(
        None,
        "for each convolution of the generator, as many as --generator-filters: 2 where it doubles "
        "the image's sides, 1 where not (default: 2 each)",
    )
    generator_kernel_size: int | None = _setting(
        None, "side of the generator's kernels (default: 4 transposed, 5 nearest)"
    )
    generator_last_kernel_size: int | None = _setting(
        None, "side of the kernels of the generator's last convolution (default: as the others)"
    )
    generator_activation: str | None = _setting(
        None, "after the generator's layers but the last (default: relu)", ("relu", "leaky_relu")
    )
    generator_output: str | None = _setting(
        None, "at the generator's end (default: tanh)", ("tanh", "sigmoid")
    )
    generator_batch_statistics: bool | None = _setting(
        None,
        "normalize by each batch's own statistics when generating, too, as in training (default: "
        "no)",
    )
    upsampling: str | None = _setting(
        None,
        "how the generator upsamples (default: transposed for grey images, nearest for others)",
        ("transposed", "nearest"),
    )
    initializer: str | None = _setting(
        None,
        "of the weights of dense layers and convolutions (default: normal with deviation 0.02, or "
        "he in a discriminator without batch normalization)",
        ("normal", "he", "glorot"),
    )
    dropout: float = _setting(0.0, "rate of dropout in the discriminator")
    capsule_filters: tuple[int, ...] | None = _setting(
        None,
        "filters of each convolution before the primary capsules (default: 32 for grey images, "
        "64 128 for others)",
    )
    capsule_kernel_size: int | None = _setting(
        None,
        "side of the capsule discriminator's kernels (default: 9 for grey images, 5 for others)",
    )
    capsule_strides: int | None = _setting(
        None,
        "strides of the convolutions before the primary capsules (default: 1 for grey images, 2 "
        "for others)",
    )
    capsule_padding: str | None = _setting(
        None,
        "of the capsule discriminator (default: valid for grey images, same for others)",
        ("valid", "same"),
    )
    capsule_batch_norm: bool | None = _setting(
        None,
        "normalize the last convolution before the primary capsules (default: yes for grey "
        "images, no for others)",
    )
    capsule_activation: str | None = _setting(
        None,
        "after the convolutions of the capsule discriminator (default: leaky_relu)",
        ("leaky_relu", "relu"),
    )
    n_channels: int | None = _setting(
        None, "types of primary capsules (default: 4 for grey images, 16 for others)"
    )
    primary_dim_capsule: int = _setting(8, "components of a primary capsule")
    num_capsule: int = _setting(
        1, "final capsules: 1 (the paper), or 2, for real and for generated images", (1, 2)
    )
    dim_capsule: int = _setting(16, "components of a final capsule")
    routing: str = _setting(
        "dynamic",
        "leaky adds an orphan category to the softmax; self_attention has a learned prior",
        ("dynamic", "leaky", "self_attention"),
    )
    routings: int = _setting(
        3, "iterations of routing; with one final capsule dynamic routing has no effect"
    )
    convolutional_batch_norm: bool = _setting(
        True,
        "normalize the convolutions of the convolutional discriminator but the first; it learns "
        "faster then, and judges single images otherwise than batches",
    )
    convolutional_filters: tuple[int, ...] = _setting(
        (64, 128), "filters of each convolution of the convolutional discriminator"
    )
    convolutional_dropout: float | None = _setting(
        None, "rate of dropout in the convolutional discriminator (default: that of --dropout)"
    )
    convolutional_downsampling: str | None = _setting(
        None,
        "what halves the image's sides in the convolutional discriminator (default: strides)",
        ("strides", "max_pooling"),
    )
    convolutional_activation: str | None = _setting(
        None,
        "after the convolutions of the convolutional discriminator (default: leaky_relu)",
        ("leaky_relu", "relu"),
    )
    convolutional_layer_dropout: float | None = _setting(
        None,
        "rate of dropout after each convolution of the convolutional discriminator (default: 0)",
    )
    convolutional_units: int | None = _setting(
        None,
        "units of a dense layer before the convolutional discriminator's output (default: no such "
        "layer)",
    )
    convolutional_head: str | None = _setting(
        None,
        "what makes the convolutional discriminator's output: a dense layer, or the average of one "
        "more convolution (default: dense)",
        ("dense", "average"),
    )


def widened(settings: Any, name: str) -> Any:
    """Return a field of settings, one number or several, times their `width`; None stays.

    Args:
        settings: `NetworkSettings`, or any object with its fields.
        name: The field's name.
    """
    value = getattr(settings, name)
    if value is None or settings.width is None:
        return value
    several = isinstance(value, tuple)
    counts = tuple(max(1, round(settings.width * n)) for n in (value if several else (value,)))
    return counts if several else counts[0]


MNIST = NetworkSettings(
    batch_size=64,
    steps=14 * 937,
    # Adam without momentum and few latents: in trials worth six or seven points of recognised
    # images together; categories beside them: worth ten (docs/trials.md).
    beta_1=0.0,
    beta_2=0.99,
    decay=0.5,
    generator_ema=0.998,
    latent_dim=28,
    latent_categories=20,
    learn_category_shares=True,
    generator_learning_rate=1e-3,
    # Three convolutions, as the other discriminator has: a better table on held-out training
    # images than with two wider ones, in less time (there too).
    capsule_filters=(32, 64, 128),
    capsule_kernel_size=5,
    capsule_strides=2,
    capsule_padding="same",
    capsule_batch_norm=False,
    n_channels=16,
    capsule_learning_rate=4e-4,
    # Normalized as in DCGAN it won, and G made one image of each category (there too).
    convolutional_batch_norm=False,
    convolutional_filters=(48, 96, 192),
    convolutional_learning_rate=4e-4,
)
"""What gave the best images in trials."""

CIFAR10 = NetworkSettings(
    batch_size=64,
    steps=28 * 781,
    # The sum of both models' distances on held-out images was smallest there. The horizontal
    # flips are against overfitting in so many epochs.
    flips=True,
    # As on MNIST, but without categories: some of them end in one glaring image each
    # (docs/trials.md).
    beta_1=0.0,
    beta_2=0.99,
    decay=0.5,
    generator_ema=0.998,
    latent_dim=64,
    # From a 4x4 grid, it draws single things; from the default one of 8x8, textures (there too).
    generator_filters=(256, 128, 64),
    generator_scales=(2, 2, 2),
    generator_kernel_size=3,
    generator_learning_rate=5e-4,
    # The package's default layers for colour images, at twice their rate.
    capsule_learning_rate=4e-4,
    # As many convolutions as the capsule discriminator has, with as many channels.
    convolutional_batch_norm=False,
    convolutional_filters=(64, 128, 128),
    convolutional_learning_rate=8e-4,
    # The capsule discriminator is better without.
    convolutional_dropout=0.3,
)
"""Found in trials, some by eye and some on held-out training images (docs/trials.md)."""

DIGITS = replace(
    MNIST,
    steps=60 * 22,
    learn_category_shares=None,
    capsule_filters=(64, 128),
    # No average: after each epoch its batch statistics are estimated anew, which takes longer here
    # than the epoch.
    generator_ema=0.0,
)
"""MNIST's with two wider convolutions, for small digits."""

NEUTRAL = NetworkSettings(
    batch_size=64,
    steps=4000,
    # As on CIFAR-10. No categories, since nobody knows how many kinds there are.
    beta_1=0.0,
    beta_2=0.99,
    decay=0.5,
    generator_ema=0.99,
    latent_dim=64,
    generator_learning_rate=5e-4,
    # Layers that fit grey and coloured images of every size from 16 on. Half of CIFAR-10's widths
    # and dropout: with its widths and rates and without dropout, both discriminators knew 500
    # drawings by heart after 2,000 steps, and the generators learned no more.
    dropout=0.4,
    capsule_filters=(32, 64),
    capsule_kernel_size=5,
    capsule_strides=2,
    capsule_padding="same",
    capsule_batch_norm=False,
    n_channels=8,
    capsule_learning_rate=2e-4,
    convolutional_batch_norm=False,
    convolutional_filters=(32, 64, 64),
    convolutional_learning_rate=2e-4,
)
"""For images of which nothing is known but their shape."""

FEW_IMAGES = 5_000
FOR_FEW_IMAGES = ("color", "translation", "cutout")
"""The augmentation where there are fewer than `FEW_IMAGES`: else a discriminator learns them by
heart."""


def for_number_of(images: int, settings: Any) -> Any:
    """Return settings for a number of images: with an augmentation where these are few.

    Args:
        images: Number of training images.
        settings: `NetworkSettings`, or any dataclass with its fields. An `augmentation` stays.
    """
    if settings.augmentation is None and images < FEW_IMAGES:
        return replace(settings, augmentation=FOR_FEW_IMAGES)
    return settings


TUNED = {"mnist": MNIST, "cifar10": CIFAR10, "digits": DIGITS}
"""The settings of each data set that trials were made on."""
