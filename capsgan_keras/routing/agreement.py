"""The mathematics of capsules: squashing, lengths and routing by agreement.

Source: S. Sabour, N. Frosst, G. E. Hinton, "Dynamic Routing Between Capsules", 2017 (arXiv
1710.09829), called Sabour et al. below. Half-precision inputs are computed in float32.
"""

from keras import ops

from capsgan_keras.checks import check_bool, is_whole
from capsgan_keras.routing.graph import as_floating, as_vectors, at_least_float32, in_graph
from capsgan_keras.routing.votes import check_votes, softmax_of_outputs
from capsgan_keras.types import Tensor

EPSILON = 1e-12
"""Added to squared lengths inside the square root: its slope at zero is infinite without it."""
_LARGE = 1e9
"""Components beyond this are scaled: their squares and cubes come near float32's range."""


def squash(vectors: Tensor, axis: int = -1) -> Tensor:
    """Shrink vectors to lengths in [0, 1) and keep their directions (Sabour et al., equation 1).

    `v = s |s| / (1 + |s|^2)`. Values and gradients are finite at the zero vector, where the
    slope is zero.

    Args:
        vectors: Floating-point tensor of any shape.
        axis: Axis that runs over the components of each vector.

    Returns:
        Tensor of the shape and dtype of `vectors`.

    Raises:
        ValueError: On other numbers, or where there is no such axis.

    Example:

    ```python
    from capsgan_keras.routing import squash

    squash([[3.0, 4.0]])  # [[0.577, 0.769]]: of length 25 / 26, in the same direction
    ```
    """
    vectors = as_vectors("vectors", vectors, axis)
    single, size = _without_overflow(at_least_float32(vectors), axis)
    squared = ops.sum(ops.square(single), axis=axis, keepdims=True)
    # With s = m t and m the size: |s|^2 / (1 + |s|^2) = |t|^2 / (1 / m^2 + |t|^2).
    scale = squared / ((ops.square(1.0 / size) + squared) * ops.sqrt(squared + EPSILON))
    return ops.cast(single * scale, vectors.dtype)


def vector_length(vectors: Tensor, axis: int = -1) -> Tensor:
    """Return Euclidean lengths, with a finite gradient at the zero vector.

    Args:
        vectors: Floating-point tensor of any shape.
        axis: Axis that runs over the components of each vector.

    Returns:
        Tensor of the shape of `vectors` without `axis`; float32, or float64 for float64 input.
        The length of a zero vector comes out as 1e-6.

    Raises:
        ValueError: On other numbers, or where there is no such axis.

    Example:

    ```python
    from capsgan_keras.routing import vector_length

    vector_length([[3.0, 4.0], [0.0, 1.0]])  # [5.0, 1.0]
    ```
    """
    vectors = as_vectors("vectors", vectors, axis)
    single, size = _without_overflow(at_least_float32(vectors), axis)
    lengths = ops.sqrt(ops.sum(ops.square(single), axis=axis) + EPSILON)
    return lengths * ops.squeeze(size, axis=axis)


def _without_overflow(vectors: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return `vectors / m` and m: 1, or where a component is above `_LARGE` a 16th of the largest.

    Results do not depend on m, which therefore counts as a constant in the gradient. Vectors of
    ordinary size stay as they are, bit for bit.
    """
    largest = ops.max(ops.abs(vectors), axis=axis, keepdims=True)
    # A 16th, because XLA takes 1 / m, which would be subnormal and so 0 for the largest floats.
    scale = ops.where(largest > _LARGE, largest / 16.0, ops.ones_like(largest))
    scale = ops.stop_gradient(scale)
    return vectors / scale, scale


@in_graph
def dynamic_routing(
    predictions: Tensor,
    routings: int = 3,
    leaky: bool = False,
    bias: Tensor | None = None,
    stop_gradients: bool = False,
) -> Tensor:
    """Route by agreement (Sabour et al., procedure 1).

    The coupling coefficients are a softmax over the OUTPUT capsules, starting from zero logits,
    so each input capsule shares its vote out among them. With one output capsule and without
    `leaky` every coupling is 1 and the result is `squash(sum_i predictions_i)` whatever
    `routings` is. On the TensorFlow backend this is a `tf.function`.

    Args:
        predictions: Floating-point tensor of shape
            `(batch, num_capsule, num_input_capsules, dim_capsule)`: what input capsule i predicts
            for output capsule j.
        routings: Python integer, at least 1: how many times the couplings are computed.
        leaky: Whether the softmax has one more category with a logit of zero. Input capsules
            that fit nowhere ("orphans") can be routed to it, as in the released code of Sabour
            et al.
        bias: Optional tensor or variable of shape `(num_capsule, dim_capsule)`, added before
            squashing.
        stop_gradients: Whether the couplings count as constants in the gradient. By default
            gradients flow through all iterations.

    Returns:
        Tensor of shape `(batch, num_capsule, dim_capsule)` in the dtype of `predictions`: vectors
        with lengths in [0, 1).

    Raises:
        ValueError: If `routings` is not an integer of at least 1, `predictions` has not four
            dimensions, `bias` does not fit them, or an option is neither True nor False.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.routing import dynamic_routing

    predictions = np.random.default_rng(0).normal(size=(2, 10, 32, 16)).astype("float32")
    capsules = dynamic_routing(predictions, routings=3)  # (2, 10, 16)
    ```
    """
    check_routings(routings)
    check_bool(leaky=leaky, stop_gradients=stop_gradients)
    predictions = check_votes("predictions", predictions)
    if bias is not None:
        bias = as_floating("bias", bias)
        if tuple(bias.shape) != (predictions.shape[1], predictions.shape[3]):
            raise ValueError(
                "`bias` must have the shape (num_capsule, dim_capsule), here "
                f"{(predictions.shape[1], predictions.shape[3])}. "
                f"Received: bias of shape {tuple(bias.shape)}"
            )
    votes = at_least_float32(predictions)
    num_capsule = predictions.shape[1]

    # Zero logits share each vote out evenly: the first couplings need no softmax.
    sums = ops.sum(votes, axis=2) / (num_capsule + 1 if leaky else num_capsule)
    capsules = _squash_with_bias(sums, bias)
    logits = 0.0
    for iteration in range(1, routings):
        last = iteration == routings - 1
        known = ops.stop_gradient(votes) if stop_gradients else votes
        if stop_gradients:
            capsules = ops.stop_gradient(capsules)
        agreement = ops.squeeze(ops.matmul(known, capsules[..., None]), axis=-1)
        logits = logits + agreement
        couplings = softmax_of_outputs(logits, leaky)
        weighted = votes if last or not stop_gradients else known
        sums = ops.squeeze(ops.matmul(couplings[:, :, None, :], weighted), axis=2)
        capsules = _squash_with_bias(sums, bias)
    return ops.cast(capsules, predictions.dtype)


def check_routings(routings: int) -> None:
    """Raise a `ValueError` unless `routings` is an integer of at least 1."""
    if not is_whole(routings) or routings < 1:
        raise ValueError(f"`routings` must be an integer of at least 1. Received: {routings=}")


def _squash_with_bias(sums: Tensor, bias: Tensor | None) -> Tensor:
    return squash(sums if bias is None else sums + ops.cast(bias, sums.dtype))
