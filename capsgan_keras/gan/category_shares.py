"""Learn how often a generator's categories are chosen.

A generator with categories (`latent_categories` in `build_generator`) makes one kind of images of
each, and normal latents choose each equally often. Real images seldom have as many kinds as there
are categories, in equal shares: with 20 categories for ten digits some digit may get three of them
and another one. No gradient mends that, since the choice has none.

So the shares are learned as those of a mixture are, by expectation maximization (Dempster et al.
1977; for a mixture of generators Khayatkhoei et al., arXiv 1806.00880, learn them by another
network). Where q_k is the density of the images of category k, q that of all, and p that of real
images, the new share of k is its old one times the mean of p / q over its images. The
discriminator's answers say what p / q is (`capsgan_keras.balance.density_ratio`).
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.balance import density_ratio
from capsgan_keras.gan.latents import Latents
from capsgan_keras.models.generator import category_offsets
from capsgan_keras.types import Shape

_IMAGES = 10_000
_BATCH = 100
_LARGEST_RATIO = 20.0
"""Of densities, over their mean. Single images with more would decide alone."""
_ROUNDS = 50
_STEP = 0.4
"""Of an offset, for each unit of the logarithm of its share. It finds shares from 1e-4 on."""


class LearnCategoryShares(keras.callbacks.Callback):
    """Give each category the share that it has among real images, at the end of each epoch.

    `GAN.fit` has one before the callbacks that save, where the generator has offsets. It takes as
    long as 10,000 images through both networks.

    Args:
        offsets: The layer of the generator that `capsgan_keras.models.generator.category_offsets`
            returns.
    """

    def __init__(self, offsets: keras.layers.Layer) -> None:
        super().__init__()
        self.offsets = offsets

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the offsets of the generator's categories."""
        gan = self.model
        # Latents of the epoch's number, so that an interrupted run goes on as it would have.
        latents = Latents(gan.latent_dim, seed=epoch).draw(_IMAGES)
        kernel, biases = self.offsets.get_weights()
        choosing = latents[:, -len(biases) :]
        answers = [
            _answers(gan, latents[start : start + _BATCH]) for start in range(0, _IMAGES, _BATCH)
        ]
        ratios = density_ratio(gan.loss, np.concatenate(answers), gan.discriminator_outputs)
        mean = ratios.mean()
        if not (np.isfinite(mean) and mean > 0.0):
            return  # the discriminator calls all images generated, or its outputs are not finite
        # Over their mean, since a discriminator that is ahead has small ratios throughout.
        ratios = np.minimum(ratios / mean, _LARGEST_RATIO)
        chosen = np.argmax(choosing + biases, axis=1)
        # One image more, of the mean ratio, so that no category is lost for good.
        shares = 1.0 + np.bincount(chosen, ratios, len(biases))
        biases = offsets_for(shares / shares.sum(), choosing, biases)
        self.offsets.set_weights([kernel, biases])


def check_category_shares(generator: keras.Model, outputs: str, beside: Shape | None) -> None:
    """Raise a `ValueError` where shares of categories are to be learned and cannot be.

    Args:
        generator: The GAN's generator.
        outputs: What the discriminator's outputs are, one of `capsgan_keras.gan.outputs.OUTPUTS`.
        beside: The shape of what the discriminator sees beside images; None for images alone.
    """
    if category_offsets(generator) is None:
        return
    hindrance = None
    if beside is not None:
        hindrance = "a discriminator of images with classes or codes"
    elif outputs == "score":
        hindrance = "discriminator_outputs='score', which say no ratio of densities"
    if hindrance is not None:
        raise ValueError(
            "`generator` with `learn_category_shares` needs a discriminator of images alone, whose "
            f"outputs are probabilities or logits. Received: {hindrance}"
        )


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


def _answers(gan: Any, latents: np.ndarray) -> np.ndarray:
    """Return how likely it is, by the discriminator, that the latents' images are real."""
    outputs = gan.discriminator(gan.generator(latents, training=False), training=False)
    return ops.convert_to_numpy(gan.probabilities(outputs))
