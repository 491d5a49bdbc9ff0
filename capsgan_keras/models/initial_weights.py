"""Initial weights of the networks."""

import random

import keras

from capsgan_keras.checks import check_seed


class NormalWeights:
    """Make initializers, each with its own seed, from one seed.

    DCGAN starts all convolutions from a normal distribution with standard deviation 0.02.

    Args:
        seed: Integer, or None for weights that differ from call to call (and follow
            `keras.utils.set_random_seed`).
    """

    def __init__(self, seed: int | None) -> None:
        seed = check_seed(seed)
        self._draws = random.Random(seed) if seed is not None else None

    def __call__(self, stddev: float = 0.02) -> keras.initializers.Initializer:
        """Return a normal initializer with the next seed."""
        return keras.initializers.RandomNormal(stddev=stddev, seed=self.next_seed())

    def he(self) -> keras.initializers.Initializer:
        """Return a He normal initializer, which keeps the scale through ReLUs."""
        return keras.initializers.HeNormal(seed=self.next_seed())

    def glorot(self) -> keras.initializers.Initializer:
        """Return a Glorot uniform initializer with the next seed."""
        return keras.initializers.GlorotUniform(seed=self.next_seed())

    def next_seed(self) -> int | None:
        """Return the next integer, or None where no seed was given."""
        return None if self._draws is None else self._draws.randrange(2**31)
