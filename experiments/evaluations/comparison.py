"""The evaluation that an experiment ends with: both models of all its seeds."""

from capsgan_keras.runs import RunDirectory
from capsgan_keras.terminal import progress
from experiments.errors import OtherResultsError, SettingsError
from experiments.evaluations.finished_runs import load_finished_runs
from experiments.evaluations.gam import evaluate_metric
from experiments.evaluations.sample_quality import evaluate_quality
from experiments.evaluations.semi_supervised import evaluate_errors
from experiments.settings.evaluations import GAM, SAMPLE_QUALITY, SEMI_SUPERVISED


def check_comparison(evaluation, dataset):
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


def compare(settings, evaluation, retrained=()):
    """Evaluate both models with all seeds together. What is there already is not computed again.

    A result file that a person has made with other settings or of other runs is left alone, unless
    `settings.overwrite` is given. The other evaluations are done, and then it is named.

    Args:
        settings: `experiments.settings.training.Settings`.
        evaluation: `experiments.settings.evaluations.Evaluation`.
        retrained: Folders of the runs that the same command has trained just now.

    Yields:
        The results of each evaluation, as its function returns them.

    Raises:
        OtherResultsError: Where a file holds other results; the other evaluations are done then.
        RunError, DatasetError, EvaluationError, PoorClassifierError, OSError: As the evaluations.
    """
    paths = [
        each.run_path(model) for model in ("convolutional", "capsule") for each in settings.by_seed
    ]
    missing = [str(path) for path in paths if not RunDirectory(path).finished]
    if missing:
        print(f"Not evaluated, for that takes both models. Not there yet: {', '.join(missing)}")
        return
    runs = load_finished_runs(paths, settings.data_dir, retrained)
    refused = []
    for title, name, evaluate, part in (
        ("Generative adversarial metric", GAM, evaluate_metric, evaluation.metric),
        ("Semi-supervised classification", SEMI_SUPERVISED, evaluate_errors, evaluation.table),
        ("Sample quality", SAMPLE_QUALITY, evaluate_quality, evaluation.quality),
    ):
        if part is not None:
            path = runs.evaluation_folder / f"{name}.json"
            print(f"\n{title}, in {path}")
            verbose = progress(settings.verbose)
            try:
                results = evaluate(runs, part, path, settings.overwrite, verbose)
            except OtherResultsError as error:
                refused.append(str(error))
            else:
                yield results
    if refused:
        raise OtherResultsError("\n".join(refused))
