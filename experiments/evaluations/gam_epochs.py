"""The metric after each epoch whose networks the runs have kept, in a result file."""

import dataclasses

import keras

from capsgan_keras.evaluation import Remembered, tournament
from experiments.evaluations.gam import check_opponents
from experiments.evaluations.opponents import with_fitting_cuts
from experiments.evaluations.result_file import ResultFile
from experiments.settings.evaluations import GAM_EPOCHS


def evaluate_epochs(finished_runs, settings, path, overwrite=False, verbose=1):
    """Compute what is missing from the result file.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`, two or more.
        settings: `MetricSettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: As in Keras: 1 for a progress bar, 2 for a line at its end.

    Returns:
        The `experiments.evaluations.results.EpochResults`.

    Raises:
        EvaluationError: Where there is a single run, no test image, no epoch that all runs have
            kept, or `path` holds others.
        ValueError: Where the metric refuses a setting.
        OSError: Where the file cannot be written.
    """
    check_opponents(finished_runs)
    finished_runs.check_samples("n_samples", settings.n_samples)
    epochs = finished_runs.kept_epochs
    settings = with_fitting_cuts(settings, finished_runs.runs)
    identity = finished_runs.describe() | {"settings": dataclasses.asdict(settings)}
    file = ResultFile(
        path, GAM_EPOCHS, identity | {"kept": epochs}, overwrite, finished_runs.retrained
    )
    if not file.finished:
        with file.filling():
            _fill(file, finished_runs, settings, epochs, verbose)
    return file.read()


def _fill(file, finished_runs, settings, epochs, verbose):
    done = file.results.setdefault("epochs", {})
    progress = keras.utils.Progbar(len(epochs), verbose=verbose, unit_name="epoch")
    for epoch in epochs:
        if str(epoch) not in done:
            keras.backend.clear_session()  # the networks of the epoch before
            models = {
                name: Remembered(run.load_kept(epoch)) for name, run in finished_runs.runs.items()
            }
            done[str(epoch)] = {
                str(cut): tournament(
                    models,
                    finished_runs.dataset.x_test,
                    settings.n_samples,
                    cut,
                    settings.seed,
                    tolerance=settings.tolerance,
                ).to_dict()
                for cut in settings.cuts
            }
            file.write()
        progress.update(len(done), finalize=len(done) == len(epochs))
    file.write(finished=True)
