"""Images and scores of the models that the metric compares."""

import hashlib
from typing import Any, Protocol

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.utils import gen_batches

from capsgan_keras.evaluation.images import check_uint8_images
from capsgan_keras.evaluation.metric.cuts import outputs_of


class ComparableGAN(Protocol):
    """What the metric asks of a model; `capsgan_keras.GAN` has it."""

    def generate(self, n: int, seed: int | None = None) -> np.ndarray:
        """Return uint8 images `(n, height, width, channels)`."""

    def discriminate(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities `(n,)` of uint8 images being real."""


def check_comparable(**models: Any) -> None:
    """Raise a `ValueError` that names the first model that lacks what the metric asks for."""
    for name, model in models.items():
        for method in ("generate", "discriminate"):
            if not callable(getattr(model, method, None)):
                raise ValueError(
                    f"`{name}` must be a model with the methods `generate` and `discriminate`. "
                    f"Received: {name} of type {type(model).__name__}, without `{method}`"
                )


def generate_images(
    model: ComparableGAN, name: str, n_samples: int, seed: int | None, like: np.ndarray
) -> np.ndarray:
    """Return a model's images; refuse others than `n_samples` uint8 images shaped as `like`."""
    check_comparable(**{name: model})
    images = check_uint8_images(f"{name}.generate()", model.generate(n_samples, seed=seed), like)
    if len(images) != n_samples:
        raise ValueError(
            f"`{name}.generate` must give as many images as asked for, {n_samples}. "
            f"Received: {len(images)} images"
        )
    return images


def score_images(
    model: ComparableGAN, name: str, images: np.ndarray, batch_size: int
) -> np.ndarray:
    """Return a discriminator's scores of images, `(n,)`; refuse what it says it does not give."""
    check_comparable(**{name: model})
    parts = []
    for rows in gen_batches(len(images), batch_size):
        batch = images[rows]
        part = np.asarray(model.discriminate(batch))
        if part.shape != (len(batch),):
            raise ValueError(
                f"`{name}.discriminate` must give one score an image, shape ({len(batch)},). "
                f"Received: shape {part.shape}"
            )
        if outputs_of(model) == "score":
            if not np.isfinite(part).all():
                raise ValueError(
                    f"`{name}.discriminate` must give finite scores. Received: NaN or infinity"
                )
        elif not ((part >= 0) & (part <= 1)).all():  # a NaN is refused too
            raise ValueError(
                f"`{name}.discriminate` must give probabilities, in [0, 1]. "
                f"Received: values from {part.min()} to {part.max()}"
            )
        parts.append(part)
    return np.concatenate(parts)


def area_under_curve(generated: np.ndarray, real: np.ndarray) -> float:
    """Return the area under the ROC curve between scores of generated and of real images."""
    is_real = np.repeat([0, 1], [len(generated), len(real)])
    return float(roc_auc_score(is_real, np.concatenate([generated, real])))


class Remembered:
    """A model that generates each set of images, and scores it, once.

    Several calls of the metric on the same images, with other cuts say, then cost little more
    than one.

    Args:
        model: A model as `generative_adversarial_metric` takes it. It must not be trained any
            further, which would go unnoticed.

    Example:

    ```python
    from capsgan_keras import CapsuleGAN
    from capsgan_keras.evaluation import Remembered
    gan = Remembered(CapsuleGAN(image_shape=(16, 16, 1), latent_dim=4))
    print(gan.generate(2, seed=0) is gan.generate(2, seed=0))  # True
    ```
    """

    def __init__(self, model: ComparableGAN) -> None:
        self.model = model
        self.loss = getattr(model, "loss", None)
        self.discriminator_outputs = getattr(model, "discriminator_outputs", None)
        self._images: dict[tuple[int, int], np.ndarray] = {}
        self._scores: dict[Any, np.ndarray] = {}

    def generate(self, n: int, seed: int | None = None) -> np.ndarray:
        """Return the model's images; for a seed that came before, the same array."""
        if seed is None:
            return self.model.generate(n)
        if (n, seed) not in self._images:
            self._images[n, seed] = self.model.generate(n, seed=seed)
        return self._images[n, seed]

    def discriminate(self, images: np.ndarray) -> np.ndarray:
        """Return the model's scores; those of images that came before are looked up."""
        content = hashlib.sha256(np.ascontiguousarray(images).data).digest()
        key = images.shape, images.dtype.str, content
        if key not in self._scores:
            self._scores[key] = self.model.discriminate(images)
        return self._scores[key]
