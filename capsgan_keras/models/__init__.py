"""Generators, discriminators, encoders and capsule classifiers."""

from capsgan_keras.models.capsnet import CapsNet
from capsgan_keras.models.capsule_classifier import CapsuleClassifier
from capsgan_keras.models.deep_capsnet import DeepCapsNet
from capsgan_keras.models.discriminators import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
)
from capsgan_keras.models.efficient_capsnet import EfficientCapsNet
from capsgan_keras.models.encoders import build_capsule_encoder, build_convolutional_encoder
from capsgan_keras.models.generator import build_generator
from capsgan_keras.models.joint_discriminator import build_joint_discriminator
from capsgan_keras.models.plain_classifier import build_plain_classifier

__all__ = [
    "CapsNet",
    "CapsuleClassifier",
    "DeepCapsNet",
    "EfficientCapsNet",
    "build_capsule_discriminator",
    "build_capsule_encoder",
    "build_convolutional_discriminator",
    "build_convolutional_encoder",
    "build_generator",
    "build_joint_discriminator",
    "build_plain_classifier",
]
