"""Regularization as options of the experiments: each reaches the networks, off by default."""

import dataclasses

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN
from capsgan_keras.datasets import Dataset
from capsgan_keras.gan.settings import FOR_FEW_IMAGES, for_number_of
from capsgan_keras.layers import DifferentiableAugmentation, SpectralNormalization
from capsgan_keras.losses import HingeLoss
from experiments.errors import SettingsError
from experiments.settings.training import NEUTRAL, Settings
from experiments.training.networks import build_gan

SHAPE = (16, 16, 3)


def layers_of(gan, kind):
    return [layer for layer in gan.discriminator.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("model", ["capsule", "convolutional"])
def test_all_are_off_by_default(model):
    gan = build_gan(Settings(), model, SHAPE)
    assert not layers_of(gan, (DifferentiableAugmentation, SpectralNormalization))
    assert gan.gradient_penalty == 0.0


@pytest.mark.parametrize("model", ["capsule", "convolutional"])
def test_each_reaches_the_network(model):
    settings = Settings(
        spectral_normalization=True,
        augmentation=("cutout", "color"),
        gradient_penalty=2.5,
        penalty_every=4,
    )
    gan = build_gan(settings, model, SHAPE)
    assert layers_of(gan, SpectralNormalization)
    (augmentation,) = layers_of(gan, DifferentiableAugmentation)
    assert augmentation.names == ("cutout", "color")
    assert (gan.gradient_penalty, gan.penalty_every) == (2.5, 4)


def test_hinge_is_for_scores():
    gan = build_gan(Settings(loss="hinge"), "convolutional", SHAPE)
    assert isinstance(gan.loss, HingeLoss)
    assert gan.discriminator.layers[-1].activation is keras.activations.linear
    with pytest.raises(SettingsError, match="never negative"):
        build_gan(Settings(loss="hinge"), "capsule", SHAPE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augmentation": ("colour",)}, "`augmentation` must be different ones of 'color'"),
        ({"augmentation": ("color", "color")}, "`augmentation` must be different ones of"),
        ({"augmentation": "color"}, "`augmentation` must be different ones of"),
        ({"gradient_penalty": -1.0}, "`gradient_penalty` must be a finite number of at least 0"),
        ({"penalty_every": 0}, "`penalty_every` must be a whole number"),
        ({"spectral_normalization": "yes"}, "`spectral_normalization` must be True or False"),
        ({"penalty_every": 2}, "`penalty_every` needs a `gradient_penalty`"),
        ({"flips": 1}, "`flips` must be True or False"),
    ],
)
def test_other_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Settings(**options)


def test_few_images_get_an_augmentation_and_a_choice_stays():
    assert for_number_of(4_999, NEUTRAL).augmentation == FOR_FEW_IMAGES
    assert for_number_of(5_000, NEUTRAL).augmentation is None
    without = dataclasses.replace(NEUTRAL, augmentation=())
    assert for_number_of(10, without).augmentation == ()


def test_own_images_in_python_get_it_too():
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    data = Dataset("mine", images, None, images[:0], None)
    assert layers_of(CapsuleGAN.tuned(data), DifferentiableAugmentation)
    assert not layers_of(CapsuleGAN.tuned("cifar10"), DifferentiableAugmentation)
