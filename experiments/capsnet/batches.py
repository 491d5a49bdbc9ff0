"""What a classifier sees in training: moved or overlapping images, made from seed and epoch."""

from typing import Any

import numpy as np

from capsgan_keras.datasets import Dataset, DatasetError, overlap_images, shift_images
from capsgan_keras.training.batches import EpochBatches
from experiments.errors import SettingsError
from experiments.settings.classifiers import OVERLAP_SHIFT, ClassifierSettings


class ClassifierBatches(EpochBatches):
    """Batches of images and one-hot classes, as `fit` takes them for a network.

    A batch depends on the seed, the epoch and its number alone.

    Args:
        settings: How images are changed, and for which network.
        dataset: The images.
        num_classes: Positive integer.

    Raises:
        ValueError: On a batch size or a seed out of range.
    """

    def __init__(self, settings: ClassifierSettings, dataset: Dataset, num_classes: int) -> None:
        self.settings = settings
        self.one_hot = np.eye(num_classes, dtype=np.float32)
        self.canvas = canvas_of(settings, dataset.image_shape)
        super().__init__(
            dataset.x_train,
            settings.batch_size,
            settings.seed,
            flips=settings.flips,
            labels=dataset.y_train,
        )

    def __getitem__(self, index: int) -> Any:
        """Return the batch at `index` of the epoch: inputs and targets."""
        # The last number keeps these draws apart from those of the order.
        seed = (self.seed, self.epoch, index, 1)
        if self.settings.overlap:
            return self._overlaps(index, seed)
        images, labels = super().__getitem__(index)
        images = shift_images(images, self.settings.shift, seed, self.canvas)
        told = self.one_hot[labels]
        return self._inputs_and_targets(images, told, told, images)

    def _overlaps(self, index: int, seed: tuple[int, ...]) -> Any:
        """Return pairs; the decoder is told one of both classes, and redraws its image alone."""
        first = self.chosen(index)
        shift = shift_of(self.canvas, self.images.shape[1:])
        pairs = overlap_images(self.images, self.labels, seed, shift, first)
        rows = np.arange(len(first))
        which = np.random.default_rng((*seed, 1)).integers(0, 2, len(first))
        both = self.one_hot[pairs.labels].sum(axis=1)
        told = self.one_hot[pairs.labels[rows, which]]
        return self._inputs_and_targets(pairs.images, told, both, pairs.parts[rows, which])

    def _inputs_and_targets(
        self, images: np.ndarray, told: np.ndarray, classes: np.ndarray, redrawn: np.ndarray
    ) -> Any:
        if self.settings.model == "plain":
            return images, classes
        return (images, told), {"lengths": classes, "reconstruction": redrawn}


def canvas_of(settings: ClassifierSettings, image_shape: tuple[int, ...]) -> int | None:
    """Return the side of the images that a network sees; None where they keep their shape."""
    if settings.canvas is None and settings.overlap:
        return max(image_shape[:2]) + 2 * OVERLAP_SHIFT
    return settings.canvas


def shift_of(canvas: int | None, image_shape: tuple[int, ...]) -> int:
    """Return by how much each of two overlapping images can be moved on a canvas."""
    return 0 if canvas is None else (canvas - image_shape[0]) // 2


def network_shape(settings: ClassifierSettings, dataset: Dataset) -> tuple[int, int, int]:
    """Return the shape of the images that a network sees.

    Raises:
        SettingsError: Where the images do not fit the canvas, or pairs cannot fill it.
    """
    height, width, channels = dataset.image_shape
    canvas = canvas_of(settings, dataset.image_shape)
    if canvas is not None and canvas < max(height, width):
        raise SettingsError(
            f"`canvas` must be at least the images' larger side, {max(height, width)}. "
            f"Received: canvas={canvas}"
        )
    if "overlap" in settings.tests:
        uneven = canvas is not None and (canvas - height) % 2
        if height != width or uneven:
            raise SettingsError(
                "Overlapping images must be square, and `canvas` larger by an even number of "
                f"pixels. Received: images of shape {dataset.image_shape}, canvas={canvas}"
            )
    return (height, width, channels) if canvas is None else (canvas, canvas, channels)


def count_classes(dataset: Dataset) -> int:
    """Return how many classes the images have.

    Raises:
        DatasetError: Where images lack classes, or there is no test image.
    """
    if dataset.y_train is None or dataset.y_test is None or not len(dataset.x_test):
        raise DatasetError(
            f"{dataset.name}: a classifier needs training and test images with classes; "
            "--validation 1000 holds out training images. Received: "
            f"{len(dataset.x_train):,} training images "
            f"{'without' if dataset.y_train is None else 'with'} classes, "
            f"{len(dataset.x_test):,} test images"
        )
    count = 1 + int(max(dataset.y_train.max(), dataset.y_test.max()))
    if count < 2:
        raise DatasetError(f"{dataset.name}: a classifier needs two classes. Received: one")
    return count
