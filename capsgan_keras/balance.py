"""Where a discriminator's output says "as likely real as generated"."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_choice
from capsgan_keras.loss_checks import checked_loss, is_of_categories
from capsgan_keras.losses import MarginLoss
from capsgan_keras.types import Tensor

_STEPS = 20_000
_FLAT = 1e-5  # relative; a hundred times the rounding of a loss in float32
_LARGEST_SCORE = 10.0


def balanced_output(loss: keras.losses.Loss | Callable | str, outputs: str | None = None) -> float:
    """Return the output that costs least where real and generated images are equally dense.

    `capsgan_keras.evaluation.calibrated_cut` describes it, with its arguments and errors.
    """
    loss = checked_loss(loss)
    if outputs is None:
        outputs = "logit" if getattr(loss, "from_logits", False) else "probability"
    check_choice("outputs", outputs, ("probability", "logit", "score"))
    if isinstance(loss, MarginLoss):
        weight = loss.down_weighting
        return (loss.m_plus + weight * loss.m_minus) / (1 + weight)
    # The middles of the steps: logits of 0 and 1 themselves are infinite.
    cuts = (np.arange(_STEPS) + 0.5) / _STEPS
    if outputs == "score":
        cuts = _LARGEST_SCORE * (2 * cuts - 1)
    taken = np.log(cuts) - np.log1p(-cuts) if outputs == "logit" else cuts
    taken = ops.convert_to_tensor(taken[:, np.newaxis], "float32")
    real, generated = ops.ones_like(taken), ops.zeros_like(taken)
    if is_of_categories(loss):  # beside the output it needs that of the other category
        other = ops.zeros_like(taken) if outputs == "logit" else 1.0 - taken
        taken = ops.concatenate([taken, other], axis=1)
        real, generated = (ops.concatenate([x, 1.0 - x], axis=1) for x in (real, generated))
    on_real, on_generated = (_values(loss, target, taken) for target in (real, generated))
    if np.ptp(on_real) == 0.0 and np.ptp(on_generated) == 0.0:
        raise ValueError(
            f"`loss` must depend on the outputs. Received: loss={loss!r}, which is constant"
        )
    total = on_real + on_generated
    lowest = np.flatnonzero(total - total.min() <= _FLAT * abs(total.min()))
    return float((cuts[lowest[0]] + cuts[lowest[-1]]) / 2)


def _values(loss: keras.losses.Loss | Callable, targets: Tensor, taken: Tensor) -> np.ndarray:
    """Return the loss of each sample, float64."""
    # `call` gives a value per sample, before the reduction.
    per_sample = loss.call if isinstance(loss, keras.losses.Loss) else loss
    try:
        values = ops.convert_to_numpy(per_sample(targets, taken)).astype(np.float64)
        values = values.reshape(_STEPS, -1).mean(axis=1)
    except Exception as error:  # whatever a function of the caller's raises
        raise ValueError(
            "`loss` must be a function (y_true, y_pred) of tensors (n, 1) that gives a number for "
            f"each sample. Received: loss={loss!r}, which fails: {error}"
        ) from error
    if not np.isfinite(values).all():
        raise ValueError(f"`loss` must be finite for all outputs. Received: loss={loss!r}")
    return values
