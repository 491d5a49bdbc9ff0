"""The classifier of sample quality on disk: trained once for each data set, then loaded."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from capsgan_keras.datasets.registry import REGISTERED
from capsgan_keras.evaluation.quality.classifier import (
    ClassifierSettings,
    ImageClassifier,
    build_classifier,
    train_classifier,
)
from capsgan_keras.files import replacing, write_json
from capsgan_keras.runs.provenance import versions


class PoorClassifierError(ValueError):
    """A classifier whose test accuracy is too low to measure samples with."""


def load_or_train_classifier(
    dataset, cache_dir, settings=None, minimum_accuracy=None, callbacks=()
):
    """Loads the classifier of a data set, or trains and keeps it where there is none yet.

    `cache_dir` gets `classifier-<name>-<checksum>.keras` and a `.json` beside it with the data
    set's checksum, the settings, the test accuracy and the model file's own checksum; each is
    written whole or not at all. What does not fit together, after a kill or a change of settings,
    is trained anew.

    Args:
        dataset: object with `x_train`, `y_train`, `x_test`, `y_test` (uint8 images
            `(n, height, width, channels)`, int classes `(n,)`), `name` and `checksum` (str), as
            `load_dataset` gives it.
        cache_dir: folder for the files; made if there is none.
        settings: `ClassifierSettings`. Defaults to `ClassifierSettings.for_images`.
        minimum_accuracy: float in [0, 1]. Test accuracy below which the classifier is refused.
            Defaults to that of the data set's definition, and to 0 where it has none.
        callbacks: Keras callbacks for `fit`, for instance one that shows the progress.

    Returns:
        An `ImageClassifier`, whose `info` is what the JSON file holds, `test_accuracy` included.

    Raises:
        PoorClassifierError: (a `ValueError`) If the test accuracy is below the minimum; such a
            classifier is not kept.
        ValueError: If the data set has no labels or no test images.
    """
    for name in ("y_train", "y_test"):
        if getattr(dataset, name) is None or len(getattr(dataset, name)) == 0:
            raise ValueError(
                f"`dataset` must have labels for training and testing. "
                f"Received: {dataset.name!r} without `{name}`"
            )
    image_shape = tuple(int(side) for side in dataset.x_train.shape[1:])
    settings = settings or ClassifierSettings.for_images(image_shape, len(dataset.x_train))
    if minimum_accuracy is None:
        known = REGISTERED.get(dataset.name)
        minimum_accuracy = known.minimum_accuracy if known else 0.0
    described = {
        "dataset": dataset.name,
        "dataset_checksum": dataset.checksum,
        "settings": asdict(settings),
    }
    path = Path(cache_dir) / f"classifier-{dataset.name}-{dataset.checksum[:12]}.keras"
    classifier = _load(path, described)
    is_new = classifier is None
    if is_new:
        classifier = _train(dataset, image_shape, settings, described, callbacks)
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


def _load(path, described):
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


def _train(dataset, image_shape, settings, described, callbacks):
    num_classes = int(max(np.max(dataset.y_train), np.max(dataset.y_test))) + 1
    model = build_classifier(image_shape, num_classes, settings.width, settings.seed)
    train_classifier(model, dataset.x_train, dataset.y_train, settings, callbacks)
    classifier = ImageClassifier(model, described)
    classifier.info |= {
        "test_accuracy": classifier.accuracy(dataset.x_test, dataset.y_test),
        "versions": versions(),
    }
    return classifier


def _save(path, classifier):
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        classifier.model.save(partial)
    classifier.info["file_checksum"] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(path.with_suffix(".json"), classifier.info)
