"""Generative adversarial networks: CapsuleGAN, its convolutional opponent, BiGAN and BiCoGAN."""

from capsgan_keras.gan.base import GAN
from capsgan_keras.gan.bicogan import BiCoGAN
from capsgan_keras.gan.bigan import BiGAN
from capsgan_keras.gan.capsule_gan import CapsuleGAN, ConvolutionalGAN

__all__ = ["GAN", "BiCoGAN", "BiGAN", "CapsuleGAN", "ConvolutionalGAN"]
