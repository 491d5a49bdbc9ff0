"""Capsule layers and generative adversarial capsule networks for Keras 3."""

import sys

from capsgan_keras.terminal import quiet_tensorflow

if sys.argv[0] == "-m":  # so Python calls it while it looks for the module of a command
    quiet_tensorflow()

from capsgan_keras import keras_backend as keras_backend  # first: a check before Keras's import
from capsgan_keras.datasets import load_dataset
from capsgan_keras.gan import GAN, BiCoGAN, BiGAN, CapsuleGAN, ConvolutionalGAN
from capsgan_keras.pretrained import load_pretrained
from capsgan_keras.runs import load_run
from capsgan_keras.version import __version__

__all__ = [
    "GAN",
    "BiCoGAN",
    "BiGAN",
    "CapsuleGAN",
    "ConvolutionalGAN",
    "__version__",
    "load_dataset",
    "load_pretrained",
    "load_run",
]
