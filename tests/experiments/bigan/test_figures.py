"""Figures of encoders: which image stands where."""

import keras
import numpy as np
import pytest

from capsgan_keras import BiGAN
from capsgan_keras.models import (
    build_convolutional_encoder,
    build_generator,
    build_joint_discriminator,
)
from experiments.bigan.figures import COLUMNS, WALKS, reconstructions, walks, wanted_classes

SHAPE = (16, 16, 1)
STEP = 18  # pixels from one image to the next


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (30, *SHAPE), dtype=np.uint8)


def tile(figure, row, column):
    """The image at a place of a figure."""
    (drawn,) = figure.axes[0].images
    pixels = np.asarray(drawn.get_array()).reshape(*drawn.get_array().shape[:2], -1)
    top, left = STEP * row, STEP * column
    return pixels[top : top + 16, left : left + 16]


def labels(ticks):
    return [label.get_text() for label in ticks]


class Inverting:
    """Reconstructs by the negative, and generates images as dark as their class."""

    num_classes = 3

    def reconstruct(self, images):
        return 255 - images

    def generate(self, n, seed, labels):
        return np.full((n, *SHAPE), 50 * labels + seed, np.uint8)


def test_each_encoder_has_a_row_below_the_real_images(images):
    figure = reconstructions({"one": Inverting(), "two": Inverting()}, images)
    assert labels(figure.axes[0].get_yticklabels()) == ["real", "one", "two"] * 2
    for column in (0, COLUMNS - 1):
        np.testing.assert_array_equal(tile(figure, 0, column), images[column])
        np.testing.assert_array_equal(tile(figure, 2, column), 255 - images[column])
        np.testing.assert_array_equal(tile(figure, 3, column), images[COLUMNS + column])


def test_each_class_has_a_row():
    figure = wanted_classes(Inverting(), seed=7)
    assert labels(figure.axes[0].get_yticklabels()) == ["0", "1", "2"]
    assert [tile(figure, row, 9).max() for row in range(3)] == [7, 57, 107]


def test_walks_go_from_one_reconstruction_to_the_other_between_the_real_images(images):
    gan = BiGAN(
        build_generator(SHAPE, 4, (3, 2), batch_norm=False, initializer="he", seed=0),
        build_convolutional_encoder(SHAPE, 4, 3, units=4, seed=0),
        build_joint_discriminator(SHAPE, 4, filters=3, code_units=2, units=4, seed=0),
    )
    gan.compile(run_eagerly=True)
    figure = walks(gan, images)
    rebuilt, codes = gan.reconstruct(images[:2]).astype(int), gan.encode(images[:2])
    np.testing.assert_array_equal(tile(figure, 0, 0), images[0])
    np.testing.assert_array_equal(tile(figure, 0, COLUMNS - 1), images[1])
    assert np.abs(tile(figure, 0, 1) - rebuilt[0]).max() <= 1
    assert np.abs(tile(figure, 0, COLUMNS - 2) - rebuilt[1]).max() <= 1
    third = codes[0] + 2 / 7 * (codes[1] - codes[0])
    made = 127.5 * (keras.ops.convert_to_numpy(gan.generator(third[None]))[0] + 1.0)
    assert np.abs(tile(figure, 0, 3) - made).max() <= 1.01
    np.testing.assert_array_equal(tile(figure, WALKS - 1, 0), images[2 * WALKS - 2])
    assert labels(figure.axes[0].get_xticklabels())[:2] == ["real", "0.00"]
