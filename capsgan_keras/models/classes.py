"""Labels as an input of class-conditional discriminators."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import is_whole
from capsgan_keras.types import DType, Tensor


def check_classes(num_classes: Any, **others: tuple[Any, Any]) -> None:
    """Raise a `ValueError` unless `num_classes` is None or a whole number of at least 2.

    Args:
        num_classes: What a builder was given.
        **others: By name, what another argument is, and what it must be where there are classes.
    """
    if num_classes is not None and not (is_whole(num_classes) and num_classes >= 2):
        raise ValueError(
            "`num_classes` must be None, or a whole number of at least 2. "
            f"Received: num_classes={num_classes!r}"
        )
    for name, (value, needed) in others.items():
        if num_classes is not None and value != needed:
            raise ValueError(
                f"`{name}` must be {needed!r} with `num_classes`. "
                f"Received: {name}={value!r}, num_classes={num_classes}"
            )


def class_input() -> keras.KerasTensor:
    """Return the input of labels, int32 `(batch,)`."""
    return keras.Input((), dtype="int32", name="labels")


def class_embedding(
    dim: int, initializer: keras.initializers.Initializer, dtype: DType
) -> keras.layers.Layer:
    """Return the layer that gives each class a vector, for its one-hot code."""
    return keras.layers.Dense(
        dim, use_bias=False, kernel_initializer=initializer, dtype=dtype, name="class_embedding"
    )


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Return one-hot vectors `(batch, num_classes)`, float32."""
    return ops.one_hot(labels, num_classes, dtype="float32")
