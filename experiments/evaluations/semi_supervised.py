"""The semi-supervised table of finished runs, kept in a result file."""

import dataclasses

import keras

from capsgan_keras.evaluation import (
    CandidateErrors,
    SemiSupervisedCell,
    SemiSupervisedSettings,
    choose_settings,
    semi_supervised_controls,
    semi_supervised_error,
)
from capsgan_keras.evaluation.label_spreading.rbf import AffinitiesUnderflowError, kernel_bytes
from capsgan_keras.evaluation.label_spreading.settings_choice import DRAWS, validation_size
from capsgan_keras.evaluation.label_spreading.training_sets import points_of_pool
from capsgan_keras.machine import check_memory
from experiments.errors import EvaluationError
from experiments.evaluations.from_json import restore
from experiments.evaluations.result_file import ResultFile
from experiments.settings.evaluations import NO_EFFECT, SEMI_SUPERVISED

NEIGHBOURS = (5, 7, 10, 15, 20, 30)
"""Numbers of neighbours that --choose-settings tries, as far as there are as many labels."""
ALPHAS = (0.1, 0.2, 0.5, 0.8)
"""What it tries for alpha, with the kernel knn."""
GAMMAS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
"""What it tries for gamma, with the kernel rbf and the alpha of the settings."""


def evaluate_errors(finished_runs, settings, path, overwrite=False, verbose=1):
    """Compute what is missing from the result file.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`.
        settings: `TableSettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: As in Keras: 1 for a progress bar, 2 for a line at its end.

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
    known = {field.name for field in dataclasses.fields(SemiSupervisedSettings)}
    every = dataclasses.asdict(settings)
    # Refuses what is out of range, before hours of work.
    SemiSupervisedSettings(**{name: value for name, value in every.items() if name in known})
    _check_sizes(settings, len(dataset.y_train), len(dataset.y_test))
    given = settings.with_effect
    if settings.choose_settings:
        tried = {"knn": [NEIGHBOURS, ALPHAS], "rbf": [GAMMAS]}
        given |= {"candidates": tried[settings.kernel]}
    identity = finished_runs.describe() | {"settings": given}
    file = ResultFile(path, SEMI_SUPERVISED, identity, overwrite, finished_runs.retrained)
    if not file.finished:
        with file.filling():
            try:
                _fill(file, finished_runs, settings, verbose)
            except AffinitiesUnderflowError:
                file.discard()
                raise
    return file.read()


def _check_sizes(settings, pool, n_test):
    """Refuse, before hours of work, what only the sizes of the images show.

    Raises:
        EvaluationError: Where there are too few images to label or to be neighbours, or too many
            for the matrix of the RBF kernel.
    """
    smallest, largest = min(settings.n_labelled), max(settings.n_labelled)
    numbers, n_unlabelled = settings.n_labelled, settings.n_unlabelled
    real = points_of_pool(pool, numbers, settings.draws, n_unlabelled)
    points_and_asked = [(max(real, largest + n_unlabelled), n_test)]
    without = ""
    if settings.choose_settings:
        validation = validation_size(pool)
        pool -= validation
        real = points_of_pool(pool, numbers, DRAWS, n_unlabelled)
        points_and_asked.append((real, validation))
        without = " without those that settings are chosen on"
    if largest > pool:
        raise EvaluationError(
            f"`n_labelled` must not exceed the pool of {pool:,} training images{without} "
            f"(--n-labelled). Received: n_labelled={settings.n_labelled}"
        )
    neighbours = min(NEIGHBOURS) if settings.choose_settings else settings.n_neighbors
    if settings.kernel == "knn" and neighbours > smallest:
        raise EvaluationError(
            "`n_neighbors` must not exceed the smallest number of labelled images, which are all "
            f"that one control has. Received: n_neighbors={neighbours}, "
            f"n_labelled={settings.n_labelled}"
        )
    if settings.kernel == "rbf":
        for points, asked in points_and_asked:
            try:
                check_memory(f"`kernel` rbf for {points:,} images", kernel_bytes(points, asked))
            except ValueError as error:
                raise EvaluationError(str(error)) from error


def _fill(file, finished_runs, settings, verbose):
    pool, test = finished_runs.dataset
    results = file.results
    cells = results.setdefault("cells", {})
    tables = results.setdefault("tables", {})
    options = dataclasses.asdict(settings)
    n_unlabelled = options.pop("n_unlabelled")
    if options.pop("choose_settings"):
        if "choices" not in results:
            choices = _choose(file, pool, settings, verbose)
            results["choices"] = [choice.to_dict() for choice in choices]
            results.pop("candidates", None)  # they are in the choices
            file.write()
        for name in {"n_neighbors", "gamma", "alpha"} - {NO_EFFECT[settings.kernel]}:
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


def _choose(file, pool, settings, verbose):
    """Return the choices, by real unlabelled images, so that no run is favoured."""
    rbf = settings.kernel == "rbf"
    neighbours = [k for k in NEIGHBOURS if k <= min(settings.n_labelled)]
    alphas = (settings.alpha,) if rbf else ALPHAS
    total = len(GAMMAS if rbf else neighbours) * len(alphas)
    candidates = file.results.setdefault("candidates", [])
    progress = keras.utils.Progbar(total, verbose=verbose, unit_name="candidate")

    def keep(candidate):
        candidates.append(candidate.to_dict())
        file.write()
        progress.update(len(candidates), finalize=len(candidates) == total)

    return choose_settings(
        "pool",
        pool,
        settings.n_labelled,
        neighbours,
        alphas,
        seed=settings.seed,
        max_iter=settings.max_iter,
        n_unlabelled=settings.n_unlabelled,
        kernel=settings.kernel,
        gamma=GAMMAS,
        finished=restore(tuple[CandidateErrors, ...], candidates, "candidates"),
        on_candidate=keep,
    )
