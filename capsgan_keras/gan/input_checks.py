"""Checks of what a GAN is given: its two networks, and the images of `fit` and `discriminate`."""

import math
import warnings
from typing import Any

import keras
import numpy as np

from capsgan_keras.training import devices_per_batch
from capsgan_keras.types import Shape, Tensor


def check_players(generator: keras.Model, discriminator: keras.Model) -> None:
    """Raise a `ValueError` unless both are built networks that fit each other."""
    for name, player in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(player, keras.Model):
            raise ValueError(f"`{name}` must be a keras.Model. Received: {name}={player!r}")
        if not player.built or getattr(player, "inputs", None) is None:
            raise ValueError(
                f"`{name}` must have a known input shape: build it from `keras.Input`. "
                f"Received: {name}={player!r}"
            )
    images = tuple(generator.output_shape[1:])
    if len(generator.input_shape) != 2 or len(images) != 3 or None in images:
        raise ValueError(
            "`generator` must map latents (batch, latent_dim) to images (batch, height, width, "
            f"channels). Received: a generator from {generator.input_shape} to "
            f"{generator.output_shape}"
        )
    if tuple(discriminator.input_shape[1:]) != images:
        raise ValueError(
            f"`discriminator` must take the generator's images of shape {images}. "
            f"Received: a discriminator of images of shape {discriminator.input_shape[1:]}"
        )
    if len(discriminator.output_shape) != 2 or discriminator.output_shape[1] not in (1, 2):
        raise ValueError(
            "`discriminator` must give outputs of shape (batch, 1) or (batch, 2). "
            f"Received: {discriminator.output_shape}"
        )


def check_latents(latents: Tensor, latent_dim: int) -> None:
    """Raise a `ValueError` unless latent vectors have `latent_dim` components."""
    if latents.shape[-1] not in (None, latent_dim):
        raise ValueError(
            f"`latents` must have {latent_dim} components, shape (batch, {latent_dim}). "
            f"Received: shape {tuple(latents.shape)}"
        )


def check_fit_arguments(
    gan: keras.Model, x: Any, y: Any, batch_size: int | None, options: dict[str, Any]
) -> None:
    """Check the arguments of `GAN.fit` or `GAN.evaluate`; of `x`, only arrays are looked into.

    Args:
        gan: The GAN whose method was called.
        x: What it was given as images.
        y: What it was given as labels.
        batch_size: What it was given.
        options: Its other keyword arguments.

    Raises:
        ValueError: On labels, on weights, on wrong images, or on an array of images of which the
            devices cannot share each batch: it would be refused in the middle of an epoch.
    """
    if y is not None:
        raise ValueError(
            "A GAN learns from images alone: pass no labels. "
            f"Received: y of type {type(y).__name__}"
        )
    if isinstance(x, np.ndarray):
        check_uint8_or_scaled("x", x, gan.image_shape)
        warn_of_unit_range("x", x, stacklevel=4)
    for name in ("sample_weight", "class_weight"):
        if options.get(name) is not None:
            raise ValueError(
                "A GAN takes no sample weights and no class weights. "
                f"Received: {name} of type {type(options[name]).__name__}"
            )
    if options.get("steps_per_epoch") is None and options.get("steps") is None:
        validation_size = options.get("validation_batch_size") or batch_size
        _check_batches(gan, x, batch_size, options.get("validation_split", 0.0))
        _check_batches(gan, options.get("validation_data"), validation_size)


def _check_batches(
    gan: keras.Model, x: Any, batch_size: int | None, validation_split: float = 0.0
) -> None:
    if devices_per_batch(gan) == 1 or not isinstance(x, np.ndarray):
        return
    batch_size = batch_size or 32  # as in Keras
    train_size = math.floor(len(x) * (1.0 - validation_split))
    for n in {train_size, len(x) - train_size}:
        for size in {min(n, batch_size), n % batch_size} - {0}:
            gan.check_batch_size(size)


def check_uint8_or_scaled(name: str, images: np.ndarray, image_shape: Shape) -> None:
    """Raise a `ValueError` unless `images` are uint8, or floats scaled to [-1, 1].

    Args:
        name: The argument's name, for the message.
        images: NumPy array.
        image_shape: `(height, width, channels)` expected of each image.
    """
    check_batch(name, images, image_shape)
    if len(images) == 0:
        raise ValueError(f"`{name}` must hold at least one image. Received: {name} of length 0")
    if images.dtype == np.uint8:
        return
    low, high = float(images.min()), float(images.max())
    if not (low >= -1.0 and high <= 1.0):  # also where they are not numbers
        raise ValueError(
            f"`{name}` must be uint8, or floating point in [-1, 1] "
            "(from 0..255: `images / 127.5 - 1`). "
            f"Received: {name} of dtype {images.dtype} in [{low:g}, {high:g}]"
        )


def check_batch(name: str, images: Tensor, image_shape: Shape) -> None:
    """Raise a `ValueError` unless `images` have that shape, and are uint8 or floating point.

    Args:
        name: The argument's name, for the message.
        images: Array or tensor of the backend, whose values may be unknown yet.
        image_shape: `(height, width, channels)` expected of each image.
    """
    shape = tuple(images.shape)
    if len(shape) != 4 or any(
        known is not None and known != side
        for known, side in zip(shape[1:], image_shape, strict=True)
    ):
        raise ValueError(
            f"`{name}` must be images of shape (n, {', '.join(map(str, image_shape))}). "
            f"Received: {name} of shape {shape}"
        )
    dtype = keras.backend.standardize_dtype(images.dtype)
    if dtype != "uint8" and "float" not in dtype:
        raise ValueError(
            f"`{name}` must be uint8, or floating point in [-1, 1]. "
            f"Received: {name} of dtype {dtype}"
        )


def warn_of_unit_range(name: str, images: np.ndarray, stacklevel: int) -> None:
    """Warn where an array of floats has no negative number, as if scaled to [0, 1].

    Args:
        name: The argument's name, for the message.
        images: NumPy array.
        stacklevel: As in `warnings.warn`: where the public method was called.
    """
    if images.dtype != np.uint8 and images.min() >= 0.0:
        warnings.warn(
            f"`{name}` holds floats without a negative number. Floats must lie in [-1, 1]: if "
            f"these lie in [0, 1], pass `2 * {name} - 1`. "
            f"Received: {name} in [{images.min():g}, {images.max():g}]",
            stacklevel=stacklevel,
        )
