"""Semi-supervised classification by label spreading: the paper's second comparison.

Generated images are the unlabelled ones, a few real images the labelled ones, raw pixels in
[0, 1] the features. The error is taken on the whole test set (Jaiswal et al., arXiv 1802.06167,
tables 1 and 2). scikit-learn's `LabelSpreading` is the engine.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from capsgan_keras.checks import check_callable, check_kind
from capsgan_keras.evaluation.label_spreading.labelled_sets import (
    LabelledImages,
    are_all_alike,
    check_pool_and_test,
    draw_all,
)
from capsgan_keras.evaluation.label_spreading.result import (
    SemiSupervisedCell,
    SemiSupervisedResult,
)
from capsgan_keras.evaluation.label_spreading.settings import (
    N_UNLABELLED,
    SemiSupervisedSettings,
    combine,
)
from capsgan_keras.evaluation.label_spreading.spreading import Spread
from capsgan_keras.evaluation.label_spreading.training_sets import Cell, TrainingSets, Unlabelled
from capsgan_keras.evaluation.neighbours.distances import pixel_vectors
from capsgan_keras.evaluation.neighbours.nearest import nearest

OnCell = Callable[[SemiSupervisedCell], object]
Classified = tuple[np.ndarray, dict[str, Any]]
"""The test images' predicted classes in a cell, and further fields of its `SemiSupervisedCell`."""


def semi_supervised_error(
    unlabelled: Unlabelled,
    pool: LabelledImages,
    test: LabelledImages,
    settings: SemiSupervisedSettings | None = None,
    *,
    n_unlabelled: int = N_UNLABELLED,
    finished: Iterable[SemiSupervisedCell] = (),
    on_cell: OnCell | None = None,
    **options: Any,
) -> SemiSupervisedResult:
    """Measure the error of label spreading with unlabelled images.

    Each cell of the table is what scikit-learn gives for
    `LabelSpreading(kernel="knn").fit(x, y).predict(x_test)`, where `x` holds the labelled images
    and then the unlabelled ones, as raw pixels in [0, 1]. Where distances are equal (repeated
    images), scikit-learn's choice of neighbours depends on rounding. Here the image that comes
    first in `x` is the nearer one, so that a labelled image is never crowded out by unlabelled
    copies of itself. The neighbours among the unlabelled images are computed once for all cells.

    With `kernel="rbf"` all images are neighbours, with the weights `exp(-gamma ||x - y||^2)`. The
    label distributions are scikit-learn's to within 1e-5, at sizes that it has no memory for.
    Weights below `exp(-746)`, a squared distance of `746 / gamma`, count as zero, about as in
    float64. From `exp(-708)` on down scikit-learn's weights have few digits, and its distributions
    can be off. A warning tells of training points that have no larger weights, and of test images
    that no label reaches; where these are most of them, `gamma` is refused.

    Args:
        unlabelled: Images `(n, height, width, channels)`, uint8 or float in [0, 1]; or None for
            labelled images alone; or `"pool"` for real images: in each cell, `n_unlabelled`
            random images of the pool (all that are left, where these are fewer) that are not
            among its labelled ones.
        pool: `(x_pool, y_pool)`: real images of the same shape, and their classes, from which
            the labelled images are drawn (see `draw_labelled`).
        test: `(x_test, y_test)`: real images and their classes, for the error.
        settings: The settings of the table; by default `SemiSupervisedSettings()`.
        n_unlabelled: Number of unlabelled images for `unlabelled="pool"`.
        finished: Cells of an interrupted call with the same data and settings, which are not
            computed again.
        on_cell: Function that is called with each cell as it is finished.
        **options: Fields of `SemiSupervisedSettings` by name, in the place of those in `settings`.

    Raises:
        ValueError: If images or labels do not fit each other, a number of labelled images is
            larger than the pool, a labelled set has one class only, there are fewer training
            images than neighbours, a test image has a class that the pool lacks, or a setting is
            out of its range.
        TypeError: If an option is no setting.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import semi_supervised_error
    rng = np.random.default_rng(0)
    pool = rng.random((40, 4, 4, 1)), np.arange(40) % 2
    test = rng.random((10, 4, 4, 1)), np.arange(10) % 2
    result = semi_supervised_error(rng.random((30, 4, 4, 1)), pool, test, n_labelled=(8, 20))
    print(result.errors.shape, result.mean)  # (2, 5), and one mean for each number of labels
    print(result.cells[0])
    ```
    """
    settings = combine(settings, options)
    x_pool, y_pool, x_test, y_test = check_pool_and_test(pool, test)
    drawn = draw_all(y_pool, settings)
    training_sets = TrainingSets(unlabelled, x_pool, y_pool, x_test, settings, n_unlabelled)
    images = None if isinstance(unlabelled, str) else unlabelled
    if images is not None and are_all_alike(np.asarray(images)):
        warnings.warn("`unlabelled` holds images that are all alike", stacklevel=2)

    def classify(batch: list[Cell]) -> list[Classified]:
        spreads = training_sets.spread(batch)
        return [
            told(labelled, spread) for (_, labelled), spread in zip(batch, spreads, strict=True)
        ]

    def told(labelled: np.ndarray, spread: Spread) -> Classified:
        predicted = spread.predicted
        if settings.unreached_points == "nearest_labelled" and spread.unreached.any():
            unreached, known = pixel_vectors(x_test[spread.unreached], x_pool[labelled])
            closest = nearest(unreached, known, 1).indices[:, 0]
            predicted[spread.unreached] = y_pool[labelled[closest]]
        return predicted, {
            "n_unlabelled": training_sets.n_unlabelled(len(labelled)),
            "unreached": int(spread.unreached.sum()),
            "iterations": spread.iterations,
            "converged": spread.converged,
        }

    table = _Table("label spreading", training_sets.source, settings, drawn, y_test)
    return table.fill(classify, training_sets.batches, finished, on_cell)


def nearest_neighbour_error(
    pool: LabelledImages,
    test: LabelledImages,
    settings: SemiSupervisedSettings | None = None,
    *,
    finished: Iterable[SemiSupervisedCell] = (),
    on_cell: OnCell | None = None,
    **options: Any,
) -> SemiSupervisedResult:
    """Measure the error of predicting the nearest labelled image's class.

    This is a control: 1-nearest neighbour, which uses no unlabelled image. The same seed labels
    the same images as in `semi_supervised_error`.

    Args:
        pool: As in `semi_supervised_error`.
        test: Likewise.
        settings: The settings of the draws; those of label spreading have no effect and are not
            in the result.
        finished: As in `semi_supervised_error`.
        on_cell: Likewise.
        **options: Likewise.

    Raises:
        ValueError: As `semi_supervised_error`.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import nearest_neighbour_error
    data = np.random.default_rng(0).random((20, 4, 4, 1)), np.arange(20) % 2
    print(nearest_neighbour_error(data, data, n_labelled=(4, 20)).mean[1])  # 0.0
    ```
    """
    given = combine(settings, options)
    settings = SemiSupervisedSettings(given.n_labelled, given.draws, given.seed, given.stratified)
    x_pool, y_pool, x_test, y_test = check_pool_and_test(pool, test)
    drawn = draw_all(y_pool, settings)
    pool_pixels, test_pixels = pixel_vectors(x_pool, x_test)

    def classify(batch: list[Cell]) -> list[Classified]:
        ((_, labelled),) = batch
        closest = nearest(test_pixels, pool_pixels[labelled], 1).indices[:, 0]
        return [(y_pool[labelled[closest]], {"n_unlabelled": 0})]

    def batches(cells: Iterable[Cell]) -> list[list[Cell]]:
        return [[cell] for cell in cells]

    table = _Table("nearest labelled image", "none", settings, drawn, y_test)
    return table.fill(classify, batches, finished, on_cell)


def semi_supervised_controls(
    pool: LabelledImages,
    test: LabelledImages,
    settings: SemiSupervisedSettings | None = None,
    *,
    n_unlabelled: int = N_UNLABELLED,
    finished: Mapping[str, Iterable[SemiSupervisedCell]] | None = None,
    on_cell: Callable[[str, SemiSupervisedCell], object] | None = None,
    **options: Any,
) -> dict[str, SemiSupervisedResult]:
    """Compute the controls that stand in the table beside the generators, for the same draws.

    They are controls, not bounds: generated images can do worse than no unlabelled image at all,
    and real unlabelled images can do worse than none (as they may on CIFAR-10).

    Args:
        pool: As in `semi_supervised_error`.
        test: Likewise.
        settings: Likewise.
        n_unlabelled: Number of real unlabelled images.
        finished: The finished cells of each control, by its name.
        on_cell: Function that is called with a control's name and each cell.
        **options: As in `semi_supervised_error`.

    Returns:
        `"nearest_labelled"` (1-nearest neighbour on the labelled images), `"labels_only"` (label
        spreading on them) and `"real_unlabelled"` (label spreading on them and `n_unlabelled`
        other images of the pool).

    Raises:
        ValueError: As `semi_supervised_error`.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import semi_supervised_controls
    data = np.random.default_rng(0).random((40, 4, 4, 1)), np.arange(40) % 2
    controls = semi_supervised_controls(data, data, n_labelled=(8, 20), n_unlabelled=20)
    print({name: result.mean for name, result in controls.items()})
    ```
    """
    settings = combine(settings, options)
    check_kind((Mapping, type(None)), "a dictionary of cells by control", finished=finished)
    check_callable(on_cell=on_cell)

    controls: dict[str, Callable[..., SemiSupervisedResult]] = {
        "nearest_labelled": nearest_neighbour_error,
        "labels_only": partial(semi_supervised_error, None),
        "real_unlabelled": partial(semi_supervised_error, "pool", n_unlabelled=n_unlabelled),
    }
    results = {}
    for name, measure in controls.items():
        report = None if on_cell is None else partial(on_cell, name)
        done = (finished or {}).get(name, ())
        results[name] = measure(pool, test, settings, finished=done, on_cell=report)
    return results


@dataclass(frozen=True)
class _Table:
    method: str
    unlabelled: str
    settings: SemiSupervisedSettings
    drawn: tuple[tuple[np.ndarray, ...], ...]
    y_test: np.ndarray

    def fill(
        self,
        classify: Callable[[list[Cell]], list[Classified]],
        batches: Callable[[Iterable[Cell]], list[list[Cell]]],
        finished: Iterable[SemiSupervisedCell],
        on_cell: OnCell | None,
    ) -> SemiSupervisedResult:
        """Compute the cells that are not finished, batch after batch."""
        check_callable(on_cell=on_cell)
        finished = finished if isinstance(finished, Iterable) else [finished]
        for cell in finished:
            check_kind(SemiSupervisedCell, "cells of a SemiSupervisedResult", finished=cell)
        wanted = [(draw, labelled) for row in self.drawn for draw, labelled in enumerate(row)]
        done = {(cell.draw, cell.n_labelled): cell for cell in finished}
        missing = [(draw, images) for draw, images in wanted if (draw, len(images)) not in done]
        for batch in batches(missing):
            for (draw, images), classified in zip(batch, classify(batch), strict=True):
                predicted, details = classified
                error = float(np.mean(predicted != self.y_test))
                cell = SemiSupervisedCell(len(images), draw, error, **details)
                done[draw, len(images)] = cell
                if on_cell is not None:
                    on_cell(cell)
        cells = tuple(done[draw, len(images)] for draw, images in wanted)
        n_test = len(self.y_test)
        return SemiSupervisedResult(
            self.method, self.unlabelled, self.settings, n_test, cells, self.drawn
        )
