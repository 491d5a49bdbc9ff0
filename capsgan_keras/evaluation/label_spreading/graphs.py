"""The neighbour graphs of label spreading, most of each computed once for many labelled sets.

A cell of the table (one labelled set) needs the nearest neighbours of every training point, the
labelled images first and the unlabelled ones after them, and of every test image among the
training points. Only the labelled images change from cell to cell. Both classes here compute the
rest once, and complete it exactly for a cell:

- `ExtendedGraph`: unlabelled images of their own (generated ones, say);
- `PoolGraph`: unlabelled images taken from the labelled images' own pool.
"""

import numpy as np

from capsgan_keras.evaluation.neighbours.nearest import nearest, nearest_within, search

_SPARE = 25  # points in a list of the pool beyond the k that are wanted


class ExtendedGraph:
    """Neighbours among fixed unlabelled images, extended by the labelled images of a cell.

    Args:
        unlabelled: `Points`, possibly none.
        pool: `Points` of the images that may be labelled.
        test: `Points` of the test images.
        k: int. Number of neighbours.
    """

    def __init__(self, unlabelled, pool, test, k):
        """Finds the neighbours among the unlabelled images."""
        self.k = k
        self.unlabelled = unlabelled
        self.pool = pool
        self.test = test
        self._within = nearest_within(unlabelled, k)
        self._from_test = nearest(test, unlabelled, k)

    def neighbours(self, labelled):
        """Finds the neighbours in a cell's training set.

        Args:
            labelled: int array of shape `(n_labelled,)`. The labelled images, indices into the
                pool. The training set is these and then all unlabelled images.

        Returns:
            Two int64 arrays of indices into the training set, nearest first: of the training
            points' neighbours (themselves included), shape `(n_training, k)`, and of the test
            images' neighbours, shape `(n_test, k)`.
        """
        points = self.pool[labelled]
        from_labelled = nearest_within(points, self.k)
        from_unlabelled = self._within.shifted(len(points))
        search(
            points,
            self.unlabelled,
            from_labelled,
            first_point=len(points),
            reverse=from_unlabelled,
        )
        from_test = self._from_test.shifted(len(points))
        search(self.test, points, from_test, points_precede=True)
        training = np.concatenate([from_labelled.indices, from_unlabelled.indices])
        return training, from_test.indices


class PoolGraph:
    """Neighbours within a pool of images, cut down to the images that a cell uses.

    Longer lists than needed are computed once. In a cell the images that it leaves out are
    dropped from them; where that leaves too few, the list is computed anew.

    Args:
        pool: `Points`.
        test: `Points` of the test images.
        k: int. Number of neighbours.
    """

    def __init__(self, pool, test, k):
        """Finds the neighbours among all images of the pool."""
        self.k = k
        self.pool = pool
        self.test = test
        length = min(k + _SPARE, len(pool))
        self._within = nearest_within(pool, length)
        self._from_test = nearest(test, pool, length)

    def neighbours(self, labelled, unlabelled):
        """Finds the neighbours in a cell's training set.

        Args:
            labelled: int array of shape `(n_labelled,)`. Indices into the pool.
            unlabelled: int array of shape `(n_unlabelled,)`. Indices into the pool, none of them
                labelled.

        Returns:
            As `ExtendedGraph.neighbours`.
        """
        members = np.concatenate([labelled, unlabelled])
        training = self._reduce(self._within, self.pool, members, members)
        test = self._reduce(self._from_test, self.test, np.arange(len(self.test)), members)
        return training, test

    def _reduce(self, lists, queries, rows, members):
        position = np.full(len(self.pool), -1)
        position[members] = np.arange(len(members))
        distance = lists.squared_distances[rows]
        point = position[lists.indices[rows]]
        # A list tells of every point nearer than its last one; of all points if it has them all.
        reach = distance[:, -1].copy() if distance.shape[1] < len(self.pool) else lists.far
        distance[point < 0] = lists.far
        order = np.lexsort((point, distance), axis=1)[:, : self.k]
        kept = np.take_along_axis(point, order, axis=1)
        farthest = np.take_along_axis(distance, order[:, -1:], axis=1)[:, 0]
        incomplete = farthest >= reach
        if incomplete.any():
            anew = nearest(queries[rows[incomplete]], self.pool[members], self.k)
            kept[incomplete] = anew.indices
        return kept
