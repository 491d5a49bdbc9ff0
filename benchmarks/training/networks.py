"""The GANs that the experiments train today."""

import keras

from experiments import cifar10, mnist
from experiments.settings.training import MODELS
from experiments.training.networks import build_gan

TUNED = {"mnist": mnist.TUNED, "cifar10": cifar10.TUNED}
IMAGE_SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
TINY = {
    "batch_size": 4,
    "generator_filters": (4, 4),
    "generator_scales": (2, 2),
    "capsule_filters": (4,),
    "n_channels": 1,
    "convolutional_filters": (4, 4),
}
"""Changes of the settings, for tests."""
STEPS = 1_000
"""Of a run, in the last of which the learning rates fall. Every step costs the same."""

__all__ = ["IMAGE_SHAPES", "MODELS", "TINY", "TUNED", "new_gan"]


def new_gan(settings, model, precision="float32", image_shape=None):
    """Return a compiled GAN as an experiment starts with it, always with the same weights.

    Args:
        settings: `experiments.settings.training.Settings`.
        model: `"capsule"` or `"convolutional"`.
        precision: Name of a dtype policy.
        image_shape: `(height, width, channels)`; by default the data set's.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return build_gan(settings, model, image_shape or IMAGE_SHAPES[settings.dataset], STEPS)
    finally:
        keras.config.set_dtype_policy(before)
