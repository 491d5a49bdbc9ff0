"""Say what the package has, which commands, and where the others are."""

from capsgan_keras import __version__

TEXT = f"""capsgan_keras {__version__}: capsule layers and CapsuleGAN for Keras 3.

The package is used from Python:

  from capsgan_keras import CapsuleGAN, ConvolutionalGAN, load_dataset, load_pretrained

Its command:

  python -m capsgan_keras.demo   trains a CapsuleGAN on small digits in about a minute

The other commands are in a clone of the repository. In its folder:

  python -m experiments   lists them: train both GANs, on images of your own too, and compare them
  python -m benchmarks    measures speed
  make demo               installs everything and trains both GANs on small digits
"""

if __name__ == "__main__":
    print(TEXT, end="")
