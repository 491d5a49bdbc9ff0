"""Squared distances between images, by blocks of matrix products.

`||x - y||^2 = ||x||^2 + ||y||^2 - 2 x.y`, so that nearly all the work is one matrix product per
block. The products of 8-bit images run in float32 and are exact nevertheless. With the pixels
centred (-128 to 127), a product over at most 1,024 features is an integer of at most 2^24, which
float32 holds without rounding; the blocks are summed as 32-bit integers. Other images are
compared in float64.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import joblib
import numpy as np
from sklearn.utils import gen_batches
from threadpoolctl import ThreadpoolController

from capsgan_keras.evaluation.images import flatten, unit_floats

BLOCK = 2048
"""Images on each side of a block: 16 MiB of distances."""

_EXACT_FEATURES = 1024  # 1,024 * 128^2 = 2^24, the last integer up to which float32 is exact
_MAX_INT_FEATURES = (2**31 - 1) // 255**2  # beyond, a squared distance may not fit int32
_MAX_THREADS = 16  # each holds about 40 MiB
_THREADPOOLS = ThreadpoolController()  # once, since finding the libraries takes 10 ms

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class PixelVectors:
    """Flattened images, `(n, features)` in uint8 or float64, ready to be compared.

    Attributes:
        distance_dtype: dtype of squared distances: int32, in grey levels, or float64.
        unit: Length of one unit of distance for pixels in [0, 1].
    """

    def __init__(self, values: np.ndarray) -> None:
        exact = values.dtype == np.uint8 and values.shape[1] <= _MAX_INT_FEATURES
        self.values = values
        self.distance_dtype = np.dtype(np.int32 if exact else np.float64)
        self.unit = 1 / 255 if values.dtype == np.uint8 else 1.0
        self.norms = np.empty(len(values), self.distance_dtype)
        for rows in block_slices(len(values)):
            block = self.centred(rows).astype(np.float64)  # holds all these integers exactly
            self.norms[rows] = np.einsum("ij,ij->i", block, block)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.values)

    def __getitem__(self, rows: slice | np.ndarray) -> "PixelVectors":
        """Return the images of these rows."""
        return PixelVectors(self.values[rows])

    def centred(self, rows: slice) -> np.ndarray:
        """Return rows as the matrix product takes them: float32 from -128 to 127, or float64."""
        if self.distance_dtype == np.float64:
            return self.values[rows].astype(np.float64)
        values = self.values[rows].astype(np.float32)
        values -= 128
        return values


def pixel_vectors(*image_sets: np.ndarray) -> list[PixelVectors]:
    """Flatten sets of images so that they can be compared with each other.

    They are `(n, height, width, channels)`, uint8 or float in [0, 1]. Floats that are 8-bit values
    divided by 255 (to within 1e-3 of a grey level) become uint8 again, for the exact and faster
    products.
    """
    rows = [_as_grey_levels(flatten(images)) for images in image_sets]
    if any(values is None for values in rows):
        return [PixelVectors(unit_floats(images)) for images in image_sets]
    return [PixelVectors(values) for values in rows if values is not None]


def _as_grey_levels(values: np.ndarray) -> np.ndarray | None:
    if values.dtype == np.uint8:
        return values
    levels = np.empty(values.shape, np.uint8)
    for rows in block_slices(len(values)):
        scaled = values[rows].astype(np.float64) * 255
        rounded = np.rint(scaled)
        if np.abs(scaled - rounded).max() > 1e-3:
            return None
        levels[rows] = rounded
    return levels


def block_slices(n: int, size: int | None = None) -> list[slice]:
    """Return the slices that cut n images into blocks, by default of `BLOCK` images."""
    return list(gen_batches(n, size or BLOCK)) if n else []


def in_threads(function: Callable[[_Task], _Result], tasks: Sequence[_Task]) -> Iterator[_Result]:
    """Yield the function's results of all tasks, in order.

    Some are computed ahead of their use, one on each core.
    """
    threads = max(1, min(joblib.cpu_count(), _MAX_THREADS, len(tasks)))
    waiting: deque[Future[_Result]] = deque()
    # One thread a product: many small products side by side need no barriers between threads.
    with _THREADPOOLS.limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as executor:
        for task in tasks:
            waiting.append(executor.submit(function, task))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def distance_blocks(
    a: PixelVectors, b: PixelVectors, pairs: list[tuple[slice, slice]]
) -> Iterator[np.ndarray]:
    """Yield the squared distances of each pair of slices of a and b, in order."""
    return in_threads(lambda pair: _squared_distances(a, pair[0], b, pair[1]), pairs)


def _squared_distances(a: PixelVectors, rows: slice, b: PixelVectors, columns: slice) -> np.ndarray:
    block = np.add.outer(a.norms[rows], b.norms[columns])
    left, right = a.centred(rows), b.centred(columns)
    left *= 2  # in float32, too: even integers are exact up to 2^25
    if block.dtype == np.float64:
        block -= left @ right.T
        return np.maximum(block, 0, out=block)
    for start in range(0, left.shape[1], _EXACT_FEATURES):
        part = slice(start, start + _EXACT_FEATURES)
        block -= (left[:, part] @ right[:, part].T).astype(np.int32)
    return block
