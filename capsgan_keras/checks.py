"""Checks of arguments that layers and models share."""


def check_capsules(layer, input_shape):
    """Raise a `ValueError` unless `input_shape` is `(batch, num_capsules, dim_capsule)`."""
    if len(input_shape) != 3:
        raise ValueError(
            f"{type(layer).__name__} expects capsules of shape (batch, num_capsules, "
            f"dim_capsule). Received: input_shape={tuple(input_shape)}"
        )


def check_positive(**arguments):
    """Raise a `ValueError` that names the first argument that is not a positive integer."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")


def check_choice(name, value, choices):
    """Raise a `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {allowed}. Received: {name}={value!r}")


def check_image_shape(image_shape):
    """Return `image_shape` as a tuple; raise a `ValueError` where no network here can make it."""
    shape = tuple(image_shape)
    fits = (
        len(shape) == 3
        and all(isinstance(side, int) and side >= 16 and side % 4 == 0 for side in shape[:2])
        and shape[2] in (1, 2, 3, 4)
    )
    if not fits:
        raise ValueError(
            "`image_shape` must be (height, width, channels) with sides that are multiples of 4 "
            f"and at least 16, and 1 to 4 channels. Received: image_shape={image_shape!r}"
        )
    return shape
