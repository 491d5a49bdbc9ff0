"""Measure how good and how varied the images of finished runs are.

The paper (arXiv 1802.06167, section 5.1) judges by eye. Here a small classifier, trained once on
the real images and kept in a cache folder, sees 10,000 images of each run: which share it
recognises, how the classes share them, distances in its feature space (not an Inception
network's), precision, recall, density and coverage, and whether training images were memorised.

    python -m experiments.sample_quality runs/mnist/convolutional-seed0 runs/mnist/capsule-seed0

Writes sample_quality.json, which `python -m experiments.report` reads. `python -m
experiments.mnist --seeds 3` trains the runs and ends with it. Time: on 2 CPU cores 2
minutes for MNIST's classifier and about as long for two runs; half an hour for CIFAR-10's.
"""

import dataclasses
import sys
from pathlib import Path

from experiments.command_line import evaluation as evaluation_command
from experiments.settings.evaluations import CLASSIFIERS, QualitySettings, result_format

KIND = result_format("sample_quality")


def main(argv=None):
    """Run the command line and return the exit status."""
    defaults = QualitySettings()
    command = evaluation_command.parser("sample_quality", __doc__)
    command.add_argument(
        "--samples",
        type=int,
        default=defaults.n_samples,
        help=f"images of each run (default: {defaults.n_samples})",
    )
    command.add_argument("--seed", type=int, default=defaults.seed, help="sets the images (0)")
    command.add_argument(
        "--cache-dir",
        type=Path,
        default=CLASSIFIERS,
        help=f"keeps the classifier (default: {CLASSIFIERS})",
    )

    def evaluate(arguments, finished_runs, path):
        return measure(
            finished_runs,
            QualitySettings(n_samples=arguments.samples, seed=arguments.seed),
            path,
            arguments.overwrite,
            arguments.verbose,
            arguments.cache_dir,
        )

    return evaluation_command.main(command, argv, evaluate)


def measure(finished_runs, settings, path, overwrite=False, verbose=1, cache_dir=CLASSIFIERS):
    """Compute what is missing from the result file, and return its table as Markdown.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`.
        settings: `QualitySettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: 1 for progress bars.
        cache_dir: Folder that keeps the classifier.

    Raises:
        EvaluationError: Where `path` holds other results.
        ValueError: Where there are no labels or test images, the classifier is too poor, or a
            number is refused.
        OSError: Where a file cannot be written.
    """
    import keras

    from capsgan_keras.evaluation import load_or_train_classifier, sample_quality
    from experiments.evaluations.result_file import ResultFile
    from experiments.reports.tables import of_validation, quality_table

    dataset = finished_runs.dataset
    identity = finished_runs.describe() | {"settings": dataclasses.asdict(settings)}
    file = ResultFile(path, KIND, identity, overwrite)
    if not file.finished:
        callbacks = [keras.callbacks.ProgbarLogger()] if verbose else []
        classifier = load_or_train_classifier(dataset, cache_dir, callbacks=callbacks)
        accuracy = f"classifier: {classifier.info['test_accuracy']:.2%} of the test images"
        print(of_validation(identity, accuracy))
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
    return quality_table(file.identity, file.results)


if __name__ == "__main__":
    sys.exit(main())
