"""How the mathematics of capsules is run: in a TensorFlow graph, and in float32 at least."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import is_whole
from capsgan_keras.types import Tensor


def as_floating(name: str, values: Any) -> Tensor:
    """Return `values` as a tensor; raise a `ValueError` unless they are floating-point numbers.

    Python's own numbers become Keras's default floating-point type.
    """
    own = not hasattr(values, "dtype")
    try:
        tensor = ops.convert_to_tensor(values)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be a tensor of floating-point numbers. "
            f"Received: {name} of type {type(values).__name__}"
        ) from error
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if own and dtype != "bool" and "int" in dtype:
        return ops.cast(tensor, keras.config.floatx())
    if "float" not in dtype:
        raise ValueError(
            f"`{name}` must be floating-point numbers. Received: {name} of dtype {dtype}"
        )
    return tensor


def as_vectors(name: str, values: Any, axis: int) -> Tensor:
    """Return `values` as `as_floating` does; raise a `ValueError` unless they have that axis."""
    tensor = as_floating(name, values)
    rank = len(tensor.shape)
    if rank == 0:
        raise ValueError(f"`{name}` must have an axis of components. Received: a single number")
    if not is_whole(axis) or not -rank <= axis < rank:
        raise ValueError(
            f"`axis` must be an integer from {-rank} to {rank - 1}, for {name} of shape "
            f"{tuple(tensor.shape)}. Received: axis={axis!r}"
        )
    if tensor.shape[axis] == 0:
        raise ValueError(
            f"`{name}` must have components. Received: {name} of shape {tuple(tensor.shape)}"
        )
    return tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Cast half-precision tensors to float32 and leave others as they are."""
    if keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16"):
        return ops.cast(tensor, "float32")
    return tensor


def in_graph(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function of tensors as a `tf.function` on TensorFlow, and as it is elsewhere.

    The `tf.function` takes Keras variables too, also while another one is traced, and symbolic
    tensors, with which functional models are put together.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf  # here, since on JAX the package works without TensorFlow

    compiled = tf.function(function, autograph=False)

    class TakesKeras(type(compiled)):  # type: ignore[misc]  # tf.function's class has no name
        def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
            args, kwargs = keras.tree.map_structure(_value, (args, kwargs))
            leaves = keras.tree.flatten((args, kwargs))
            if any(isinstance(leaf, keras.KerasTensor) for leaf in leaves):
                return self.python_function(*args, **kwargs)
            return super().__call__(*args, **kwargs)

    compiled.__class__ = TakesKeras
    return compiled


def _value(argument: Any) -> Any:
    return argument.value if isinstance(argument, keras.Variable) else argument
