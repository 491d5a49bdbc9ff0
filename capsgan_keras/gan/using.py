"""What a trained GAN is for: generating images, and judging them."""

from typing import Any

import numpy as np
from keras import ops

from capsgan_keras.checks import check_positive, check_seed
from capsgan_keras.datasets import to_uint8
from capsgan_keras.gan.category_shares import checked_real_images, learn_shares
from capsgan_keras.gan.first_batch import to_array
from capsgan_keras.gan.input_checks import check_images, images_form
from capsgan_keras.gan.labels import LabelRange, wanted_labels, with_classes
from capsgan_keras.gan.latents import Latents
from capsgan_keras.gan.outputs import check_probabilities
from capsgan_keras.gan.players import Players
from capsgan_keras.gan.prediction import check_many, predict_in_chunks, scaled_pixels
from capsgan_keras.training.callbacks import check_finite_weights


class UsableGAN(Players):
    """A GAN's `generate`, `discriminate` and `learn_category_shares`; see `GAN`."""

    def generate(
        self,
        n: int,
        seed: int | None = None,
        batch_size: int = 256,
        truncation: float | None = None,
        labels: Any = None,
    ) -> np.ndarray:
        """Generate images.

        Args:
            n: Positive integer: how many.
            seed: Integer: the same seed gives the same latents on every machine and backend. By
                default new ones at each call. Training's noise stays as it is.
            batch_size: Images per forward pass; does not change the result beyond rounding.
            truncation: Draw latents again that lie further from 0 than this, as BigGAN does (Brock
                et al., arXiv 1809.11096): images more typical and less varied. At least 0.01.
            labels: Of a GAN with classes: integers `(n,)`, or one integer for all images. By
                default the latents choose each class equally often.

        Returns:
            uint8 array `(n, height, width, channels)`. Image k of a seed is the same for every n,
            and has the same other latents whatever its class. A generator that was built with
            `batch_statistics` is another matter: there an image depends on the others of its
            forward pass, and so on n, `batch_size` and the number of devices.

        Raises:
            ValueError: On arguments out of range, and on labels where there are no classes.
            NonFiniteError: Where a weight is not finite.
        """
        check_positive(n=n, batch_size=batch_size)
        check_many("n", n, self.latent_dim, self.image_shape)
        labels = wanted_labels(labels, n, self.num_classes)
        check_finite_weights("generate", self.generator)
        latents = Latents.of(self.generator, seed, truncation).draw(n)
        if self.num_classes is not None:
            latents = with_classes(latents, labels, self.num_classes)
        return predict_in_chunks(self, latents, batch_size, after=to_uint8)

    def discriminate(
        self, images: np.ndarray, batch_size: int = 256, labels: Any = None
    ) -> np.ndarray:
        """Score images.

        Args:
            images: `(n, height, width, channels)`, uint8, or floats in [-1, 1].
            batch_size: Images per forward pass; does not change the result beyond rounding.
            labels: Of a GAN with classes, and needed there: integers `(n,)`, the class as which
                each image is judged.

        Returns:
            float32 array `(n,)`: the discriminator's probability that each image is real, or
            its score where `discriminator_outputs` is `"score"`.

        Raises:
            ValueError: On images of another shape or range, on missing or other labels, and on
                probabilities outside [0, 1].

        Warns:
            UserWarning: On floats without a negative number, as `fit` does.
        """
        check_positive(batch_size=batch_size)
        check_finite_weights("discriminate", self.discriminator)
        images = self.checked_array(images)
        beside = self.beside_judged(images, labels, batch_size)

        def scaled(part: Any) -> Any:
            return scaled_pixels(part) if beside is None else [scaled_pixels(part[0]), part[1]]

        scores = predict_in_chunks(
            self.discriminator,
            images if beside is None else [images, beside],
            batch_size,
            before=scaled,
            after=lambda outputs: ops.convert_to_numpy(self.probabilities(outputs)),
        ).astype("float32")
        if self.discriminator_outputs != "score":
            check_probabilities(scores)
        return scores

    def learn_category_shares(
        self, images: Any, seed: int | None = 0, batch_size: int = 256
    ) -> np.ndarray:
        """Give each of the generator's categories the share that it has among real images.

        A real image counts for the category of the generated image that is nearest to it, by the
        pixels. The generator needs `learn_category_shares=True` in `build_generator`. Call it after
        training: before, each category is chosen equally often, and so has its part of each batch.
        Other weights stay as they are.

        Args:
            images: Real images `(n, height, width, channels)`, uint8, or floats in [-1, 1]. No more
                than 6,000 of them take part, chosen by the seed, with 10,000 generated ones.
            seed: Integer of at least 0; None for other images each time.
            batch_size: Images per forward pass.

        Returns:
            The shares, float64 `(categories,)`.

        Raises:
            ValueError: On a generator without learned shares, on images of another shape or range,
                and where they and the generated ones take more memory than there is.
            NonFiniteError: Where a weight is not finite.
        """
        check_positive(batch_size=batch_size)
        check_seed(seed)
        images = checked_real_images(self, images)
        check_finite_weights("learn_category_shares", self.generator)
        return learn_shares(self, images, seed, batch_size)

    def checked_array(self, images: Any) -> np.ndarray:
        """Return images as an array; raise a `ValueError` on another shape or range."""
        images = to_array("images", images, images_form(self.image_shape), datasets=False)
        check_images("images", images, self.image_shape)
        return images

    def beside_judged(self, images: np.ndarray, labels: Any, batch_size: int) -> Any:
        """Return what the discriminator sees beside images that are scored, or None: classes.

        Args:
            images: As in `discriminate`.
            labels: Likewise.
            batch_size: Likewise.
        """
        del batch_size
        if self.num_classes is None:
            return wanted_labels(labels, len(images), None)
        return LabelRange(self.num_classes).check("labels", labels, len(images))
