"""Speed of the semi-supervised table against scikit-learn called anew for each of its cells.

    python -m benchmarks.semi_supervised --points 2000 5000
    python -m benchmarks.semi_supervised --points 50000 --data mnist --repeats 1

The table is the paper's: 3 numbers of labelled images, 5 draws, 2 models, in the paper's
proportions (n = 100, 1,000, 10,000 and 10,000 test images for 50,000 unlabelled ones). First the
predicted labels of the first draw are checked to be the same. Then the package's table for one
model is timed as a whole, in turn with scikit-learn's fit and prediction for one cell of each
number of labels, since all draws of a number cost it the same; both are multiplied up to the
whole table. `--repeats` is how often all are timed. Both get all cores. Memory is the growth of
a process of its own: of the table, and of scikit-learn's cell with the most labels.
"""

import argparse
import json
import sys

from benchmarks.measuring import (
    FOLDER,
    CannotMeasureError,
    DisagreementError,
    cell,
    mebibytes,
    memory_of,
    new_parser,
    output_file,
    peak_memory,
    positive,
    ratios,
    run_command,
    spread,
    time_in_turn,
    write_result,
)

DRAWS, MODELS = 5, 2
PARTS = 500, 50, 5
"""The unlabelled images are so many times as many as the labelled ones."""
LEAST_AGREEMENT = 0.999  # equal labels, but for ties of distances
DATA = ("synthetic", "mnist", "cifar10")
WAYS = ("package", "scikit-learn")


def main(arguments=None):
    """Runs the benchmark.

    Args:
        arguments: optional list of str, instead of the command line's.

    Returns:
        int, the exit status: 1 if the labels disagree, 2 if there are no data or the file can't
        be written.
    """
    return run_command("semi_supervised", run, parse(arguments))


def parse(arguments):
    """Gives the parsed arguments.

    Args:
        arguments: list of str, or None for the process's.

    Returns:
        `argparse.Namespace`.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = new_parser("semi_supervised", __doc__, FOLDER / "semi_supervised.json")
    parser.add_argument(
        "--points",
        type=points_of,
        nargs="+",
        default=[2_000, 5_000],
        metavar="N",
        help="numbers of unlabelled images, 1000 or more each (default: 2000 5000)",
    )
    parser.add_argument("--data", choices=DATA, default="synthetic", help="(default: synthetic)")
    parser.add_argument("--repeats", type=positive, default=3, help="(default: 3)")
    # What the processes whose memory is measured are started with.
    parser.add_argument("--memory-of", choices=WAYS, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def points_of(text):
    """Gives the number of points that a word of the command line stands for."""
    number = int(text)
    if number < 1_000:
        raise argparse.ArgumentTypeError(f"must be 1000 or more. Received: {text}")
    return number


def run(options):
    """Measures what the options ask for, prints it and writes it.

    Raises:
        DisagreementError: If labels disagree.
        CannotMeasureError: If there are no data, or too few.
        OSError: If the file can't be written.
    """
    if options.memory_of:
        (points,) = options.points
        print(json.dumps(memory(options.memory_of, *load(options.data, points))))
        return
    output = output_file(options.output, "semi_supervised.json")
    results = []
    for points in options.points:
        data = load(options.data, points)
        result = {"data": options.data, "points": points, **measure(*data, options.repeats)}
        del data
        result["peak_bytes"] = {
            way: memory_of(
                "benchmarks.semi_supervised",
                ["--memory-of", way, "--data", options.data, "--points", points],
            )
            for way in WAYS
        }
        results.append(result)
        print(describe(result), flush=True)
    settings = {
        "data": options.data,
        "points": options.points,
        "draws": DRAWS,
        "models": MODELS,
        "repeats": options.repeats,
    }
    write_result(output, settings, {"results": results})


def load(data, points):
    """Gives unlabelled images, a labelled pool and a test set, in the paper's proportions.

    Args:
        data: `"synthetic"` (28x28, ten prototypes with noise) or the name of a data set.
        points: int. Number of unlabelled images; the pool and the test set have a fifth of it.

    Returns:
        The unlabelled images, `(x_pool, y_pool)` and `(x_test, y_test)`.

    Raises:
        CannotMeasureError: If the data set can't be had, or has too few images.
    """
    from benchmarks.material import synthetic_images
    from capsgan_keras.datasets import DatasetError, load_dataset

    n_test = points // 5
    n_real = points + n_test
    if data == "synthetic":
        x, y = synthetic_images(n_real + n_test)
        x_train, y_train, x_test, y_test = x[:n_real], y[:n_real], x[n_real:], y[n_real:]
    else:
        try:
            (x_train, y_train), (x_test, y_test) = load_dataset(data)
        except DatasetError as error:
            raise CannotMeasureError(str(error)) from error
    if n_real > len(x_train) or n_test > len(x_test):
        raise CannotMeasureError(
            f"{data} has {len(x_train)} training and {len(x_test)} test images. "
            f"{points} points need {n_real} and {n_test}"
        )
    return (
        x_train[:points],
        (x_train[points:n_real], y_train[points:n_real]),
        (x_test[:n_test], y_test[:n_test]),
    )


def measure(unlabelled, pool, test, repeats):
    """Compares labels, then times one table.

    Args:
        unlabelled: uint8 images.
        pool: pair `(x_pool, y_pool)`.
        test: pair `(x_test, y_test)`.
        repeats: int. How often each timing is repeated.

    Returns:
        A dict that JSON can hold.

    Raises:
        DisagreementError: If labels disagree.
    """
    n_labelled = numbers_of_labels(len(unlabelled))
    differing, errors = compare(unlabelled, pool, test, n_labelled)
    tables = []
    functions = {"table": lambda: tables.append(make_table(unlabelled, pool, test))} | {
        n: lambda n=n: scikit_learn(unlabelled, *labelled_images(pool, n), test[0])
        for n in n_labelled
    }
    # Nothing is compiled here, and comparing has been through all of it once.
    seconds = time_in_turn(functions, calls=1, repeats=repeats, warm_up=0)
    check_errors(tables, errors, [count / len(test[0]) for count in differing])
    ours = [MODELS * value for value in seconds["table"]]
    naive = [
        MODELS * DRAWS * sum(cells) for cells in zip(*map(seconds.get, n_labelled), strict=True)
    ]
    return {
        "n_labelled": list(n_labelled),
        "n_test": len(test[0]),
        "differing_labels": differing,
        "agreement": 1 - sum(differing) / (len(test[0]) * len(n_labelled)),
        "package_one_model_seconds": seconds["table"],
        "scikit_learn_cell_seconds": [seconds[n] for n in n_labelled],
        "package_table_seconds": spread(ours),
        "scikit_learn_table_seconds": spread(naive),
        "ratio": ratios(naive, ours),
    }


def numbers_of_labels(points):
    """Gives the three numbers of labelled images that go with a number of unlabelled ones."""
    return tuple(points // part for part in PARTS)


def labelled_images(pool, n):
    """Gives the images and classes of the first draw of `n` from the pool."""
    from capsgan_keras.evaluation import draw_labelled

    drawn = draw_labelled(pool[1], n)
    return pool[0][drawn], pool[1][drawn]


def make_table(unlabelled, pool, test):
    """Gives the package's table for one model, a `SemiSupervisedResult`."""
    from capsgan_keras.evaluation import semi_supervised_error

    return semi_supervised_error(
        unlabelled, pool, test, n_labelled=numbers_of_labels(len(unlabelled)), draws=DRAWS
    )


def compare(unlabelled, pool, test, n_labelled):
    """Compares the labels that the package and scikit-learn predict in the first draw.

    Args:
        unlabelled: uint8 images.
        pool: pair `(x_pool, y_pool)`.
        test: pair `(x_test, y_test)`.
        n_labelled: ints. Numbers of labelled images.

    Returns:
        Two lists with a number for each of `n_labelled`: how many labels differ, and scikit-learn's
        error.

    Raises:
        DisagreementError: If less than `LEAST_AGREEMENT` of the labels are the same.
    """
    from capsgan_keras.evaluation import SemiSupervisedSettings, draw_labelled
    from capsgan_keras.evaluation.label_spreading.training_sets import TrainingSets

    settings = SemiSupervisedSettings(n_labelled=n_labelled, draws=DRAWS)
    sets = TrainingSets(unlabelled, pool[0], test[0], settings)
    differing, errors = [], []
    for n in n_labelled:
        expected = scikit_learn(unlabelled, *labelled_images(pool, n), test[0])
        drawn = draw_labelled(pool[1], n)
        predicted = sets.spread(drawn, pool[1][drawn], draw=0).predicted
        differing.append(int((predicted != expected).sum()))
        errors.append(float((expected != test[1]).mean()))
    agreement = 1 - sum(differing) / (len(test[0]) * len(n_labelled))
    if not agreement >= LEAST_AGREEMENT:
        raise DisagreementError(
            f"Of the labels predicted, {LEAST_AGREEMENT:.1%} must be scikit-learn's. "
            f"Received: {agreement:.3%}; differing: {differing}"
        )
    return differing, errors


def check_errors(tables, errors, tolerances):
    """Refuses times of tables whose first draw has not the errors of the compared labels.

    Args:
        tables: list of `SemiSupervisedResult`, those that were timed.
        errors: list of float. scikit-learn's errors in the first draw, in the tables' order.
        tolerances: list of float. The shares of labels that are known to differ.

    Raises:
        DisagreementError: If an error differs by more than the labels that differ explain.
    """
    for timed in tables:
        received = [first.error for first in timed.cells if first.draw == 0]
        each = zip(received, errors, tolerances, strict=True)
        if not all(abs(one - other) <= differing + 1e-9 for one, other, differing in each):
            raise DisagreementError(
                f"The timed table's errors in the first draw must be scikit-learn's, {errors}. "
                f"Received: {received}"
            )


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
    import warnings

    import numpy as np
    from sklearn.semi_supervised import LabelSpreading

    x = np.concatenate([x_labelled, unlabelled])
    x = x.reshape(len(x), -1) / 255
    y = np.concatenate([y_labelled, np.full(len(unlabelled), -1)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 0 / 0 where no label reaches a test image
        model = LabelSpreading(kernel="knn", n_neighbors=7, alpha=0.2).fit(x, y)
        return model.predict(x_test.reshape(len(x_test), -1) / 255)


def memory(way, unlabelled, pool, test):
    """Gives the bytes by which this process grows while it makes a table, or scikit-learn a cell.

    Args:
        way: `"package"` (a table for one model) or `"scikit-learn"` (its cell with most labels).
        unlabelled: uint8 images.
        pool: pair `(x_pool, y_pool)`.
        test: pair `(x_test, y_test)`.

    Returns:
        int, or None where `peak_memory` can't tell.
    """
    import sklearn.semi_supervised  # noqa: F401

    import capsgan_keras.evaluation  # noqa: F401

    # What is imported by now does not count.
    if way == "package":
        return peak_memory(lambda: make_table(unlabelled, pool, test))
    labelled = labelled_images(pool, max(numbers_of_labels(len(unlabelled))))
    return peak_memory(lambda: scikit_learn(unlabelled, *labelled, test[0]))


def describe(result):
    """Puts a result into words.

    Args:
        result: dict of `measure`, with `data`, `points` and `peak_bytes`.

    Returns:
        str of several lines: medians, with least and most in brackets.
    """
    lines = [
        f"{result['data']}, {result['points']:,} unlabelled images, n = {result['n_labelled']}, "
        f"{DRAWS} draws, {MODELS} models; medians (least-most)",
        f"{'way':14}{'seconds':>28}{'x package':>20}{'MiB':>10}",
    ]
    for way, key, ratio in (
        ("package", "package_table_seconds", None),
        ("scikit-learn", "scikit_learn_table_seconds", result["ratio"]),
    ):
        lines.append(
            f"{way:14}{cell(result[key], '.1f'):>28}{cell(ratio, '.1f'):>20}"
            f"{mebibytes(result['peak_bytes'][way]):>10}"
        )
    lines.append(
        f"{result['agreement']:.3%} of the labels are the same "
        f"(differing: {result['differing_labels']})"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
