"""Capsule layers, and layers for the discriminators of GANs."""

from capsgan_keras.layers.capsule_layer import CapsuleLayer
from capsgan_keras.layers.conv_capsule_layer import ConvCapsuleLayer
from capsgan_keras.layers.depthwise_primary_cap import DepthwisePrimaryCap
from capsgan_keras.layers.differentiable_augmentation import DifferentiableAugmentation
from capsgan_keras.layers.length import Length
from capsgan_keras.layers.mask import Mask
from capsgan_keras.layers.primary_cap import PrimaryCap
from capsgan_keras.layers.random_color import RandomColor
from capsgan_keras.layers.random_cutout import RandomCutout
from capsgan_keras.layers.select_class import SelectClass
from capsgan_keras.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "CapsuleLayer",
    "ConvCapsuleLayer",
    "DepthwisePrimaryCap",
    "DifferentiableAugmentation",
    "Length",
    "Mask",
    "PrimaryCap",
    "RandomColor",
    "RandomCutout",
    "SelectClass",
    "SpectralNormalization",
]
