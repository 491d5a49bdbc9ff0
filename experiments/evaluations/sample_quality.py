"""The quality of finished runs' images, at their end or over the epochs, in a result file."""

import dataclasses
from pathlib import Path

import keras

from capsgan_keras.evaluation import load_or_train_classifier
from capsgan_keras.evaluation.quality.sample_quality import RealImages
from capsgan_keras.files import LOCK
from capsgan_keras.runs.lock import working
from experiments.evaluations.result_file import ResultFile
from experiments.settings.evaluations import (
    CLASSIFIERS,
    QUALITY_EPOCHS,
    SAMPLE_QUALITY,
    test_images_name,
)


def evaluate_quality(
    finished_runs,
    settings,
    path,
    overwrite=False,
    verbose=1,
    cache_dir=CLASSIFIERS,
    over_epochs=False,
):
    """Compute what is missing from the result file.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`.
        settings: `QualitySettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: As in Keras: 1 for progress bars, 2 for a line at their end.
        cache_dir: Folder that keeps the classifier.
        over_epochs: Whether to measure the networks of each kept epoch, not the last ones.

    Returns:
        The `experiments.evaluations.results.QualityResults`, over epochs `QualityEpochResults`.

    Raises:
        EvaluationError: Where `path` holds other results, or the runs have kept no epoch in common.
        ValueError: Where there are no labels or test images, the classifier is too poor, or a
            number is refused.
        OSError: Where a file cannot be written.
    """
    finished_runs.check_samples("n_samples", settings.n_samples)
    name, epochs = SAMPLE_QUALITY, None
    identity = finished_runs.describe() | {"settings": dataclasses.asdict(settings)}
    if over_epochs:
        name, epochs = QUALITY_EPOCHS, finished_runs.kept_epochs
        identity["kept"] = epochs
    file = ResultFile(path, name, identity, overwrite, finished_runs.retrained)
    if not file.finished:
        with file.filling():
            _fill(file, finished_runs, settings, epochs, verbose, Path(cache_dir).expanduser())
    return file.read()


def _fill(file, finished_runs, settings, epochs, verbose, cache_dir):
    real = _real_images(finished_runs, verbose, cache_dir)
    if epochs is None:
        groups = {None: file.results.setdefault("quality", {})}
    else:
        after = file.results.setdefault("quality_after", {})
        groups = {epoch: after.setdefault(str(epoch), {}) for epoch in epochs}
    runs = finished_runs.runs
    progress = keras.utils.Progbar(len(groups) * len(runs), verbose=verbose, unit_name="network")
    for epoch, measured in groups.items():
        for name, run in runs.items():
            if name not in measured:
                gan = run.gan if epoch is None else run.load_kept(epoch)
                samples = gan.generate(settings.n_samples, seed=settings.seed)
                measured[name] = real.compare(samples).to_dict()
                file.write()
            progress.update(sum(map(len, groups.values())))
    file.write(finished=True)


def _real_images(finished_runs, verbose, cache_dir):
    dataset = finished_runs.dataset
    # Another evaluation may need the same classifier: it waits, and finds it then.
    with working(cache_dir / f"{LOCK}-{dataset.checksum[:16]}", wait=True):
        classifier = load_or_train_classifier(dataset, cache_dir, verbose=verbose)
    accuracy = classifier.info["test_accuracy"]
    print(f"classifier: {accuracy:.2%} of the {test_images_name(finished_runs.validation)}")
    return RealImages(dataset.x_train, dataset.x_test, classifier)
