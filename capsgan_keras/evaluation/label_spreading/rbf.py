"""Label spreading with the RBF kernel, exactly, for more points than scikit-learn has memory for.

At 60,000 points scikit-learn needs several matrices of 29 GB, anew for each cell of a table. Here
half of the symmetric matrix is kept, in float32 (7 GB), and serves all cells:

- The part between unlabelled points is the same in all cells. Only rows of labelled points are
  added for a draw.
- Label spreading is linear in the labels, and a cell's degrees only scale rows and columns (Zhou
  et al., "Learning with local and global consistency", 2004). So the cells of a draw stand side by
  side as columns, and an iteration is one pass over the matrix for all of them.

Nothing is cut off. What is kept are the eighth roots of affinities: so float32 reaches as far as
float64, in which scikit-learn computes. Their powers are taken in float64, block by block, as the
blocks are multiplied. Points that are far from all others have tiny affinities and tiny degrees, of
which only the quotient is sure to be of use: there roots are divided by those of degrees before.
"""

import copy
import itertools
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from capsgan_keras.evaluation.label_spreading.spreading import Spread
from capsgan_keras.evaluation.neighbours.distances import (
    PixelVectors,
    block_slices,
    distance_blocks,
    in_threads,
)

_SQUARINGS = 3
"""The eighth root of an affinity is squared so often to have it back."""
_ROOT = 2**_SQUARINGS
_SHIFT = 6.0
"""Roots are multiplied by its exponential, which cancels out: those down to `exp(-93)` then are
float32's normal numbers, and so affinities down to `exp(-746)`, where float64 ends."""
_SMALLEST = float(np.finfo(np.float32).tiny)
_ALIKE = 0.999
"""From this share of the largest affinity on, all are the same."""
_TINY = 1e-30
"""Degrees below it would cost a product digits that label spreading needs."""
_PIECE = 256, 4096
"""Rows and columns whose affinities are made at once: 8 MiB."""


class AffinitiesUnderflowError(ValueError):
    """The affinities of most test points underflow to zero: gamma is too large for the data."""


def kernel_bytes(n_points: int, n_test: int) -> int:
    """Return how many bytes the matrices of so many training and test points take."""
    item = np.dtype(np.float32).itemsize
    return item * n_points * ((n_points + 1) // 2 + n_test)


class RBFKernel:
    """The affinities `exp(-gamma ||x - y||^2)` of points with each other and with test points.

    Args:
        gamma: Width of the kernel for pixels in [0, 1].
        points: The points.
        test: The points to be classified.

    Attributes:
        strips: Roots of the affinities of each block of points to itself and all later points;
            the diagonal is zero, as label spreading has it.
        test_weights: Roots of the affinities of the test points to all points,
            `(n_test, n_points)`, in parts that stand side by side.
    """

    def __init__(self, gamma: float, points: PixelVectors, test: PixelVectors) -> None:
        self.gamma = gamma
        self.points = points
        self.test = test
        self.strips = self._strips(points)
        self.test_weights = [self._weights(test, points)]

    def preceded_by(self, points: PixelVectors) -> "RBFKernel":
        """Return the kernel of these points and then those of this one, whose memory it shares."""
        extended = copy.copy(self)
        extended.strips = self._strips(points, self.points) + self.strips
        extended.test_weights = [self._weights(self.test, points), *self.test_weights]
        return extended

    @property
    def n_points(self) -> int:
        """Number of points."""
        return sum(map(len, self.strips))

    def product(self, values: np.ndarray, degrees: np.ndarray | None = None) -> np.ndarray:
        """Return the affinities, times a constant, times `(n_points, columns)`, in float64.

        With `degrees`, `(n_points,)`, the affinity of two points is divided by the root of theirs,
        and is 0 where one of them is 0.
        """
        total, values = np.zeros(values.shape), values.astype(np.float64)
        scales = None
        if degrees is not None:
            scales = np.where(degrees > 0, degrees, np.inf) ** (-0.5 / _ROOT)
        starts = np.cumsum([0, *map(len, self.strips)])[:-1].tolist()
        tasks = list(zip(starts, self.strips, strict=True))
        products = in_threads(lambda task: _strip_product(*task, values, scales), tasks)
        for (start, strip), (own, others) in zip(tasks, products, strict=True):
            total[start : start + len(strip)] += own
            total[start + len(strip) :] += others
        return total

    def test_product(self, values: np.ndarray) -> np.ndarray:
        """Return the test points' affinities, likewise times `(n_points, columns)`."""
        stops = np.cumsum([weights.shape[1] for weights in self.test_weights])
        pairs = list(zip(self.test_weights, np.split(values, stops[:-1]), strict=True))

        def product(tests: slice) -> np.ndarray:
            total = np.zeros((tests.stop - tests.start, values.shape[1]))
            for weights, part in pairs:
                for rows, columns, affinities in _pieces(weights[tests]):
                    total[rows] += affinities @ part[columns]
            return total

        return np.concatenate(list(in_threads(product, block_slices(len(self.test)))))

    def _strips(self, points: PixelVectors, after: PixelVectors | None = None) -> list[np.ndarray]:
        cuts = block_slices(len(points))
        n_after = 0 if after is None else len(after)
        strips = [
            np.empty((cut.stop - cut.start, len(points) - cut.start + n_after), np.float32)
            for cut in cuts
        ]
        pairs = [(i, columns) for i in range(len(cuts)) for columns in cuts[i:]]
        blocks = distance_blocks(points, points, [(cuts[i], columns) for i, columns in pairs])
        for (i, columns), block in zip(pairs, blocks, strict=True):
            first = columns.start - cuts[i].start
            self._affinities(block, strips[i][:, first : first + block.shape[1]])
        for strip in strips:
            np.fill_diagonal(strip, 0)
        if after is not None:
            for i, strip in enumerate(strips):
                self._fill(points, [cuts[i]], after, strip[:, len(points) - cuts[i].start :])
        return strips

    def _weights(self, rows: PixelVectors, columns: PixelVectors) -> np.ndarray:
        weights = np.empty((len(rows), len(columns)), np.float32)
        self._fill(rows, block_slices(len(rows)), columns, weights)
        return weights

    def _fill(
        self, a: PixelVectors, rows: list[slice], b: PixelVectors, weights: np.ndarray
    ) -> None:
        pairs = list(itertools.product(rows, block_slices(len(b))))
        for (row, column), block in zip(pairs, distance_blocks(a, b, pairs), strict=True):
            own = slice(row.start - rows[0].start, row.stop - rows[0].start)
            self._affinities(block, weights[own, column])

    def _affinities(self, squared_distances: np.ndarray, weights: np.ndarray) -> None:
        exponents = squared_distances * (-self.gamma * self.points.unit**2 / _ROOT)
        exponents += _SHIFT
        np.exp(exponents, out=exponents)
        # The CPU is many times slower on smaller numbers, and float32 holds few digits of them.
        exponents[exponents < _SMALLEST] = 0
        weights[:] = exponents


def _pieces(
    roots: np.ndarray, scales: tuple[np.ndarray, np.ndarray] | None = None
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Yield rows, columns and their affinities, which the next piece overwrites.

    Args:
        roots: The roots of all.
        scales: Factors of the roots of each row, and of each column.
    """
    buffer = np.empty(_PIECE)
    row_slices, column_slices = map(block_slices, roots.shape, _PIECE)
    for rows, columns in itertools.product(row_slices, column_slices):
        part = roots[rows, columns]
        affinities = buffer[: len(part), : part.shape[1]]
        np.copyto(affinities, part)
        if scales is not None:
            affinities *= scales[0][rows, np.newaxis]
            affinities *= scales[1][columns]
        for _ in range(_SQUARINGS):
            np.multiply(affinities, affinities, out=affinities)
        yield rows, columns, affinities


def _strip_product(
    start: int, strip: np.ndarray, values: np.ndarray, scales: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a strip adds to the product at its own points, and at all later ones."""
    n = len(strip)
    own_values, other_values = values[start : start + n], values[start + n :]
    own, others = np.zeros(own_values.shape), np.zeros(other_values.shape)
    to_own = to_others = None
    if scales is not None:
        own_scales, other_scales = scales[start : start + n], scales[start + n :]
        to_own, to_others = (own_scales, own_scales), (own_scales, other_scales)
    for rows, columns, affinities in _pieces(strip[:, :n], to_own):
        own[rows] += affinities @ own_values[columns]
    for rows, columns, affinities in _pieces(strip[:, n:], to_others):
        own[rows] += affinities @ other_values[columns]
        others[columns] += affinities.T @ own_values[rows]
    return own, others


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of one cell.

    Attributes:
        members: Which of the kernel's points the cell has, bool `(n_points,)`.
        labelled: Its labelled ones, as indices into the kernel's points.
        classes: Their classes.
        alpha: As in `spread_labels`.
    """

    members: np.ndarray
    labelled: np.ndarray
    classes: np.ndarray
    alpha: float


def spread_labels_rbf(
    kernel: RBFKernel, cells: list[Labels], max_iter: int, tol: float
) -> list[Spread]:
    """Spread labels as scikit-learn's `LabelSpreading(kernel="rbf")` does, in all cells at once.

    Args:
        kernel: The affinities.
        cells: The cells, whose labels are spread independently of each other.
        max_iter: As in `spread_labels`.
        tol: Likewise.

    Returns:
        What is said of the kernel's test points, for each cell.

    Raises:
        AffinitiesUnderflowError: If most of the test points are so far from all others that their
            affinities underflow: gamma is too large for this data.
    """
    classes = np.unique(np.concatenate([cell.classes for cell in cells]))
    distributions, iterations = _iterate(kernel, cells, classes, max_iter, tol)
    totals = distributions.sum(axis=2, keepdims=True)
    np.divide(distributions, totals, out=distributions, where=totals > 0)
    shape = (len(kernel.test), len(cells), len(classes))
    scores = kernel.test_product(_columns(distributions)).reshape(shape)
    unreached = ~(scores.sum(axis=2) > 0)
    worst = int(unreached.sum(axis=0).max())
    test = f"{worst:,} of {len(unreached):,} test images"
    far = (
        f"the affinities of {test} to all others underflow to zero, or those on the way from labels"
    )
    if 2 * worst > len(unreached):
        raise AffinitiesUnderflowError(
            f"`gamma` is too large for these images: {far}. Received: gamma={kernel.gamma!r}"
        )
    if worst:
        warnings.warn(
            f"`gamma`={kernel.gamma:g} is large for these images: {far}. No label reaches them",
            stacklevel=2,
        )
    predicted = classes[np.argmax(scores, axis=2)]
    for column, cell in enumerate(cells):
        predicted[unreached[:, column], column] = cell.classes.min()
    return [
        Spread(predicted[:, i], unreached[:, i], iterations[i], iterations[i] < max_iter)
        for i in range(len(cells))
    ]


def _columns(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _iterate(
    kernel: RBFKernel, cells: list[Labels], classes: np.ndarray, max_iter: int, tol: float
) -> tuple[np.ndarray, list[int]]:
    """Return the label distributions, `(n_points, cells, classes)`, and each cell's iterations."""
    members = np.stack([cell.members for cell in cells], axis=1)
    products = kernel.product(np.column_stack([members, np.ones(len(members))]))
    degrees, of_all = np.where(members, products[:, :-1], 0), products[:, -1]
    _tell_underflow(degrees[members], kernel.gamma)
    others = members.sum(axis=0) - 1
    if others.max() > 0 and (degrees >= _ALIKE * math.exp(_SHIFT * _ROOT) * others)[members].all():
        warnings.warn(
            f"`gamma`={kernel.gamma:g} is small for these images: the affinities of all points to "
            "all others are the same to within a thousandth. Labels say nothing then",
            stacklevel=2,
        )
    # A cell's degrees are about those among all points. Where the kernel is divided by the latter,
    # the scale is what is left of the former.
    divisor = of_all if of_all.min() < _TINY else None
    factor = 1.0 if divisor is None else np.sqrt(divisor)[:, np.newaxis]
    scale = np.zeros(degrees.shape)
    np.divide(factor, np.sqrt(degrees), out=scale, where=degrees > 0)
    given = np.zeros((*members.shape, len(classes)))
    for column, cell in enumerate(cells):
        given[cell.labelled, column, np.searchsorted(classes, cell.classes)] = 1
    alphas = np.array([cell.alpha for cell in cells])[:, np.newaxis]

    values, change = given, given
    iterations = [max_iter] * len(cells)
    active = np.arange(len(cells))
    for iteration in range(max_iter):
        moved = np.abs(change).sum(axis=(0, 2)) >= tol
        for column in active[~moved]:
            iterations[column] = iteration
        active = active[moved]
        if not len(active):
            break
        # A cell that has converged stays as it is, as scikit-learn stops for each cell alone.
        own_scale, own_values = scale[:, active, np.newaxis], values[:, active]
        spread = kernel.product(_columns(own_scale * own_values), divisor)
        spread = spread.reshape(own_values.shape)
        new = alphas[active] * own_scale * spread + (1 - alphas[active]) * given[:, active]
        change = new - own_values
        values = values.copy() if values is given else values
        values[:, active] = new
    return values, iterations


def _tell_underflow(degrees: np.ndarray, gamma: float) -> None:
    few = int(np.sum(degrees == 0))
    if few:
        warnings.warn(
            f"`gamma`={gamma:g} is large for these images: {few:,} of {degrees.size:,} points are "
            "so far from all others that their affinities underflow to zero. No label reaches them",
            stacklevel=2,
        )
