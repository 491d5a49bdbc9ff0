"""How good a trained classifier is, also on distorted and overlapping images."""

import keras
import numpy as np

from capsgan_keras.datasets import Dataset, affine_images, overlap_images, shift_images
from experiments.capsnet.batches import canvas_of, shift_of
from experiments.settings.classifiers import ClassifierSettings

SEED = 0
"""Sets the images of both tests, the same for all networks."""
_BATCH = 250


def measure(
    network: keras.Model, settings: ClassifierSettings, dataset: Dataset
) -> dict[str, float]:
    """Return the test error, and the results of the tests that the settings ask for.

    Args:
        network: A trained classifier.
        settings: Those of its run.
        dataset: The images.
    """
    images, labels = dataset.x_test, dataset.y_test
    canvas = canvas_of(settings, dataset.image_shape)
    found = {"test_error": error(network, shift_images(images, 0, SEED, canvas), labels)}
    if "affine" in settings.tests:
        found["affine_error"] = error(network, affine_images(images, SEED, canvas), labels)
    if "overlap" in settings.tests:
        pairs = overlap_images(images, labels, SEED, shift_of(canvas, dataset.image_shape))
        found["overlap_exact_match"] = exact_match(network, pairs.images, pairs.labels)
    return found


def lengths(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the lengths of the final capsules, or a plain network's outputs, `(n, classes)`."""
    outputs = network.predict(images, batch_size=_BATCH, verbose=0)
    return outputs["lengths"] if isinstance(outputs, dict) else outputs


def error(network: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images whose largest output is not their class."""
    return float(np.mean(lengths(network, images).argmax(axis=1) != labels))


def exact_match(network: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of pairs whose two largest outputs are both classes.

    Args:
        network: A trained classifier.
        images: uint8 `(n, height, width, channels)`.
        labels: Integers `(n, 2)`.
    """
    largest = np.argsort(lengths(network, images), axis=1)[:, -2:]
    return float(np.mean((np.sort(largest, 1) == np.sort(labels, 1)).all(axis=1)))
