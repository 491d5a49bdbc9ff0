"""The BiGANs that the settings describe."""

from capsgan_keras import BiCoGAN, BiGAN
from capsgan_keras.gan.from_settings import (
    activation_of,
    generator_of,
    loss_of,
    optimizers_of,
)
from capsgan_keras.gan.settings_checks import check_settings, given
from capsgan_keras.models import (
    build_capsule_encoder,
    build_convolutional_encoder,
    build_joint_discriminator,
)

KINDS = ("bigan", "bicogan")
"""What models are called, before a dash and the kind of the encoder."""
ENCODERS = {"capsule": build_capsule_encoder, "convolutional": build_convolutional_encoder}


def build_bigan(encoder, settings, image_shape, steps=None, seed=None):
    """Return a new, compiled BiGAN, or BiCoGAN where labels are used.

    Args:
        encoder: A name in `ENCODERS`.
        settings: `experiments.settings.encoders.EncoderSettings`.
        image_shape: `(height, width, channels)`.
        steps: Training steps of the whole run; needed where the learning rates fall.
        seed: Integer that sets the initial weights and the noise.

    Raises:
        ValueError: Where the settings fit no network for these images.
    """
    check_settings(settings, steps)
    shape = image_shape, settings.latent_dim
    num_classes = settings.num_classes
    initializer = given(initializer=settings.initializer)
    gan = (BiCoGAN if num_classes else BiGAN)(
        generator_of(settings, image_shape, num_classes=num_classes or 0, seed=seed),
        ENCODERS[encoder](
            *shape,
            **encoder_sizes(encoder, settings.encoder_width),
            **initializer,
            seed=seed,
        ),
        build_joint_discriminator(
            *shape,
            head=settings.head,
            dropout=settings.dropout,
            **given(
                filters=settings.discriminator_filters,
                units=settings.discriminator_units,
                spectral_normalization=settings.spectral_normalization,
                augmentation=settings.augmentation,
                activation=activation_of(settings),
            ),
            **initializer,
            seed=seed,
        ),
        loss=loss_of(settings),
        seed=seed,
        **given(
            gradient_penalty=settings.gradient_penalty,
            penalty_every=settings.penalty_every,
            num_classes=num_classes,
            label_weight=settings.label_weight,
        ),
    )
    rate = settings.discriminator_learning_rate
    optimizers = optimizers_of(settings, rate, gan.default_optimizers(), steps)
    gan.compile(*optimizers, update=settings.update)
    return gan


def encoder_sizes(encoder, width=None):
    """Return the sizes of an encoder's layers, with which both encoders have as many weights.

    Args:
        encoder: A name in `ENCODERS`.
        width: Factor of all numbers of filters, capsules and units; None for 1.
    """
    filters, types, capsules = (max(1, round((width or 1.0) * n)) for n in (32, 8, 16))
    if encoder == "capsule":
        return {"filters": (filters, 2 * filters), "n_channels": types, "num_capsule": capsules}
    # Capsules have 8 components in the first layer, and 16 in the second.
    return {"filters": (filters, 2 * filters, 8 * types), "units": 16 * capsules}
