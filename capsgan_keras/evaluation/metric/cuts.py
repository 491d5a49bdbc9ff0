"""The cut: the score from which on a discriminator is taken to call an image real."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.losses import MarginLoss

PAPER_CUT = 0.5
"""The cut of GRAN's `battle.py`, and so presumably of the paper."""

_STEPS = 20_000
_FLAT = 1e-5  # relative; a hundred times the rounding of a loss in float32


def calibrated_cut(loss: keras.losses.Loss | Callable | str) -> float:
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

    Returns:
        Number in [0, 1], to about 1e-4.

    Raises:
        ValueError: If there is no loss, or its values are not finite.

    Example:

    ```python
    from capsgan_keras.evaluation import calibrated_cut
    from capsgan_keras.losses import MarginLoss
    print(calibrated_cut(MarginLoss()))  # 0.6333
    print(calibrated_cut("binary_crossentropy"))  # 0.5
    ```
    """
    loss = keras.losses.get(loss)
    if loss is None:
        raise ValueError("`loss` must be a Keras loss. Received: loss=None")
    if isinstance(loss, MarginLoss):
        weight = loss.down_weighting
        return (loss.m_plus + weight * loss.m_minus) / (1 + weight)
    # `call` gives a value per sample, before the reduction.
    per_sample = loss.call if isinstance(loss, keras.losses.Loss) else loss

    # The middles of the steps: logits of 0 and 1 themselves are infinite.
    probabilities = (np.arange(_STEPS) + 0.5) / _STEPS
    outputs = probabilities
    if getattr(loss, "from_logits", False):
        outputs = np.log(probabilities) - np.log1p(-probabilities)
    outputs = ops.convert_to_tensor(outputs[:, np.newaxis], "float32")
    real, generated = ops.ones_like(outputs), ops.zeros_like(outputs)
    total = per_sample(real, outputs) + per_sample(generated, outputs)
    total = ops.convert_to_numpy(total).astype(np.float64).reshape(_STEPS, -1).mean(axis=1)
    if not np.isfinite(total).all():
        raise ValueError(f"`loss` must be finite for outputs in (0, 1). Received: loss={loss!r}")
    lowest = np.flatnonzero(total - total.min() <= _FLAT * abs(total.min()))
    return float((probabilities[lowest[0]] + probabilities[lowest[-1]]) / 2)


def resolve_cut(cut: str | float, model: Any, name: str) -> float:
    """Return the cut of one discriminator.

    Args:
        cut: `"paper"`, `"calibrated"` or a number in [0, 1].
        model: The model. The calibrated cut is that of its attribute `loss`.
        name: The model's name, for the error message.

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
    if isinstance(cut, Real) and not isinstance(cut, bool) and 0.0 <= cut <= 1.0:
        return float(cut)
    raise ValueError(
        '`cut` must be "paper", "calibrated", a number in [0, 1] or a pair of these, since scores '
        f"are probabilities. Received: cut={cut!r}"
    )
