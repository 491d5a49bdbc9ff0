"""Speed and memory of a label-spreading table against scikit-learn, called anew for each cell.

A table has three numbers of labelled images, 5 draws of each, and the paper's proportions: for
50,000 unlabelled images 100, 1,000 and 10,000 labelled ones and 10,000 test images. The package's
table is timed whole. Of scikit-learn one cell is timed for each number of labels, since all draws
of a number cost it the same. Predicted labels are compared before anything is timed.

The neighbour kernel is measured with one number of unlabelled images. The RBF kernel is measured
with several numbers, at which scikit-learn still has the memory. Both ways are then drawn on to
the paper's size, and the package's table of that size is measured too.
"""

import warnings
from functools import partial

import numpy as np
from sklearn.semi_supervised import LabelSpreading

from benchmarks.measuring import (
    check_values,
    draw_on,
    in_own_process,
    peak_memory,
    ratios,
    spread,
    time_in_turn,
)
from capsgan_keras import load_dataset
from capsgan_keras.evaluation import draw_labelled, semi_supervised_error
from capsgan_keras.evaluation.label_spreading.rbf import kernel_bytes
from capsgan_keras.machine import memory_bytes

KERNELS = {"knn": {"n_neighbors": 7}, "rbf": {"gamma": 0.25}}
"""Each kernel's settings, which have the same names in scikit-learn."""
POINTS, QUICK_POINTS = 20_000, 1_000
RBF_ROUNDS = {2_000: 3, 4_000: 3, 8_000: 2, 12_000: 1}
"""How often tables of so many unlabelled images are timed: scikit-learn takes minutes for one."""
QUICK_RBF_ROUNDS = {1_000: 2, 1_500: 1}
DRAWN_ON, QUICK_DRAWN_ON = 50_000, 2_000
"""The paper's unlabelled images, which are 60,000 points with its 10,000 labelled ones."""
DRAWS = 5
PARTS = 500, 50, 5
"""The unlabelled images are so many times as many as the labelled ones."""
TOLERANCE = 1e-3
"""Share of the predicted labels that may differ, where distances are equal."""
SEED = 0


def run(quick=False):
    """Check and time tables, and measure their memory.

    Args:
        quick: Whether few synthetic images take the place of MNIST, for tests.

    Returns:
        Dictionary for the JSON file: of the neighbour kernel what `measure` returns; and `rbf`,
        what `measure_rbf` returns.

    Raises:
        DisagreementError: Where more labels differ than equal distances explain.
        DatasetError: Where MNIST cannot be had.
    """
    data, points = ("synthetic", QUICK_POINTS) if quick else ("mnist", POINTS)
    result = measure("knn", data, points, 2, quick)
    rounds, size = (QUICK_RBF_ROUNDS, QUICK_DRAWN_ON) if quick else (RBF_ROUNDS, DRAWN_ON)
    return result | {"rbf": measure_rbf(data, rounds, size, quick)}


def measure(kernel, data, points, rounds, quick):
    """Check and time one table, and measure its memory.

    Args:
        kernel: `"knn"` or `"rbf"`.
        data: As for `load`.
        points: Likewise.
        rounds: How often both ways are timed.
        quick: Whether memory is measured in this process.

    Returns:
        Dictionary: `data`, `points`, `n_labelled`, `n_test`, `draws`, `rounds`; `differing`, the
        share of labels that differ from scikit-learn's for each of `n_labelled`; `table_seconds`
        and `scikit_learn_seconds`, of a whole table, and `times_table`, their ratio, as spreads
        over the rounds; `table_memory` and `scikit_learn_memory` in bytes, the latter of its cell
        with the most labels, None where they can't be measured.

    Raises:
        DisagreementError: Where more labels differ than equal distances explain.
        DatasetError: Where the data set cannot be had.
    """
    print(f"label_spreading: {kernel}, {points:,} unlabelled images", flush=True)
    images = load(data, points)
    n_labelled = labelled_numbers(points)
    differing = compare(*images, kernel)
    check_values("The labels", differing, TOLERANCE)
    functions = {n: partial(scikit_learn_cell, *images, n, kernel) for n in n_labelled}
    functions["table"] = partial(make_table, *images, kernel)
    # Nothing is compiled here, and comparing has been through all of it.
    seconds = time_in_turn(functions, 1, rounds, warm_up=0)
    table = seconds.pop("table")
    cells = [DRAWS * sum(each) for each in zip(*seconds.values(), strict=True)]
    needed = [
        in_own_process(memory, partial(way, kernel=kernel), data, points, quick=quick)
        for way in (make_table, scikit_learn_cell)
    ]
    return {
        "data": data,
        "points": points,
        "n_labelled": list(n_labelled),
        "n_test": len(images[2][0]),
        "draws": DRAWS,
        "rounds": rounds,
        "differing": list(differing.values()),
        "table_seconds": spread(table),
        "scikit_learn_seconds": spread(cells),
        "times_table": ratios(cells, table),
        "table_memory": needed[0],
        "scikit_learn_memory": needed[1],
    }


def measure_rbf(data, rounds, size, quick):
    """Measure tables of the RBF kernel of several sizes, and draw their costs on to a larger one.

    Args:
        data: As for `measure`.
        rounds: Dictionary of how often both ways are timed, for ascending numbers of unlabelled
            images.
        size: The larger number of unlabelled images.
        quick: As for `measure`.

    Returns:
        Dictionary: `gamma`; `tables`, what `measure` returns for each number; `drawn_on`, the
        `size`; `whole`, what `measure_whole` returns of this size; and `growth`. The latter has
        for each of `table_seconds`, `scikit_learn_seconds` (their medians), `table_memory` and
        `scikit_learn_memory` what `draw_on` returns.
    """
    tables = [measure("rbf", data, points, count, quick) for points, count in rounds.items()]
    growth = {}
    for way in ("table", "scikit_learn"):
        seconds = [table[f"{way}_seconds"]["median"] for table in tables]
        needed = [table[f"{way}_memory"] for table in tables]
        growth[f"{way}_seconds"] = draw_on(list(rounds), seconds, size)
        growth[f"{way}_memory"] = draw_on(list(rounds), needed, size)
    return KERNELS["rbf"] | {
        "tables": tables,
        "drawn_on": size,
        "whole": measure_whole(data, size, quick),
        "growth": growth,
    }


def measure_whole(data, points, quick):
    """Return what `measure_table` does of the RBF kernel, or None where memory is too small.

    The matrices alone take `kernel_bytes`, and a table a fifth more.
    """
    print(f"label_spreading: rbf, {points:,} unlabelled images, the package alone", flush=True)
    needed = 1.2 * kernel_bytes(points + max(labelled_numbers(points)), points // 5)
    if needed > memory_bytes():
        print(f"Not measured: it takes {needed / 2**30:.1f} GiB of memory", flush=True)
        return None
    return in_own_process(measure_table, data, points, "rbf", quick=quick)


def measure_table(data, points, kernel="knn"):
    """Return the `seconds` and the `bytes` of one table of the package, made in this process."""
    make_table(*load("synthetic", 1_000), kernel)  # warm-up
    images = load(data, points)
    seconds = {}
    needed = peak_memory(
        lambda: seconds.update(
            time_in_turn({"table": lambda: make_table(*images, kernel)}, 1, 1, warm_up=0)
        )
    )
    return {"seconds": seconds["table"][0], "bytes": needed}


def labelled_numbers(points):
    """Return the three numbers of labelled images that go with a number of unlabelled ones."""
    return tuple(points // part for part in PARTS)


def load(data, points):
    """Return unlabelled images, a labelled pool and a test set, in the paper's proportions.

    Args:
        data: `"synthetic"`, 28x28 images of ten classes, or the name of a data set.
        points: Number of unlabelled images. Pool and test set have a fifth of it each.

    Returns:
        The unlabelled images, `(x_pool, y_pool)` and `(x_test, y_test)`.

    Raises:
        DatasetError: Where the data set cannot be had.
    """
    fifth = points // 5
    if data == "synthetic":
        x, y = synthetic_images(points + 2 * fifth)
        x_train, y_train, x_test, y_test = x[fifth:], y[fifth:], x[:fifth], y[:fifth]
    else:
        (x_train, y_train), (x_test, y_test) = load_dataset(data)
    pool = slice(points, points + fifth)
    return x_train[:points], (x_train[pool], y_train[pool]), (x_test[:fifth], y_test[:fifth])


def synthetic_images(count):
    """Return uint8 images `(count, 28, 28, 1)`, prototypes of ten classes with noise, and classes.

    Without classes that lie apart, ties and chance would decide which labels spread.
    """
    rng = np.random.default_rng(SEED)
    prototypes = rng.integers(0, 256, (10, 28, 28, 1)).astype("float32")
    classes = rng.integers(0, 10, count)
    noise = 150 * rng.standard_normal((count, 28, 28, 1), dtype="float32")
    return np.clip(prototypes[classes] + noise, 0, 255).astype("uint8"), classes


def make_table(unlabelled, pool, test, kernel="knn"):
    """Return the package's table, a `SemiSupervisedResult`."""
    n_labelled = labelled_numbers(len(unlabelled))
    return spread_labels(unlabelled, pool, test, kernel, n_labelled, DRAWS)


def spread_labels(unlabelled, pool, test, kernel, n_labelled, draws):
    """Return what the package's `semi_supervised_error` gives for a kernel of `KERNELS`."""
    return semi_supervised_error(
        unlabelled,
        pool,
        test,
        n_labelled=n_labelled,
        draws=draws,
        seed=SEED,
        kernel=kernel,
        **KERNELS[kernel],
    )


def scikit_learn_cell(unlabelled, pool, test, n=None, kernel="knn"):
    """Return the test images' labels as scikit-learn predicts them, in the first draw.

    Args:
        unlabelled, pool, test: As `load` returns them.
        n: Number of labelled images; by default the largest of the table.
        kernel: `"knn"` or `"rbf"`.
    """
    drawn = draw_labelled(pool[1], n or max(labelled_numbers(len(unlabelled))), seed=SEED)
    x = np.concatenate([pool[0][drawn], unlabelled])
    y = np.concatenate([pool[1][drawn], np.full(len(unlabelled), -1)])
    model = LabelSpreading(kernel=kernel, alpha=0.2, **KERNELS[kernel])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 0 / 0 where no label reaches a test image
        model.fit(x.reshape(len(x), -1) / 255, y)
        return model.predict(test[0].reshape(len(test[0]), -1) / 255)


def compare(unlabelled, pool, test, kernel="knn"):
    """Return the share of labels that the package predicts otherwise than scikit-learn.

    The package reports errors, not labels. So it is given scikit-learn's labels as the truth: its
    error is then the share that differs.

    Returns:
        Dictionary of the numbers of labelled images.
    """
    differing = {}
    for n in labelled_numbers(len(unlabelled)):
        truth = test[0], scikit_learn_cell(unlabelled, pool, test, n, kernel)
        result = spread_labels(unlabelled, pool, truth, kernel, (n,), draws=1)
        differing[n] = float(result.errors[0, 0])
    return differing


def memory(function, data, points):
    """Return the bytes by which this process grows while `make_table` or a cell is computed."""
    images = load(data, points)
    return peak_memory(lambda: function(*images))
