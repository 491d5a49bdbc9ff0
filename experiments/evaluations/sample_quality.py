"""The quality of finished runs' images, kept in a result file."""

import dataclasses

import keras

from capsgan_keras.evaluation import load_or_train_classifier, sample_quality
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
        verbose: 1 for progress bars.
        cache_dir: Folder that keeps the classifier.

    Returns:
        The `experiments.evaluations.results.QualityResults`.

    Raises:
        EvaluationError: Where `path` holds other results.
        ValueError: Where there are no labels or test images, the classifier is too poor, or a
            number is refused.
        OSError: Where a file cannot be written.
    """
    dataset = finished_runs.dataset
    identity = finished_runs.describe() | {"settings": dataclasses.asdict(settings)}
    file = ResultFile(path, SAMPLE_QUALITY, identity, overwrite, finished_runs.retrained)
    if not file.finished:
        callbacks = [keras.callbacks.ProgbarLogger()] if verbose else []
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
    return file.read()
