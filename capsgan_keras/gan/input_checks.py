"""Checks of what a GAN is given: its two networks, and the images of `fit` and `discriminate`."""

import functools
import math
import sys
import warnings
from typing import Any

import keras
import numpy as np

from capsgan_keras.checks import check_positive, check_share, check_whole, is_array
from capsgan_keras.gan.first_batch import check_batches, refuse_weights
from capsgan_keras.gan.labels import LabelRange
from capsgan_keras.training import devices_per_batch
from capsgan_keras.types import Shape, Tensor


def check_players(
    generator: keras.Model, discriminator: keras.Model, beside: Shape | None = None
) -> None:
    """Raise a `ValueError` unless both are built networks that fit each other.

    Args:
        generator: What the GAN was given.
        discriminator: Likewise.
        beside: Shape, without the batch, of what the discriminator takes beside images: `()` for
            labels. None where it takes images alone.
    """
    _check_network("generator", generator)
    _check_network("discriminator", discriminator, one_input=beside is None)
    images = tuple(generator.output_shape[1:])
    if len(generator.input_shape) != 2 or len(images) != 3 or None in images:
        raise ValueError(
            "`generator` must map latents (batch, latent_dim) to images (batch, height, width, "
            f"channels). Received: a generator from {generator.input_shape} to "
            f"{generator.output_shape}"
        )
    if beside is not None:
        _check_two_inputs(discriminator, images, tuple(beside))
    elif tuple(discriminator.input_shape[1:]) != images:
        raise ValueError(
            f"`discriminator` must take the generator's images of shape {images}. "
            f"Received: a discriminator of images of shape {discriminator.input_shape[1:]}"
        )
    if len(discriminator.output_shape) != 2 or discriminator.output_shape[1] not in (1, 2):
        raise ValueError(
            "`discriminator` must give outputs of shape (batch, 1) or (batch, 2). "
            f"Received: {discriminator.output_shape}"
        )


def check_encoder(encoder: keras.Model, generator: keras.Model) -> None:
    """Raise a `ValueError` unless an encoder turns a generator's images into its latents."""
    _check_network("encoder", encoder)
    _check_network("generator", generator)
    images, codes = generator.output_shape[1:], generator.input_shape[1:]
    if (encoder.input_shape[1:], encoder.output_shape[1:]) != (images, codes):
        raise ValueError(
            f"`encoder` must turn the generator's images of shape {images} into codes of the shape "
            f"of its latents, {codes}. Received: an encoder from {encoder.input_shape} to "
            f"{encoder.output_shape}"
        )


def _check_network(name: str, player: keras.Model, one_input: bool = True) -> None:
    if not isinstance(player, keras.Model):
        raise ValueError(f"`{name}` must be a keras.Model. Received: {name}={player!r}")
    if not player.built or getattr(player, "inputs", None) is None:
        raise ValueError(
            f"`{name}` must have a known input shape: build it from `keras.Input`. "
            f"Received: {name}={player!r}"
        )
    if one_input and not _takes_and_gives_one_tensor(player):
        raise ValueError(
            f"`{name}` must have one input and one output, a tensor and not a dictionary or "
            f"list. Received: a {name} from {player.input_shape} to {player.output_shape}"
        )


def _check_two_inputs(discriminator: keras.Model, images: Shape, beside: Shape) -> None:
    inputs = discriminator.inputs if isinstance(discriminator.input, (list, tuple)) else []
    if [tuple(each.shape[1:]) for each in inputs] != [images, beside]:
        what = "labels" if beside == () else "codes"
        raise ValueError(
            f"`discriminator` must take the list [images, {what}], shapes (batch, "
            f"{', '.join(map(str, images))}) and (batch, {', '.join(map(str, beside))}), and give "
            f"one tensor. Received: a discriminator from {discriminator.input_shape} to "
            f"{discriminator.output_shape}"
        )


def _takes_and_gives_one_tensor(player: keras.Model) -> bool:
    if isinstance(player, keras.Sequential):  # it has no structure of several
        return True
    one_input = len(player.inputs) == 1 and not isinstance(player.input, dict)
    return one_input and isinstance(player.output, keras.KerasTensor)


def check_latents(latents: Tensor, latent_dim: int) -> None:
    """Raise a `ValueError` unless latent vectors are floats with `latent_dim` components."""
    if latents.shape[-1] not in (None, latent_dim):
        raise ValueError(
            f"`latents` must have {latent_dim} components, shape (batch, {latent_dim}). "
            f"Received: shape {tuple(latents.shape)}"
        )
    dtype = keras.backend.standardize_dtype(latents.dtype)
    if "float" not in dtype:
        raise ValueError(
            "`latents` must be floating point, from a standard normal distribution. "
            f"Received: latents of dtype {dtype}"
        )


def check_latent_batch(latents: np.ndarray, latent_dim: int) -> None:
    """Raise a `ValueError` unless `latents` are finite floats `(n, latent_dim)`."""
    if latents.ndim != 2:
        raise ValueError(
            f"`latents` must have shape (n, {latent_dim}). Received: shape {latents.shape}"
        )
    check_latents(latents, latent_dim)
    if not np.isfinite(latents).all():
        raise ValueError("`latents` must be finite numbers. Received: latents with NaN or infinity")


def checked_images(
    name: str, data: Any, image_shape: Shape, labels: LabelRange | None = None
) -> Any:
    """Check batches of images, as `check_batches` does; return its `data`.

    Args:
        name: The argument's name, for messages.
        data: What `GAN.fit` takes as images.
        image_shape: `(height, width, channels)` expected of each image.
        labels: What labels in batches must be; None where they are not used.

    Raises:
        ValueError: On images of another shape, dtype or range, or data of another form.

    Warns:
        UserWarning: On floats without a negative number in the first batch.
    """
    return check_batches(
        name,
        data,
        images_form(image_shape),
        functools.partial(check_images, image_shape=image_shape),
        functools.partial(check_uint8_or_scaled, image_shape=image_shape),
        bound=1.0,
        labels=labels,
    )


def checked_pair(
    name: str, x: Any, y: Any, image_shape: Shape, labels: LabelRange | None, of_y: str = "y"
) -> tuple[Any, Any]:
    """Check images and what is given as their labels; return both, labels as int32 `(n,)`.

    Args:
        name: The images' argument, for messages.
        x: What `GAN.fit` takes as images.
        y: What it takes as their labels.
        image_shape: `(height, width, channels)` expected of each image.
        labels: What labels must be; None where they are not used, and refused.
        of_y: The labels' argument, for messages.

    Raises:
        ValueError: As `checked_images`; on labels where they are not used, or come in batches, and
            on missing ones.
    """
    if labels is None or not is_array(x):
        refuse_labels(of_y, y, used=labels is not None)
        return checked_images(name, x, image_shape, labels), None
    x = checked_images(name, x, image_shape)
    return x, labels.check(of_y, y, len(x))


def checked_validation_data(
    validation_data: Any, image_shape: Shape, labels: LabelRange | None = None
) -> Any:
    """Do as `checked_pair` with images that may be the first item of a tuple.

    Raises:
        ValueError: Also on weights of samples beside arrays of images.
    """
    name = "validation_data"
    if not isinstance(validation_data, (tuple, list)):
        if labels is not None and is_array(validation_data):
            validation_data = (validation_data,)
        else:
            return checked_images(name, validation_data, image_shape, labels)
    if not 1 <= len(validation_data) <= 3:
        return checked_images(name, list(validation_data), image_shape, labels)
    images, classes, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
    refuse_weights(sample_weight=weights)
    pair = checked_pair(name, images, classes, image_shape, labels, f"{name}[1]")
    return pair[0] if pair[1] is None else pair


def checked_latents(latents: Any, latent_dim: int) -> Any:
    """Check batches of latents, as `check_batches` does; return its `data`.

    Raises:
        ValueError: Unless they are finite floats `(n, latent_dim)`.
    """
    form = f"latents of shape (n, {latent_dim})"
    check = functools.partial(_check_named_latents, latent_dim=latent_dim)
    return check_batches("latents", latents, form, check, check, bound=1e30)


def _check_named_latents(name: str, latents: np.ndarray, latent_dim: int) -> None:
    del name
    check_latent_batch(latents, latent_dim)


def check_one_batch(
    images: Any, image_shape: Shape, y: Any = None, labels: LabelRange | None = None
) -> Any:
    """Check what `train_on_batch` or `test_on_batch` is given; return the labels.

    Raises:
        ValueError: As `checked_images`, and on datasets and generators of batches.
    """
    if not is_array(images):
        raise ValueError(
            f"`x` must be one batch of {images_form(image_shape)}, as an array or a tensor. "
            f"Received: x of type {type(images).__name__}"
        )
    return checked_pair("x", images, y, image_shape, labels)[1]


def refuse_labels(name: str, y: Any, used: bool = False) -> None:
    """Raise a `ValueError` unless `y` is None, in a model that has no use for it, or has."""
    if y is not None and used:
        raise ValueError(
            "Labels must be in the batches, as (images, labels), where the images come in batches. "
            f"Received: {name} of type {type(y).__name__}"
        )
    if y is not None:
        raise ValueError(
            "A GAN without `num_classes` learns from images alone: pass no labels. "
            f"Received: {name} of type {type(y).__name__}"
        )


def check_fit_numbers(
    batch_size: int | None, epochs: int, validation_split: float, options: dict[str, Any]
) -> None:
    """Check the numbers that `GAN.fit` and `GAN.evaluate` take, and refuse weights.

    Args:
        batch_size: What the method was given.
        epochs: Likewise.
        validation_split: Likewise.
        options: Its other keyword arguments.

    Raises:
        ValueError: On a number out of range, on weights of samples or classes.
    """
    refuse_weights(**{key: options.get(key) for key in ("sample_weight", "class_weight")})
    counts = ("steps_per_epoch", "validation_steps", "validation_batch_size", "steps")
    check_steps(batch_size=batch_size, **{key: options.get(key) for key in counts})
    check_share(validation_split=validation_split)
    check_whole(epochs=epochs, initial_epoch=options.get("initial_epoch", 0))
    frequency = options.get("validation_freq", 1)
    if isinstance(frequency, (list, tuple, set)):  # the epochs themselves
        check_positive(**{"validation_freq": 0} if not frequency else {})
        for epoch in frequency:
            check_positive(validation_freq=epoch)
    else:
        check_positive(validation_freq=frequency)


def check_steps(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is no positive integer or None."""
    check_positive(**{name: value for name, value in arguments.items() if value is not None})


def check_shared_batches(
    gan: keras.Model, x: Any, batch_size: int | None, validation_split: float = 0.0
) -> None:
    """Raise a `ValueError` unless the devices can share each batch of an array of images.

    Else the batch would be refused in the middle of an epoch.
    """
    if devices_per_batch(gan) == 1 or not is_array(x):
        return
    batch_size = batch_size or 32  # as in Keras
    train_size = math.floor(len(x) * (1.0 - validation_split))
    for n in {train_size, len(x) - train_size}:
        for size in {min(n, batch_size), n % batch_size} - {0}:
            gan.check_batch_size(size)


def images_form(image_shape: Shape) -> str:
    """Return in words what a batch of images must be."""
    return f"images of shape (n, {', '.join(map(str, image_shape))})"


def check_images(name: str, images: np.ndarray, image_shape: Shape) -> None:
    """Check a NumPy array of images for shape, dtype and range.

    Args:
        name: The argument's name, for messages.
        images: NumPy array.
        image_shape: `(height, width, channels)` expected of each image.

    Raises:
        ValueError: Unless they are uint8, or floats scaled to [-1, 1].

    Warns:
        UserWarning: On floats without a negative number, as if scaled to [0, 1].
    """
    check_uint8_or_scaled(name, images, image_shape)
    if images.dtype != np.uint8 and images.min() >= 0.0:
        warnings.warn(
            f"`{name}` holds floats without a negative number. Floats must lie in [-1, 1]: if "
            f"these lie in [0, 1], pass `2 * {name} - 1`. "
            f"Received: {name} in [{images.min():g}, {images.max():g}]",
            stacklevel=_level_of_caller(),
        )


def _level_of_caller() -> int:
    """Return the `stacklevel` with which a warning points to the first line outside of the package.

    It is meant for the function that calls this one.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("capsgan_keras."):
        frame, level = frame.f_back, level + 1
    return level


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
        single = shape == tuple(image_shape)
        advice = ": batch the dataset, or pass a single image as `image[None]`" if single else ""
        raise ValueError(
            f"`{name}` must be {images_form(image_shape)}{advice}. "
            f"Received: {name} of shape {shape}"
        )
    dtype = keras.backend.standardize_dtype(images.dtype)
    if dtype != "uint8" and "float" not in dtype:
        raise ValueError(
            f"`{name}` must be uint8, or floating point in [-1, 1]. "
            f"Received: {name} of dtype {dtype}"
        )
