"""R1: the gradient penalty on real images (Mescheder et al. 2018, arXiv 1801.04406)."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_not_negative, check_positive
from capsgan_keras.gan.outputs import first_score
from capsgan_keras.types import Tensor


def check_penalty(gradient_penalty: Any, penalty_every: Any) -> None:
    """Raise a `ValueError` unless the weight is finite and at least 0, and the steps positive."""
    check_not_negative(gradient_penalty=gradient_penalty)
    check_positive(penalty_every=penalty_every)


def gradient_penalties(gan: keras.Model, real: Tensor, beside: Tensor | None = None) -> Tensor:
    """Return the penalty of each real image, `(batch, 1)`; zeros at steps that take none.

    The discriminator is asked as it scores, without dropout and augmentation, and with batch
    normalization's moving averages: so an image's gradient does not depend on the others.
    `beside` is what it sees beside them.
    """

    def score(images: Tensor) -> Tensor:
        outputs = gan.judge(images, beside, training=False)
        return first_score(outputs, gan.discriminator_outputs, gan.loss)

    def penalties() -> Tensor:
        squares = ops.square(gan.input_gradients(score, real))
        weight = 0.5 * gan.gradient_penalty * gan.penalty_every
        return weight * ops.sum(squares, axis=(1, 2, 3))[:, None]

    if gan.penalty_every == 1:
        return penalties()
    due = ops.equal(gan.discriminator_optimizer.iterations % gan.penalty_every, 0)
    return ops.cond(due, penalties, lambda: ops.zeros_like(real[:, 0, 0, :1]))
