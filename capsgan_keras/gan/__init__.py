"""Generative adversarial networks: CapsuleGAN and its convolutional opponent."""

from capsgan_keras.gan.base import GAN, CapsuleGAN, ConvolutionalGAN, check_images

__all__ = ["GAN", "CapsuleGAN", "ConvolutionalGAN", "check_images"]
