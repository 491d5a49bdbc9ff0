"""Generators, discriminators, encoders and the capsule classifier."""

from capsgan_keras.models.capsnet import CapsNet
from capsgan_keras.models.discriminators import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
)
from capsgan_keras.models.encoders import build_capsule_encoder, build_convolutional_encoder
from capsgan_keras.models.generator import build_generator
from capsgan_keras.models.joint_discriminator import build_joint_discriminator

__all__ = [
    "CapsNet",
    "build_capsule_discriminator",
    "build_capsule_encoder",
    "build_convolutional_discriminator",
    "build_convolutional_encoder",
    "build_generator",
    "build_joint_discriminator",
]
