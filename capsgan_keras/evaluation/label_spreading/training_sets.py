"""The training sets of a semi-supervised table, and label spreading on each of them."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from capsgan_keras.checks import check_positive
from capsgan_keras.evaluation.images import check_images
from capsgan_keras.evaluation.label_spreading.graphs import ExtendedGraph, Neighbours, PoolGraph
from capsgan_keras.evaluation.label_spreading.rbf import (
    Labels,
    RBFKernel,
    kernel_bytes,
    spread_labels_rbf,
)
from capsgan_keras.evaluation.label_spreading.settings import N_UNLABELLED, SemiSupervisedSettings
from capsgan_keras.evaluation.label_spreading.spreading import Spread, spread_labels
from capsgan_keras.evaluation.neighbours.distances import PixelVectors, pixel_vectors
from capsgan_keras.machine import check_memory

_KEPT_CELLS = 15
"""Cells whose neighbours are kept, for the next candidate of a choice: memory must not grow with
the draws."""

Cell = tuple[int, np.ndarray]
"""A cell of the table: number of the draw, and its labelled images as indices into the pool."""

Unlabelled = npt.ArrayLike | str | None
"""Unlabelled images; None for labelled images alone, `"pool"` for other images of the pool."""


def points_of_pool(n_pool: int, n_labelled: Sequence[int], draws: int, n_unlabelled: int) -> int:
    """Return how many of a pool's images a table has at most, labelled or not, in any cell."""
    points = sum(min(n + n_unlabelled, n_pool) for n in n_labelled)
    return min(draws * points, n_pool)


class TrainingSets:
    """The training sets of all cells: labelled images of the pool, then unlabelled images.

    The arguments are those of `semi_supervised_error`.

    Attributes:
        source: Where the unlabelled images come from: `"given"`, `"pool"` or `"none"`.

    Raises:
        ValueError: If the images do not fit, there are fewer training points than neighbours, or
            more than this machine's memory has room for in the matrix of the RBF kernel.
    """

    def __init__(
        self,
        unlabelled: Unlabelled,
        x_pool: np.ndarray,
        y_pool: np.ndarray,
        x_test: np.ndarray,
        settings: SemiSupervisedSettings,
        n_unlabelled: int = N_UNLABELLED,
    ) -> None:
        self.x_pool = x_pool
        self.y_pool = y_pool
        self.x_test = x_test
        self.settings = settings
        self._n_drawn = n_unlabelled
        self._unlabelled = x_pool[:0]
        self._kept_kernel: RBFKernel | None = None
        self._kernel_points = np.arange(len(x_pool))
        self._most_neighbours = int(np.max(settings.n_neighbors))
        self._kept_neighbours: dict[tuple[int, int], Neighbours] = {}
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
        if settings.kernel == "rbf":
            largest = max(settings.n_labelled)
            n_points = largest + len(self._unlabelled)
            if self.source == "pool":
                n_points = points_of_pool(
                    len(x_pool), settings.n_labelled, settings.draws, n_unlabelled
                )
            check_memory(
                f'`kernel="rbf"` for {n_points:,} training points',
                kernel_bytes(n_points, len(x_test)),
            )

    def n_unlabelled(self, n_labelled: int) -> int:
        """Return the number of unlabelled images beside `n_labelled` labelled ones."""
        if self.source == "pool":
            return min(self._n_drawn, len(self.x_pool) - n_labelled)
        return len(self._unlabelled)

    @cached_property
    def _graph(self) -> ExtendedGraph | PoolGraph:
        k = self._most_neighbours
        unlabelled, pool, test = self._pixels
        if self.source == "pool":
            return PoolGraph(pool, test, k)
        return ExtendedGraph(unlabelled, pool, test, k)

    def _draw_unlabelled(self, labelled: np.ndarray, draw: int) -> np.ndarray:
        others = np.setdiff1d(np.arange(len(self.x_pool)), labelled)
        rng = np.random.default_rng([self.settings.seed, draw, len(labelled)])
        return rng.permutation(others)[: self._n_drawn]

    def neighbours(self, labelled: np.ndarray, draw: int) -> Neighbours:
        """Return a cell's neighbour graph; most of it is computed at the first call."""
        cell = draw, len(labelled)
        if cell in self._kept_neighbours:
            return self._kept_neighbours[cell]
        graph = self._graph
        if isinstance(graph, PoolGraph):
            found = graph.neighbours(labelled, self._draw_unlabelled(labelled, draw))
        else:
            found = graph.neighbours(labelled)
        if len(self._kept_neighbours) < _KEPT_CELLS:
            self._kept_neighbours[cell] = found
        return found

    def batches(self, cells: Iterable[Cell]) -> list[list[Cell]]:
        """Return cells in groups that cost least when `spread` takes each group at once."""
        if self.settings.kernel == "knn":
            return [[cell] for cell in cells]
        cells = list(cells)
        if self.source == "pool":
            self._restrict_kernel(cells)
        groups: dict[tuple[float, int], list[Cell]] = {}
        for draw, labelled in cells:
            group = groups.setdefault((self.settings.gamma_for(len(labelled)), draw), [])
            group.append((draw, labelled))
        return [groups[key] for key in sorted(groups)]

    def spread(self, batch: list[Cell]) -> list[Spread]:
        """Spread the labels of each cell of a batch, and classify the test images."""
        if self.settings.kernel == "rbf":
            return self._spread_rbf(batch)
        settings, spreads = self.settings, []
        for draw, labelled in batch:
            k, alpha = settings.spreading(len(labelled))
            training, test = self.neighbours(labelled, draw)  # nearest first
            labels = self.y_pool[labelled]
            limits = alpha, settings.max_iter, settings.tol
            spreads.append(spread_labels(training[:, :k], test[:, :k], labels, *limits))
        return spreads

    @cached_property
    def _pixels(self) -> list[PixelVectors]:
        return pixel_vectors(self._unlabelled, self.x_pool, self.x_test)

    def _restrict_kernel(self, cells: list[Cell]) -> None:
        """Leave images of the pool that are in none of the cells out of the kernel."""
        used = np.zeros(len(self.x_pool), bool)
        for draw, labelled in cells:
            used[labelled] = True
            used[self._draw_unlabelled(labelled, draw)] = True
        points = np.flatnonzero(used)
        if not np.array_equal(points, self._kernel_points):
            self._kernel_points, self._kept_kernel = points, None

    def _kernel(self, gamma: float) -> RBFKernel:
        """Return the kernel of the points that all cells have; that of one gamma is kept."""
        if self._kept_kernel is None or self._kept_kernel.gamma != gamma:
            self._kept_kernel = None  # frees its memory first
            unlabelled, pool, test = self._pixels
            points = unlabelled
            if self.source == "pool":
                whole = len(self._kernel_points) == len(pool)
                points = pool if whole else pool[self._kernel_points]
            self._kept_kernel = RBFKernel(gamma, points, test)
        return self._kept_kernel

    def _spread_rbf(self, batch: list[Cell]) -> list[Spread]:
        settings = self.settings
        kernel = self._kernel(settings.gamma_for(len(batch[0][1])))
        # Within a draw, a smaller labelled set is the beginning of a larger one.
        largest = max((labelled for _, labelled in batch), key=len)
        if self.source != "pool":
            kernel = kernel.preceded_by(self._pixels[1][largest])
        cells = []
        for draw, labelled in batch:
            members = np.zeros(kernel.n_points, bool)
            points = labelled
            if self.source == "pool":
                points = np.searchsorted(self._kernel_points, labelled)
                others = self._draw_unlabelled(labelled, draw)
                members[np.searchsorted(self._kernel_points, others)] = True
            else:
                points = np.arange(len(labelled))
                members[len(largest) :] = True
            members[points] = True
            alpha = settings.spreading(len(labelled))[1]
            cells.append(Labels(members, points, self.y_pool[labelled], alpha))
        return spread_labels_rbf(kernel, cells, settings.max_iter, settings.tol)
