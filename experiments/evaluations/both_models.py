"""The evaluation that an experiment ends with: both models of all its seeds."""

from capsgan_keras.runs.directory import RunDirectory
from experiments.errors import SettingsError
from experiments.evaluations.finished_runs import load_finished_runs
from experiments.gam import play
from experiments.sample_quality import measure
from experiments.semi_supervised import classify


def check_evaluation(evaluation, dataset):
    """Refuse, before anything is trained, an evaluation that the images cannot serve.

    Args:
        evaluation: `experiments.settings.evaluations.Evaluation`.
        dataset: `capsgan_keras.datasets.Dataset`.

    Raises:
        SettingsError: Where there are no labels, no test images, or too few images.
    """
    largest = max(evaluation.table.n_labelled)
    lacks, remedy = None, ""
    if dataset.y_train is None:
        lacks = "labels"
    elif dataset.y_test is None or not len(dataset.x_test):
        lacks = "labelled test images"
        remedy = ", or hold training images out by --validation"
    elif len(dataset.x_train) < largest:
        lacks = f"{largest:,} training images to label, having {len(dataset.x_train):,}"
        remedy = ", and evaluate by `python -m experiments.semi_supervised --n-labelled ...`"
    if lacks:
        raise SettingsError(
            f"the data set {dataset.name!r} cannot be evaluated, for it lacks {lacks}. Train with "
            f"--no-evaluate{remedy}"
        )


def evaluate(settings, evaluation):
    """Evaluate both models with all seeds together, and print the tables.

    What is there already is not computed again.

    Args:
        settings: `experiments.settings.training.Settings`.
        evaluation: `experiments.settings.evaluations.Evaluation`.

    Raises:
        RunError, DatasetError, EvaluationError, PoorClassifierError, OSError: As the evaluations.
    """
    by_seed = settings.by_seed
    paths = [each.run_path(model) for model in ("convolutional", "capsule") for each in by_seed]
    missing = [str(path) for path in paths if not RunDirectory(path).finished]
    if missing:
        print(f"Not evaluated, for that takes both models. Not there yet: {', '.join(missing)}")
        return
    runs = load_finished_runs(paths, settings.data_dir)
    for title, function, part in (
        ("Generative adversarial metric", play, evaluation.metric),
        ("Semi-supervised classification", classify, evaluation.table),
        ("Sample quality", measure, evaluation.quality),
    ):
        if part is None:
            continue
        path = runs.evaluation_folder / f"{function.__module__.rpartition('.')[2]}.json"
        print(f"\n{title}, in {path}")
        # The folder belongs to these runs: what is there of others, which they replace, is old.
        print(function(runs, part, path, overwrite=True, verbose=min(settings.verbose, 1)))
