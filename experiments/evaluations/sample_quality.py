"""The quality of finished runs' images, kept in a result file."""

import dataclasses
from pathlib import Path

import keras

from capsgan_keras.evaluation import load_or_train_classifier, sample_quality
from capsgan_keras.files import LOCK
from capsgan_keras.runs.lock import working
from experiments.evaluations.result_file import ResultFile
from experiments.settings.evaluations import CLASSIFIERS, SAMPLE_QUALITY, test_images_name


def evaluate_quality(
    finished_runs, settings, path, overwrite=False, verbose=1, cache_dir=CLASSIFIERS
):
    """Compute what is missing from the result file.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`.
        settings: `QualitySettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: As in Keras: 1 for progress bars, 2 for a line at their end.
        cache_dir: Folder that keeps the classifier.

    Returns:
        The `experiments.evaluations.results.QualityResults`.

    Raises:
        EvaluationError: Where `path` holds other results.
        ValueError: Where there are no labels or test images, the classifier is too poor, or a
            number is refused.
        OSError: Where a file cannot be written.
    """
    finished_runs.check_samples("n_samples", settings.n_samples)
    identity = finished_runs.describe() | {"settings": dataclasses.asdict(settings)}
    file = ResultFile(path, SAMPLE_QUALITY, identity, overwrite, finished_runs.retrained)
    if not file.finished:
        with file.filling():
            _fill(file, finished_runs, settings, verbose, Path(cache_dir).expanduser())
    return file.read()


def _fill(file, finished_runs, settings, verbose, cache_dir):
    dataset = finished_runs.dataset
    callbacks = [keras.callbacks.ProgbarLogger()] if verbose else []
    # Another evaluation may need the same classifier: it waits, and finds it then.
    with working(cache_dir / f"{LOCK}-{dataset.checksum[:16]}", wait=True):
        classifier = load_or_train_classifier(dataset, cache_dir, callbacks=callbacks)
    accuracy = classifier.info["test_accuracy"]
    print(f"classifier: {accuracy:.2%} of the {test_images_name(finished_runs.validation)}")
    measured = file.results.setdefault("quality", {})
    progress = keras.utils.Progbar(len(finished_runs.runs), verbose=verbose, unit_name="run")
    for name, run in finished_runs.runs.items():
        if name not in measured:
            samples = run.gan.generate(settings.n_samples, seed=settings.seed)
            quality = sample_quality(samples, dataset.x_train, dataset.x_test, classifier)
            measured[name] = quality.to_dict()
            file.write()
        progress.update(len(measured))
    file.write(finished=True)
