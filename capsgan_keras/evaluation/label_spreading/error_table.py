"""Semi-supervised classification by label spreading: the paper's second comparison.

Generated images are the unlabelled points, a few real images the labelled ones, raw pixels in
[0, 1] the features, and the error is taken on the whole test set (Jaiswal et al.,
arXiv 1802.06167, tables 1 and 2). scikit-learn's `LabelSpreading` is the engine.

A table without controls says little, so `semi_supervised_controls` gives three for the same
draws: the nearest labelled image, label spreading without unlabelled images, and with real ones.
"""

import numpy as np

from capsgan_keras.evaluation.label_spreading.labelled_sets import check_pool_and_test, draw_all
from capsgan_keras.evaluation.label_spreading.result import (
    SemiSupervisedCell,
    SemiSupervisedResult,
    SemiSupervisedSettings,
)
from capsgan_keras.evaluation.label_spreading.training_sets import make_training_sets
from capsgan_keras.evaluation.neighbours.distances import to_points
from capsgan_keras.evaluation.neighbours.nearest import nearest

_DEFAULTS = SemiSupervisedSettings()


def semi_supervised_error(
    unlabelled,
    pool,
    test,
    n_labelled=_DEFAULTS.n_labelled,
    draws=_DEFAULTS.draws,
    seed=_DEFAULTS.seed,
    kernel=_DEFAULTS.kernel,
    n_neighbors=_DEFAULTS.n_neighbors,
    alpha=_DEFAULTS.alpha,
    max_iter=_DEFAULTS.max_iter,
    *,
    gamma=_DEFAULTS.gamma,
    tol=_DEFAULTS.tol,
    stratified=_DEFAULTS.stratified,
    unreached_points=_DEFAULTS.unreached_points,
    n_unlabelled=50_000,
    finished=(),
    on_cell=None,
):
    """Measures the error of label spreading with unlabelled images.

    Each cell of the table is what scikit-learn gives for
    `LabelSpreading(kernel="knn").fit(x, y).predict(x_test)`, where `x` holds the labelled images
    and then the unlabelled ones, as raw pixels in [0, 1]. Where distances are equal (repeated
    images), scikit-learn's choice of neighbours depends on rounding; here the point that comes
    first in `x` is the nearer one, so that a labelled image is never crowded out by unlabelled
    copies of itself. The neighbours among the unlabelled images are computed once for all cells.

    Args:
        unlabelled: images of shape `(n, height, width, channels)`, uint8 or float in [0, 1]; or
            None for labelled images alone; or `"pool"` for real images: in each cell,
            `n_unlabelled` random images of the pool (all that are left, where these are fewer)
            that are not among its labelled ones.
        pool: pair `(x_pool, y_pool)`. Real images of the same shape, and their classes, from
            which the labelled images are drawn (see `draw_labelled`).
        test: pair `(x_test, y_test)`. Real images and their classes, for the error.
        n_labelled: ints. Numbers of labelled images.
        draws: int. Draws of each number.
        seed: int. Seed of the draws.
        kernel: `"knn"` or `"rbf"`.
        n_neighbors: int, or one for each of `n_labelled`. Number of neighbours of the knn
            kernel, the point itself included.
        alpha: float in (0, 1), or one for each of `n_labelled`. Clamping factor.
        max_iter: int. Largest number of iterations.
        gamma: float. Width of the RBF kernel.
        tol: float. Tolerance of convergence.
        stratified: bool. Same number from every class (default), or plain random draws.
        unreached_points: `"scikit-learn"` or `"nearest_labelled"`. What is predicted for test
            images that no label reaches; see `SemiSupervisedSettings`.
        n_unlabelled: int. Number of unlabelled images for `unlabelled="pool"`.
        finished: iterable of `SemiSupervisedCell`. Cells of an interrupted call with the same
            data and settings, which are not computed again.
        on_cell: optional function of one `SemiSupervisedCell`, called as each is finished.

    Returns:
        A `SemiSupervisedResult`.

    Raises:
        ValueError: If images or labels do not fit each other, a number of labelled images is
            larger than the pool, a labelled set has one class only, there are fewer training
            points than neighbours, or a setting is out of its range.
    """
    settings = SemiSupervisedSettings(
        n_labelled=n_labelled,
        draws=draws,
        seed=seed,
        stratified=stratified,
        kernel=kernel,
        n_neighbors=n_neighbors,
        gamma=gamma,
        alpha=alpha,
        max_iter=max_iter,
        tol=tol,
        unreached_points=unreached_points,
    )
    x_pool, y_pool, x_test, y_test = check_pool_and_test(pool, test)
    drawn = draw_all(y_pool, settings)
    training_sets = make_training_sets(unlabelled, x_pool, x_test, settings, n_unlabelled)

    def classify(labelled, draw):
        spread = training_sets.spread(labelled, y_pool[labelled], draw)
        predicted = spread.predicted
        if settings.unreached_points == "nearest_labelled" and spread.unreached.any():
            images, points = to_points(x_test[spread.unreached], x_pool[labelled])
            closest = nearest(images, points, 1).indices[:, 0]
            predicted[spread.unreached] = y_pool[labelled[closest]]
        return predicted, {
            "n_unlabelled": training_sets.n_unlabelled(len(labelled)),
            "unreached": int(spread.unreached.sum()),
            "iterations": spread.iterations,
            "converged": spread.converged,
        }

    cells = _fill_table(classify, drawn, y_test, settings, finished, on_cell)
    return SemiSupervisedResult(
        "label spreading", training_sets.source, settings, len(y_test), cells, drawn
    )


def nearest_neighbour_error(
    pool,
    test,
    n_labelled=_DEFAULTS.n_labelled,
    draws=_DEFAULTS.draws,
    seed=_DEFAULTS.seed,
    *,
    stratified=_DEFAULTS.stratified,
    finished=(),
    on_cell=None,
):
    """Measures the error of predicting the nearest labelled image's class.

    This is a control: 1-nearest neighbour, which uses no unlabelled image.

    Args:
        pool: pair `(x_pool, y_pool)`, as in `semi_supervised_error`.
        test: pair `(x_test, y_test)`.
        n_labelled: ints. Numbers of labelled images.
        draws: int. Draws of each number.
        seed: int. Seed of the draws; the same seed labels the same images as it does in
            `semi_supervised_error`.
        stratified: bool. As in `semi_supervised_error`.
        finished: iterable of `SemiSupervisedCell`. Cells that need not be computed again.
        on_cell: optional function of one `SemiSupervisedCell`, called as each is finished.

    Returns:
        A `SemiSupervisedResult`, in whose settings those of label spreading mean nothing.

    Raises:
        ValueError: As `semi_supervised_error`.
    """
    settings = SemiSupervisedSettings(
        n_labelled=n_labelled, draws=draws, seed=seed, stratified=stratified
    )
    x_pool, y_pool, x_test, y_test = check_pool_and_test(pool, test)
    drawn = draw_all(y_pool, settings)
    pool_points, test_points = to_points(x_pool, x_test)

    def classify(labelled, draw):
        closest = nearest(test_points, pool_points[labelled], 1).indices[:, 0]
        return y_pool[labelled[closest]], {"n_unlabelled": 0}

    cells = _fill_table(classify, drawn, y_test, settings, finished, on_cell)
    return SemiSupervisedResult(
        "nearest labelled image", "none", settings, len(y_test), cells, drawn
    )


def semi_supervised_controls(
    pool, test, *, n_unlabelled=50_000, finished=None, on_cell=None, **options
):
    """Computes the controls that stand in the table beside the generators.

    They are controls, not bounds: generated images can do worse than no unlabelled image at all,
    and real unlabelled images can do worse than none (as they may on CIFAR-10).

    Args:
        pool: pair `(x_pool, y_pool)`, as in `semi_supervised_error`.
        test: pair `(x_test, y_test)`.
        n_unlabelled: int. Number of real unlabelled images.
        finished: optional dict from a control's name to its finished cells.
        on_cell: optional function of a control's name and one `SemiSupervisedCell`.
        **options: settings as in `semi_supervised_error`, for all controls.

    Returns:
        A dict of `SemiSupervisedResult`: `"nearest_labelled"` (1-nearest neighbour on the
        labelled images), `"labels_only"` (label spreading on them) and `"real_unlabelled"`
        (label spreading with `n_unlabelled` real images of the pool besides).

    Raises:
        ValueError: As `semi_supervised_error`.
    """
    finished = finished or {}

    def hooks(name):
        report = None if on_cell is None else lambda cell: on_cell(name, cell)
        return {"finished": finished.get(name, ()), "on_cell": report}

    drawing = {
        name: options[name]
        for name in ("n_labelled", "draws", "seed", "stratified")
        if name in options
    }
    return {
        "nearest_labelled": nearest_neighbour_error(
            pool, test, **drawing, **hooks("nearest_labelled")
        ),
        "labels_only": semi_supervised_error(None, pool, test, **options, **hooks("labels_only")),
        "real_unlabelled": semi_supervised_error(
            "pool",
            pool,
            test,
            n_unlabelled=n_unlabelled,
            **options,
            **hooks("real_unlabelled"),
        ),
    }


def _fill_table(classify, labelled_indices, y_test, settings, finished, on_cell):
    done = {(cell.n_labelled, cell.draw): cell for cell in finished}
    cells = []
    for n, row in zip(settings.n_labelled, labelled_indices, strict=True):
        for draw, labelled in enumerate(row):
            cell = done.get((n, draw))
            if cell is None:
                predicted, details = classify(labelled, draw)
                error = float(np.mean(predicted != y_test))
                cell = SemiSupervisedCell(n, draw, error, **details)
                if on_cell is not None:
                    on_cell(cell)
            cells.append(cell)
    return tuple(cells)
