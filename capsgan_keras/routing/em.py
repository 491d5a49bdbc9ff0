"""EM routing: each output capsule is a Gaussian, fitted to the votes that it explains."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_above_zero
from capsgan_keras.routing.agreement import check_routings
from capsgan_keras.routing.graph import as_floating, at_least_float32, in_graph
from capsgan_keras.routing.votes import check_votes, check_votes_shape
from capsgan_keras.types import Shape, Tensor

VARIANCE_FLOOR = 1e-6
"""Added to each variance: its logarithm is infinite where all votes agree."""
_SMALLEST_TOTAL = 1e-9
"""Added to the assignments that a capsule gets, by which is divided: inactive inputs have none."""


@keras.saving.register_keras_serializable(package="capsgan_keras")
class EMRouting(keras.layers.Layer):
    """Route by expectation-maximization: capsules with a pose and an activation.

    Output capsules are Gaussians over the votes `v_ij`, each with a mean and a variance for each
    component h. Input capsule i is assigned to them in shares `r_ij`, first
    `1 / num_capsule`. `routings` times, for t = 0, 1, ...:

    - M step, with the weights `w_ij = r_ij a_i`: the means `m_j^h` and the variances `s_j^h` of the
      votes under these weights, `cost_j = sum_h (beta_u_j + log(s_j^h) / 2) sum_i w_ij`, and the
      activation `a_j = sigmoid(lambda_t (beta_a_j - cost_j))` with
      `lambda_t = inverse_temperature (1 - 0.95^(t + 1))`.
    - E step, but for the last time: `r_ij = softmax_j(log a_j + log N(v_ij; m_j, s_j))`.

    The poses are the last means. 1e-6 is added to each variance. The E step is computed from
    logarithms, and the gradient flows through all iterations.

    Args:
        routings: Integer, at least 1: how many times the M step is taken. Where a capsule gets few
            votes, such as 8, networks with 2 learn more surely than with 3 (`docs/routings.md`).
        inverse_temperature: Positive number. The authors' 0.01 fits layers with many votes, since
            costs are sums over them. With few votes all activations stay near a half then.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: votes `(batch, num_capsule, num_input_capsules, dim_capsule)` and activations
    `(batch, num_input_capsules)` in [0, 1], floating-point numbers.

    Output shape: the list of poses `(batch, num_capsule, dim_capsule)` and activations
    `(batch, num_capsule)` in (0, 1), in the dtype of the votes. Computed in float32 at least.

    Weights: `beta_u` and `beta_a`, each `(num_capsule,)`, which start as zeros.

    Raises:
        ValueError: On arguments out of range, or inputs of another shape, or of integers.

    Source: Hinton, Sabour, Frosst, "Matrix capsules with EM routing", ICLR 2018, procedure 1. The
    schedule of `lambda_t` is from the authors' answers on OpenReview.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.routing import EMRouting

    votes = np.random.default_rng(0).normal(size=(2, 10, 32, 16)).astype("float32")
    activations = np.full((2, 32), 0.5, "float32")
    poses, activations = EMRouting()(votes, activations)  # (2, 10, 16), (2, 10)
    ```
    """

    returns_activations = True
    uses_activations = True

    def __init__(self, routings: int = 3, inverse_temperature: float = 0.01, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        check_routings(routings)
        check_above_zero(inverse_temperature=inverse_temperature)
        self.routings = int(routings)
        self.inverse_temperature = float(inverse_temperature)

    def build(self, votes_shape: Shape) -> None:
        """Create both costs of activation."""
        check_votes_shape("votes", votes_shape)
        shape = votes_shape[1:2]
        self.beta_u = self.add_weight(
            name="beta_u", shape=shape, initializer="zeros", autocast=False
        )
        self.beta_a = self.add_weight(
            name="beta_a", shape=shape, initializer="zeros", autocast=False
        )

    def call(self, votes: Tensor, activations: Tensor) -> list[Tensor]:
        """Return poses and activations of the capsules that get `votes`."""
        return self._routed(votes, activations)[:2]

    def couplings(self, votes: Tensor, activations: Tensor) -> Tensor:
        """Return the shares `r_ij` of the last M step; arguments as of a call."""
        return self._routed(votes, activations)[2]

    def _routed(self, votes: Tensor, activations: Tensor) -> list[Tensor]:
        votes = check_votes("votes", votes)
        activations = as_floating("activations", activations)
        expected = (votes.shape[0], votes.shape[2])
        if len(activations.shape) != 2 or activations.shape[1] != expected[1]:
            raise ValueError(
                f"`activations` must have the shape (batch, {expected[1]}), one for each input "
                f"capsule. Received: activations of shape {tuple(activations.shape)}"
            )
        routed = _em(
            votes, activations, self.beta_u, self.beta_a, self.routings, self.inverse_temperature
        )
        return [ops.cast(tensor, votes.dtype) for tensor in routed]

    def compute_output_shape(self, votes_shape: Shape, activations_shape: Shape) -> list[Shape]:
        """Return the shapes of poses and activations."""
        batch, num_capsule, _, dim_capsule = votes_shape
        return [(batch, num_capsule, dim_capsule), (batch, num_capsule)]

    def initial_variance(
        self, num_input: int, input_dim: int, num_capsule: int, dim_capsule: int
    ) -> float:
        """Return the variance of kernel weights that keeps lengths; arguments as of the kernel."""
        # With independent votes of variance num_input / dim_capsule the first mean has the mean
        # squared length of the inputs. Further iterations make it about twice as long.
        return num_input / dim_capsule / (1.0 if self.routings == 1 else 4.0)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments."""
        return super().get_config() | {
            "routings": self.routings,
            "inverse_temperature": self.inverse_temperature,
        }


@in_graph
def _em(
    votes: Tensor,
    activations: Tensor,
    beta_u: Tensor,
    beta_a: Tensor,
    routings: int,
    inverse_temperature: float,
) -> tuple[Tensor, Tensor, Tensor]:
    votes = at_least_float32(votes)
    active = ops.cast(activations, votes.dtype)[:, None, :]
    beta_u, beta_a = (ops.convert_to_tensor(beta, votes.dtype) for beta in (beta_u, beta_a))
    num_capsule, dim_capsule = votes.shape[1], votes.shape[3]
    assigned = ops.ones_like(votes[..., 0]) / num_capsule
    for iteration in range(routings):
        weights = active * assigned
        total = ops.sum(weights, axis=-1)
        shares = (weights / (total[..., None] + _SMALLEST_TOTAL))[:, :, None, :]
        means = ops.matmul(shares, votes)
        squares = ops.square(votes - means)
        variances = ops.matmul(shares, squares) + VARIANCE_FLOOR
        logarithms = ops.sum(ops.log(variances), axis=(2, 3))
        cost = (dim_capsule * beta_u + logarithms / 2.0) * total
        temperature = inverse_temperature * (1.0 - 0.95 ** (iteration + 1))
        logits = temperature * (beta_a - cost)
        if iteration < routings - 1:
            # log a_j + log N(v_ij; m_j, s_j), without the terms that are alike for all capsules.
            distances = ops.squeeze(ops.matmul(squares, 1.0 / ops.swapaxes(variances, 2, 3)), -1)
            known = ops.log_sigmoid(logits) - logarithms / 2.0
            assigned = ops.softmax(known[..., None] - distances / 2.0, axis=1)
    return ops.squeeze(means, axis=2), ops.sigmoid(logits), assigned
