"""The pieces of the generative adversarial metric: images, scores, cuts and the paper's rule."""

import hashlib
from numbers import Real

import numpy as np
from sklearn.metrics import roc_auc_score

from capsgan_keras.evaluation.images import check_uint8_images
from capsgan_keras.evaluation.metric.cuts import calibrated_cut

PAPER_CUT = 0.5
"""The cut of GRAN's `battle.py`, and so presumably of the paper."""


def resolve_cut(cut, model, name):
    """Finds the cut of one discriminator.

    Args:
        cut: `"paper"`, `"calibrated"` or a number.
        model: the model, whose attribute `loss` the calibrated cut is derived from.
        name: str. The model's name, for the error message.

    Returns:
        float.

    Raises:
        ValueError: If the cut is none of these, or the model has no loss.
    """
    if isinstance(cut, str) and cut == "paper":
        return PAPER_CUT
    if isinstance(cut, str) and cut == "calibrated":
        if getattr(model, "loss", None) is None:
            raise ValueError(
                f'`cut="calibrated"` needs the loss of each model as its attribute `loss`; '
                f"give a number instead. Received: {name} of type {type(model).__name__}, "
                f"without one"
            )
        return calibrated_cut(model.loss)
    if isinstance(cut, Real) and not isinstance(cut, bool) and np.isfinite(cut):
        return float(cut)
    raise ValueError(
        f'`cut` must be "paper", "calibrated", a number or a pair of numbers. Received: {cut!r}'
    )


def check_tolerance(tolerance):
    """Raises a `ValueError` unless `tolerance` is a finite number of at least 0."""
    if not isinstance(tolerance, Real) or not 0 <= tolerance < np.inf:
        raise ValueError(
            f"`tolerance` must be a finite number of at least 0. Received: tolerance={tolerance!r}"
        )


def generate(model, name, n_samples, seed, like):
    """Generates a model's images and checks them.

    Args:
        model: the model.
        name: str. Its name, for the error message.
        n_samples: int. Number of images.
        seed: int. Seed of the images.
        like: images of the shape expected.

    Returns:
        uint8 array of shape `(n_samples, height, width, channels)`.

    Raises:
        ValueError: If it gives anything else.
    """
    images = check_uint8_images(f"{name}.generate()", model.generate(n_samples, seed=seed), like)
    if len(images) != n_samples:
        raise ValueError(
            f"`{name}.generate` must give as many images as asked for, {n_samples}. "
            f"Received: {len(images)} images"
        )
    return images


def judge(model, name, images, batch_size):
    """Scores images with a model's discriminator and checks the scores.

    Args:
        model: the model.
        name: str. Its name, for the error message.
        images: uint8 array of shape `(n, height, width, channels)`.
        batch_size: int. Images scored at a time.

    Returns:
        float array of shape `(n,)`, in [0, 1].

    Raises:
        ValueError: If it gives anything else.
    """
    parts = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        part = np.asarray(model.discriminate(batch))
        if part.shape != (len(batch),):
            raise ValueError(
                f"`{name}.discriminate` must give one score an image, shape ({len(batch)},). "
                f"Received: shape {part.shape}"
            )
        if not ((part >= 0) & (part <= 1)).all():  # a NaN is refused too
            raise ValueError(
                f"`{name}.discriminate` must give probabilities, in [0, 1]. "
                f"Received: values from {part.min()} to {part.max()}"
            )
        parts.append(part)
    return np.concatenate(parts)


def ratio(numerator, denominator):
    """Divides two accuracies.

    Args:
        numerator: float.
        denominator: float.

    Returns:
        float, or None if the denominator is zero.
    """
    return None if denominator == 0 else numerator / denominator


def decide_winner(on_samples, on_test, tolerance):
    """Applies the paper's rule; see `generative_adversarial_metric`.

    Args:
        on_samples: pair of floats. Accuracies of the discriminators of a and b on each other's
            images.
        on_test: pair of floats. Their accuracies on the test images.
        tolerance: float. How far from 1 the ratio of the latter may be.

    Returns:
        `"a"`, `"b"` or `"tie"`.
    """
    r_test = ratio(*on_test)
    if r_test is None or abs(r_test - 1) > tolerance or on_samples[0] == on_samples[1]:
        return "tie"
    return "b" if on_samples[0] < on_samples[1] else "a"


def area_under_curve(on_samples, on_test):
    """Measures how well scores part real from generated images, whatever the cut.

    Args:
        on_samples: float array. Scores of generated images.
        on_test: float array. Scores of real images.

    Returns:
        float in [0, 1], the area under the ROC curve; 0.5 is chance.
    """
    real = np.repeat([0, 1], [len(on_samples), len(on_test)])
    return float(roc_auc_score(real, np.concatenate([on_samples, on_test])))


class Remembered:
    """A model that makes each set of images, and scores it, once.

    With it, several calls of the metric on the same images (both cuts, say) cost little more than
    one.

    Args:
        model: a model as `generative_adversarial_metric` takes it. It must not be trained any
            further, which would go unnoticed.
    """

    def __init__(self, model):
        """Remembers nothing yet."""
        self.model = model
        self.loss = getattr(model, "loss", None)
        self._images = {}
        self._scores = {}

    def generate(self, n, seed=None):
        """Generates images as the model does; for a seed that came before, the same array.

        Args:
            n: int. Number of images.
            seed: int, or None for new images each time.

        Returns:
            The model's images.
        """
        if seed is None:
            return self.model.generate(n)
        if (n, seed) not in self._images:
            self._images[n, seed] = self.model.generate(n, seed=seed)
        return self._images[n, seed]

    def discriminate(self, images):
        """Scores images as the model does, looking up those that came before.

        Args:
            images: array of images.

        Returns:
            The model's scores.
        """
        content = hashlib.sha256(np.ascontiguousarray(images)).digest()
        key = images.shape, images.dtype.str, content
        if key not in self._scores:
            self._scores[key] = self.model.discriminate(images)
        return self._scores[key]
