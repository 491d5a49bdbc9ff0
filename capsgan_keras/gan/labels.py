"""The classes of images, as `fit`, `generate` and `discriminate` take them."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_whole, is_array, is_whole
from capsgan_keras.types import Tensor


@dataclass(frozen=True)
class LabelRange:
    """The labels that a model takes.

    Args:
        num_classes: Positive integer: labels are below it.
        smallest: The smallest label.
    """

    num_classes: int
    smallest: int = 0

    @property
    def words(self) -> str:
        """What labels must be, for messages."""
        return f"integer classes from {self.smallest} to {self.num_classes - 1}, of shape (n,)"

    def check(self, name: str, labels: Any, n: int | None = None) -> np.ndarray:
        """Return labels as an int32 array `(n,)`.

        Args:
            name: The argument's name, for messages.
            labels: Array or tensor of integers `(n,)` or `(n, 1)`.
            n: How many there must be; None for any number.

        Raises:
            ValueError: On anything else.
        """
        if not is_array(labels) and not isinstance(labels, (list, tuple, range)):
            raise ValueError(
                f"`{name}` must be {self.words}, one for each image. "
                f"Received: {name} of type {type(labels).__name__}"
            )
        array = np.asarray(labels)
        flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        if flat.ndim != 1 or flat.dtype.kind not in "iu" or (n is not None and len(flat) != n):
            wanted = "" if n is None else f", n = {n}"
            one_hot = array.ndim == 2 and array.shape[1] == self.num_classes
            hint = ". Of one-hot rows pass `argmax(axis=-1)`" if one_hot else ""
            raise ValueError(
                f"`{name}` must be {self.words}{wanted}{hint}. "
                f"Received: {name} of shape {array.shape}, dtype {array.dtype}"
            )
        if len(flat) and not (flat.min() >= self.smallest and flat.max() < self.num_classes):
            raise ValueError(
                f"`{name}` must be {self.words}. Received: {name} from {flat.min()} to {flat.max()}"
            )
        return flat.astype("int32")

    def check_batch(self, name: str, batch: Any, n: int) -> None:
        """Raise a `ValueError` unless a batch holds a label for each of its `n` images.

        Args:
            name: The name of the argument that gives batches.
            batch: What it gave.
            n: Number of images in it.
        """
        if not isinstance(batch, (tuple, list)) or len(batch) < 2 or batch[1] is None:
            raise ValueError(
                f"`{name}` must give batches (images, labels), the labels {self.words}. "
                f"Received: {name} with a batch without labels"
            )
        self.check(f"{name}[1]", batch[1], n)


def check_num_classes(num_classes: Any, latent_dim: int) -> None:
    """Raise a `ValueError` unless `num_classes` is None or from 2 to `latent_dim`."""
    if num_classes is None:
        return
    known = is_whole(num_classes) and is_whole(latent_dim)
    if not (known and 2 <= num_classes <= latent_dim):
        raise ValueError(
            "`num_classes` must be None, or a whole number from 2 to `latent_dim`, whose last "
            f"components choose the class. Received: num_classes={num_classes!r}, "
            f"latent_dim={latent_dim}"
        )


def wanted_labels(labels: Any, n: int, num_classes: int | None) -> np.ndarray | None:
    """Return the classes that `generate` is asked for, int32 `(n,)`; None for any.

    Args:
        labels: What `generate` was given: one class for all images, one for each, or None.
        n: Number of images.
        num_classes: That of the model.

    Raises:
        ValueError: On other labels, and on any where the model has no classes.
    """
    if labels is None:
        return None
    if num_classes is None:
        raise ValueError(
            "`labels` are for a GAN with classes: make it with `num_classes`. "
            f"Received: labels of type {type(labels).__name__}, num_classes=None"
        )
    if np.ndim(labels) == 0:
        check_whole(labels=labels)
        labels = np.full(n, labels)
    return LabelRange(num_classes).check("labels", labels, n)


def with_classes(latents: np.ndarray, labels: np.ndarray | None, num_classes: int) -> np.ndarray:
    """Return latents whose last components choose the classes; those of None as they are."""
    if labels is None:
        return latents
    chosen = np.eye(num_classes, dtype=latents.dtype)[labels]
    return np.concatenate([latents[:, :-num_classes], chosen], axis=1)


def classes_of(latents: Tensor, num_classes: int) -> Tensor:
    """Return the classes that latents choose by their last components, int32 `(batch,)`."""
    return ops.cast(ops.argmax(latents[:, -num_classes:], axis=-1), "int32")


def labels_of_batch(data: Any) -> Tensor:
    """Return the labels of what Keras gives a train step, int32 `(batch,)`."""
    _, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
    if labels is None:
        raise ValueError(
            "A GAN with classes needs batches (images, labels). Received: a batch without labels"
        )
    return ops.reshape(ops.cast(labels, "int32"), (-1,))
