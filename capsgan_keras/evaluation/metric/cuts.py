"""The cut: the score from which on a discriminator is taken to call an image real."""

from collections.abc import Callable
from typing import Any

import keras

from capsgan_keras.balance import balanced_output
from capsgan_keras.checks import is_finite

PAPER_CUT = 0.5
"""The cut of GRAN's `battle.py`, and so presumably of the paper."""


def calibrated_cut(loss: keras.losses.Loss | Callable | str, outputs: str | None = None) -> float:
    """Return a discriminator's best output where real and generated images are equally dense.

    Where real and generated densities are p and q, the best output l of a discriminator trained
    with a loss L minimises `p L(1, l) + q L(0, l)`; at p = q that is `L(1, l) + L(0, l)`. For
    cross-entropy the answer is 0.5. For the margin loss it is 1.9 / 3 = 0.6333, so that a cut at
    0.5 calls too many of its images real.

    For `MarginLoss` the minimum is known. For other losses it is found on a grid of [0, 1] in
    steps of 5e-5: the middle of the outputs whose loss is the smallest to one part in 100,000.
    The middle of a flat minimum is definite, and is not moved by rounding.

    Args:
        loss: A Keras loss, its name, or a function of `(y_true, y_pred)`, for targets 1 (real) and
            0 (generated) and outputs `(n, 1)`. The cut is a probability for a loss of logits too.
        outputs: What the loss takes: `"probability"`, `"logit"` or `"score"`. By default logits
            where its attribute `from_logits` is true, else probabilities. The cut between scores
            is looked for in [-10, 10], in steps of 1e-3.

    Returns:
        Number in [0, 1], to about 1e-4; for scores in [-10, 10].

    Raises:
        ValueError: If there is no loss, its values are not finite, or `outputs` is another word.

    Example:

    ```python
    from capsgan_keras.evaluation import calibrated_cut
    from capsgan_keras.losses import MarginLoss
    print(calibrated_cut(MarginLoss()))  # 0.6333
    print(calibrated_cut("binary_crossentropy"))  # 0.5
    ```
    """
    return balanced_output(loss, outputs)


def resolve_cut(cut: str | float, model: Any, name: str) -> float:
    """Return the cut of a model: that of the paper, a number, or calibrated by its `loss`.

    Where the model's attribute `discriminator_outputs` is `"score"`, the cut lies between scores.
    """
    scores = outputs_of(model) == "score"
    if isinstance(cut, str) and cut == "paper":
        if scores:
            raise ValueError(
                '`cut="paper"` is a probability, 0.5, but `discriminate` gives scores: take '
                f'"calibrated" or a number. Received: {name} with discriminator_outputs="score"'
            )
        return PAPER_CUT
    if isinstance(cut, str) and cut == "calibrated":
        if getattr(model, "loss", None) is None:
            raise ValueError(
                f'`cut="calibrated"` needs the loss of each model as its attribute `loss`; '
                f"give a number instead. Received: {name} of type {type(model).__name__}, "
                f"without one"
            )
        return calibrated_cut(model.loss, getattr(model, "discriminator_outputs", None))
    if not is_finite(cut):
        raise ValueError(
            f'`cut` must be "paper", "calibrated", a number or a pair of numbers. Received: {cut!r}'
        )
    value = float(cut)
    if not scores and not 0.0 <= value <= 1.0:
        raise ValueError(
            f"`cut` must be a probability, in [0, 1]. Received: cut={cut!r} for {name}"
        )
    return value


def outputs_of(model: Any) -> str:
    """Return what a model's `discriminate` gives: `"score"`, or else probabilities."""
    return getattr(model, "discriminator_outputs", "probability")
