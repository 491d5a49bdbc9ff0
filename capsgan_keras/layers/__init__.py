"""Capsule layers."""

from capsgan_keras.layers.capsule_layer import CapsuleLayer
from capsgan_keras.layers.length import Length
from capsgan_keras.layers.mask import Mask
from capsgan_keras.layers.primary_cap import PrimaryCap

__all__ = ["CapsuleLayer", "Length", "Mask", "PrimaryCap"]
