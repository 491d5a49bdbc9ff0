"""Capsule layers and generative adversarial capsule networks for Keras 3."""

from capsgan_keras import keras_backend as keras_backend  # first: a check before Keras's import
from capsgan_keras.datasets import load_dataset
from capsgan_keras.gan import GAN, CapsuleGAN, ConvolutionalGAN
from capsgan_keras.pretrained import load_pretrained
from capsgan_keras.runs import load_run
from capsgan_keras.version import __version__

__all__ = [
    "GAN",
    "CapsuleGAN",
    "ConvolutionalGAN",
    "__version__",
    "load_dataset",
    "load_pretrained",
    "load_run",
]
