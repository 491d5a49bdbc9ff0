"""The training sets of a semi-supervised table, and label spreading on each of them."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from capsgan_keras.checks import check_positive
from capsgan_keras.evaluation.images import check_images, unit_floats
from capsgan_keras.evaluation.label_spreading.graphs import ExtendedGraph, Neighbours, PoolGraph
from capsgan_keras.evaluation.label_spreading.settings import N_UNLABELLED, SemiSupervisedSettings
from capsgan_keras.evaluation.label_spreading.spreading import (
    Spread,
    spread_labels,
    spread_labels_rbf,
)
from capsgan_keras.evaluation.neighbours.distances import pixel_vectors

MAXIMUM_RBF_POINTS = 12_000  # scikit-learn's RBF matrices take about 3 GB then

Unlabelled = npt.ArrayLike | str | None
"""Unlabelled images; None for labelled images alone, `"pool"` for other images of the pool."""


class TrainingSets:
    """The training sets of all cells: labelled images of the pool, then unlabelled images.

    The arguments are those of `semi_supervised_error`.

    Attributes:
        source: Where the unlabelled images come from: `"given"`, `"pool"` or `"none"`.

    Raises:
        ValueError: If the images do not fit, there are fewer training points than neighbours, or
            more than the dense matrix of the RBF kernel should have.
    """

    def __init__(
        self,
        unlabelled: Unlabelled,
        x_pool: np.ndarray,
        x_test: np.ndarray,
        settings: SemiSupervisedSettings,
        n_unlabelled: int = N_UNLABELLED,
    ) -> None:
        self.x_pool = x_pool
        self.x_test = x_test
        self.settings = settings
        self._n_drawn = n_unlabelled
        self._unlabelled = x_pool[:0]
        self.source = "none"
        if isinstance(unlabelled, str):
            if unlabelled != "pool":
                raise ValueError(
                    '`unlabelled` must be images, None or "pool". '
                    f"Received: unlabelled={unlabelled!r}"
                )
            check_positive(n_unlabelled=n_unlabelled)
            self.source = "pool"
        elif unlabelled is not None:
            self._unlabelled = check_images("unlabelled", unlabelled, like=x_pool)
            self.source = "given"
        for n in settings.n_labelled:
            size, k = n + self.n_unlabelled(n), settings.spreading(n)[0]
            if settings.kernel == "knn" and size < k:
                raise ValueError(
                    f"`n_neighbors` must not exceed the number of training points, {size}. "
                    f"Received: n_neighbors={k}"
                )
            if settings.kernel == "rbf" and size > MAXIMUM_RBF_POINTS:
                raise ValueError(
                    f'`kernel="rbf"` takes {MAXIMUM_RBF_POINTS} training points at most, since '
                    f"its matrix is dense. Received: {size} training points"
                )

    def n_unlabelled(self, n_labelled: int) -> int:
        """Return the number of unlabelled images beside `n_labelled` labelled ones."""
        if self.source == "pool":
            return min(self._n_drawn, len(self.x_pool) - n_labelled)
        return len(self._unlabelled)

    @cached_property
    def _graph(self) -> ExtendedGraph | PoolGraph:
        k = int(np.max(self.settings.n_neighbors))
        if self.source == "pool":
            pool, test = pixel_vectors(self.x_pool, self.x_test)
            return PoolGraph(pool, test, k)
        unlabelled, pool, test = pixel_vectors(self._unlabelled, self.x_pool, self.x_test)
        return ExtendedGraph(unlabelled, pool, test, k)

    def _draw_unlabelled(self, labelled: np.ndarray, draw: int) -> np.ndarray:
        others = np.setdiff1d(np.arange(len(self.x_pool)), labelled)
        rng = np.random.default_rng([self.settings.seed, draw, len(labelled)])
        return rng.permutation(others)[: self._n_drawn]

    def neighbours(self, labelled: np.ndarray, draw: int) -> Neighbours:
        """Return a cell's neighbour graph; most of it is computed at the first call."""
        graph = self._graph
        if isinstance(graph, PoolGraph):
            return graph.neighbours(labelled, self._draw_unlabelled(labelled, draw))
        return graph.neighbours(labelled)

    def spread(self, labelled: np.ndarray, labels: np.ndarray, draw: int) -> Spread:
        """Spread the labels of these images of the pool, and classify the test images."""
        settings = self.settings
        k, alpha = settings.spreading(len(labelled))
        limits = alpha, settings.max_iter, settings.tol
        if settings.kernel == "knn":
            training, test = self.neighbours(labelled, draw)  # nearest first
            return spread_labels(training[:, :k], test[:, :k], labels, *limits)
        unlabelled = self._unlabelled
        if self.source == "pool":
            unlabelled = self.x_pool[self._draw_unlabelled(labelled, draw)]
        training = np.concatenate([unit_floats(self.x_pool[labelled]), unit_floats(unlabelled)])
        return spread_labels_rbf(
            training, unit_floats(self.x_test), labels, settings.gamma, *limits
        )
