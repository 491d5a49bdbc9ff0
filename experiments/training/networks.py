"""The GANs that the settings describe."""

import keras
import numpy as np

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)
from experiments.errors import SettingsError

FINAL_SHARE = 0.05
"""Of the learning rates, where they fall."""
_LOSSES = {
    None: None,  # the model's own
    "margin": MarginLoss,
    "cross-entropy": keras.losses.BinaryCrossentropy,
    "least-squares": keras.losses.MeanSquaredError,
}


def build_gan(settings, model, image_shape, steps=None):
    """Return a new, compiled GAN under Keras's global dtype policy.

    Args:
        settings: `experiments.settings.training.Settings`.
        model: `"capsule"` or `"convolutional"`.
        image_shape: `(height, width, channels)`.
        steps: Training steps of the whole run; needed where the learning rates fall.

    Raises:
        SettingsError: Where the settings fit no network for these images.
    """
    build_discriminator, kind = {
        "capsule": (_capsule_discriminator, CapsuleGAN),
        "convolutional": (_convolutional_discriminator, ConvolutionalGAN),
    }[model]
    loss = _LOSSES[settings.loss]
    try:
        gan = kind(
            image_shape,
            settings.latent_dim,
            generator=build_generator(
                image_shape,
                settings.latent_dim,
                filters=settings.generator_filters,
                kernel_size=settings.generator_kernel_size,
                upsampling=settings.upsampling,
                latent_categories=settings.latent_categories,
                seed=settings.seed,
            ),
            discriminator=build_discriminator(settings, image_shape),
            loss=loss and loss(),
            seed=settings.seed,
        )
        rates = settings.generator_learning_rate, getattr(settings, f"{model}_learning_rate")
        rates = [
            learning_rate(default) if rate is None else rate
            for rate, default in zip(rates, gan.default_optimizers(), strict=True)
        ]
        ema = settings.generator_ema
        averages = {"use_ema": True, "ema_momentum": ema} if ema else {}
        optimizers = [
            keras.optimizers.Adam(
                _schedule(rate, settings.decay, steps), settings.beta_1, settings.beta_2, **more
            )
            for rate, more in zip(rates, (averages, {}), strict=True)
        ]
        gan.compile(*optimizers, update=settings.update)
    except ValueError as error:
        raise SettingsError(
            f"{model}: no network for these images (--image-size resizes them). {error}"
        ) from error
    return gan


def _schedule(rate, decay, steps):
    """Return a rate that stays, and falls along a cosine in the last `decay` of the steps."""
    falling = round(decay * steps) if decay else 0
    if not falling:
        return rate
    # Warming up from a rate to the same rate is Keras's way to hold it.
    return keras.optimizers.schedules.CosineDecay(
        rate, falling, alpha=FINAL_SHARE, warmup_target=rate, warmup_steps=steps - falling
    )


def _capsule_discriminator(settings, image_shape):
    return build_capsule_discriminator(
        image_shape,
        filters=settings.capsule_filters,
        kernel_size=settings.capsule_kernel_size,
        strides=settings.capsule_strides,
        padding=settings.capsule_padding,
        batch_norm=settings.capsule_batch_norm,
        n_channels=settings.n_channels,
        primary_dim_capsule=settings.primary_dim_capsule,
        num_capsule=settings.num_capsule,
        dim_capsule=settings.dim_capsule,
        routing=settings.routing,
        routings=settings.routings,
        dropout=settings.dropout,
        seed=settings.seed,
    )


def _convolutional_discriminator(settings, image_shape):
    dropout = settings.convolutional_dropout
    return build_convolutional_discriminator(
        image_shape,
        filters=settings.convolutional_filters,
        batch_norm=settings.convolutional_batch_norm,
        dropout=settings.dropout if dropout is None else dropout,
        seed=settings.seed,
    )


def learning_rate(optimizer):
    """Return an optimizer's learning rate as the shortest decimal that is the same in float32."""
    return float(str(np.float32(optimizer.learning_rate)))
