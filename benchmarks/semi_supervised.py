"""Speed of the semi-supervised table against scikit-learn called anew for each of its cells.

    python -m benchmarks.semi_supervised --points 2000 5000
    python -m benchmarks.semi_supervised --points 50000 --data mnist --repeats 1

The table is the paper's: 3 numbers of labelled images, 5 draws, 2 models, in the paper's
proportions (n = 100, 1,000, 10,000 and 10,000 test images for 50,000 unlabelled ones). First the
predicted labels of the first draw are compared. Then the package's table for one model is timed
as a whole, and scikit-learn's fit and prediction for single cells, since all draws of a number of
labels cost it the same; both are multiplied up to the whole table. `--repeats` is how often each
is timed. Both get all cores.
"""

import argparse
import os
import resource
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.semi_supervised import LabelSpreading

from capsgan_keras import load_dataset
from capsgan_keras.evaluation import draw_labelled, semi_supervised_error
from capsgan_keras.evaluation.semi_supervised_result import SemiSupervisedSettings
from capsgan_keras.evaluation.training_sets import make_training_sets
from capsgan_keras.files import write_json
from capsgan_keras.provenance import versions

DRAWS, MODELS = 5, 2
LEAST_AGREEMENT = 0.999  # equal labels, but for ties of distances
RESULTS = Path("results/benchmarks/semi_supervised.json")


def main(arguments=None):
    """Runs the benchmark.

    Args:
        arguments: optional list of str, instead of the command line's.

    Returns:
        int, the exit status: 1 if the labels disagree.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, nargs="+", default=[2_000, 5_000], metavar="N")
    parser.add_argument("--data", choices=("synthetic", "mnist", "cifar10"), default="synthetic")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    if min(options.points) < 1_000 or options.repeats < 1:
        parser.error("--points must be 1000 or more, and --repeats 1 or more")

    results = []
    for points in options.points:
        result = measure(*load(options.data, points), options.repeats)
        results.append({"data": options.data, **result})
        print(describe(results[-1]), flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        options.output, {"versions": versions(), "cores": os.cpu_count(), "results": results}
    )
    return int(min(result["agreement"] for result in results) < LEAST_AGREEMENT)


def load(data, points):
    """Gives unlabelled images, a labelled pool and a test set, in the paper's proportions.

    Args:
        data: `"synthetic"` (28x28, ten prototypes with noise) or the name of a data set.
        points: int. Number of unlabelled images; the pool and the test set have a fifth of it.

    Returns:
        The unlabelled images, `(x_pool, y_pool)` and `(x_test, y_test)`.
    """
    n_test = points // 5
    n_real = points + n_test
    if data == "synthetic":
        rng = np.random.default_rng(0)
        prototypes = rng.integers(0, 256, (10, 28, 28, 1))
        y = rng.integers(0, 10, n_real + n_test)
        x = prototypes[y] + rng.normal(0, 150, (len(y), 28, 28, 1)).astype(np.float32)
        x = np.clip(x, 0, 255).astype(np.uint8)
        x_train, y_train, x_test, y_test = x[:n_real], y[:n_real], x[n_real:], y[n_real:]
    else:
        (x_train, y_train), (x_test, y_test) = load_dataset(data)
        if n_real > len(x_train):
            raise SystemExit(f"{data} has {len(x_train)} training images; {n_real} are needed")
    return (
        x_train[:points],
        (x_train[points:n_real], y_train[points:n_real]),
        (x_test[:n_test], y_test[:n_test]),
    )


def measure(unlabelled, pool, test, repeats):
    """Compares labels and times of one table.

    Args:
        unlabelled: uint8 images.
        pool: pair `(x_pool, y_pool)`.
        test: pair `(x_test, y_test)`.
        repeats: int. How often each timing is repeated.

    Returns:
        A dict that JSON can hold.
    """
    points = len(unlabelled)
    n_labelled = tuple(points // part for part in (500, 50, 5))
    settings = SemiSupervisedSettings(n_labelled=n_labelled, draws=DRAWS)
    ours = [_time(lambda: semi_supervised_error(unlabelled, pool, test, n_labelled))]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    for _ in range(repeats - 1):
        ours.append(_time(lambda: semi_supervised_error(unlabelled, pool, test, n_labelled)))

    sets = make_training_sets(unlabelled, pool[0], test[0], settings, None)
    naive, differing = [], []
    for n in n_labelled:
        labelled = draw_labelled(pool[1], n)
        cell = []
        for _ in range(repeats):
            start = time.perf_counter()
            expected = scikit_learn(unlabelled, pool[0][labelled], pool[1][labelled], test[0])
            cell.append(time.perf_counter() - start)
        naive.append(cell)
        predicted = sets.spread(labelled, pool[1][labelled], draw=0).predicted
        differing.append(int((predicted != expected).sum()))

    whole_ours = [MODELS * seconds for seconds in ours]
    whole_naive = [MODELS * DRAWS * sum(seconds) for seconds in zip(*naive, strict=True)]
    return {
        "points": points,
        "n_labelled": list(n_labelled),
        "n_test": len(test[0]),
        "draws": DRAWS,
        "models": MODELS,
        "differing_labels": differing,
        "agreement": 1 - sum(differing) / (len(test[0]) * len(n_labelled)),
        "ours_one_model_seconds": ours,
        "naive_cell_seconds": naive,
        "ours_table_seconds": statistics.median(whole_ours),
        "naive_table_seconds": statistics.median(whole_naive),
        "ratio": statistics.median(whole_naive) / statistics.median(whole_ours),
        "ratio_range": [
            min(whole_naive) / max(whole_ours),
            max(whole_naive) / min(whole_ours),
        ],
        "ours_peak_gib": peak,
    }


def scikit_learn(unlabelled, x_labelled, y_labelled, x_test):
    """Does one cell the plain way.

    Args:
        unlabelled: uint8 images.
        x_labelled: uint8 images.
        y_labelled: int classes.
        x_test: uint8 images.

    Returns:
        The predicted classes of the test images.
    """
    x = np.concatenate([x_labelled, unlabelled])
    x = x.reshape(len(x), -1) / 255
    y = np.concatenate([y_labelled, np.full(len(unlabelled), -1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 0 / 0 where no label reaches a test image
        model = LabelSpreading(kernel="knn", n_neighbors=7, alpha=0.2).fit(x, y)
        return model.predict(x_test.reshape(len(x_test), -1) / 255)


def describe(result):
    """Puts a result into words.

    Args:
        result: dict of `measure`, with `data`.

    Returns:
        str of one paragraph.
    """
    low, high = result["ratio_range"]
    return (
        f"{result['data']}, {result['points']:,} unlabelled images, n = {result['n_labelled']}: "
        f"{result['agreement']:.3%} of the labels agree (differing: {result['differing_labels']}). "
        f"Table of {len(result['n_labelled'])} x {DRAWS} x {MODELS} cells: scikit-learn "
        f"{result['naive_table_seconds']:.1f} s, ours {result['ours_table_seconds']:.1f} s, "
        f"{result['ratio']:.1f} times as fast ({low:.1f} to {high:.1f}); "
        f"peak memory {result['ours_peak_gib']:.2f} GiB"
    )


def _time(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
