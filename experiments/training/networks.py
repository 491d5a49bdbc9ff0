"""The GANs that the settings describe."""

from functools import partial

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.models.sizes import check_batch
from experiments.errors import SettingsError
from experiments.training.encoders import ENCODERS, KINDS, build_bigan

_MODELS = {
    "capsule": CapsuleGAN.from_settings,
    "convolutional": ConvolutionalGAN.from_settings,
    **{
        f"{kind}-{encoder}": partial(build_bigan, encoder) for kind in KINDS for encoder in ENCODERS
    },
}


def build_gan(settings, model, image_shape, steps=None):
    """Return a new, compiled GAN under Keras's global dtype policy.

    Args:
        settings: `experiments.settings.training.Settings`.
        model: One of the settings' `models`.
        image_shape: `(height, width, channels)`.
        steps: Training steps of the whole run; needed where the learning rates fall.

    Raises:
        SettingsError: Where the settings fit no network for these images, or its training takes
            more memory than there is.
    """
    try:
        gan = _MODELS[model](settings, image_shape, steps, seed=settings.seed)
        check_batch([getattr(gan, name) for name in gan.networks], settings.batch_size)
        return gan
    except ValueError as error:
        raise SettingsError(
            f"{model}: no network for these images (--image-size resizes them). {error}"
        ) from error
