"""Settings and results of a semi-supervised table."""

from dataclasses import asdict, dataclass
from numbers import Real

import numpy as np

from capsgan_keras.checks import check_choice, check_positive, check_seed


@dataclass(frozen=True)
class SemiSupervisedSettings:
    """The settings of a semi-supervised table.

    Attributes:
        n_labelled: tuple of ints. Numbers of labelled images, the rows of the table.
        draws: int. How many times the labelled images are drawn for each number.
        seed: int. Seed of the draws.
        stratified: bool. True: each draw has the same number of images from every class, to
            within one (and all of a class that has fewer). False: plain random draws.
        kernel: `"knn"` or `"rbf"`, scikit-learn's kernels. The RBF kernel's matrix is dense, so
            it is refused above 12,000 training points; on raw pixels its weights all but vanish.
        n_neighbors: int, or a tuple with one for each of `n_labelled`. Number of neighbours of
            the knn kernel, the point itself included.
        gamma: float. The RBF kernel is `exp(-gamma ||x - y||^2)`.
        alpha: float in (0, 1), or a tuple with one for each of `n_labelled`. Clamping factor of
            label spreading.
        max_iter: int. Largest number of iterations.
        tol: float. Tolerance of convergence.
        unreached_points: `"scikit-learn"` or `"nearest_labelled"`. What is predicted for a test
            image that no label reaches: the first class, as scikit-learn does by accident, or
            the class of the nearest labelled image.
    """

    n_labelled: tuple = (100, 1_000, 10_000)
    draws: int = 5
    seed: int = 0
    stratified: bool = True
    kernel: str = "knn"
    n_neighbors: int | tuple = 7
    gamma: float = 20.0
    alpha: float | tuple = 0.2
    max_iter: int = 30
    tol: float = 1e-3
    unreached_points: str = "scikit-learn"

    def __post_init__(self):
        """Checks the settings."""
        object.__setattr__(self, "n_labelled", tuple(np.atleast_1d(self.n_labelled).tolist()))
        for n in self.n_labelled:
            check_positive(n_labelled=n)
        if len(set(self.n_labelled)) != len(self.n_labelled) or not self.n_labelled:
            raise ValueError(
                f"`n_labelled` must name at least one number, each once. "
                f"Received: n_labelled={self.n_labelled}"
            )
        object.__setattr__(self, "seed", check_seed(self.seed))
        check_positive(draws=self.draws, max_iter=self.max_iter)
        for name in ("n_neighbors", "alpha"):
            value = _for_each(name, getattr(self, name), len(self.n_labelled))
            object.__setattr__(self, name, value)
        check_choice("kernel", self.kernel, ("knn", "rbf"))
        check_choice(
            "unreached_points", self.unreached_points, ("scikit-learn", "nearest_labelled")
        )
        for n in self.n_labelled:
            n_neighbors, alpha = self.spreading(n)
            check_positive(n_neighbors=n_neighbors)
            if not isinstance(alpha, Real) or not 0 < alpha < 1:
                raise ValueError(f"`alpha` must lie in (0, 1). Received: alpha={alpha!r}")
        if not (self.gamma > 0 and self.tol >= 0):
            raise ValueError(
                f"`gamma` must be above 0 and `tol` at least 0. "
                f"Received: gamma={self.gamma!r}, tol={self.tol!r}"
            )

    def spreading(self, n):
        """Gives the number of neighbours and alpha for `n` labelled images, as a pair."""
        index = self.n_labelled.index(n)
        values = self.n_neighbors, self.alpha
        return tuple(value[index] if isinstance(value, tuple) else value for value in values)


def _for_each(name, value, count):
    """Gives a number, or a tuple of `count` of them, as Python's own for JSON."""
    several = isinstance(value, tuple | list) or np.ndim(value) == 1
    numbers = [
        v.item() if isinstance(v, np.generic) else v for v in (value if several else [value])
    ]
    if not several:
        return numbers[0]
    if len(numbers) != count:
        raise ValueError(
            f"`{name}` must be one number, or one for each of the {count} in `n_labelled`. "
            f"Received: {name}={value!r}"
        )
    return tuple(numbers)


@dataclass(frozen=True)
class SemiSupervisedCell:
    """One finished cell of the table.

    Attributes:
        n_labelled: int. Number of labelled images.
        draw: int. Number of the draw, from 0.
        error: float. Share of the test images that are classified wrongly.
        n_unlabelled: int. Number of unlabelled images used.
        unreached: int. Number of test images that no label reached.
        iterations: int. Iterations of label spreading; 0 for the nearest neighbour.
        converged: bool. Whether label spreading converged within `max_iter` iterations.
    """

    n_labelled: int
    draw: int
    error: float
    n_unlabelled: int
    unreached: int = 0
    iterations: int = 0
    converged: bool = True

    def to_dict(self):
        """Gives the cell as a dict that JSON can hold; `SemiSupervisedCell(**d)` restores it."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class SemiSupervisedResult:
    """A finished table: errors of all numbers of labelled images and all draws.

    Attributes:
        method: str. `"label spreading"` or `"nearest labelled image"`.
        unlabelled: str. `"given"`, `"pool"` or `"none"`: where the unlabelled images came from.
        settings: `SemiSupervisedSettings`.
        n_test: int. Number of test images, all of which were classified.
        cells: tuple of `SemiSupervisedCell`, row by row.
        labelled_indices: tuple, for each number of labelled images, of a tuple, for each draw,
            of an int64 array of shape `(n_labelled,)`: which images of the pool were labelled.
    """

    method: str
    unlabelled: str
    settings: SemiSupervisedSettings
    n_test: int
    cells: tuple
    labelled_indices: tuple

    def _table(self, attribute):
        rows = len(self.settings.n_labelled)
        return np.array([getattr(cell, attribute) for cell in self.cells]).reshape(rows, -1)

    @property
    def errors(self):
        """Errors, float array of shape `(len(n_labelled), draws)`, in [0, 1]."""
        return self._table("error")

    @property
    def unreached(self):
        """Test images that no label reached, int array of the shape of `errors`."""
        return self._table("unreached")

    @property
    def n_unlabelled(self):
        """Unlabelled images used, int array of the shape of `errors`."""
        return self._table("n_unlabelled")

    @property
    def converged(self):
        """Whether label spreading converged, bool array of the shape of `errors`."""
        return self._table("converged")

    @property
    def n_labelled(self):
        """Numbers of labelled images, tuple of ints."""
        return self.settings.n_labelled

    @property
    def max_iter(self):
        """Largest number of iterations, int."""
        return self.settings.max_iter

    @property
    def mean(self):
        """Mean error over the draws, float array of shape `(len(n_labelled),)`."""
        return self.errors.mean(axis=1)

    @property
    def deviation(self):
        """Standard deviation over the draws (n - 1); NaN where there is one draw only."""
        errors = self.errors
        if errors.shape[1] == 1:
            return np.full(len(errors), np.nan)
        return errors.std(axis=1, ddof=1)

    def to_dict(self, labelled_indices=False):
        """Gives the result as a dict that JSON can hold.

        Args:
            labelled_indices: bool. Whether to include the labelled images' indices, which the
                settings and the pool's labels determine (see `draw_labelled`).

        Returns:
            A dict of numbers, strings, lists and dicts.
        """
        deviation = self.deviation
        result = {
            "method": self.method,
            "unlabelled": self.unlabelled,
            "settings": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self.settings).items()
            },
            "n_test": self.n_test,
            "errors": self.errors.tolist(),
            "mean": self.mean.tolist(),
            "deviation": [None if np.isnan(value) else float(value) for value in deviation],
            "cells": [cell.to_dict() for cell in self.cells],
        }
        if labelled_indices:
            result["labelled_indices"] = [
                [indices.tolist() for indices in row] for row in self.labelled_indices
            ]
        return result
