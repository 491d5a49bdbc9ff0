"""The pictures of a classifier's run."""

import keras
import numpy as np
from matplotlib.figure import Figure

from capsgan_keras.datasets import Dataset, overlap_images, shift_images
from capsgan_keras.models import CapsuleClassifier
from capsgan_keras.models.capsule_classifier import OFFSETS
from capsgan_keras.plotting import coupling_figure, image_figure
from capsgan_keras.types import History
from experiments.capsnet.batches import canvas_of, shift_of
from experiments.capsnet.testing import SEED
from experiments.settings.classifiers import ClassifierSettings

COLUMNS, COUPLED = 10, 4
"""Test images whose reconstructions, and whose couplings, are drawn: the first ones."""


def figures(
    network: keras.Model, settings: ClassifierSettings, dataset: Dataset, history: History
) -> dict[str, Figure]:
    """Return the figures of a run by their names; a plain network has its curves alone."""
    found = {"curves": curves(history)}
    if not isinstance(network, CapsuleClassifier):
        return found
    canvas = canvas_of(settings, dataset.image_shape)
    images, labels = dataset.x_test, dataset.y_test
    first = shift_images(images[:COLUMNS], 0, SEED, canvas)
    if settings.overlap:
        pairs = overlap_images(
            images,
            labels,
            SEED,
            shift_of(canvas, dataset.image_shape),
            np.arange(min(COLUMNS, len(images))),
        )
        found["reconstructions"] = _of_pairs(network, pairs.images)
    else:
        found["reconstructions"] = _of_images(network, first)
    varied = network.variations(first[0])
    found["variations"] = image_figure(
        varied.reshape(-1, *network.image_shape),
        *varied.shape[:2],
        row_labels=range(1, len(varied) + 1),
        column_labels=OFFSETS,
    )
    coupled = first[:COUPLED]
    found["couplings"] = coupling_figure(coupled, network.couplings(coupled), dataset.class_names)
    return found


def curves(history: History) -> Figure:
    """Draw the logs over the epochs: losses in one panel, shares in the other."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, 2)
    for name, values in history.items():
        axes = panels[int("accuracy" in name)]
        axes.plot(range(1, len(values) + 1), values, label=name, marker=".")
    for axes, title in zip(panels, ("losses", "accuracy in training"), strict=True):
        axes.set(xlabel="epoch", title=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def _of_images(network: CapsuleClassifier, images: np.ndarray) -> Figure:
    redrawn = _pixels(network.predict(images, verbose=0)["reconstruction"])
    rows = np.concatenate([images, redrawn])
    return image_figure(rows, 2, len(images), row_labels=("image", "redrawn"))


def _of_pairs(network: CapsuleClassifier, images: np.ndarray) -> Figure:
    """Draw pairs, and below each what the decoder makes of its two longest capsules."""
    order = np.argsort(network.predict(images, verbose=0)["lengths"], axis=1)
    one_hot = np.eye(network.num_classes, dtype=np.float32)
    rows = [images]
    for place in (-1, -2):
        told = one_hot[order[:, place]]
        rows.append(_pixels(network.predict((images, told), verbose=0)["reconstruction"]))
    words = ("pair", "longest", "second")
    return image_figure(np.concatenate(rows), len(rows), len(images), row_labels=words)


def _pixels(images: np.ndarray) -> np.ndarray:
    return np.rint(255.0 * images).astype(np.uint8)
