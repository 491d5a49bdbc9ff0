"""Precision, recall, density and coverage: samples against the neighbourhoods of real ones."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.utils import gen_batches

from capsgan_keras.checks import check_positive
from capsgan_keras.evaluation.quality.feature_distances import check_features
from capsgan_keras.evaluation.record import Record

_SAME = 1e-9  # relative; distances below are rounding errors of equal features


@dataclass(frozen=True)
class ManifoldScores(Record):
    """How generated samples lie among real ones in some feature space; see `manifold_scores`.

    Attributes:
        precision: Share of the generated samples within the neighbourhood of some real one
            (crispness, in the paper's word).
        recall: Share of the real samples within the neighbourhood of some generated one
            (diversity).
        density: In how many real neighbourhoods a generated sample lies, on average, over the
            number of neighbours; about 1 for equal distributions.
        coverage: Share of the real samples whose neighbourhood has a generated sample in it.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    n_neighbors: int


def manifold_scores(
    real: npt.ArrayLike, generated: npt.ArrayLike, n_neighbors: int = 5, block: int = 2_000
) -> ManifoldScores:
    """Compute precision, recall, density and coverage.

    A sample's neighbourhood is the closed ball that reaches its `n_neighbors`-th nearest other
    sample of the same set. Precision and recall: Kynkäänniemi et al., arXiv 1904.06991, equations
    1 and 2; density and coverage: Naeem et al., arXiv 2002.09797, equations 4 and 5.

    Args:
        real: Features of real samples, `(n, dimensions)`.
        generated: Features of generated samples, `(m, dimensions)`.
        n_neighbors: Below both n and m.
        block: Rows handled at a time; does not change the result.

    Raises:
        ValueError: If they are no features, of different dimensions, or too few.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import manifold_scores
    real = np.random.default_rng(0).normal(size=(50, 3))
    scores = manifold_scores(real, real[:20])
    print(scores.precision, scores.coverage)  # 1.0 and 1.0
    ```
    """
    real = check_features("real", real)
    generated = check_features("generated", generated, like=real)
    check_positive(n_neighbors=n_neighbors, block=block)
    if n_neighbors >= min(len(real), len(generated)):
        raise ValueError(
            f"`n_neighbors` must be smaller than both sets of samples, {len(real)} real and "
            f"{len(generated)} generated. Received: n_neighbors={n_neighbors}"
        )
    real_radii = _radii(real, n_neighbors, block)
    generated_radii = _radii(generated, n_neighbors, block)

    balls_around_generated = []  # for each generated sample, the real balls that it lies in
    covered = np.zeros(len(real), bool)
    recalled = np.zeros(len(real), bool)
    for rows in gen_batches(len(generated), block):
        distances = _squared_distances(generated[rows], real)
        in_real_ball = distances <= real_radii
        balls_around_generated.append(in_real_ball.sum(axis=1))
        covered |= in_real_ball.any(axis=0)
        recalled |= (distances <= generated_radii[rows, np.newaxis]).any(axis=0)
    balls = np.concatenate(balls_around_generated)
    return ManifoldScores(
        precision=float((balls > 0).mean()),
        recall=float(recalled.mean()),
        density=float(balls.mean() / n_neighbors),
        coverage=float(covered.mean()),
        n_neighbors=n_neighbors,
    )


def _radii(samples: np.ndarray, n_neighbors: int, block: int) -> np.ndarray:
    """Return the squared distance of each sample to its n-th nearest other sample."""
    radii = []
    for rows in gen_batches(len(samples), block):
        distances = _squared_distances(samples[rows], samples)
        # The sample itself is the nearest, at distance 0.
        radii.append(np.partition(distances, n_neighbors, axis=1)[:, n_neighbors])
    return np.concatenate(radii)


def _squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x_norms, y_norms = (np.einsum("ij,ij->i", z, z) for z in (x, y))
    scale = np.add.outer(x_norms, y_norms)
    distances = scale - 2 * (x @ y.T)
    # Without this, copies of a sample would lie outside its ball of radius 0.
    distances[distances < _SAME * scale] = 0.0
    return distances
