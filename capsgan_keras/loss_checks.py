"""Which losses can tell real from generated images, and what name they were given by."""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from capsgan_keras.checks import check_callable

Loss: TypeAlias = "keras.losses.Loss | Callable"
OF_CATEGORIES = (
    keras.losses.categorical_crossentropy,
    keras.losses.categorical_focal_crossentropy,
    keras.losses.categorical_generalized_cross_entropy,
    keras.losses.cosine_similarity,
    keras.losses.kl_divergence,
)
"""Losses that compare the outputs of one sample: of a single output they are constant."""
_OF_INTEGERS = (
    keras.losses.circle,
    keras.losses.ctc,
    keras.losses.sparse_categorical_crossentropy,
)
"""Losses whose targets are not 0 and 1 beside each output."""


def is_of_categories(loss: Loss) -> bool:
    """Return whether a loss says nothing of one output alone."""
    return _function(loss) in OF_CATEGORIES


def checked_loss(loss: Any, units: int = 2) -> Loss:
    """Return a loss as an object or a function; raise a `ValueError` where a GAN cannot use it.

    Args:
        loss: A Keras loss, its name, or a function `(y_true, y_pred)`.
        units: The discriminator's outputs, 1 or 2.
    """
    wanted = "`loss` must be a Keras loss, its name, or a function (y_true, y_pred)"
    try:
        found = keras.losses.get(loss)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{wanted}. Received: loss={loss!r}") from error
    if found is None or isinstance(found, type) or not callable(found):
        raise ValueError(f"{wanted}. Received: loss={loss!r}")
    check_callable(**{"loss.generator_loss": getattr(found, "generator_loss", None)})
    if _function(found) in _OF_INTEGERS:
        raise ValueError(
            "`loss` must take targets 0 and 1 beside each output, and not integers for classes. "
            f"Received: loss={loss!r}"
        )
    if units == 1 and is_of_categories(found):
        raise ValueError(
            "`loss` must say something of one output, such as 'binary_crossentropy': this one "
            f"compares several, and is constant for one. Received: loss={loss!r}"
        )
    return found


def _function(loss: Loss) -> Any:
    return getattr(loss, "fn", loss)  # Keras's classes keep theirs
