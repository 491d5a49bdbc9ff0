"""The classifiers that the settings describe."""

import math

import keras

from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    CapsNet,
    CapsuleClassifier,
    DeepCapsNet,
    EfficientCapsNet,
    build_plain_classifier,
)
from capsgan_keras.models.sizes import check_batch
from experiments.errors import SettingsError
from experiments.settings.classifiers import ClassifierSettings


def build_network(
    settings: ClassifierSettings,
    image_shape: tuple[int, int, int],
    num_classes: int,
    steps: int,
) -> keras.Model:
    """Return a new, compiled classifier under Keras's global dtype policy.

    Args:
        settings: What to build.
        image_shape: `(height, width, channels)`.
        num_classes: Positive integer.
        steps: Training steps of the whole run, in which the learning rate falls.

    Raises:
        SettingsError: Where the settings fit no network for these images, or its training takes
            more memory than there is.
    """
    try:
        capsules = _capsule_network(settings, image_shape, num_classes)
        network = capsules
        if settings.model == "plain":
            network = build_plain_classifier(capsules, "sigmoid" if settings.overlap else "softmax")
        parts = [network] if settings.model == "plain" else [network.encoder, network.decoder]
        check_batch(parts, settings.batch_size, image_shape)
    except ValueError as error:
        raise SettingsError(
            f"{settings.name}: no network for these images (--image-size resizes them). {error}"
        ) from error
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=steps)
    network.compile(optimizer=keras.optimizers.Adam(rate), **_losses(settings, image_shape))
    return network


def count_parameters(network: keras.Model) -> dict[str, int]:
    """Return how many trainable numbers a network has, and of a capsule network its encoder."""

    def count(model: keras.Model) -> int:
        return sum(math.prod(weight.shape) for weight in model.trainable_weights)

    if isinstance(network, CapsuleClassifier):
        return {"classifier": count(network.encoder), "decoder": count(network.decoder)}
    return {"classifier": count(network)}


def _capsule_network(
    settings: ClassifierSettings, image_shape: tuple[int, int, int], num_classes: int
) -> CapsuleClassifier:
    def wide(number: int, multiple: int = 1) -> int:
        return multiple * max(1, round(number * settings.width / multiple))

    options = {"routings": settings.routings}
    if settings.routing is not None:
        options["routing"] = settings.routing
    if settings.network == "capsnet":
        options |= {"filters": wide(256), "n_channels": wide(32)}
        return CapsNet(image_shape, num_classes, **options)
    if settings.network == "efficient":
        filters = (wide(32), wide(64), wide(64), wide(128, multiple=8))
        return EfficientCapsNet(image_shape, num_classes, filters, **options)
    options |= {"filters": (wide(32), wide(64)), "n_channels": (wide(8), wide(8), wide(16))}
    return DeepCapsNet(image_shape, num_classes, **options)


def _losses(settings: ClassifierSettings, image_shape: tuple[int, int, int]) -> dict:
    if settings.model == "plain":
        if settings.overlap:
            return {"loss": "binary_crossentropy", "metrics": ["binary_accuracy"]}
        return {"loss": "categorical_crossentropy", "metrics": ["categorical_accuracy"]}
    # The mean squared error is the paper's sum, divided by the number of pixels.
    weight = settings.reconstruction * math.prod(image_shape)
    accuracy = "binary_accuracy" if settings.overlap else "categorical_accuracy"
    return {
        "loss": {"lengths": MarginLoss(), "reconstruction": "mse"},
        "loss_weights": {"lengths": 1.0, "reconstruction": weight},
        "metrics": {"lengths": accuracy},
    }
