"""Generative adversarial networks: CapsuleGAN and its convolutional opponent."""

from capsgan_keras.gan.base import GAN
from capsgan_keras.gan.capsule_gan import CapsuleGAN, ConvolutionalGAN

__all__ = ["GAN", "CapsuleGAN", "ConvolutionalGAN"]
