"""BiCoGAN: a BiGAN whose codes are a class and a style."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_not_negative
from capsgan_keras.gan.bigan import BiGAN
from capsgan_keras.gan.labels import LabelRange
from capsgan_keras.models.generator import choose_categories
from capsgan_keras.training.adversarial import Batch
from capsgan_keras.types import Tensor

_SMALLEST = 1e-30  # of a probability whose logarithm is taken
UNKNOWN = -1
"""The label of an image whose class is not known."""


@keras.saving.register_keras_serializable(package="capsgan_keras")
class BiCoGAN(BiGAN):
    """BiCoGAN: a BiGAN whose encoder infers class and style, and whose generator takes both.

    The last `num_classes` components of a code are the class. In those of generated images the
    largest latent component is `sqrt(num_classes)` and the others are 0, as
    `build_generator(latent_categories=num_classes)` has it. In those of real images they are the
    softmax of the encoder's outputs times the same number. Where a label is known, generator and
    encoder also minimise `label_weight` times the cross-entropy of the encoder's class, averaged
    over the images with a label.

    Args:
        generator: As in `GAN`, made with `latent_categories=num_classes`.
        encoder: As in `BiGAN`; its last `num_classes` outputs are the logits of the classes.
        discriminator: As in `BiGAN`.
        num_classes: Integer from 2 to `latent_dim`.
        loss: As in `BiGAN`.
        seed: As in `GAN`.
        label_weight: Number of at least 0: the weight of the cross-entropy.
        **kwargs: As in `BiGAN`.

    Raises:
        ValueError: On arguments out of range, or networks that do not fit each other.

    Source: Jaiswal et al. 2018 (arXiv 1711.07461). Its extrinsic factor loss is the cross-entropy
    here, with a weight that does not change.

    Example:

    ```python
    import numpy as np

    from capsgan_keras import BiCoGAN, load_dataset
    from capsgan_keras.models import (
        build_capsule_encoder, build_generator, build_joint_discriminator)

    digits = load_dataset("digits", image_size=16)
    images, labels = digits.x_train[:64], digits.y_train[:64].astype("int32")
    labels[32:] = -1  # not known
    gan = BiCoGAN(
        build_generator(digits.image_shape, latent_dim=18, latent_categories=10, seed=0),
        build_capsule_encoder(digits.image_shape, latent_dim=18, seed=0),
        build_joint_discriminator(digits.image_shape, latent_dim=18, seed=0),
        num_classes=10,
        seed=0,
    )
    gan.compile()
    gan.fit(images, labels, epochs=1, batch_size=32)
    classes = gan.classify(images)  # int64 (64,)
    sevens = gan.generate(4, labels=np.full(4, 7))  # uint8 (4, 16, 16, 1)
    ```
    """

    num_classes: int

    def __init__(
        self,
        generator: keras.Model,
        encoder: keras.Model,
        discriminator: keras.Model,
        num_classes: int,
        loss: keras.losses.Loss | Callable | str | None = None,
        seed: int | None = None,
        label_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        if num_classes is None:
            raise ValueError(
                "`num_classes` must be a whole number from 2 to `latent_dim`. "
                "Received: num_classes=None"
            )
        check_not_negative(label_weight=label_weight)
        networks = generator, encoder, discriminator
        super().__init__(*networks, loss, seed, num_classes=num_classes, **kwargs)
        self.label_weight = label_weight

    # ---- what the train step asks

    @property
    def label_range(self) -> LabelRange:
        """The labels that training takes: classes, and -1 where a class is not known."""
        return LabelRange(self.num_classes, smallest=UNKNOWN)

    def beside_generated(self, latents: Tensor) -> Tensor:
        """Return the codes of generated images: style, and the class that latents choose."""
        return choose_categories(latents, self.num_classes)

    def code_of(self, encoded: Tensor) -> Tensor:
        """Return the codes that encoder's outputs stand for: logits become probabilities."""
        style, logits = ops.split(encoded, [self.latent_dim - self.num_classes], axis=-1)
        classes = ops.softmax(logits, axis=-1) * math.sqrt(self.num_classes)
        return ops.concatenate([style, classes], axis=-1)

    def label_loss(self, batch: Batch, beside: Tensor | None) -> Tensor:
        """Return the weighted cross-entropy of the encoder's classes, where labels are known."""
        probabilities = ops.convert_to_tensor(beside)[:, -self.num_classes :] / math.sqrt(
            self.num_classes
        )
        known = ops.cast(batch.labels != UNKNOWN, "float32")
        # Of a label that is not known all components are 0.
        wanted = ops.one_hot(batch.labels, self.num_classes, dtype="float32")
        chosen = ops.sum(wanted * probabilities, axis=-1)
        entropies = -ops.log(ops.maximum(chosen, _SMALLEST)) * known
        total, count = ops.split(batch.gather(ops.stack([entropies, known], axis=1)), 2, axis=1)
        return self.label_weight * ops.sum(total) / ops.maximum(ops.sum(count), 1.0)

    # ---- using

    def classify(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Return the classes that the encoder infers.

        Args:
            images: As in `encode`.
            batch_size: As in `encode`.

        Returns:
            int64 array `(n,)`.

        Raises:
            ValueError: As `encode`.
            NonFiniteError: As `encode`.
        """
        return self.encode(images, batch_size)[:, -self.num_classes :].argmax(axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, the networks with their architectures."""
        return super().get_config() | {"label_weight": self.label_weight}
