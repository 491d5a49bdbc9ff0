"""Every batch after the first, looked at when Keras asks for it."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from capsgan_keras.gan.labels import LabelRange

Look = Callable[[Any], None]


class CheckedBatches(keras.utils.PyDataset):
    """A `PyDataset` whose batches are looked at one by one.

    Args:
        batches: The `PyDataset`.
        look: Called with each batch; it raises an error where the batch is wrong.
    """

    def __init__(self, batches: keras.utils.PyDataset, look: Look) -> None:
        super().__init__(batches.workers, batches.use_multiprocessing, batches.max_queue_size)
        self.batches = batches
        self.look = look

    @property
    def num_batches(self) -> int | None:
        """Number of batches, as the `PyDataset` says."""
        return self.batches.num_batches

    def __getitem__(self, index: int) -> Any:
        """Return the batch at `index`."""
        batch = self.batches[index]
        self.look(batch)
        return batch

    def on_epoch_begin(self) -> None:
        """Hand it on."""
        self.batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Hand it on."""
        self.batches.on_epoch_end()


def checked_iterator(batches: Iterable[Any], look: Look) -> Iterator[Any]:
    """Yield the batches, each after a look at it."""
    for batch in batches:
        look(batch)
        yield batch


def checked_dataset(
    dataset: Any, look: Look, bound: float, labels: LabelRange | None = None
) -> Any:
    """Return a `tf.data.Dataset` whose batches are looked at within its graph.

    Its shapes and its dtype are the same in all batches, so that only values are left. Images that
    are integers are not looked at. Python is called for a batch beyond the bound alone, since it
    would cost more than the comparison does.

    Args:
        dataset: The dataset.
        look: As above.
        bound: Numbers of no larger size need no look.
        labels: What labels must be; None where they are not used.
    """
    import tensorflow as tf  # here, since on JAX the package works without TensorFlow

    spec = keras.tree.flatten(dataset.element_spec)[0]
    if not spec.dtype.is_floating and labels is None:
        return dataset

    def refuse(*batch: Any) -> None:
        look(batch if labels is not None else batch[0])

    def checked(*batch: Any) -> Any:
        images, *others = batch
        # In half precision the bound may be infinite.
        sizes = tf.abs(tf.cast(images, tf.float32))
        good = not spec.dtype.is_floating or tf.reduce_all(sizes <= bound)
        seen = [images]
        if labels is not None:
            classes = others[0]
            inside = (classes >= labels.smallest) & (classes < labels.num_classes)
            good, seen = good & tf.reduce_all(inside), [images, classes]
        looked = tf.cond(good, tf.no_op, lambda: tf.py_function(refuse, seen, []))
        with tf.control_dependencies([looked]):
            images = tf.identity(images)
        return (images, *others) if isinstance(dataset.element_spec, tuple) else images

    return dataset.map(checked)


@contextlib.contextmanager
def refusals_by_name() -> Iterator[None]:
    """Raise the `ValueError` of a look, where TensorFlow raises an error of its own for it."""
    try:
        yield
    except Exception as error:
        # TensorFlow keeps only the text of an error that Python raised in its threads.
        found = re.search(r"ValueError: (`[\w\[\]]+` must .*Received: .*)", str(error))
        if isinstance(error, ValueError) or found is None:
            raise
        raise ValueError(found[1]) from error


def same_kind(name: str, first: np.ndarray, batch: np.ndarray) -> None:
    """Raise a `ValueError` where one of two batches holds uint8 and the other does not.

    TensorFlow would cast the later one to the dtype of the first.
    """
    if (first.dtype == np.uint8) != (batch.dtype == np.uint8):
        raise ValueError(
            f"`{name}` must give batches of one dtype, all uint8 or all floating point. "
            f"Received: {name} with a batch of {batch.dtype} after one of {first.dtype}"
        )
