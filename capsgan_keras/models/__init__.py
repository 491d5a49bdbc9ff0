"""Generators, discriminators and the capsule classifier."""

from capsgan_keras.models.capsnet import CapsNet
from capsgan_keras.models.discriminators import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
)
from capsgan_keras.models.generator import build_generator

__all__ = [
    "CapsNet",
    "build_capsule_discriminator",
    "build_convolutional_discriminator",
    "build_generator",
]
