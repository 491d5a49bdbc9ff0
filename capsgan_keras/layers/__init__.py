"""Capsule layers."""

from capsgan_keras.layers.capsule_layer import CapsuleLayer
from capsgan_keras.layers.conv_capsule_layer import ConvCapsuleLayer
from capsgan_keras.layers.depthwise_primary_cap import DepthwisePrimaryCap
from capsgan_keras.layers.length import Length
from capsgan_keras.layers.mask import Mask
from capsgan_keras.layers.primary_cap import PrimaryCap

__all__ = [
    "CapsuleLayer",
    "ConvCapsuleLayer",
    "DepthwisePrimaryCap",
    "Length",
    "Mask",
    "PrimaryCap",
]
