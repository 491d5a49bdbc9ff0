"""Figures of encoders: reconstructions, wanted classes, and walks between real images."""

import numpy as np

from capsgan_keras.datasets import to_uint8
from capsgan_keras.gan.prediction import predict_in_chunks
from capsgan_keras.plotting import image_figure

COLUMNS = 10
BLOCKS = 2
"""Blocks of test images in the figure of reconstructions."""
WALKS = 4
_BATCH = 256


def reconstructions(gans, images):
    """Draw real images, and below them what each encoder and its generator make of them.

    Args:
        gans: Dictionary from a run's name to its `BiGAN`.
        images: Real images, uint8 `(n, height, width, channels)`, of which the first are taken.
    """
    images = images[: COLUMNS * BLOCKS]
    rebuilt = {name: gan.reconstruct(images) for name, gan in gans.items()}
    rows, labels = [], []
    for start in range(0, len(images), COLUMNS):
        block = slice(start, start + COLUMNS)
        if len(images[block]) == COLUMNS:
            rows += [images[block], *(each[block] for each in rebuilt.values())]
            labels += ["real", *rebuilt]
    return image_figure(np.concatenate(rows), len(rows), COLUMNS, row_labels=labels)


def wanted_classes(gan, seed=0):
    """Draw generated images of wanted classes, one class a row.

    The images of a column have one style: all their other latents are equal.

    Args:
        gan: The `BiCoGAN`.
        seed: Integer that sets the styles.
    """
    rows = [gan.generate(COLUMNS, seed=seed, labels=label) for label in range(gan.num_classes)]
    labels = range(gan.num_classes)
    return image_figure(np.concatenate(rows), gan.num_classes, COLUMNS, row_labels=labels)


def walks(gan, images):
    """Draw ways from one real image to another along a straight line between their codes.

    The ends of each row are the real images. What is between begins and ends with their
    reconstructions.

    Args:
        gan: The `BiGAN`.
        images: Real images, uint8 `(n, height, width, channels)`, of which the first are taken.
    """
    pairs = images[: 2 * WALKS]
    codes = gan.encode(pairs)
    shares = np.linspace(0.0, 1.0, COLUMNS - 2, dtype="float32")[:, np.newaxis]
    rows = []
    for first in range(0, len(pairs) - 1, 2):
        start, end = codes[first : first + 2]
        way = (1.0 - shares) * start + shares * end
        made = predict_in_chunks(gan, way, _BATCH, after=to_uint8)
        rows += [pairs[first : first + 1], made, pairs[first + 1 : first + 2]]
    labels = ["real", *(f"{share:.2f}" for share in shares[:, 0]), "real"]
    images = np.concatenate(rows)
    return image_figure(images, len(images) // COLUMNS, COLUMNS, column_labels=labels)
