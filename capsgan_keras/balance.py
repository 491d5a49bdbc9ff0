"""Where a discriminator's output says "as likely real as generated"."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_choice
from capsgan_keras.losses import MarginLoss

_STEPS = 20_000
_FLAT = 1e-5  # relative; a hundred times the rounding of a loss in float32
_LARGEST_SCORE = 10.0


def balanced_output(loss: keras.losses.Loss | Callable | str, outputs: str | None = None) -> float:
    """Return the output that costs least where real and generated images are equally dense.

    `capsgan_keras.evaluation.calibrated_cut` describes it, with its arguments and errors.
    """
    loss = keras.losses.get(loss)
    if loss is None:
        raise ValueError("`loss` must be a Keras loss. Received: loss=None")
    if outputs is None:
        outputs = "logit" if getattr(loss, "from_logits", False) else "probability"
    check_choice("outputs", outputs, ("probability", "logit", "score"))
    if isinstance(loss, MarginLoss):
        weight = loss.down_weighting
        return (loss.m_plus + weight * loss.m_minus) / (1 + weight)
    # `call` gives a value per sample, before the reduction.
    per_sample = loss.call if isinstance(loss, keras.losses.Loss) else loss

    # The middles of the steps: logits of 0 and 1 themselves are infinite.
    cuts = (np.arange(_STEPS) + 0.5) / _STEPS
    if outputs == "score":
        cuts = _LARGEST_SCORE * (2 * cuts - 1)
    taken = np.log(cuts) - np.log1p(-cuts) if outputs == "logit" else cuts
    taken = ops.convert_to_tensor(taken[:, np.newaxis], "float32")
    real, generated = ops.ones_like(taken), ops.zeros_like(taken)
    total = per_sample(real, taken) + per_sample(generated, taken)
    total = ops.convert_to_numpy(total).astype(np.float64).reshape(_STEPS, -1).mean(axis=1)
    if not np.isfinite(total).all():
        raise ValueError(f"`loss` must be finite for all outputs. Received: loss={loss!r}")
    lowest = np.flatnonzero(total - total.min() <= _FLAT * abs(total.min()))
    return float((cuts[lowest[0]] + cuts[lowest[-1]]) / 2)
