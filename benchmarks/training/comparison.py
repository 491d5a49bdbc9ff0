"""The textbook's training step and the convolutions alone, beside the package's step."""

import keras
import numpy as np
from numpy.linalg import norm

from benchmarks.measuring import check_values, difference
from benchmarks.reference.capsules import textbook_weights
from benchmarks.reference.gan import TextbookGAN
from benchmarks.training.limit import convolutions_alone

RATES = 1.0, 0.01
"""Of the generator's and the discriminator's SGD, where steps are compared. The rates are large,
so that a weight's change is large beside its rounding. But after a large step the discriminator
is so sure that it passes hardly a gradient on to the generator."""
TOLERANCES = {"float32": 5e-3, "mixed_bfloat16": 0.2}
"""float32: sums in another order, which moves weights by 1e-5 of their change; by up to 0.002 where
a unit of the generator is zero but for rounding, and falls on either side of a ReLU. bfloat16 has 8
bits: intermediate values are rounded at other places."""


def compare(new, batches, precision):
    """Check the package's steps, and return what their time is compared with.

    Args:
        new: Function of a precision that returns a new GAN.
        batches: uint8 `(n, batch, height, width, channels)`.
        precision: Name of a dtype policy.

    Returns:
        Two dictionaries: the differences that `check_step` found; and functions of a batch:
        `"textbook"`, the textbook step, and `"convolutions"`, the step's convolutions alone.

    Raises:
        DisagreementError: Where a step differs from the textbook's.
    """
    differences = {
        f"{update} {precision}": check_step(new(precision), batches[0], update, precision)
        for update in ("alternating", "simultaneous")
    }
    gan = new(precision)
    textbook = TextbookGAN(gan)
    dtype = keras.dtype_policies.get(precision).compute_dtype
    convolve = convolutions_alone(gan, batches.shape[1], dtype)
    return differences, {
        "textbook": lambda batch: [float(loss) for loss in textbook.alternating(batch)],
        "convolutions": lambda batch: convolve(),
    }


def check_step(gan, images, update, precision):
    """Compare one step of a GAN with the textbook step, from the same weights and noise.

    Both players learn by SGD here, whose steps are the gradients. Adam's first step is little
    more than their signs, and the sign of a gradient next to nothing is a matter of rounding.

    Args:
        gan: A new `capsgan_keras.GAN` with a seed. It is compiled anew and trained by one step.
        images: uint8 `(batch, height, width, channels)`.
        update: `"alternating"` or `"simultaneous"`.
        precision: The GAN's dtype policy, a key of `TOLERANCES`.

    Returns:
        Dictionary of the largest differences: of the losses, relative; of the changes of each
        player's variables, the norm of the difference as a share of the norm of the change. Moving
        averages are variables too.

    Raises:
        DisagreementError: Where one is above the tolerance.
    """
    gan.compile(*map(keras.optimizers.SGD, RATES), update=update)
    textbook = TextbookGAN(gan)
    before = {player: _weights(getattr(gan, player)) for player in ("generator", "discriminator")}
    logs = gan.train_on_batch(images, return_dict=True)
    losses = getattr(textbook, update)(images)
    names = ("d_loss", "g_loss")
    found = {"losses": max(map(difference, [logs[name] for name in names], losses))}
    for player, start in before.items():
        ours, theirs = _weights(getattr(gan, player)), _weights(getattr(textbook, player))
        found[f"{player}_weights"] = max(
            float(norm(one - other) / max(norm(other - old), np.finfo("float32").tiny))
            for old, one, other in zip(start, ours, theirs, strict=True)
        )
    check_values(f"The {update} step in {precision}", found, TOLERANCES[precision])
    return found


def _weights(network):
    """Return all weights of a network or its copy, in the textbook layout."""
    return [np.array(weight) for layer in network.layers for weight in textbook_weights(layer)]
