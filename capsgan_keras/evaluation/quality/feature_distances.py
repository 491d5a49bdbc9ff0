"""Distances between two sets of samples, by their features."""

import numpy as np
import numpy.typing as npt
from sklearn.utils import gen_batches

from capsgan_keras.checks import check_positive
from capsgan_keras.evaluation.images import as_numbers


def check_features(
    name: str, features: npt.ArrayLike, like: np.ndarray | None = None
) -> np.ndarray:
    """Return features `(n, dimensions)` as float64; refuse single rows and what is not finite."""
    features = as_numbers(name, features)
    if features.ndim != 2 or len(features) < 2 or features.shape[1] == 0:
        raise ValueError(
            f"`{name}` must be features of shape (n, dimensions), two rows or more. "
            f"Received: {name}.shape={features.shape}"
        )
    if like is not None and features.shape[1] != like.shape[1]:
        raise ValueError(
            f"`{name}` must have {like.shape[1]} dimensions, as the other features have. "
            f"Received: {name}.shape={features.shape}"
        )
    if not np.isfinite(features).all():
        raise ValueError(f"`{name}` must be finite. Received: a NaN or an infinity in {name}")
    return features


def frechet_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Return the Fréchet distance between normal distributions fitted to two sets of features.

    `||m_a - m_b||^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))`, with means m and covariances S (Dowson
    and Landau 1982; the squared 2-Wasserstein distance). It is biased upwards for few samples, so
    compare figures of the same number of samples only.

    Args:
        a: Features `(n, dimensions)`.
        b: Features `(m, dimensions)`.

    Raises:
        ValueError: If they are no features, or of different dimensions.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import frechet_distance
    a = np.random.default_rng(0).normal(size=(100, 3))
    print(frechet_distance(a, a + [2, 0, 0]))  # 4.0, the square of the shift
    ```
    """
    a = check_features("a", a)
    b = check_features("b", b, like=a)
    mean_term = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    if max(len(a), len(b)) < a.shape[1]:
        return float(max(mean_term + _covariance_term_of_few(a, b), 0.0))
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    # (S_a S_b)^(1/2) has the eigenvalues of (R S_b R)^(1/2) with R = S_a^(1/2), which is
    # symmetric; singular covariances (dead features) are no trouble there.
    values, vectors = np.linalg.eigh(cov_a)
    root_a = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    squared = np.linalg.eigvalsh(root_a @ cov_b @ root_a)
    root_term = np.sqrt(np.maximum(squared, 0)).sum()
    return float(max(mean_term + np.trace(cov_a) + np.trace(cov_b) - 2 * root_term, 0.0))


def _covariance_term_of_few(a: np.ndarray, b: np.ndarray) -> float:
    """Return `tr(S_a + S_b - 2 (S_a S_b)^(1/2))` where there are fewer rows than dimensions.

    With `S_a = A^T A` and `S_b = B^T B` the eigenvalues of `S_a S_b` other than 0 are the squared
    singular values of `A B^T`, which has a row and a column for each sample alone.
    """
    a, b = ((x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (a, b))
    return (a**2).sum() + (b**2).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum()


def kernel_distance(a: npt.ArrayLike, b: npt.ArrayLike, block: int = 2_000) -> float:
    """Estimate the squared maximum mean discrepancy with a polynomial kernel.

    The kernel is `(x.y / dimensions + 1)^3` (Bińkowski et al., arXiv 1801.01401, section 4); the
    estimate is the U-statistic of Gretton et al. (JMLR 2012, equation 4), which leaves out the
    pairs (i, i) within each set and between the sets:
    `sum over i != j of k(a_i, a_j) + k(b_i, b_j) - k(a_i, b_j) - k(a_j, b_i)`, over `n (n - 1)`.
    It is unbiased, so that it may be slightly negative, and 0 for identical sets.

    Args:
        a: Features `(n, dimensions)`.
        b: Features `(n, dimensions)`.
        block: Rows handled at a time; does not change the result beyond rounding.

    Raises:
        ValueError: If they are no features, or of different shapes.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import kernel_distance
    a = np.random.default_rng(0).normal(size=(100, 3))
    print(kernel_distance(a, a), kernel_distance(a, a + 1))  # 0.0, and a positive number
    ```
    """
    a = check_features("a", a)
    b = check_features("b", b, like=a)
    if len(a) != len(b):
        raise ValueError(
            f"`b` must have as many rows as `a`, {len(a)}. Received: b.shape={b.shape}"
        )
    check_positive(block=block)
    n = len(a)
    total = 0.0
    for rows in gen_batches(n, block):
        within = _polynomial(a[rows], a) + _polynomial(b[rows], b)
        total += (within - _polynomial(a[rows], b) - _polynomial(b[rows], a)).sum()
    diagonal = _polynomial_diagonal(a, a) + _polynomial_diagonal(b, b)
    total -= (diagonal - 2 * _polynomial_diagonal(a, b)).sum()
    return float(total / (n * (n - 1)))


def _polynomial(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _polynomial_diagonal(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((x * y).sum(axis=1) / x.shape[1] + 1) ** 3
