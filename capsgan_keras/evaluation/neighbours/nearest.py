"""Exact nearest neighbours among images.

Neighbours are sorted by distance, and equal distances by the points' own order: the point that
comes first wins. This makes the answer for repeated images definite, which a sort by a rounded
distance is not.
"""

import numpy as np

from capsgan_keras.evaluation.neighbours.distances import distance_blocks, slices


class NeighbourLists:
    """The nearest points found so far for each of some queries, nearest first.

    Args:
        n_queries: int. Number of queries.
        k: int. Length of each list.
        dtype: dtype of the squared distances, int32 or float64.

    Attributes:
        squared_distances: array of shape `(n_queries, k)`; the largest value of its dtype where
            nothing has been found yet.
        indices: int64 array of shape `(n_queries, k)`; -1 where nothing has been found yet.
    """

    def __init__(self, n_queries, k, dtype):
        """Makes lists in which nothing has been found yet."""
        self.far = np.inf if np.issubdtype(dtype, np.floating) else np.iinfo(dtype).max
        self.squared_distances = np.full((n_queries, k), self.far, dtype)
        self.indices = np.full((n_queries, k), -1, np.int64)

    def shifted(self, offset):
        """Gives a copy in which every point's index is `offset` higher."""
        other = NeighbourLists(*self.indices.shape, self.squared_distances.dtype)
        other.squared_distances[:] = self.squared_distances
        other.indices[:] = np.where(self.indices < 0, -1, self.indices + offset)
        return other

    def offer(self, rows, block, first_point, points_precede=False):
        """Merges a block of squared distances into the lists of some queries.

        Args:
            rows: slice. The queries.
            block: array of shape `(rows, points)`. Their squared distances to the points
                `first_point`, `first_point + 1`, and so on, none of them offered before.
            first_point: int. Index of the block's first point.
            points_precede: bool. Whether the points come before those in the lists, and so win
                ties against them. All of them must come before or all after.
        """
        starts = [0]
        if (self.indices[rows, -1] < 0).any():
            # An unfilled list takes all it is offered. Growing steps soon give it a bound.
            step = 4 * self.indices.shape[1]
            while starts[-1] + step < block.shape[1]:
                starts.append(starts[-1] + step)
                step *= 4
        for start, stop in zip(starts, [*starts[1:], block.shape[1]], strict=True):
            self._merge(rows, block[:, start:stop], first_point + start, points_precede)

    def _merge(self, rows, block, first_point, points_precede):
        bound = self.squared_distances[rows, -1][:, np.newaxis]
        compare = np.less_equal if points_precede else np.less
        row, column = _nonzero(compare(block, bound))
        if not len(row):
            return
        k = self.indices.shape[1]
        changed, owner = np.unique(row, return_inverse=True)
        query = changed + rows.start
        owner = np.concatenate([np.repeat(np.arange(len(changed)), k), owner])
        distance = np.concatenate([self.squared_distances[query].ravel(), block[row, column]])
        point = np.concatenate([self.indices[query].ravel(), first_point + column])

        order = np.lexsort((point, distance, owner))
        candidates = np.bincount(owner)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(candidates) - candidates, candidates)
        best = order[rank < k].reshape(-1, k)
        self.squared_distances[query] = distance[best]
        self.indices[query] = point[best]


def _nonzero(mask):
    """Does what `np.nonzero` does in two dimensions; several times faster where few are true."""
    if mask.flags.c_contiguous:
        return np.divmod(np.flatnonzero(mask), mask.shape[1])
    column, row = np.divmod(np.flatnonzero(mask.T), mask.shape[0])
    return row, column


def search(queries, points, lists, first_point=0, points_precede=False, reverse=None):
    """Offers all points to all queries, and the queries to the points if asked to.

    Args:
        queries: `Points`.
        points: `Points` of the same kind, none of them in the lists yet.
        lists: `NeighbourLists` of the queries; changed in place.
        first_point: int. Index under which the first point enters the lists.
        points_precede: bool. Whether the points come before those already in `lists`, and so win
            ties against them.
        reverse: optional `NeighbourLists` of the points, into which the queries are merged from
            the same products, under the indices 0, 1, and so on, as preceding what they hold.
    """
    pairs = [(rows, columns) for rows in slices(len(queries)) for columns in slices(len(points))]
    blocks = distance_blocks(queries, points, pairs)
    for (rows, columns), block in zip(pairs, blocks, strict=True):
        lists.offer(rows, block, first_point + columns.start, points_precede)
        if reverse is not None:
            reverse.offer(columns, block.T, rows.start, points_precede=True)


def nearest_within(points, k):
    """Finds the k nearest points of every point, itself among them.

    A point is at distance 0 from itself, but of many equal points only the first k are listed.

    Args:
        points: `Points`.
        k: int. Length of the lists.

    Returns:
        `NeighbourLists` of the points.
    """
    lists = NeighbourLists(len(points), k, points.distance_dtype)
    # Each product serves both sides. Every point still meets the others in ascending order: those
    # of earlier blocks from the right-hand side, then those of its own and of later ones.
    cuts = slices(len(points))
    pairs = [(rows, columns) for i, rows in enumerate(cuts) for columns in cuts[i:]]
    for (rows, columns), block in zip(pairs, distance_blocks(points, points, pairs), strict=True):
        lists.offer(rows, block, columns.start)
        if columns is not rows:
            lists.offer(columns, block.T, rows.start)
    return lists


def nearest(queries, points, k):
    """Finds the k nearest points of every query.

    Args:
        queries: `Points`.
        points: `Points` of the same kind.
        k: int. Length of the lists.

    Returns:
        `NeighbourLists` of the queries.
    """
    lists = NeighbourLists(len(queries), k, points.distance_dtype)
    search(queries, points, lists)
    return lists
