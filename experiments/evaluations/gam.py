"""The metric of section 5.2 on finished runs, kept in a result file."""

import dataclasses

import keras

from capsgan_keras.evaluation import (
    Remembered,
    TournamentRow,
    generative_adversarial_metric,
    tournament,
)
from capsgan_keras.plotting import image_grid, png
from capsgan_keras.runs import SAMPLE_COLUMNS, SAMPLE_ROWS, sample_images
from experiments.errors import EvaluationError
from experiments.evaluations.opponents import opponents, with_fitting_cuts
from experiments.evaluations.result_file import ResultFile
from experiments.settings.evaluations import GAM


def evaluate_metric(finished_runs, settings, path, overwrite=False, verbose=1):
    """Compute what is missing from the result file.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`, two or more.
        settings: `MetricSettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: As in Keras: 1 for a progress bar, 2 for a line at its end.

    Returns:
        The `experiments.evaluations.results.MetricResults`.

    Raises:
        EvaluationError: Where there is a single run, or no test image, or `path` holds others.
        ValueError: Where the metric refuses a setting, or the images do not fit the memory.
        OSError: Where the file cannot be written.
    """
    runs, x_test = finished_runs.runs, finished_runs.dataset.x_test
    check_opponents(finished_runs)
    finished_runs.check_samples("n_samples", settings.n_samples)
    settings = with_fitting_cuts(settings, runs)
    identity = finished_runs.describe() | {"settings": dataclasses.asdict(settings)}
    file = ResultFile(path, GAM, identity, overwrite, finished_runs.retrained)
    if not file.finished:
        with file.filling():
            _fill(file, runs, x_test, settings, verbose)
    return file.read()


def check_opponents(finished_runs):
    """Raise an `EvaluationError` unless there are two runs or more, and test images."""
    runs, dataset = finished_runs.runs, finished_runs.dataset
    if len(runs) < 2:
        raise EvaluationError(f"The metric needs two runs or more. Received: {', '.join(runs)}")
    if not len(dataset.x_test):
        raise EvaluationError(f"{dataset.name}: the metric needs test images, and there are none")


def _fill(file, runs, x_test, settings, verbose):
    models = {name: Remembered(run.gan) for name, run in runs.items()}
    pairs = opponents({name: run.config["settings"]["model"] for name, run in runs.items()})
    results = file.results
    results.setdefault("grids", {})
    results.setdefault("pairs", [])
    rows = results.setdefault("rows", {})
    done = [(pair["a"], pair["b"], pair["cut"]) for pair in results["pairs"]]
    total = len(runs) + (len(pairs) + len(runs)) * len(settings.cuts)
    progress = keras.utils.Progbar(total, verbose=verbose, unit_name="part")

    def keep():
        file.write()
        parts = sum(map(len, (results["grids"], results["pairs"], *rows.values())))
        progress.update(parts, finalize=parts == total)

    for name, run in runs.items():
        if name not in results["grids"]:
            seed = run.config["settings"]["seed"]
            grid = image_grid(sample_images(run.gan, seed), SAMPLE_ROWS, SAMPLE_COLUMNS)
            results["grids"][name] = {"seed": seed, "png": png(grid)}
            keep()
    for cut in settings.cuts:
        options = {
            "n_samples": settings.n_samples,
            "cut": cut,
            "seed": settings.seed,
            "tolerance": settings.tolerance,
        }
        for a, b in pairs:
            if (a, b, cut) not in done:
                result = generative_adversarial_metric(models[a], models[b], x_test, **options)
                results["pairs"].append({"a": a, "b": b} | result.to_dict() | {"cut": cut})
                keep()
        its_rows = rows.setdefault(str(cut), [])

        def on_row(row, its_rows=its_rows):
            its_rows.append(row.to_dict())
            keep()

        finished = [TournamentRow(**row) for row in its_rows]
        tournament(models, x_test, **options, finished=finished, on_row=on_row)
    file.write(finished=True)
