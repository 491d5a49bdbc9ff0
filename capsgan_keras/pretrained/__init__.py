"""Trained networks that come with the package."""

from capsgan_keras.pretrained.loading import load_pretrained, pretrained_models

__all__ = ["load_pretrained", "pretrained_models"]
