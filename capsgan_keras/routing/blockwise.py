"""Routing by agreement without holding the predictions.

The predictions `u_hat_ij = W_ij^T u_i` of Sabour et al. are a tensor of batch x input capsules x
output capsules x dimension. At 1152 -> 10 x 16 it is 20 times the input, and every iteration
reads it twice. Routing needs only two things of the predictions, and `u` and `W` give both:

- The logits are the summed agreements with the outputs of all earlier iterations,
  `b_ij = u_hat_ij . V_j` with `V_j` the sum of those outputs. This is `u_i . (W_ij V_j)`.
- The weighted sum is `s_j = sum_i W_ij^T (c_ij u_i)`.

Both are products with `W`, and the softmax of one input capsule needs no other input capsule. So
an iteration takes the input capsules in blocks that fit in the processor's cache, and adds up
`s_j`, as blockwise attention does with keys and values. The gradient computes each block again:
only the couplings are kept. `docs/design.md` has the times.

Other backends than TensorFlow compute the predictions. JAX's compiler forms blocks of its own:
there, predictions took half the memory and less time than these blocks, and compiled much faster.
"""

from collections.abc import Callable, Sequence

import keras
from keras import ops

from capsgan_keras.checks import check_bool
from capsgan_keras.routing.agreement import check_routings, dynamic_routing, squash
from capsgan_keras.routing.graph import at_least_float32, in_graph
from capsgan_keras.routing.votes import DenseVotes, linear_votes
from capsgan_keras.types import Tensor

BLOCK = 655_360
"""Numbers in a block: output capsules x input capsules x input components x batch; 2.6 MB in
float32. Smaller blocks cost more calls, larger ones more memory traffic."""
MOST_BLOCKS = 32
"""The largest number of blocks: building the graph takes time for each of them."""
UNKNOWN_BATCH = 32
"""The batch that is assumed where a graph is built for any batch. At 128 this is a tenth slower
than blocks made for 128; from 8 on it is as fast as routing without blocks."""


@in_graph
def route_inputs(
    inputs: Tensor,
    kernel: Tensor,
    routings: int = 3,
    leaky: bool = False,
    bias: Tensor | None = None,
    stop_gradients: bool = False,
    positions: int = 1,
) -> Tensor:
    """Route linear predictions by agreement, from the inputs and the weights.

    Apart from rounding, the value and the gradients are those of `dynamic_routing` on the
    predictions `einsum("bid,idjk->bjik", inputs, kernel)`. On TensorFlow the predictions are never
    held and this is a `tf.function`; on other backends they are, and go to `dynamic_routing`.

    Args:
        inputs: Floating-point tensor of shape `(batch, num_input_capsules, input_dim)`, all but
            the batch known.
        kernel: Tensor of shape `(num_input_capsules, input_dim, num_capsule, dim_capsule)` and
            the same dtype.
        routings: Python integer, at least 1: how many times the couplings are computed.
        leaky: Whether the softmax has one more category with a logit of zero.
        bias: Optional tensor of shape `(num_capsule, dim_capsule)`, added before squashing.
        stop_gradients: Whether the couplings count as constants in the gradient.
        positions: Python integer: how many rows of the batch one sample makes.

    Returns:
        Tensor of shape `(batch, num_capsule, dim_capsule)` in the dtype of `inputs`. Computed in
        float32, or float64 for float64 inputs.

    Raises:
        ValueError: If `routings` is not an integer of at least 1, or an option is neither True
            nor False.
    """
    check_routings(routings)
    check_bool(leaky=leaky, stop_gradients=stop_gradients)
    inputs = ops.convert_to_tensor(inputs)
    num_input, input_dim, num_capsule, dim_capsule = kernel.shape
    components = num_input * input_dim
    capsules, weights = at_least_float32(inputs), at_least_float32(kernel)
    if keras.backend.backend() != "tensorflow":
        predictions = linear_votes(capsules, weights)
        routed = dynamic_routing(predictions, routings, leaky, bias, stop_gradients)
        return ops.cast(routed, inputs.dtype)
    if bias is not None:
        bias = ops.cast(bias, capsules.dtype)[..., None]

    def output(sums: Tensor) -> Tensor:
        return squash(sums if bias is None else sums + bias, axis=1)

    # Zero logits share each vote out evenly: the first couplings need no softmax.
    product = ops.matmul(
        ops.transpose(ops.reshape(weights, (components, num_capsule * dim_capsule))),
        ops.transpose(ops.reshape(capsules, (-1, components))),
    )
    sums = ops.reshape(product, (num_capsule, dim_capsule, -1))
    outputs = output(sums / (num_capsule + 1 if leaky else num_capsule))
    if routings > 1:
        blocks = _blocks(capsules, weights, positions)
        one_iteration = _iteration(leaky, stop_gradients)
        total = 0.0
        for _ in range(1, routings):
            total = total + (ops.stop_gradient(outputs) if stop_gradients else outputs)
            outputs = output(one_iteration(total, *blocks))
    return ops.cast(ops.transpose(outputs, (2, 0, 1)), inputs.dtype)


class BlockwiseVotes:
    """Linear votes that are not held: what `DenseVotes` has, from the inputs and the weights.

    Args:
        inputs: As in `route_inputs`, float32 or float64.
        kernel: As in `route_inputs`, of the same dtype.
        positions: As in `route_inputs`.
    """

    def __init__(self, inputs: Tensor, kernel: Tensor, positions: int = 1) -> None:
        self.inputs = inputs
        self.kernel = kernel
        self.blocks = _blocks(inputs, kernel, positions)

    def total(self, weights: Tensor | None = None) -> Tensor:
        """Return the sums over the input capsules, as `DenseVotes.total` does."""
        num_input, input_dim, num_capsule, dim_capsule = self.kernel.shape
        kernel = self.kernel
        if weights is not None:
            kernel = kernel * ops.transpose(weights, (1, 2, 0))[..., None]
        product = ops.matmul(
            ops.reshape(self.inputs, (-1, num_input * input_dim)),
            ops.reshape(kernel, (num_input * input_dim, num_capsule * dim_capsule)),
        )
        return ops.reshape(product, (-1, num_capsule, dim_capsule))

    def attend(self, query: Tensor) -> Tensor:
        """Return the weighted sums, as `DenseVotes.attend` does."""
        attend = _iteration(leaky=False, stop_gradients=False)
        return ops.transpose(attend(ops.transpose(query, (1, 2, 0)), *self.blocks), (2, 0, 1))


def votes_of(inputs: Tensor, kernel: Tensor, positions: int = 1) -> BlockwiseVotes | DenseVotes:
    """Return the linear votes in the form that suits the backend; arguments of `BlockwiseVotes`."""
    if keras.backend.backend() == "tensorflow":
        return BlockwiseVotes(inputs, kernel, positions)
    return DenseVotes(linear_votes(inputs, kernel))


def _blocks(capsules: Tensor, weights: Tensor, positions: int = 1) -> tuple[Tensor, ...]:
    """Cut inputs and weights along the input capsules; the batch comes last.

    Returns:
        The inputs' blocks, each `(input_dim, size * batch)`, then the weights' blocks, each
        `(num_capsule, input_dim * size, dim_capsule)`.
    """
    num_input, input_dim, num_capsule, dim_capsule = weights.shape
    numbers = num_input * input_dim * num_capsule * (capsules.shape[0] or UNKNOWN_BATCH * positions)
    n_blocks = min(num_input, MOST_BLOCKS, max(1, round(numbers / BLOCK)))
    bounds = [num_input * index // n_blocks for index in range(1, n_blocks)]

    def cut(tensor: Tensor, axis: int) -> list[Tensor]:
        return ops.split(tensor, bounds, axis=axis) if bounds else [tensor]

    capsules = cut(ops.transpose(capsules, (2, 1, 0)), axis=1)
    weights = cut(ops.transpose(weights, (2, 1, 0, 3)), axis=2)
    return (
        *(ops.reshape(block, (input_dim, -1)) for block in capsules),
        *(ops.reshape(block, (num_capsule, -1, dim_capsule)) for block in weights),
    )


def _iteration(leaky: bool, stop_gradients: bool) -> Callable[..., Tensor]:
    """Return a function that turns summed outputs `V` into the next weighted sums `s`.

    Its arguments are `V`, `(num_capsule, dim_capsule, batch)`, and all blocks; it returns the
    shape of `V`. The gradient is written out below, because a differentiated forward pass would
    keep everything that a block computes.
    """

    @ops.custom_gradient
    def iteration(total, *blocks):
        half = len(blocks) // 2
        pairs = list(zip(blocks[:half], blocks[half:], strict=True))
        couplings, parts = zip(*(_forward(total, *pair, leaky) for pair in pairs), strict=True)

        def gradient(*args, upstream=None):
            (change,) = args or (upstream,)
            changes = [
                _backward(total, change, *pair, coupling, stop_gradients)
                for pair, coupling in zip(pairs, couplings, strict=True)
            ]
            totals, capsules, weights = zip(*changes, strict=True)
            return _sum(totals), *capsules, *weights

        return _sum(parts), gradient

    return iteration


def _forward(total, capsules, weights, leaky):
    """Return a block's couplings, `(num_capsule, 1, size * batch)`, and its part of the sums."""
    logits = ops.sum(_project(weights, total, capsules) * capsules, axis=1, keepdims=True)
    highest = ops.max(logits, axis=0, keepdims=True)
    if leaky:
        highest = ops.maximum(highest, 0.0)
    shares = ops.exp(logits - highest)
    total_share = ops.sum(shares, axis=0, keepdims=True)
    if leaky:
        total_share = total_share + ops.exp(-highest)
    couplings = shares / total_share
    return couplings, _weighted_sum(weights, couplings * capsules)


def _backward(total, change, capsules, weights, couplings, stop_gradients):
    """Return a block's gradients with respect to `V`, its inputs and its weights.

    Args:
        total: `V`.
        change: The gradient of the sums `s`, in their shape.
        capsules: The block of inputs.
        weights: The block of weights.
        couplings: As `_forward` returned them.
        stop_gradients: Whether the couplings are constants.
    """
    if stop_gradients:  # constants in the gradient's own gradient too
        couplings = ops.stop_gradient(couplings)
    by_sums = _project(weights, change, capsules)
    weighted = couplings * capsules
    to_capsules = couplings * by_sums
    to_weights = _outer(weighted, change, weights)
    if stop_gradients:
        return ops.zeros_like(total), ops.sum(to_capsules, axis=0), to_weights
    slopes = couplings * ops.sum(by_sums * capsules, axis=1, keepdims=True)
    to_logits = slopes - couplings * ops.sum(slopes, axis=0, keepdims=True)
    weighted = to_logits * capsules
    to_capsules = to_capsules + to_logits * _project(weights, total, capsules)
    return (
        _weighted_sum(weights, weighted),
        ops.sum(to_capsules, axis=0),
        to_weights + _outer(weighted, total, weights),
    )


def _project(weights: Tensor, outputs: Tensor, capsules: Tensor) -> Tensor:
    """Return `W_ij v_j` for all pairs: `(num_capsule, input_dim, size * batch)`."""
    return ops.reshape(ops.matmul(weights, outputs), (weights.shape[0], capsules.shape[0], -1))


def _weighted_sum(weights: Tensor, weighted: Tensor) -> Tensor:
    """Return `sum_i W_ij^T x_ij`: `(num_capsule, dim_capsule, batch)`."""
    return ops.matmul(ops.swapaxes(weights, 1, 2), ops.reshape(weighted, (*weights.shape[:2], -1)))


def _outer(weighted: Tensor, outputs: Tensor, weights: Tensor) -> Tensor:
    """Return `x_ij v_j^T`, summed over the batch, in the shape of a block of weights."""
    flat = ops.reshape(weighted, (*weights.shape[:2], -1))
    return ops.matmul(flat, ops.swapaxes(outputs, 1, 2))


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
