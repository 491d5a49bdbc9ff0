"""Initial weights of the networks."""

import math
import random
from collections.abc import Callable

import keras

from capsgan_keras.checks import check_choice, check_seed

INITIALIZERS = (None, "normal", "he", "glorot")
"""What a network's `initializer` may be; None stands for the network's own choice."""


class InitialWeights:
    """Make initializers, each with its own seed, from one seed.

    Args:
        seed: Integer, or None for weights that differ from call to call (and follow
            `keras.utils.set_random_seed`).
    """

    def __init__(self, seed: int | None) -> None:
        seed = check_seed(seed)
        self._draws = random.Random(seed) if seed is not None else None

    def __call__(self) -> keras.initializers.Initializer:
        """Return a normal initializer with the next seed, of DCGAN's standard deviation."""
        return keras.initializers.RandomNormal(stddev=0.02, seed=self.next_seed())

    def he(self) -> keras.initializers.Initializer:
        """Return a He normal initializer, which keeps the scale through ReLUs."""
        return keras.initializers.HeNormal(seed=self.next_seed())

    def of_kind(self, kind: str) -> Callable[[], keras.initializers.Initializer]:
        """Return the method that makes initializers of a kind.

        Args:
            kind: `"normal"`, `"he"` or `"glorot"`.

        Raises:
            ValueError: On another kind.
        """
        check_choice("initializer", kind, ("normal", "he", "glorot"))
        return self if kind == "normal" else self.he if kind == "he" else self.glorot

    def glorot(self) -> keras.initializers.Initializer:
        """Return a Glorot uniform initializer with the next seed."""
        return keras.initializers.GlorotUniform(seed=self.next_seed())

    def of_variance(self, variance: float) -> keras.initializers.Initializer:
        """Return a normal initializer of a variance, with the next seed."""
        return keras.initializers.RandomNormal(stddev=math.sqrt(variance), seed=self.next_seed())

    def sharing(self, count: int) -> keras.initializers.Initializer:
        """Return `glorot` for capsules that share their input's votes, `count` times as large.

        Routing begins with a coupling of 1 / count, and squash is flat for short vectors.
        """
        if count == 1:
            return self.glorot()
        return keras.initializers.VarianceScaling(
            count**2, "fan_avg", "uniform", seed=self.next_seed()
        )

    def next_seed(self) -> int | None:
        """Return the next integer, or None where no seed was given."""
        return None if self._draws is None else self._draws.randrange(2**31)
