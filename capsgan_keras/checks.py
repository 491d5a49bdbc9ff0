"""Checks of arguments that layers and models share."""

import math
from collections.abc import Hashable, Iterable
from numbers import Integral, Real
from typing import Any

from capsgan_keras.types import Shape


def check_capsules(layer: Any, input_shape: Shape) -> None:
    """Raise a `ValueError` unless `input_shape` is `(batch, num_capsules, dim_capsule)`."""
    if len(input_shape) != 3:
        raise ValueError(
            f"{type(layer).__name__} expects capsules of shape (batch, num_capsules, "
            f"dim_capsule). Received: input_shape={tuple(input_shape)}"
        )


def check_images_rank(layer: Any, input_shape: Shape) -> None:
    """Raise a `ValueError` unless `input_shape` is `(batch, height, width, channels)`."""
    if len(input_shape) != 4:
        raise ValueError(
            f"{type(layer).__name__} expects images (batch, height, width, channels). "
            f"Received: input_shape={tuple(input_shape)}"
        )


def is_whole(value: Any) -> bool:
    """Return whether `value` is an integer of Python or NumPy; a bool is not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Return whether `value` is a finite number of Python or NumPy; a bool is not."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def is_array(value: Any) -> bool:
    """Return whether `value` is an array or a tensor, of whatever library."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def check_positive(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is not a positive integer."""
    for name, value in arguments.items():
        if not is_whole(value) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")


def check_whole(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is no whole number of at least 0."""
    for name, value in arguments.items():
        if not is_whole(value) or value < 0:
            raise ValueError(
                f"`{name}` must be a whole number of at least 0. Received: {name}={value!r}"
            )


def check_seed(seed: Any) -> int | None:
    """Return `seed` as an int or None; raise a `ValueError` where it is neither or negative."""
    if seed is None:
        return None
    if not is_whole(seed) or seed < 0:
        raise ValueError(
            f"`seed` must be an integer of at least 0, or None. Received: seed={seed!r}"
        )
    return int(seed)


def check_filters(filters: Any, count: int | None = None, name: str = "filters") -> tuple[int, ...]:
    """Return `filters`, a positive integer or several, as a tuple of ints.

    Args:
        filters: What was given.
        count: How many there must be; None for one or more.
        name: The argument's name, for the message.

    Raises:
        ValueError: Where `filters` is something else.
    """
    given = (filters,) if is_whole(filters) else filters
    wanted = "one or more positive integers" if count is None else f"{count} positive integers"
    good = isinstance(given, (tuple, list)) and len(given) > 0
    good = good and all(is_whole(n) and n > 0 for n in given)
    if not good or count not in (None, len(given)):
        raise ValueError(f"`{name}` must be {wanted}. Received: {name}={filters!r}")
    return tuple(map(int, given))


def check_share(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is not a number in [0, 1)."""
    for name, value in arguments.items():
        if not is_finite(value) or not 0.0 <= value < 1.0:
            raise ValueError(f"`{name}` must be a number in [0, 1). Received: {name}={value!r}")


def check_unit(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is not a number in [0, 1]."""
    for name, value in arguments.items():
        if not is_finite(value) or not 0.0 <= value <= 1.0:
            raise ValueError(f"`{name}` must be a number in [0, 1]. Received: {name}={value!r}")


def check_finite(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is not a finite number."""
    for name, value in arguments.items():
        if not is_finite(value):
            raise ValueError(f"`{name}` must be a finite number. Received: {name}={value!r}")


def check_not_negative(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is not a finite number from 0 on."""
    check_finite(**arguments)
    for name, value in arguments.items():
        if value < 0:
            raise ValueError(f"`{name}` must be at least 0. Received: {name}={value!r}")


def check_above_zero(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is not a finite number above 0."""
    check_finite(**arguments)
    for name, value in arguments.items():
        if value <= 0:
            raise ValueError(f"`{name}` must be above 0. Received: {name}={value!r}")


def check_pair(name: str, value: Any) -> tuple[int, int]:
    """Return a positive integer, or two of them, as two; raise a `ValueError` on others."""
    pair = (value, value) if is_whole(value) else value
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(map(is_whole, pair)):
        pair = (0, 0)
    if min(pair) < 1:
        raise ValueError(
            f"`{name}` must be a positive integer, or two of them. Received: {name}={value!r}"
        )
    return int(pair[0]), int(pair[1])


def check_bool(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is neither True nor False."""
    for name, value in arguments.items():
        if not isinstance(value, bool):
            raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}")


def check_kind(kind: type | tuple[type, ...], wanted: str, **arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is of no such class.

    Args:
        kind: The class, or several.
        wanted: What it must be, for the message.
        **arguments: What was given.
    """
    for name, value in arguments.items():
        if not isinstance(value, kind):
            raise ValueError(
                f"`{name}` must be {wanted}. Received: {name} of type {type(value).__name__}"
            )


def check_callable(**arguments: Any) -> None:
    """Raise a `ValueError` that names the first argument that is neither a function nor None."""
    for name, value in arguments.items():
        if value is not None and not callable(value):
            raise ValueError(f"`{name}` must be a function, or None. Received: {name}={value!r}")


def check_kernel_size(
    kernel_size: Any, image_shape: tuple[int, ...], name: str = "kernel_size"
) -> None:
    """Raise a `ValueError` unless a kernel's side is positive, and no larger than the image."""
    largest = min(side for side in image_shape[:2] if side is not None)
    if not is_whole(kernel_size) or not 1 <= kernel_size <= largest:
        raise ValueError(
            f"`{name}` must be an integer from 1 to the image's smaller side, {largest}. "
            f"Received: {name}={kernel_size!r}"
        )


def check_latent_categories(latent_categories: Any, latent_dim: int) -> None:
    """Raise a `ValueError` unless `latent_categories` is 0 or from 2 to `latent_dim`."""
    value = latent_categories
    if not is_whole(value) or (value != 0 and not 2 <= value <= latent_dim):
        raise ValueError(
            "`latent_categories` must be 0, or a whole number from 2 to `latent_dim`. "
            f"Received: latent_categories={value!r}, latent_dim={latent_dim}"
        )


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise a `ValueError` unless `value` is one of `choices`."""
    if not isinstance(value, Hashable) or value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {allowed}. Received: {name}={value!r}")


def check_each(name: str, values: Any, choices: Iterable[Any], count: int) -> None:
    """Raise a `ValueError` unless `values` are `count` of the `choices`, in a tuple or list."""
    good = isinstance(values, (tuple, list)) and len(values) == count
    if not good or any(not is_whole(value) or value not in choices for value in values):
        allowed = " or ".join(map(repr, choices))
        raise ValueError(
            f"`{name}` must be {count} numbers, each {allowed}. Received: {name}={values!r}"
        )


def check_image_shape(image_shape: Any) -> tuple[int, int, int]:
    """Return `image_shape` as a tuple; raise a `ValueError` where no network here can make it."""
    shape = tuple(image_shape) if isinstance(image_shape, (tuple, list)) else ()
    fits = (
        len(shape) == 3
        and all(map(is_whole, shape))
        and all(side >= 16 and side % 4 == 0 for side in shape[:2])
        and shape[2] in (1, 2, 3, 4)
    )
    if not fits:
        raise ValueError(
            "`image_shape` must be (height, width, channels) with sides that are multiples of 4 "
            f"and at least 16, and 1 to 4 channels. Received: image_shape={image_shape!r}"
        )
    height, width, channels = map(int, shape)
    return height, width, channels
