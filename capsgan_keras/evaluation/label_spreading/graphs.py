"""The neighbour graphs of label spreading, most of each computed once for many labelled sets.

A cell of the table (one labelled set) needs the nearest neighbours of every training image, the
labelled ones first and the unlabelled ones after them, and of every test image among the training
images. Only the labelled images change from cell to cell. Both classes here compute the rest
once, and complete it exactly for a cell.
"""

import numpy as np

from capsgan_keras.evaluation.neighbours.distances import PixelVectors
from capsgan_keras.evaluation.neighbours.nearest import (
    NeighbourLists,
    nearest,
    nearest_within,
    search,
)

_SPARE = 25  # images in a list of the pool beyond the k that are wanted

Neighbours = tuple[np.ndarray, np.ndarray]
"""int64 indices into a cell's training images, nearest first: of the neighbours of each training
image, itself included, `(n_training, k)`, and of each test image, `(n_test, k)`."""


class ExtendedGraph:
    """Neighbours among fixed (generated, say) unlabelled images and a cell's labelled images."""

    def __init__(
        self, unlabelled: PixelVectors, pool: PixelVectors, test: PixelVectors, k: int
    ) -> None:
        self.k = k
        self.unlabelled = unlabelled
        self.pool = pool
        self.test = test
        self._within = nearest_within(unlabelled, k)
        self._from_test = nearest(test, unlabelled, k)

    def neighbours(self, labelled: np.ndarray) -> Neighbours:
        """Return the neighbours among these images of the pool and then all unlabelled ones."""
        images = self.pool[labelled]
        n = len(images)
        from_labelled = nearest_within(images, self.k)
        from_unlabelled = self._within.shifted(n)
        search(images, self.unlabelled, from_labelled, first_index=n, reverse=from_unlabelled)
        from_test = self._from_test.shifted(n)
        search(self.test, images, from_test, precede=True)
        training = np.concatenate([from_labelled.indices, from_unlabelled.indices])
        return training, from_test.indices


class PoolGraph:
    """Neighbours within a pool of images, cut down to the images that a cell uses.

    Longer lists than needed are computed once. In a cell the images that it leaves out are
    dropped from them; where that leaves too few, the list is computed anew.
    """

    def __init__(self, pool: PixelVectors, test: PixelVectors, k: int) -> None:
        self.k = k
        self.pool = pool
        self.test = test
        length = min(k + _SPARE, len(pool))
        self._within = nearest_within(pool, length)
        self._from_test = nearest(test, pool, length)

    def neighbours(self, labelled: np.ndarray, unlabelled: np.ndarray) -> Neighbours:
        """Return the neighbours among these images of the pool, the labelled ones first."""
        members = np.concatenate([labelled, unlabelled])
        training = self._reduce(self._within, self.pool, members, members)
        test = self._reduce(self._from_test, self.test, np.arange(len(self.test)), members)
        return training, test

    def _reduce(
        self, lists: NeighbourLists, queries: PixelVectors, rows: np.ndarray, members: np.ndarray
    ) -> np.ndarray:
        position = np.full(len(self.pool), -1)
        position[members] = np.arange(len(members))
        distance = lists.squared_distances[rows]
        index = position[lists.indices[rows]]
        # A list tells of every image nearer than its last one; of all images if it has them all.
        reach = distance[:, -1].copy() if distance.shape[1] < len(self.pool) else lists.far
        distance[index < 0] = lists.far
        order = np.lexsort((index, distance), axis=1)[:, : self.k]
        kept = np.take_along_axis(index, order, axis=1)
        farthest = np.take_along_axis(distance, order[:, -1:], axis=1)[:, 0]
        incomplete = farthest >= reach
        if incomplete.any():
            anew = nearest(queries[rows[incomplete]], self.pool[members], self.k)
            kept[incomplete] = anew.indices
        return kept
