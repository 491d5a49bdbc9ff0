"""The first batch of whatever Keras trains on, looked at before a weight moves."""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from capsgan_keras.checks import is_array
from capsgan_keras.gan.labels import LabelRange
from capsgan_keras.gan.later_batches import (
    CheckedBatches,
    checked_dataset,
    checked_iterator,
    same_kind,
)

Check = Callable[[str, np.ndarray], None]


def check_batches(
    name: str,
    data: Any,
    form: str,
    check: Check,
    check_later: Check,
    bound: float,
    labels: LabelRange | None = None,
) -> Any:
    """Check the first batch of what `fit`, `evaluate` or `predict` is given, and later ones later.

    A dataset or a `PyDataset` gives its first batch once more when training begins. A generator
    cannot, so that the batch is put back in front of it.

    Later batches are checked when Keras asks for them. Those of a loader and of a
    `tf.distribute.DistributedDataset` are not: Keras takes these by their class.

    Args:
        name: The argument's name, for messages.
        data: An array or a tensor of any backend, which is checked whole. Or a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, a generator or another iterator, or a
            loader of batches. A batch is an array, or a tuple whose first item is one.
        form: What a batch must be, for messages: "images of shape (n, 28, 28, 1)".
        check: Called with the name and the batch; it raises an error where the batch is wrong.
        check_later: The same for later batches.
        bound: Numbers of no larger size are good in later batches of a `tf.data.Dataset`.
        labels: What labels must be, which batches then must have; None where they are not used.

    Returns:
        `data`, or what gives the same batches and checks each.

    Raises:
        ValueError: Where `data` is none of these, has no batch, or has a wrong one.
    """
    if is_array(data):
        check(name, to_array(name, data, form))
        return data
    for spec in keras.tree.flatten(getattr(data, "element_spec", None))[:1]:
        if getattr(getattr(spec, "shape", None), "rank", 0) is None:
            raise ValueError(
                f"`{name}` must give batches of {form}: set their shape with `tf.ensure_shape`. "
                f"Received: {name} with batches of unknown rank"
            )
    if isinstance(data, keras.utils.PyDataset):
        batches = (data[index] for index in range(int(data.num_batches != 0)))
    elif isinstance(data, (str, bytes, dict, list, tuple)) or not hasattr(data, "__iter__"):
        raise _wrong_form(name, data, form)
    else:
        batches = iter(data)
    first = next(batches, None)
    if first is None:
        raise ValueError(
            f"`{name}` must give at least one batch of {form}. "
            f"Received: {name} of type {type(data).__name__}, without a batch"
        )
    if type(data).__name__ == "DataLoader" and is_array(first):
        # Keras would take each image of a batch for an argument of its own.
        raise ValueError(
            f"`{name}`, being a DataLoader, must give tuples (images,) or (images, labels). "
            f"Received: a batch of type {type(first).__name__}"
        )
    array = to_array(name, _inputs(name, first, form), form)
    check(name, array)
    if labels is not None:
        labels.check_batch(name, first, len(array))
    # Of the first only the dtype is kept. A `partial` goes to other processes, a closure does not.
    look = functools.partial(_look, name, form, check_later, array[:0], labels)
    if isinstance(data, keras.utils.PyDataset):
        return CheckedBatches(data, look)
    if isinstance(data, Iterator):
        checked = checked_iterator(itertools.chain([first], batches), look)
        # Of generators Keras takes only those of tuples.
        return (
            batch if isinstance(batch, tuple) else (_inputs(name, batch, form),)
            for batch in checked
        )
    if hasattr(data, "element_spec") and hasattr(data, "map"):
        return checked_dataset(data, look, bound, labels)
    return data


def _look(
    name: str,
    form: str,
    check: Check,
    first: np.ndarray,
    labels: LabelRange | None,
    batch: Any,
) -> None:
    array = to_array(name, _inputs(name, batch, form), form)
    same_kind(name, first, array)
    check(name, array)
    if labels is not None:
        labels.check_batch(name, batch, len(array))


def to_array(name: str, value: Any, form: str, datasets: bool = True) -> np.ndarray:
    """Return an array, a tensor or a list of arrays of one shape as a NumPy array.

    Args:
        name: The argument's name, for messages.
        value: What was given.
        form: What it must be, for messages.
        datasets: Whether the argument may also be a dataset, for messages.

    Raises:
        ValueError: Where it cannot be one; the message names the form that is expected.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise _wrong_form(name, value, form, datasets) from error
    if array.dtype.kind in "OUSV" and "float" not in array.dtype.name:  # not a bfloat16, a "V"
        raise _wrong_form(name, value, form, datasets)
    return array


def refuse_weights(**weights: Any) -> None:
    """Raise a `ValueError` that names the first argument that is not None."""
    for name, value in weights.items():
        if value is not None:
            raise ValueError(
                "A GAN takes no sample weights and no class weights. "
                f"Received: {name} of type {type(value).__name__}"
            )


def _inputs(name: str, batch: Any, form: str) -> Any:
    """Return the images of a batch; labels beside them are not used."""
    if type(batch).__name__ == "PerReplica":  # of a distributed dataset
        batch = batch.values[0]
    inputs = batch
    if isinstance(batch, (tuple, list)) and 1 <= len(batch) <= 3:
        inputs, _, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        refuse_weights(sample_weight=sample_weight)
    if not is_array(inputs):
        raise _wrong_form(name, batch, form)
    return inputs


def _wrong_form(name: str, value: Any, form: str, datasets: bool = True) -> ValueError:
    others = ", or a dataset or generator of such batches. Batch a dataset, and stack"
    alone = ", not a dataset. Stack"
    return ValueError(
        f"`{name}` must be a batch of {form} as one array or tensor{others if datasets else alone} "
        f"a list of arrays with `numpy.stack`. Received: {name} of type {type(value).__name__}"
    )
