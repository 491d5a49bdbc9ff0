"""The semi-supervised table of finished runs, kept in a result file."""

import dataclasses

import keras

from capsgan_keras.evaluation import (
    SemiSupervisedCell,
    SemiSupervisedSettings,
    choose_settings,
    semi_supervised_controls,
    semi_supervised_error,
)
from capsgan_keras.evaluation.label_spreading.settings_choice import validation_size
from capsgan_keras.evaluation.label_spreading.training_sets import MAXIMUM_RBF_POINTS
from experiments.errors import EvaluationError
from experiments.evaluations.result_file import ResultFile
from experiments.settings.evaluations import SEMI_SUPERVISED

NEIGHBOURS = (5, 7, 10, 15, 20, 30)
"""Numbers of neighbours that --choose-settings tries, as far as there are as many labels."""
ALPHAS = (0.1, 0.2, 0.5, 0.8)
"""What it tries for alpha."""


def evaluate_errors(finished_runs, settings, path, overwrite=False, verbose=1):
    """Compute what is missing from the result file.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`.
        settings: `TableSettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: 1 for a progress bar.

    Returns:
        The `experiments.evaluations.results.ErrorResults`.

    Raises:
        EvaluationError: Where there are no labels or test images, or `path` holds other results.
        ValueError: Where more images are to be labelled than there are, all of one class, or
            another setting is refused.
        OSError: Where the file cannot be written.
    """
    dataset = finished_runs.dataset
    if dataset.y_train is None or dataset.y_test is None or not len(dataset.y_test):
        raise EvaluationError(
            f"{dataset.name}: the table needs labelled training and test images, and lacks them"
        )
    finished_runs.check_samples("n_unlabelled", settings.n_unlabelled)
    _check_sizes(settings, len(dataset.y_train))
    known = {field.name for field in dataclasses.fields(SemiSupervisedSettings)}
    given = dataclasses.asdict(settings)
    # Refuses what is out of range, before hours of work.
    SemiSupervisedSettings(**{name: value for name, value in given.items() if name in known})
    if settings.choose_settings:
        given |= {"candidates": [NEIGHBOURS, ALPHAS]}
    identity = finished_runs.describe() | {"settings": given}
    file = ResultFile(path, SEMI_SUPERVISED, identity, overwrite, finished_runs.retrained)
    if not file.finished:
        with file.filling():
            _fill(file, finished_runs, settings, verbose)
    return file.read()


def _check_sizes(settings, pool):
    """Refuse, before hours of work, what only the sizes of the images show.

    Raises:
        EvaluationError: Where there are too few images to label or to be neighbours, or too many
            for the RBF kernel, for which no settings can be chosen.
    """
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
