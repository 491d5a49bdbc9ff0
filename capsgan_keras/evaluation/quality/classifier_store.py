"""The classifier of sample quality on disk: trained once for each data set, then loaded."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from capsgan_keras.checks import check_kind, check_unit
from capsgan_keras.datasets.dataset import Dataset
from capsgan_keras.datasets.registry import REGISTERED
from capsgan_keras.evaluation.quality.classifier import (
    ClassifierSettings,
    ImageClassifier,
    build_classifier,
    train_classifier,
)
from capsgan_keras.files import replacing, usable_path, write_json
from capsgan_keras.runs.provenance import versions


class PoorClassifierError(ValueError):
    """A classifier whose test accuracy is too low; see `load_or_train_classifier`."""


_PARTS = ("name", "checksum", "x_train", "y_train", "x_test", "y_test")


def load_or_train_classifier(
    dataset: Dataset,
    cache_dir: str | os.PathLike,
    settings: ClassifierSettings | None = None,
    minimum_accuracy: float | None = None,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    verbose: int | str = 0,
) -> ImageClassifier:
    """Load the classifier of a data set, or train and keep it where there is none yet.

    `cache_dir` gets `classifier-<name>-<checksum>.keras` and a `.json` beside it with the data
    set's checksum, the settings, the test accuracy and the model file's own checksum; each is
    written whole or not at all. What does not fit together, after a kill or a change of settings,
    is trained anew.

    Args:
        dataset: A data set with labels and test images.
        cache_dir: Folder for the files; made if there is none.
        settings: How to train; by default `ClassifierSettings.for_images`.
        minimum_accuracy: Test accuracy, in [0, 1], below which the classifier is refused; by
            default that of the data set's definition, or 0 where it has none.
        callbacks: For `fit`.
        verbose: As in `train_classifier`.

    Returns:
        The classifier. Its `info` is what the JSON file holds, `test_accuracy` included.

    Raises:
        PoorClassifierError: (a `ValueError`) If the test accuracy is below the minimum; such a
            classifier is not kept.
        ValueError: If the data set has no labels or no test images.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.datasets import Dataset
    from capsgan_keras.evaluation import (
        ClassifierSettings, PoorClassifierError, load_or_train_classifier
    )
    images, labels = np.zeros((16, 8, 8, 1), np.uint8), np.arange(16) % 2
    dataset = Dataset("zeros", images, labels, images, labels)
    settings = ClassifierSettings(width=2, epochs=1)
    print(load_or_train_classifier(dataset, "classifiers", settings).info["test_accuracy"])  # 0.5
    try:
        load_or_train_classifier(dataset, "classifiers", settings, minimum_accuracy=0.9)
    except PoorClassifierError as error:
        print(error)
    ```
    """
    if not all(hasattr(dataset, part) for part in _PARTS):  # whoever made it
        raise ValueError(
            "`dataset` must be a Dataset, as `load_dataset` returns it. "
            f"Received: dataset of type {type(dataset).__name__}"
        )
    check_kind((ClassifierSettings, type(None)), "ClassifierSettings", settings=settings)
    check_unit(minimum_accuracy=0.0 if minimum_accuracy is None else minimum_accuracy)
    y_train, y_test = _labels(dataset, "y_train"), _labels(dataset, "y_test")
    n_images, *image_shape = dataset.x_train.shape
    settings = settings or ClassifierSettings.for_images(tuple(image_shape), n_images)
    if minimum_accuracy is None:
        known = REGISTERED.get(dataset.name)
        minimum_accuracy = known.minimum_accuracy if known else 0.0
    described = {
        "dataset": dataset.name,
        "dataset_checksum": dataset.checksum,
        "settings": asdict(settings),
    }
    path = (
        usable_path(cache_dir, "cache_dir")
        / f"classifier-{dataset.name}-{dataset.checksum[:12]}.keras"
    )
    classifier = _load(path, described)
    is_new = classifier is None
    if classifier is None:
        num_classes = int(max(y_train.max(), y_test.max())) + 1
        model = build_classifier(tuple(image_shape), num_classes, settings.width, settings.seed)
        train_classifier(model, dataset.x_train, y_train, settings, callbacks, verbose)
        classifier = ImageClassifier(model, described)
        classifier.info["test_accuracy"] = classifier.accuracy(dataset.x_test, y_test)
        classifier.info["versions"] = versions()
    accuracy = classifier.info["test_accuracy"]
    if accuracy < minimum_accuracy:
        raise PoorClassifierError(
            f"The classifier of {dataset.name} must reach a test accuracy of "
            f"{minimum_accuracy:.2%} to measure samples with; more epochs may help. "
            f"Received: {accuracy:.2%} with {settings}"
        )
    if is_new:
        _save(path, classifier)
    return classifier


def _labels(dataset: Dataset, name: str) -> np.ndarray:
    labels = getattr(dataset, name)
    if labels is None or len(labels) == 0:
        raise ValueError(
            f"`dataset` must have labels for training and testing. "
            f"Received: {dataset.name!r} without `{name}`"
        )
    return labels


def _load(path: Path, described: dict[str, Any]) -> ImageClassifier | None:
    try:
        info = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        content = path.read_bytes()
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    fits = isinstance(info, dict) and all(
        info.get(key) == value for key, value in described.items()
    )
    if not fits or info.get("file_checksum") != hashlib.sha256(content).hexdigest():
        return None
    return ImageClassifier(keras.saving.load_model(path, compile=False), info)


def _save(path: Path, classifier: ImageClassifier) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        classifier.model.save(partial)
    classifier.info["file_checksum"] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(path.with_suffix(".json"), classifier.info)
