"""Exact nearest neighbours among images.

Neighbours are sorted by distance, and equal distances by the images' own order: the image that
comes first wins. This makes the answer for repeated images definite, which a sort by a rounded
distance is not.
"""

import copy
import itertools

import numpy as np
import numpy.typing as npt

from capsgan_keras.evaluation.neighbours.distances import (
    PixelVectors,
    block_slices,
    distance_blocks,
)


class NeighbourLists:
    """The k nearest images found so far for each of some queries, nearest first.

    Attributes:
        squared_distances: `(n_queries, k)`; `far`, the largest value of its dtype, where nothing
            has been found yet.
        indices: int64 `(n_queries, k)`; -1 where nothing has been found yet.
    """

    def __init__(self, n_queries: int, k: int, dtype: npt.DTypeLike) -> None:
        self.far = np.inf if np.issubdtype(dtype, np.floating) else np.iinfo(np.dtype(dtype)).max
        self.squared_distances = np.full((n_queries, k), self.far, dtype)
        self.indices = np.full((n_queries, k), -1, np.int64)

    def shifted(self, offset: int) -> "NeighbourLists":
        """Return a copy in which every index is `offset` higher."""
        other = copy.deepcopy(self)
        other.indices[self.indices >= 0] += offset
        return other

    def offer(
        self, rows: slice, block: np.ndarray, first_index: int, precede: bool = False
    ) -> None:
        """Merge a block of squared distances into the lists of some queries.

        Args:
            rows: The queries.
            block: `(rows, images)`, their squared distances to images not offered before.
            first_index: Index of the block's first image; the others' follow on it.
            precede: Whether all the images come before those in the lists, and so win ties against
                them. Otherwise all come after.
        """
        starts = [0]
        if (self.indices[rows, -1] < 0).any():
            # An unfilled list takes all it is offered. Growing steps soon give it a bound.
            step = 4 * self.indices.shape[1]
            while starts[-1] + step < block.shape[1]:
                starts.append(starts[-1] + step)
                step *= 4
        for start, stop in zip(starts, [*starts[1:], block.shape[1]], strict=True):
            self._merge(rows, block[:, start:stop], first_index + start, precede)

    def _merge(self, rows: slice, block: np.ndarray, first_index: int, precede: bool) -> None:
        bound = self.squared_distances[rows, -1][:, np.newaxis]
        row, column = _nonzero(block <= bound if precede else block < bound)
        if not len(row):
            return
        k = self.indices.shape[1]
        changed, owner = np.unique(row, return_inverse=True)
        query = changed + rows.start
        owner = np.concatenate([np.repeat(np.arange(len(changed)), k), owner])
        distance = np.concatenate([self.squared_distances[query].ravel(), block[row, column]])
        index = np.concatenate([self.indices[query].ravel(), first_index + column])

        order = np.lexsort((index, distance, owner))
        candidates = np.bincount(owner)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(candidates) - candidates, candidates)
        best = order[rank < k].reshape(-1, k)
        self.squared_distances[query] = distance[best]
        self.indices[query] = index[best]


def _nonzero(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `np.nonzero` does in two dimensions; several times faster where few are true."""
    if mask.flags.c_contiguous:
        return np.divmod(np.flatnonzero(mask), mask.shape[1])
    column, row = np.divmod(np.flatnonzero(mask.T), mask.shape[0])
    return row, column


def search(
    queries: PixelVectors,
    images: PixelVectors,
    lists: NeighbourLists,
    first_index: int = 0,
    precede: bool = False,
    reverse: NeighbourLists | None = None,
) -> None:
    """Offer all images to the queries' `lists`, as `NeighbourLists.offer` does.

    Where `reverse`, the images' own lists, is given, the queries are merged into it from the same
    products, under the indices 0, 1, and so on, as preceding what it holds.
    """
    pairs = list(itertools.product(block_slices(len(queries)), block_slices(len(images))))
    blocks = distance_blocks(queries, images, pairs)
    for (rows, columns), block in zip(pairs, blocks, strict=True):
        lists.offer(rows, block, first_index + columns.start, precede)
        if reverse is not None:
            reverse.offer(columns, block.T, rows.start, precede=True)


def nearest_within(images: PixelVectors, k: int) -> NeighbourLists:
    """Return the k nearest images of every image, itself among them.

    An image is at distance 0 from itself, but of many equal images only the first k are listed.
    """
    lists = NeighbourLists(len(images), k, images.distance_dtype)
    # Each product serves both sides. Every image still meets the others in ascending order: those
    # of earlier blocks from the right-hand side, then those of its own and of later ones.
    cuts = block_slices(len(images))
    pairs = [(rows, columns) for i, rows in enumerate(cuts) for columns in cuts[i:]]
    for (rows, columns), block in zip(pairs, distance_blocks(images, images, pairs), strict=True):
        lists.offer(rows, block, columns.start)
        if columns is not rows:
            lists.offer(columns, block.T, rows.start)
    return lists


def nearest(queries: PixelVectors, images: PixelVectors, k: int) -> NeighbourLists:
    """Return the k nearest images of every query."""
    lists = NeighbourLists(len(queries), k, images.distance_dtype)
    search(queries, images, lists)
    return lists
