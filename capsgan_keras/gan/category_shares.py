"""Learn from real images how often a generator's categories are chosen.

A generator with categories (`latent_categories` in `build_generator`) makes one kind of images of
each, and normal latents choose each equally often. Real images seldom have as many kinds as there
are categories, in equal shares: with 20 categories for ten digits some digit may get three of them
and another one. No gradient mends that, since the choice has none.

So each real image goes to the category of the generated image that is nearest to it, and a category
gets the share of real images that came to it. No labels and no discriminator take part.
"""

import math
from typing import Any

import keras
import numpy as np

from capsgan_keras.datasets import to_uint8
from capsgan_keras.gan.latents import Latents
from capsgan_keras.gan.prediction import predict_in_chunks
from capsgan_keras.machine import check_memory
from capsgan_keras.models.generator import category_offsets

_REAL = 6_000
_GENERATED = 10_000
_ROUNDS = 50
_STEP = 0.4
"""Of an offset, for each unit of the logarithm of its share."""


def check_category_shares(generator: keras.Model, num_classes: int | None) -> None:
    """Raise a `ValueError` where classes would be chosen with learned shares.

    The last latents choose the class of an image, and training and `generate` read it there. A
    generator with shares would show another one.
    """
    if num_classes is not None and category_offsets(generator) is not None:
        raise ValueError(
            "`num_classes` needs a `generator` built with learn_category_shares=False. "
            f"Received: num_classes={num_classes}, a generator with learn_category_shares=True"
        )


def checked_real_images(gan: Any, images: Any) -> np.ndarray:
    """Return real images from which a GAN can learn the shares of its categories.

    Raises:
        ValueError: On a generator without shares, on images of another form, and where they take
            more memory than there is.
    """
    if category_offsets(gan.generator) is None:
        raise ValueError(
            "`learn_category_shares` needs a generator that was built with "
            "learn_category_shares=True. Received: a generator without"
        )
    images = gan.checked_array(images)
    compared = (min(len(images), _REAL) + _GENERATED) * math.prod(gan.image_shape)
    check_memory(
        f"To compare `images` of shape {gan.image_shape} with {_GENERATED:,} generated ones",
        compared * (np.dtype(np.uint8).itemsize + np.dtype(np.float32).itemsize),
    )
    return images


def learn_shares(gan: Any, images: np.ndarray, seed: int | None, batch_size: int) -> np.ndarray:
    """Give each category of a GAN's generator the share that it has among real images.

    Args:
        gan: The GAN.
        images: What `checked_real_images` returned.
        seed: Integer of at least 0 that sets the latents and the choice of images.
        batch_size: Images per forward pass.

    Returns:
        The shares, float64 `(categories,)`.
    """
    from sklearn.metrics import pairwise_distances_argmin  # slow to import

    if len(images) > _REAL:
        chosen = np.random.default_rng(seed).choice(len(images), _REAL, replace=False)
        images = images[np.sort(chosen)]
    if images.dtype != np.uint8:
        images = to_uint8(images)
    offsets: Any = category_offsets(gan.generator)
    kernel, biases = offsets.get_weights()
    latents = Latents(gan.latent_dim, seed).draw(_GENERATED)
    choosing = latents[:, -len(biases) :]
    generated = predict_in_chunks(gan, latents, batch_size, after=to_uint8)
    nearest = pairwise_distances_argmin(_vectors(images), _vectors(generated))
    categories = np.argmax(choosing + biases, axis=1)
    # One image more, so that no category is lost for good.
    shares = 1.0 + np.bincount(categories[nearest], minlength=len(biases))
    shares /= shares.sum()
    offsets.set_weights([kernel, offsets_for(shares, choosing, biases)])
    return shares


def _vectors(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype("float32")


def offsets_for(shares: np.ndarray, choosing: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return offsets with which the largest of each row is in each column as often as wanted.

    Args:
        shares: `(count,)`, positive, whose sum is 1.
        choosing: `(n, count)`: normal numbers.
        offsets: `(count,)`: offsets to begin with.

    Returns:
        float32 `(count,)` with a mean of 0.
    """
    offsets = offsets.astype("float64")
    for _ in range(_ROUNDS):
        found = 0.5 + np.bincount(np.argmax(choosing + offsets, axis=1), minlength=len(offsets))
        offsets += _STEP * (np.log(shares) - np.log(found / found.sum()))
        offsets -= offsets.mean()
    return offsets.astype("float32")
