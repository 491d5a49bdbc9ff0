"""The cut at which a discriminator's output says "as likely real as generated"."""

import keras
import numpy as np
from keras import ops

_STEPS = 20_000
_FLAT = 1e-5  # relative; a hundred times the rounding of a loss in float32


def calibrated_cut(loss):
    """Finds a discriminator's best output where real and generated images are equally dense.

    Where real and generated densities are p and q, the best output l of a discriminator trained
    with a loss L minimises `p L(1, l) + q L(0, l)`; at p = q that is `L(1, l) + L(0, l)`. For
    cross-entropy the answer is 0.5, for the margin loss of capsule networks 1.9 / 3 = 0.6333, so
    that a cut at 0.5 calls too many of its images real.

    The minimum is found numerically, on a grid of [0, 1] in steps of 5e-5: the middle of the
    outputs whose loss is the smallest one to within one part in 100,000. Taking the middle makes
    the answer better than rounding allows for a single smallest value, and definite for a flat
    minimum.

    Args:
        loss: `keras.losses.Loss`, its name, or a function of `(y_true, y_pred)`, on targets 1
            (real) and 0 (generated) and outputs of shape `(n, 1)`. With `from_logits=True` its
            outputs are logits; the cut is a probability all the same.

    Returns:
        float in [0, 1], to about 1e-4.

    Raises:
        ValueError: If there is no loss, or its values are not finite.
    """
    loss = keras.losses.get(loss)
    if loss is None:
        raise ValueError("`loss` must be a Keras loss. Received: loss=None")
    # `call` gives a value per sample, before the reduction.
    per_sample = loss.call if isinstance(loss, keras.losses.Loss) else loss

    # The middles of the steps: logits of 0 and 1 themselves are infinite.
    probabilities = (np.arange(_STEPS) + 0.5) / _STEPS
    outputs = probabilities
    if getattr(loss, "from_logits", False):
        outputs = np.log(probabilities) - np.log1p(-probabilities)
    outputs = ops.convert_to_tensor(outputs[:, np.newaxis], "float32")
    total = per_sample(ops.ones_like(outputs), outputs) + per_sample(
        ops.zeros_like(outputs), outputs
    )
    total = ops.convert_to_numpy(total).astype(np.float64).reshape(_STEPS, -1).mean(axis=1)
    if not np.isfinite(total).all():
        raise ValueError(f"`loss` must be finite for outputs in (0, 1). Received: loss={loss!r}")
    lowest = np.flatnonzero(total - total.min() <= _FLAT * abs(total.min()))
    return float((probabilities[lowest[0]] + probabilities[lowest[-1]]) / 2)
