"""Speed and memory of a label-spreading table against scikit-learn, called anew for each cell.

A table has three numbers of labelled images, 5 draws of each, and the paper's proportions: for
50,000 unlabelled images 100, 1,000 and 10,000 labelled ones and 10,000 test images. The package's
table is timed whole. Of scikit-learn one cell is timed for each number of labels, since all draws
of a number cost it the same. Predicted labels are compared before anything is timed.
"""

import warnings

import numpy as np
from sklearn.semi_supervised import LabelSpreading

from benchmarks.measuring import (
    check_values,
    in_own_process,
    peak_memory,
    ratios,
    spread,
    time_in_turn,
)
from capsgan_keras import load_dataset
from capsgan_keras.evaluation import draw_labelled, semi_supervised_error

DRAWS = 5
PARTS = 500, 50, 5
"""The unlabelled images are so many times as many as the labelled ones."""
TOLERANCE = 1e-3
"""Share of the predicted labels that may differ, where distances are equal."""
SEED = 0


def run(quick=False):
    """Check and time a table, and measure its memory.

    Args:
        quick: Whether few synthetic images take the place of MNIST, for tests.

    Returns:
        Dictionary for the JSON file: `data`, `points`, `n_labelled`, `n_test`, `draws`, `rounds`;
        `differing`, the share of labels that differ from scikit-learn's for each of `n_labelled`;
        `table_seconds` and `scikit_learn_seconds`, of a whole table, and `times_table`, their
        ratio, as spreads over the rounds; `table_memory` and `scikit_learn_memory` in bytes, the
        latter of its cell with the most labels, None where they can't be measured.

    Raises:
        DisagreementError: Where more labels differ than equal distances explain.
        DatasetError: Where MNIST cannot be had.
    """
    data, points, rounds = ("synthetic", 1_000, 2) if quick else ("mnist", 20_000, 3)
    print(f"label_spreading: {points:,} unlabelled images", flush=True)
    images = load(data, points)
    n_labelled = labelled_numbers(points)
    differing = compare(*images)
    check_values("The labels", differing, TOLERANCE)
    functions = {n: lambda n=n: scikit_learn_cell(*images, n) for n in n_labelled}
    functions["table"] = lambda: make_table(*images)
    # Nothing is compiled here, and comparing has been through all of it.
    seconds = time_in_turn(functions, 1, rounds, warm_up=0)
    table = seconds.pop("table")
    cells = [DRAWS * sum(each) for each in zip(*seconds.values(), strict=True)]
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
        "table_memory": in_own_process(memory, make_table, data, points, quick=quick),
        "scikit_learn_memory": in_own_process(memory, scikit_learn_cell, data, points, quick=quick),
    }


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


def make_table(unlabelled, pool, test):
    """Return the package's table, a `SemiSupervisedResult`."""
    n_labelled = labelled_numbers(len(unlabelled))
    return semi_supervised_error(
        unlabelled, pool, test, n_labelled=n_labelled, draws=DRAWS, seed=SEED
    )


def scikit_learn_cell(unlabelled, pool, test, n=None):
    """Return the test images' labels as scikit-learn predicts them, in the first draw.

    Args:
        unlabelled, pool, test: As `load` returns them.
        n: Number of labelled images; by default the largest of the table.
    """
    drawn = draw_labelled(pool[1], n or max(labelled_numbers(len(unlabelled))), seed=SEED)
    x = np.concatenate([pool[0][drawn], unlabelled])
    y = np.concatenate([pool[1][drawn], np.full(len(unlabelled), -1)])
    model = LabelSpreading(kernel="knn", n_neighbors=7, alpha=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 0 / 0 where no label reaches a test image
        model.fit(x.reshape(len(x), -1) / 255, y)
        return model.predict(test[0].reshape(len(test[0]), -1) / 255)


def compare(unlabelled, pool, test):
    """Return the share of labels that the package predicts otherwise than scikit-learn.

    The package reports errors, not labels. So it is given scikit-learn's labels as the truth: its
    error is then the share that differs.

    Returns:
        Dictionary of the numbers of labelled images.
    """
    differing = {}
    for n in labelled_numbers(len(unlabelled)):
        truth = test[0], scikit_learn_cell(unlabelled, pool, test, n)
        result = semi_supervised_error(unlabelled, pool, truth, n_labelled=(n,), draws=1, seed=SEED)
        differing[n] = float(result.errors[0, 0])
    return differing


def memory(function, data, points):
    """Return the bytes by which this process grows while `make_table` or a cell is computed."""
    images = load(data, points)
    return peak_memory(lambda: function(*images))
