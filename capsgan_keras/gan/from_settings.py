"""What GANs of all kinds make of `NetworkSettings`: generator, loss and both optimizers."""

from collections.abc import Callable
from typing import Any

import keras

from capsgan_keras.gan.optimizers import OptimizerPair, falling_rate, learning_rate
from capsgan_keras.gan.settings import NetworkSettings, widened
from capsgan_keras.gan.settings_checks import given
from capsgan_keras.losses import HingeLoss, MarginLoss
from capsgan_keras.models import build_generator
from capsgan_keras.types import DType

_LOSSES: dict[str | None, Callable[[], keras.losses.Loss | None]] = {
    None: lambda: None,
    "margin": MarginLoss,
    "cross-entropy": keras.losses.BinaryCrossentropy,
    "least-squares": keras.losses.MeanSquaredError,
    "hinge": HingeLoss,
}


def loss_of(settings: NetworkSettings) -> keras.losses.Loss | None:
    """Return the loss of the settings, or None for the model's own."""
    return _LOSSES[settings.loss]()


def activation_of(settings: NetworkSettings) -> str | None:
    """Return the activation of a dense head that the loss needs, or None for the head's own."""
    return "linear" if settings.loss == "hinge" else None


def generator_of(
    settings: NetworkSettings,
    image_shape: tuple[int, int, int],
    num_classes: int | None = None,
    dtype: DType = None,
    seed: int | None = None,
) -> keras.Model:
    """Return a new generator.

    Args:
        settings: `NetworkSettings`, or any object with its fields.
        image_shape: As in `build_generator`.
        num_classes: Categories in the place of those of the settings, one for each class and
            equally often.
        dtype: As in `build_generator`.
        seed: As in `build_generator`.
    """
    shares = bool(settings.latent_categories and settings.learn_category_shares)
    return build_generator(
        image_shape,
        settings.latent_dim,
        filters=widened(settings, "generator_filters"),
        kernel_size=settings.generator_kernel_size,
        upsampling=settings.upsampling,
        latent_categories=settings.latent_categories if num_classes is None else num_classes,
        **given(
            scales=settings.generator_scales,
            activation=settings.generator_activation,
            output=settings.generator_output,
            batch_statistics=settings.generator_batch_statistics,
            last_kernel_size=settings.generator_last_kernel_size,
            initializer=settings.initializer,
            learn_category_shares=shares if num_classes is None else None,
        ),
        dtype=dtype,
        seed=seed,
    )


def optimizers_of(
    settings: NetworkSettings,
    discriminator_rate: float | None,
    defaults: OptimizerPair,
    steps: int | None,
) -> OptimizerPair:
    """Return the optimizers of both players.

    Args:
        settings: As in `generator_of`.
        discriminator_rate: The discriminator's learning rate; None for that of its default.
        defaults: Optimizers whose names are taken, and their rates where the settings give none.
        steps: Training steps of the whole run. Without them `decay` has no effect.
    """
    ema = settings.generator_ema
    averages: dict[str, Any] = {"use_ema": True, "ema_momentum": ema} if ema else {}

    def adam(rate: float | None, default: Any, **more: Any) -> keras.optimizers.Adam:
        first = learning_rate(default) if rate is None else rate
        falling = falling_rate(first, settings.decay, steps, settings.time_decay or 0.0)
        return keras.optimizers.Adam(
            falling, settings.beta_1, settings.beta_2, name=default.name, **more
        )

    return (
        adam(settings.generator_learning_rate, defaults[0], **averages),
        adam(discriminator_rate, defaults[1]),
    )
