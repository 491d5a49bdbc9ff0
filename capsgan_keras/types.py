"""Types that the package's hints share."""

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # data sets are read without Keras
    import keras

Tensor = Any
"""A tensor of the Keras backend in use, or an array that Keras turns into one.

Each backend has a class of its own, so that there is none to name here. Where only NumPy arrays
are taken or returned, hints say `np.ndarray`.
"""

Shape = tuple[int | None, ...]
"""A tensor's shape; None stands for a size that is not known yet, such as the batch's."""

DType: TypeAlias = "str | keras.DTypePolicy | None"
"""A dtype policy or its name; None stands for Keras's global policy."""

History = dict[str, list[float]]
"""The logs of training, one number for each epoch, as `keras.callbacks.History.history`."""
