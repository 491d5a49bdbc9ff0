"""The choice of label spreading's settings on a validation split of the labelled pool."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from capsgan_keras.evaluation.label_spreading.labelled_sets import (
    LabelledImages,
    check_pool_and_test,
    draw_all,
    draw_labelled,
)
from capsgan_keras.evaluation.label_spreading.settings import N_UNLABELLED, SemiSupervisedSettings
from capsgan_keras.evaluation.label_spreading.spreading import spread_labels
from capsgan_keras.evaluation.label_spreading.training_sets import TrainingSets, Unlabelled
from capsgan_keras.evaluation.record import Record


@dataclass(frozen=True, eq=False)
class SettingsChoice(Record):
    """The best of a grid of settings, with the whole grid; see `choose_settings`.

    Attributes:
        n_neighbors: The number of neighbours chosen.
        alpha: The clamping factor chosen.
        candidates_n_neighbors: Rows of `errors`.
        candidates_alpha: Columns of `errors`.
        errors: Mean validation error over the draws, `(len(candidates_n_neighbors),
            len(candidates_alpha))`.
        n_validation: Number of validation images, taken from the pool.
    """

    n_neighbors: int
    alpha: float
    max_iter: int
    candidates_n_neighbors: tuple[int, ...]
    candidates_alpha: tuple[float, ...]
    errors: np.ndarray
    n_labelled: int
    n_validation: int
    draws: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as a dictionary that JSON can hold."""
        return super().to_dict() | {"errors": self.errors.tolist()}


def validation_size(n_pool: int) -> int:
    """Return how many of `n_pool` images `choose_settings` takes for validation by default."""
    return min(n_pool // 5, 10_000)


def choose_settings(
    unlabelled: Unlabelled,
    pool: LabelledImages,
    n_labelled: int | Sequence[int] = 1_000,
    n_neighbors: Sequence[int] = (3, 5, 7, 10, 15),
    alpha: Sequence[float] = (0.1, 0.2, 0.5, 0.8, 0.95),
    draws: int = 3,
    seed: int = 0,
    max_iter: int = 1_000,
    n_validation: int | None = None,
    n_unlabelled: int = N_UNLABELLED,
) -> SettingsChoice | tuple[SettingsChoice, ...]:
    """Choose the number of neighbours and alpha by the error on validation images.

    The validation images are a class-stratified part of the pool, so that no test image has a
    say. The neighbours are computed once for the whole grid and all numbers.

    Args:
        unlabelled: Images, None or `"pool"`, as in `semi_supervised_error`.
        pool: `(x_pool, y_pool)`.
        n_labelled: A number of labelled images, or several, each with a choice of its own.
        n_neighbors: Candidates.
        alpha: Candidates, in (0, 1).
        draws: Number of draws of the labelled images, over which the error is averaged.
        seed: Seed of the split and the draws.
        max_iter: Largest number of iterations; the larger alpha is, the more are needed.
        n_validation: Number of validation images; by default a fifth of the pool, 10,000 at most.
        n_unlabelled: Number of unlabelled images for `unlabelled="pool"`.

    Returns:
        A `SettingsChoice`, or a tuple of them where `n_labelled` names several numbers. Of equal
        errors the smaller number of neighbours, and then the smaller alpha, is chosen.

    Raises:
        ValueError: If the images or labels do not fit, or a number is out of its range.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import choose_settings
    rng = np.random.default_rng(0)
    pool = rng.random((50, 4, 4, 1)), np.arange(50) % 2
    choice = choose_settings(rng.random((30, 4, 4, 1)), pool, n_labelled=10, n_neighbors=(3, 5))
    print(choice.n_neighbors, choice.alpha, choice.errors.shape)
    ```
    """
    x_pool, y_pool, _, _ = check_pool_and_test(pool, pool)
    if n_validation is None:
        n_validation = validation_size(len(y_pool))
    if not 0 < n_validation < len(y_pool):
        raise ValueError(
            f"`n_validation` must lie between 0 and the pool's {len(y_pool)} images. "
            f"Received: n_validation={n_validation}"
        )
    counts, alphas = (sorted(np.asarray(values).tolist()) for values in (n_neighbors, alpha))
    if not counts or not alphas:
        raise ValueError(
            "`n_neighbors` and `alpha` must name at least one candidate each. "
            f"Received: n_neighbors={n_neighbors!r}, alpha={alpha!r}"
        )
    for k in counts:
        for a in alphas:
            SemiSupervisedSettings(n_neighbors=k, alpha=a)  # refuses what is out of range
    settings = SemiSupervisedSettings(
        n_labelled=tuple(np.atleast_1d(n_labelled).tolist()),
        draws=draws,
        seed=seed,
        n_neighbors=counts[-1],
        max_iter=max_iter,
    )

    split = draw_labelled(y_pool, len(y_pool), draw=draws, seed=seed)
    validation, rest = split[:n_validation], split[n_validation:]
    x_rest, y_rest = x_pool[rest], y_pool[rest]
    x_validation, y_validation = x_pool[validation], y_pool[validation]
    sets = TrainingSets(unlabelled, x_rest, x_validation, settings, n_unlabelled)

    def choose(n: int, drawn: tuple[np.ndarray, ...]) -> SettingsChoice:
        errors = np.zeros((len(counts), len(alphas)))
        for draw, labelled in enumerate(drawn):
            training, test = sets.neighbours(labelled, draw)
            for i, k in enumerate(counts):
                for j, a in enumerate(alphas):
                    spread = spread_labels(
                        training[:, :k], test[:, :k], y_rest[labelled], a, max_iter, settings.tol
                    )
                    errors[i, j] += np.mean(spread.predicted != y_validation) / draws
        i, j = divmod(int(np.argmin(errors)), len(alphas))
        return SettingsChoice(
            n_neighbors=counts[i],
            alpha=alphas[j],
            max_iter=max_iter,
            candidates_n_neighbors=tuple(counts),
            candidates_alpha=tuple(alphas),
            errors=errors,
            n_labelled=n,
            n_validation=int(n_validation),
            draws=draws,
            seed=seed,
        )

    drawn = draw_all(y_rest, settings)
    choices = tuple(map(choose, settings.n_labelled, drawn))
    return choices if np.ndim(n_labelled) else choices[0]
