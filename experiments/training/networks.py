"""The GANs that the settings describe."""

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.models.sizes import check_batch
from experiments.errors import SettingsError

_MODELS = {"capsule": CapsuleGAN, "convolutional": ConvolutionalGAN}


def build_gan(settings, model, image_shape, steps=None):
    """Return a new, compiled GAN under Keras's global dtype policy.

    Args:
        settings: `experiments.settings.training.Settings`.
        model: `"capsule"` or `"convolutional"`.
        image_shape: `(height, width, channels)`.
        steps: Training steps of the whole run; needed where the learning rates fall.

    Raises:
        SettingsError: Where the settings fit no network for these images, or its training takes
            more memory than there is.
    """
    try:
        gan = _MODELS[model].from_settings(settings, image_shape, steps, seed=settings.seed)
        check_batch((gan.generator, gan.discriminator), settings.batch_size)
        return gan
    except ValueError as error:
        raise SettingsError(
            f"{model}: no network for these images (--image-size resizes them). {error}"
        ) from error
