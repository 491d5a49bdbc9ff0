"""BiGAN: a GAN with an encoder, whose discriminator sees images and codes together."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_positive
from capsgan_keras.datasets import to_uint8
from capsgan_keras.gan.base import GAN
from capsgan_keras.gan.input_checks import check_encoder
from capsgan_keras.gan.outputs import ends_in_lengths
from capsgan_keras.gan.prediction import predict_in_chunks, scaled_pixels
from capsgan_keras.losses import MarginLoss
from capsgan_keras.training.adversarial import Batch
from capsgan_keras.training.callbacks import check_finite_weights
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class BiGAN(GAN):
    """BiGAN: a generator and an encoder that a joint discriminator makes inverses of each other.

    The discriminator tells pairs of real images and their codes, `(x, E(x))`, from pairs of
    generated images and their latents, `(G(z), z)`. It minimises
    `loss(1, D(x, E(x))) + loss(0, D(G(z), z))`. Generator and encoder together minimise
    `loss(0, D(x, E(x))) + loss(1, D(G(z), z))`. Where no discriminator can tell the pairs
    apart, the encoder inverts the generator.

    It trains, generates and saves as a `GAN` does. The generator's optimizer has the encoder's
    variables too, and averages both where it averages weights.

    Args:
        generator: As in `GAN`.
        encoder: A built `keras.Model` from images to codes of the shape of latents, such as that
            of `build_capsule_encoder`. Batch normalization in it keeps the statistics of training
            where weights are averaged.
        discriminator: A built `keras.Model` from `[images, codes]` to `(batch, 1)` or `(batch, 2)`,
            such as that of `build_joint_discriminator`.
        loss: As in `GAN`. By default `MarginLoss()` for a discriminator that ends in lengths, else
            `keras.losses.BinaryCrossentropy()`.
        seed: As in `GAN`.
        **kwargs: `discriminator_outputs`, `gradient_penalty` and `penalty_every` as in `GAN`, the
            gradient with respect to images alone; `name`, `dtype` and `trainable`, as in every
            Keras model.

    Raises:
        ValueError: Where the networks do not fit each other.

    Source: Donahue et al. 2017 (arXiv 1605.09782), equation 2; Dumoulin et al. 2017 (arXiv
    1606.00704). Generator and encoder minimise `-log D` of the other answer, as section 4.3 of the
    former has it, and not the negative loss of the discriminator.

    Example:

    ```python
    from capsgan_keras import BiGAN, load_dataset
    from capsgan_keras.models import (
        build_capsule_encoder, build_generator, build_joint_discriminator)

    digits = load_dataset("digits", image_size=16).x_train[:64]
    shape = digits.shape[1:]
    gan = BiGAN(
        build_generator(shape, latent_dim=8, seed=0),
        build_capsule_encoder(shape, latent_dim=8, seed=0),
        build_joint_discriminator(shape, latent_dim=8, head="capsule", seed=0),
        seed=0,
    )
    gan.compile()
    gan.fit(digits, epochs=1, batch_size=32)
    codes = gan.encode(digits)  # float32 (64, 8)
    images = gan.reconstruct(digits)  # uint8 (64, 16, 16, 1): G(E(x))
    ```
    """

    networks = ("generator", "encoder", "discriminator")
    generator_learns_from_real = True

    def __init__(
        self,
        generator: keras.Model,
        encoder: keras.Model,
        discriminator: keras.Model,
        loss: keras.losses.Loss | Callable | str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        if type(self) is BiGAN and kwargs.get("num_classes") is not None:
            raise ValueError(
                "`num_classes` is for BiCoGAN, whose codes hold the class. "
                f"Received: num_classes={kwargs['num_classes']!r}"
            )
        check_encoder(encoder, generator)
        if loss is None:
            capsule = isinstance(discriminator, keras.Model) and ends_in_lengths(discriminator)
            loss = MarginLoss() if capsule else keras.losses.BinaryCrossentropy()
        # Before the GAN is built, after which Keras takes no more layers; and in the order of
        # `player_variables`, in which Keras puts averages in the place of weights.
        self.generator, self.encoder = generator, encoder
        super().__init__(generator, discriminator, loss, seed=seed, **kwargs)
        if not self.trainable:  # Keras hands it on only where it changes
            encoder.trainable = False

    # ---- what the train step asks

    def shape_beside(self, generator: keras.Model) -> Shape:
        """Return the shape of a code, which the discriminator sees beside images."""
        return tuple(generator.input_shape[1:])

    @property
    def player_variables(self) -> tuple[list[keras.Variable], list[keras.Variable]]:
        """The trainable variables of generator and encoder, and of the discriminator."""
        of_generator, of_discriminator = super().player_variables
        return [*of_generator, *self.encoder.trainable_variables], of_discriminator

    def beside_generated(self, latents: Tensor) -> Tensor:
        """Return the codes of generated images: the latents that they are made of."""
        return latents

    def beside_real(self, batch: Batch, training: bool) -> Tensor:
        """Return the codes of real images."""
        return self.code_of(self.encoder(batch.real, training=training))

    def code_of(self, encoded: Tensor) -> Tensor:
        """Return the codes that encoder's outputs stand for: these themselves."""
        return encoded

    def generator_loss(self, on_generated: Tensor, on_real: Tensor | None = None) -> Tensor:
        """Return `loss(1, D(G(z), z)) + loss(0, D(x, E(x)))`, each averaged over the batch.

        A loss that has a `generator_loss` takes the negative outputs on real images.
        """
        loss = super().generator_loss(on_generated) + sum(self.encoder.losses)
        own = getattr(self.loss, "generator_loss", None)
        if own is None:
            return loss + self._mean_loss(on_real, real=False)
        return loss + ops.mean(own(ops.negative(on_real)))

    # ---- using

    def beside_judged(self, images: np.ndarray, labels: Any, batch_size: int) -> np.ndarray:
        """Return the codes of images, beside which the discriminator scores them."""
        if labels is not None:
            raise ValueError(
                "`labels` are not for a GAN with an encoder, which scores images beside their "
                f"codes. Received: labels of type {type(labels).__name__}"
            )
        check_finite_weights("encode", self.encoder)
        return self._codes(images, batch_size)

    def encode(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Return the codes of images.

        Args:
            images: `(n, height, width, channels)`, uint8, or floats in [-1, 1].
            batch_size: Images per forward pass; does not change the result beyond rounding.

        Returns:
            float32 array `(n, latent_dim)`. The generator takes it as latents.

        Raises:
            ValueError: On images of another shape or range.
            NonFiniteError: Where a weight is not finite.

        Warns:
            UserWarning: On floats without a negative number, as `fit` does.
        """
        check_positive(batch_size=batch_size)
        check_finite_weights("encode", self.encoder)
        return self._codes(self.checked_array(images), batch_size)

    def _codes(self, images: np.ndarray, batch_size: int) -> np.ndarray:
        return predict_in_chunks(
            self.encoder,
            images,
            batch_size,
            before=scaled_pixels,
            after=lambda encoded: ops.convert_to_numpy(self.code_of(encoded)).astype("float32"),
        )

    def reconstruct(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Return `G(E(x))`, the images that are generated from the codes of others.

        Args:
            images: As in `encode`.
            batch_size: As in `encode`.

        Returns:
            uint8 array of the shape of `images`.

        Raises:
            ValueError: As `encode`.
            NonFiniteError: As `encode`.
        """
        codes = self.encode(images, batch_size)
        check_finite_weights("reconstruct", self.generator)
        return predict_in_chunks(self, codes, batch_size, after=to_uint8)
