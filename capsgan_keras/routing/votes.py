"""Votes: what each input capsule predicts for each output capsule.

A routing gets them as one tensor, `(batch, num_capsule, num_input_capsules, dim_capsule)`. Some
need only two things of them, and take those from anything that has both methods of `DenseVotes`.
"""

from typing import Any

from keras import ops

from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor


def check_votes(name: str, votes: Any) -> Tensor:
    """Return `votes` as a tensor; raise a `ValueError` unless they are floats of four dimensions.

    Args:
        name: The argument's name, for the message.
        votes: What was given.
    """
    votes = as_floating(name, votes)
    check_votes_shape(name, votes.shape)
    return votes


def check_votes_shape(name: str, shape: Shape) -> None:
    """Raise a `ValueError` unless a shape has the four dimensions of votes."""
    if len(shape) != 4:
        raise ValueError(
            f"`{name}` must have the shape (batch, num_capsule, num_input_capsules, "
            f"dim_capsule). Received: {name} of shape {tuple(shape)}"
        )


def linear_votes(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Return `W_ij^T u_i` for all pairs.

    Args:
        inputs: Tensor of shape `(batch, num_input_capsules, input_dim)`.
        kernel: Tensor of shape `(num_input_capsules, input_dim, num_capsule, dim_capsule)`.
    """
    return ops.einsum("bid,idjk->bjik", inputs, kernel)


def matrix_votes(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Return the products `M_i W_ij` of square matrices, flattened by rows, for all pairs.

    Args:
        inputs: Tensor of shape `(batch, num_input_capsules, side * side)`.
        kernel: Tensor of shape `(num_input_capsules, side, num_capsule, side)`.
    """
    num_input, side, num_capsule, _ = kernel.shape
    matrices = ops.reshape(inputs, (-1, num_input, side, side))
    products = ops.einsum("birk,ikjc->bjirc", matrices, kernel)
    return ops.reshape(products, (-1, num_capsule, num_input, side * side))


class DenseVotes:
    """Votes held as one tensor, float32 or float64.

    Args:
        votes: Tensor of shape `(batch, num_capsule, num_input_capsules, dim_capsule)`.
    """

    def __init__(self, votes: Tensor) -> None:
        self.votes = votes

    def total(self, weights: Tensor | None = None) -> Tensor:
        """Return the sums over the input capsules, `(batch, num_capsule, dim_capsule)`.

        Args:
            weights: Optional tensor `(num_capsule, num_input_capsules, 1)`, a factor of each vote.
        """
        if weights is None:
            return ops.sum(self.votes, axis=2)
        return ops.squeeze(ops.matmul(ops.transpose(weights, (0, 2, 1)), self.votes), axis=2)

    def attend(self, query: Tensor) -> Tensor:
        """Return sums weighted by `softmax_j(vote_ij . query_j)`, in the shape of `query`.

        Args:
            query: Tensor of shape `(batch, num_capsule, dim_capsule)`.
        """
        couplings = self.couplings(query)
        return ops.squeeze(ops.matmul(couplings[:, :, None, :], self.votes), axis=2)

    def couplings(self, query: Tensor, orphans: bool = False) -> Tensor:
        """Return `softmax_j(vote_ij . query_j)`, `(batch, num_capsule, num_input_capsules)`.

        Args:
            query: Tensor of shape `(batch, num_capsule, dim_capsule)`.
            orphans: Whether the softmax has one more category with a logit of zero, left out of
                what is returned.
        """
        logits = ops.squeeze(ops.matmul(self.votes, query[..., None]), axis=-1)
        return softmax_of_outputs(logits, orphans)


def softmax_of_outputs(logits: Tensor, orphans: bool) -> Tensor:
    """Take the softmax over the output capsules (axis 1), with an orphan category if `orphans`."""
    if not orphans:
        return ops.softmax(logits, axis=1) if logits.shape[1] > 1 else ops.ones_like(logits)
    zeros = ops.zeros_like(logits[:, :1])
    return ops.softmax(ops.concatenate([zeros, logits], axis=1), axis=1)[:, 1:]
