"""The choice of label spreading's settings on a validation split of the labelled pool."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from capsgan_keras.checks import check_callable, check_choice, check_finite, check_kind, is_whole
from capsgan_keras.evaluation.images import as_array
from capsgan_keras.evaluation.label_spreading.labelled_sets import (
    LabelledImages,
    check_pool_and_test,
    draw_all,
    draw_labelled,
)
from capsgan_keras.evaluation.label_spreading.rbf import AffinitiesUnderflowError
from capsgan_keras.evaluation.label_spreading.settings import N_UNLABELLED, SemiSupervisedSettings
from capsgan_keras.evaluation.label_spreading.training_sets import TrainingSets, Unlabelled
from capsgan_keras.evaluation.record import Record

DRAWS = 3
"""Draws of the labelled images in a choice, by default."""


@dataclass(frozen=True)
class CandidateErrors(Record):
    """The errors of one candidate; see `choose_settings`.

    Attributes:
        gamma: The width of the RBF kernel; None with the other.
        alpha: The clamping factor.
        n_labelled: Numbers of labelled images.
        errors: Mean validation error over the draws, for each of them, in [0, 1]. Where affinities
            underflow, all are 1.
        n_neighbors: The number of neighbours; None with the RBF kernel.

    Raises:
        ValueError: If the numbers and errors are not equally many, one is out of its range, or not
            exactly one of `gamma` and `n_neighbors` is given.
    """

    gamma: float | None
    alpha: float
    n_labelled: tuple[int, ...]
    errors: tuple[float, ...]
    n_neighbors: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        both = {"gamma": self.gamma, "n_neighbors": self.n_neighbors}
        own: dict[str, Any] = {name: value for name, value in both.items() if value is not None}
        if len(own) != 1:
            raise ValueError(
                "Exactly one of `gamma` and `n_neighbors` must be given. "
                f"Received: gamma={self.gamma!r}, n_neighbors={self.n_neighbors!r}"
            )
        check_finite(**own, alpha=self.alpha)
        check_kind(Sequence, "several numbers", n_labelled=self.n_labelled, errors=self.errors)
        SemiSupervisedSettings(**own, alpha=self.alpha, n_labelled=self.n_labelled)
        sound = all(isinstance(error, float) and 0.0 <= error <= 1.0 for error in self.errors)
        if not sound or len(self.errors) != len(self.n_labelled):
            raise ValueError(
                "`errors` must be floats in [0, 1], as many as `n_labelled`. "
                f"Received: errors={self.errors!r}, n_labelled={self.n_labelled!r}"
            )


@dataclass(frozen=True, eq=False)
class SettingsChoice(Record):
    """The best of a grid of settings, with the whole grid; see `choose_settings`.

    Attributes:
        n_neighbors: The number of neighbours chosen; None with the RBF kernel.
        alpha: The clamping factor chosen.
        candidates_n_neighbors: Rows of `errors`; none with the RBF kernel.
        candidates_alpha: Columns of `errors`.
        errors: Mean validation error over the draws, `(candidates of the kernel,
            len(candidates_alpha))`.
        n_validation: Number of validation images, taken from the pool.
        kernel: `"knn"` or `"rbf"`.
        gamma: The width of the RBF kernel chosen; None with the other.
        candidates_gamma: Rows of `errors` with the RBF kernel.
    """

    n_neighbors: int | None
    alpha: float
    max_iter: int
    candidates_n_neighbors: tuple[int, ...]
    candidates_alpha: tuple[float, ...]
    errors: np.ndarray
    n_labelled: int
    n_validation: int
    draws: int
    seed: int
    kernel: str = "knn"
    gamma: float | None = None
    candidates_gamma: tuple[float, ...] = ()

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
    draws: int = DRAWS,
    seed: int = 0,
    max_iter: int = 1_000,
    n_validation: int | None = None,
    n_unlabelled: int = N_UNLABELLED,
    kernel: str = "knn",
    gamma: Sequence[float] = (0.05, 0.1, 0.25, 0.5),
    finished: Iterable[CandidateErrors] = (),
    on_candidate: Callable[[CandidateErrors], object] | None = None,
) -> SettingsChoice | tuple[SettingsChoice, ...]:
    """Choose the number of neighbours, or the RBF kernel's width, and alpha.

    They are chosen by the error on validation images. These are a class-stratified part of the
    pool, so that no test image has a say. The neighbours are computed once for the whole grid and
    all numbers of labelled images, and the RBF kernel's affinities once for each width.

    Args:
        unlabelled: Images, None or `"pool"`, as in `semi_supervised_error`.
        pool: `(x_pool, y_pool)`.
        n_labelled: A number of labelled images, or several, each with a choice of its own.
        n_neighbors: Candidates; they have no effect with the RBF kernel.
        alpha: Candidates, in (0, 1).
        draws: Number of draws of the labelled images, over which the error is averaged.
        seed: Seed of the split and the draws.
        max_iter: Largest number of iterations; the larger alpha is, the more are needed.
        n_validation: Number of validation images; by default a fifth of the pool, 10,000 at most.
        n_unlabelled: Number of unlabelled images for `unlabelled="pool"`.
        kernel: `"knn"` or `"rbf"`.
        gamma: Candidates for the RBF kernel; they have no effect with the other. One at which the
            affinities of most validation images underflow counts as wrong about all of them, and
            larger ones are not tried.
        finished: Candidates of an interrupted call with the same data and settings, which are not
            computed again.
        on_candidate: Function that is called with each candidate as it is finished.

    Returns:
        A `SettingsChoice`, or a tuple of them where `n_labelled` names several numbers. Of equal
        errors the smaller number of neighbours or gamma, and then the smaller alpha, is chosen.

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
    if not is_whole(n_validation) or not 0 < n_validation < len(y_pool):
        raise ValueError(
            f"`n_validation` must lie between 0 and the pool's {len(y_pool)} images. "
            f"Received: n_validation={n_validation!r}"
        )
    check_choice("kernel", kernel, ("knn", "rbf"))
    check_callable(on_candidate=on_candidate)
    finished = list(finished) if isinstance(finished, Iterable) else [finished]
    for each in finished:
        check_kind(CandidateErrors, "what `on_candidate` was called with", finished=each)
    first = {"knn": "n_neighbors", "rbf": "gamma"}[kernel]
    given = {"n_neighbors": n_neighbors, "gamma": gamma}[first]
    for name, values in ((first, given), ("alpha", alpha)):
        if np.ndim(values) != 1 or as_array(name, values).dtype.kind not in "iuf":
            raise ValueError(
                f"`{name}` must be several candidates, such as a list of numbers. "
                f"Received: {name}={values!r}"
            )
    firsts, alphas = (sorted(np.asarray(values).tolist()) for values in (given, alpha))
    if not firsts or not alphas:
        raise ValueError(
            f"`{first}` and `alpha` must name at least one candidate each. "
            f"Received: {first}={given!r}, alpha={alpha!r}"
        )
    for value, a in itertools.product(firsts, alphas):
        SemiSupervisedSettings(**{first: value}, alpha=a)  # refuses what is out of range
    settings = SemiSupervisedSettings(
        n_labelled=tuple(np.atleast_1d(n_labelled).tolist()),
        draws=draws,
        seed=seed,
        kernel=kernel,
        max_iter=max_iter,
        **{first: firsts[-1]},
    )

    split = draw_labelled(y_pool, len(y_pool), draw=draws, seed=seed)
    validation, rest = split[:n_validation], split[n_validation:]
    x_rest, y_rest = x_pool[rest], y_pool[rest]
    x_validation, y_validation = x_pool[validation], y_pool[validation]
    sets = TrainingSets(unlabelled, x_rest, y_rest, x_validation, settings, n_unlabelled)
    drawn = draw_all(y_rest, settings)
    cells = [(draw, labelled) for row in drawn for draw, labelled in enumerate(row)]
    candidates = _candidates(sets, cells, y_validation, firsts, alphas, finished, on_candidate)
    found = np.array([candidate.errors for candidate in candidates])
    shape = len(firsts), len(alphas)
    errors = {n: each.reshape(shape) for n, each in zip(settings.n_labelled, found.T, strict=True)}

    def choice(n: int) -> SettingsChoice:
        i, j = divmod(int(np.argmin(errors[n])), len(alphas))
        return SettingsChoice(
            n_neighbors=firsts[i] if kernel == "knn" else None,
            alpha=alphas[j],
            max_iter=max_iter,
            candidates_n_neighbors=tuple(firsts) if kernel == "knn" else (),
            candidates_alpha=tuple(alphas),
            errors=errors[n],
            n_labelled=n,
            n_validation=int(n_validation),
            draws=draws,
            seed=seed,
            kernel=kernel,
            gamma=firsts[i] if kernel == "rbf" else None,
            candidates_gamma=tuple(firsts) if kernel == "rbf" else (),
        )

    choices = tuple(map(choice, settings.n_labelled))
    return choices if np.ndim(n_labelled) else choices[0]


def _candidates(
    sets: TrainingSets,
    cells: list[tuple[int, np.ndarray]],
    y_validation: np.ndarray,
    firsts: list[float],
    alphas: list[float],
    finished: list[CandidateErrors],
    on_candidate: Callable[[CandidateErrors], object] | None,
) -> list[CandidateErrors]:
    """Return every candidate, those of a gamma or number of neighbours side by side.

    What is not finished is computed.
    """
    settings = sets.settings
    numbers = settings.n_labelled
    rbf = settings.kernel == "rbf"
    name = "gamma" if rbf else "n_neighbors"

    def mean_errors(first: float, alpha: float) -> tuple[float, ...]:
        own: dict[str, Any] = {name: first}
        sets.settings = replace(settings, **own, alpha=alpha)
        sums = dict.fromkeys(numbers, 0.0)
        for batch in sets.batches(cells):
            for (_, labelled), spread in zip(batch, sets.spread(batch), strict=True):
                sums[len(labelled)] += float(np.mean(spread.predicted != y_validation))
        return tuple(each / settings.draws for each in sums.values())

    known = {
        (getattr(each, name), each.alpha): each
        for each in finished
        if tuple(each.n_labelled) == numbers
    }
    nothing = (1.0,) * len(numbers)  # whoever classifies nothing is wrong about everything
    underflows = rbf and any(tuple(each.errors) == nothing for each in known.values())
    candidates = []
    for first, alpha in itertools.product(firsts, alphas):
        candidate = known.get((first, alpha))
        if candidate is None:
            try:
                errors = nothing if underflows else mean_errors(first, alpha)
            except AffinitiesUnderflowError:
                if first == firsts[0]:  # the smallest: no other candidate is left
                    raise
                underflows, errors = True, nothing
            own: dict[str, Any] = {"gamma": None, name: first}
            candidate = CandidateErrors(**own, alpha=alpha, n_labelled=numbers, errors=errors)
            if on_candidate is not None:
                on_candidate(candidate)
        candidates.append(candidate)
    return candidates
