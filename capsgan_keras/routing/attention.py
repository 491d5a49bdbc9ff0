"""Routings that are attention: couplings from the agreement of votes with one query a capsule.

Both weigh votes by `softmax_j(vote_ij . query_j)`. No tensor of input x input capsules is made.
"""

import math
from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_above_zero
from capsgan_keras.routing.agreement import check_routings, vector_length
from capsgan_keras.routing.blockwise import BlockwiseVotes, votes_of
from capsgan_keras.routing.graph import as_floating, at_least_float32, in_graph
from capsgan_keras.routing.votes import DenseVotes, check_votes, check_votes_shape
from capsgan_keras.types import Shape, Tensor

Votes = DenseVotes | BlockwiseVotes


def exponential_squash(vectors: Tensor, axis: int = -1) -> Tensor:
    """Shrink vectors to lengths in [0, 1) and keep their directions: `(1 - exp(-|s|)) s / |s|`.

    Unlike `squash` it leaves short vectors as they are, so its slope at zero is 1.

    Args:
        vectors: Floating-point tensor of any shape.
        axis: Axis that runs over the components of each vector.

    Returns:
        Tensor of the shape and dtype of `vectors`, computed in float32 at least.

    Source: Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: capsule network with self-attention
    routing", Scientific Reports 11, 2021 (arXiv 2101.12491).

    Example:

    ```python
    from capsgan_keras.routing import exponential_squash

    exponential_squash([[3.0, 4.0]])  # [[0.596, 0.795]]: of length 1 - exp(-5)
    ```
    """
    vectors = as_floating("vectors", vectors)
    single = at_least_float32(vectors)
    lengths = ops.expand_dims(vector_length(single, axis=axis), axis)
    half = ops.tanh(lengths / 2)  # 1 - exp(-x), exact near 0, of operations that ONNX has
    return ops.cast(single * (2 * half / ((1 + half) * lengths)), vectors.dtype)


class _AttentionRouting(keras.layers.Layer):
    """From votes alone to capsules; the weights are read as they are stored."""

    returns_activations = False
    uses_activations = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)

    def compute_output_shape(self, votes_shape: Shape) -> Shape:
        """Return `(batch, num_capsule, dim_capsule)`."""
        return votes_shape[0], votes_shape[1], votes_shape[3]


@keras.saving.register_keras_serializable(package="capsgan_keras")
class SelfAttentionRouting(_AttentionRouting):
    """Route by self-attention among the votes for one capsule, without iterations.

    With the votes `v_ij` and the learned prior `b_ij`:

    `c_ij = softmax_j(v_ij . sum_k v_kj / sqrt(dim_capsule))`

    `capsule_j = exponential_squash(sum_i (c_ij + b_ij) v_ij)`

    Called as `route(votes, activations)`; activations are not used.

    Args:
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, num_capsule, num_input_capsules, dim_capsule)`, floating-point numbers.

    Output shape: `(batch, num_capsule, dim_capsule)`, lengths in [0, 1), in the dtype of the
    votes. Computed in float32 at least.

    Weights: the prior, `(num_capsule, num_input_capsules, 1)`, which starts as zeros.

    Raises:
        ValueError: On votes of another shape, or of integers.

    Source: Mazzia et al. 2021 (arXiv 2101.12491), and their released code.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.routing import SelfAttentionRouting

    votes = np.random.default_rng(0).normal(size=(2, 10, 32, 16)).astype("float32")
    capsules = SelfAttentionRouting()(votes)  # (2, 10, 16)
    ```
    """

    def build(self, votes_shape: Shape) -> None:
        """Create the prior."""
        check_votes_shape("votes", votes_shape)
        _, num_capsule, num_input, _ = votes_shape
        self.prior = self.add_weight(
            name="prior", shape=(num_capsule, num_input, 1), initializer="zeros", autocast=False
        )

    def call(self, votes: Tensor, activations: Tensor | None = None) -> Tensor:
        """Return the capsules that get `votes`."""
        return _route_votes_by_self_attention(check_votes("votes", votes), self.prior)

    def route_inputs(self, inputs: Tensor, kernel: Tensor, positions: int = 1) -> Tensor:
        """Return the capsules that get linear votes; arguments of `votes_of`."""
        return _route_inputs_by_self_attention(inputs, kernel, self.prior, positions)

    def couplings(self, votes: Tensor, activations: Tensor | None = None) -> Tensor:
        """Return `c_ij + b_ij`, by which votes are weighed; arguments as of a call."""
        votes = DenseVotes(votes)
        total = votes.total()
        prior = ops.convert_to_tensor(self.prior, total.dtype)[..., 0]
        return votes.couplings(total / math.sqrt(total.shape[-1])) + prior

    @staticmethod
    def initial_variance(
        num_input: int, input_dim: int, num_capsule: int, dim_capsule: int
    ) -> float:
        """Return the variance of kernel weights that keeps lengths; arguments as of the kernel."""
        # As in `length_keeping_variance`, with a gain of 1: this squash leaves short vectors as
        # they are. A gain of 2 lets one capsule win all images, with a length near 1, where the
        # squash has no slope.
        return num_capsule**2 / (num_input * dim_capsule)


@in_graph
def _route_votes_by_self_attention(votes: Tensor, prior: Tensor) -> Tensor:
    return ops.cast(_self_attention(DenseVotes(at_least_float32(votes)), prior), votes.dtype)


@in_graph
def _route_inputs_by_self_attention(
    inputs: Tensor, kernel: Tensor, prior: Tensor, positions: int
) -> Tensor:
    return _self_attention(votes_of(inputs, kernel, positions), prior)


def _self_attention(votes: Votes, prior: Tensor) -> Tensor:
    total = votes.total()
    attended = votes.attend(total / math.sqrt(total.shape[-1]))
    return exponential_squash(attended + votes.total(ops.convert_to_tensor(prior, total.dtype)))


@keras.saving.register_keras_serializable(package="capsgan_keras")
class InvertedDotProductRouting(_AttentionRouting):
    """Route by inverted dot-product attention: poses that are normalized, not squashed.

    With the votes `v_ij`, from couplings `r_ij = 1 / num_capsule`, `routings` times:

    `p_j = LayerNorm(sum_i r_ij v_ij)`, and for the next time `r_ij = softmax_j(v_ij . p_j)`.

    Lengths are about `sqrt(dim_capsule)` whatever the image shows, so they are no probabilities.
    Read the poses by a dense layer that all capsules share, as the authors do. Called as
    `route(votes, activations)`; activations are not used.

    Args:
        routings: Integer, at least 1: how many times the poses are computed.
        epsilon: Positive number, added to the variance in layer normalization.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, num_capsule, num_input_capsules, dim_capsule)`, floating-point numbers.

    Output shape: `(batch, num_capsule, dim_capsule)`, in the dtype of the votes. Computed in
    float32 at least.

    Weights: `scale` and `offset` of the layer normalization, each `(dim_capsule,)`, which start as
    ones and zeros.

    Raises:
        ValueError: On arguments out of range, or votes of another shape, or of integers.

    Source: Tsai, Srivastava, Goh, Salakhutdinov, "Capsules with Inverted Dot-Product Attention
    Routing", ICLR 2020 (arXiv 2002.04764), procedure 1. Their released code also divides the
    agreements by `sqrt(dim_capsule)`.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.routing import InvertedDotProductRouting

    votes = np.random.default_rng(0).normal(size=(2, 10, 32, 16)).astype("float32")
    poses = InvertedDotProductRouting(routings=2)(votes)  # (2, 10, 16)
    ```
    """

    def __init__(self, routings: int = 3, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_routings(routings)
        check_above_zero(epsilon=epsilon)
        self.routings = int(routings)
        self.epsilon = float(epsilon)

    def build(self, votes_shape: Shape) -> None:
        """Create the weights of the layer normalization."""
        check_votes_shape("votes", votes_shape)
        shape = votes_shape[-1:]
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones", autocast=False)
        self.offset = self.add_weight(
            name="offset", shape=shape, initializer="zeros", autocast=False
        )

    def call(self, votes: Tensor, activations: Tensor | None = None) -> Tensor:
        """Return the poses that get `votes`."""
        options = self.scale, self.offset, self.routings, self.epsilon
        return _route_votes_by_dot_product(check_votes("votes", votes), *options)

    def route_inputs(self, inputs: Tensor, kernel: Tensor, positions: int = 1) -> Tensor:
        """Return the poses that get linear votes; arguments of `votes_of`."""
        options = self.scale, self.offset, self.routings, self.epsilon
        return _route_inputs_by_dot_product(inputs, kernel, positions, *options)

    def couplings(self, votes: Tensor, activations: Tensor | None = None) -> Tensor:
        """Return the couplings of the last iteration; arguments as of a call."""
        if self.routings == 1:
            return ops.ones_like(votes[..., 0]) / votes.shape[1]
        votes = DenseVotes(votes)
        poses = _dot_product(votes, self.scale, self.offset, self.routings - 1, self.epsilon)
        return votes.couplings(poses)

    @staticmethod
    def initial_variance(
        num_input: int, input_dim: int, num_capsule: int, dim_capsule: int
    ) -> float:
        """Return the variance of kernel weights in the authors' code; arguments as of the kernel.

        Layer normalization keeps lengths whatever it is. It sets the size of the first agreements.
        """
        return num_capsule / (input_dim * num_input)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments."""
        return super().get_config() | {"routings": self.routings, "epsilon": self.epsilon}


@in_graph
def _route_votes_by_dot_product(votes: Tensor, *options: Any) -> Tensor:
    return ops.cast(_dot_product(DenseVotes(at_least_float32(votes)), *options), votes.dtype)


@in_graph
def _route_inputs_by_dot_product(
    inputs: Tensor, kernel: Tensor, positions: int, *options: Any
) -> Tensor:
    return _dot_product(votes_of(inputs, kernel, positions), *options)


def _dot_product(
    votes: Votes, scale: Tensor, offset: Tensor, routings: int, epsilon: float
) -> Tensor:
    def normalized(sums: Tensor) -> Tensor:
        weights = (ops.convert_to_tensor(weight, sums.dtype) for weight in (scale, offset))
        return ops.layer_normalization(sums, *weights, axis=-1, epsilon=epsilon)

    sums = votes.total()
    poses = normalized(sums / sums.shape[1])
    for _ in range(1, routings):
        poses = normalized(votes.attend(poses))
    return poses
