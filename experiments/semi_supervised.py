"""Classify test images by few labels and generated images: tables 1 and 2 of the paper.

Label spreading (scikit-learn) with n labelled real images and 50,000 images from the generator of
each run, raw pixels as features, the error on all test images (arXiv 1802.06167, section 5.3). In
the same table three controls: the nearest labelled image, label spreading on the labels alone, and
with real images in the place of generated ones.

    python -m experiments.semi_supervised runs/mnist/convolutional-seed0 runs/mnist/capsule-seed0

Writes semi_supervised.json, which `python -m experiments.report` reads. `python -m
experiments.mnist --seeds 3` trains the runs and ends with it. The paper has errors of
0.2724, 0.1142 and 0.0531 for CapsuleGAN on MNIST. Time: about 3 minutes for two runs on MNIST and
2 CPU cores, about 8 on CIFAR-10.
"""

import dataclasses
import sys

from experiments.command_line import evaluation as evaluation_command
from experiments.settings.evaluations import TableSettings, result_format

KIND = result_format("semi_supervised")
NEIGHBOURS = (5, 7, 10, 15, 20, 30)
"""Numbers of neighbours that --choose-settings tries, as far as there are as many labels."""
ALPHAS = (0.1, 0.2, 0.5, 0.8)
"""What it tries for alpha."""


def main(argv=None):
    """Run the command line and return the exit status."""
    command = evaluation_command.parser("semi_supervised", __doc__)
    for field, text in {
        "n_labelled": "numbers of labelled images",
        "draws": "draws of each number",
        "seed": "sets the draws and the generated images",
        "n_unlabelled": "images that each generator makes, or real ones",
        "n_neighbors": "neighbours, the point itself included",
        "alpha": "clamping factor",
        "max_iter": "largest number of iterations",
    }.items():
        default = getattr(TableSettings, field)
        many = isinstance(default, tuple)
        command.add_argument(
            "--" + field.replace("_", "-"),
            type=type(default[0] if many else default),
            nargs="+" if many else None,
            default=default,
            help=f"{text} (default: {' '.join(map(str, default)) if many else default})",
        )
    command.add_argument(
        "--kernel",
        choices=("knn", "rbf"),
        default=TableSettings.kernel,
        help="rbf only for up to 12,000 points (default: knn)",
    )
    command.add_argument(
        "--random-draws",
        action="store_true",
        help="plain random draws (default: the same number from each class)",
    )
    command.add_argument(
        "--unreached-points",
        choices=("scikit-learn", "nearest_labelled"),
        default=TableSettings.unreached_points,
        help="class of a test image that no label reaches: the first class, as scikit-learn has "
        "it, or that of the nearest labelled image (default: scikit-learn)",
    )
    command.add_argument(
        "--choose-settings",
        action="store_true",
        help="choose neighbours (at most as many as the fewest labelled images) and alpha on a "
        "part of the training images, for each number of labelled images by itself, and for all "
        "rows the same; classes are drawn equally, and images that no label reaches count as "
        "scikit-learn has them",
    )

    def evaluate(arguments, finished_runs, path):
        given = vars(arguments) | {
            "n_labelled": tuple(arguments.n_labelled),
            "stratified": not arguments.random_draws,
        }
        names = [field.name for field in dataclasses.fields(TableSettings)]
        settings = TableSettings(**{name: given[name] for name in names})
        return classify(finished_runs, settings, path, arguments.overwrite, arguments.verbose)

    return evaluation_command.main(command, argv, evaluate)


def classify(finished_runs, settings, path, overwrite=False, verbose=1):
    """Compute what is missing from the result file, and return its table as Markdown.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`.
        settings: `TableSettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: 1 for a progress bar.

    Raises:
        EvaluationError: Where there are no labels or test images, or `path` holds other results.
        ValueError: Where more images are to be labelled than there are, all of one class, or
            another setting is refused.
        OSError: Where the file cannot be written.
    """
    from capsgan_keras.evaluation import SemiSupervisedSettings
    from experiments.errors import EvaluationError
    from experiments.evaluations.result_file import ResultFile
    from experiments.reports.tables import error_table

    dataset = finished_runs.dataset
    if dataset.y_train is None or dataset.y_test is None or not len(dataset.y_test):
        raise EvaluationError(
            f"{dataset.name}: the table needs labelled training and test images, and lacks them"
        )
    _check_sizes(settings, len(dataset.y_train))
    known = {field.name for field in dataclasses.fields(SemiSupervisedSettings)}
    given = dataclasses.asdict(settings)
    # Refuses what is out of range, before hours of work.
    SemiSupervisedSettings(**{name: value for name, value in given.items() if name in known})
    if settings.choose_settings:
        given |= {"candidates": [NEIGHBOURS, ALPHAS]}
    identity = finished_runs.describe() | {"settings": given}
    file = ResultFile(path, KIND, identity, overwrite)
    if not file.finished:
        _fill(file, finished_runs, settings, verbose)
    return error_table(file.identity, file.results)


def _check_sizes(settings, pool):
    """Refuse, before hours of work, what only the sizes of the images show.

    Raises:
        EvaluationError: Where there are too few images to label or to be neighbours, or too many
            for the RBF kernel, for which no settings can be chosen.
    """
    from capsgan_keras.evaluation.label_spreading.settings_choice import validation_size
    from capsgan_keras.evaluation.label_spreading.training_sets import MAXIMUM_RBF_POINTS
    from experiments.errors import EvaluationError

    smallest, largest = min(settings.n_labelled), max(settings.n_labelled)
    without = ""
    if settings.choose_settings:
        pool -= validation_size(pool)
        without = " without those that settings are chosen on"
    if largest > pool:
        raise EvaluationError(
            f"`n_labelled` must not exceed the pool of {pool:,} training images{without} "
            f"(--n-labelled). Received: n_labelled={settings.n_labelled}"
        )
    if settings.choose_settings and settings.kernel != "knn":
        raise EvaluationError(
            "`kernel` must be knn where its settings are chosen (--choose-settings). "
            f"Received: kernel={settings.kernel!r}"
        )
    neighbours = min(NEIGHBOURS) if settings.choose_settings else settings.n_neighbors
    if settings.kernel == "knn" and neighbours > smallest:
        raise EvaluationError(
            "`n_neighbors` must not exceed the smallest number of labelled images, which are all "
            f"that one control has. Received: n_neighbors={neighbours}, "
            f"n_labelled={settings.n_labelled}"
        )
    points = largest + settings.n_unlabelled
    if settings.kernel == "rbf" and points > MAXIMUM_RBF_POINTS:
        raise EvaluationError(
            f"`kernel` rbf takes at most {MAXIMUM_RBF_POINTS:,} labelled and unlabelled images. "
            f"Received: {points:,}"
        )


def _fill(file, finished_runs, settings, verbose):
    import keras

    from capsgan_keras.evaluation import (
        SemiSupervisedCell,
        choose_settings,
        semi_supervised_controls,
        semi_supervised_error,
    )

    pool, test = finished_runs.dataset
    results = file.results
    cells = results.setdefault("cells", {})
    tables = results.setdefault("tables", {})
    options = dataclasses.asdict(settings)
    n_unlabelled = options.pop("n_unlabelled")
    if options.pop("choose_settings"):
        if "choices" not in results:
            choices = choose_settings(
                "pool",  # real images, so that no run is favoured
                pool,
                settings.n_labelled,
                [k for k in NEIGHBOURS if k <= min(settings.n_labelled)],
                ALPHAS,
                seed=settings.seed,
                max_iter=settings.max_iter,
                n_unlabelled=n_unlabelled,
            )
            results["choices"] = [choice.to_dict() for choice in choices]
            file.write()
        for name in ("n_neighbors", "alpha"):
            options[name] = tuple(choice[name] for choice in results["choices"])

    total = len(settings.n_labelled) * settings.draws * (3 + len(finished_runs.runs))
    progress = keras.utils.Progbar(total, verbose=verbose, unit_name="cell")

    def keep(row, cell):
        cells.setdefault(row, []).append(cell.to_dict())
        file.write()
        done = sum(map(len, cells.values()))
        progress.update(done, finalize=done == total)

    def finished(row):
        return [SemiSupervisedCell(**cell) for cell in cells.get(row, ())]

    controls = semi_supervised_controls(
        pool,
        test,
        n_unlabelled=n_unlabelled,
        finished={name: finished(name) for name in list(cells)},
        on_cell=keep,
        **options,
    )
    tables.update({name: result.to_dict() for name, result in controls.items()})
    for name, run in finished_runs.runs.items():
        generated = run.gan.generate(n_unlabelled, seed=settings.seed)
        result = semi_supervised_error(
            generated,
            pool,
            test,
            **options,
            finished=finished(name),
            on_cell=lambda cell, name=name: keep(name, cell),
        )
        tables[name] = result.to_dict()
    del results["cells"]  # they are in the tables
    file.write(finished=True)


if __name__ == "__main__":
    sys.exit(main())
