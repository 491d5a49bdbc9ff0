"""Latent vectors: a stream of normal draws from a seed, truncated where that is asked for."""

from typing import Self

import keras
import numpy as np

from capsgan_keras.checks import check_finite, check_seed
from capsgan_keras.models.generator import category_offsets

SMALLEST_TRUNCATION = 0.01
"""A draw is kept in 1 of 125 cases there, and ever more seldom below."""


class Latents:
    """The latent vectors of a seed, one after the other.

    Vector k does not depend on how many are drawn at once. NumPy draws them, so that they are the
    same on every machine and backend.

    Args:
        latent_dim: Positive integer: the components of a vector.
        seed: Integer of at least 0; None for other vectors each time.
        truncation: Leave out draws that lie further from 0 than this; None keeps all. Components
            that choose a category still choose each equally often.
        untouched: How many components, the last ones, truncation leaves as they are.

    Raises:
        ValueError: On another seed or truncation.
    """

    def __init__(
        self,
        latent_dim: int,
        seed: int | None = None,
        truncation: float | None = None,
        untouched: int = 0,
    ) -> None:
        check_truncation(truncation)
        self.latent_dim = latent_dim
        self.truncation = truncation
        self._untouched = 0 if truncation is None else untouched
        self._draws = np.random.default_rng(check_seed(seed))
        self._others = np.random.default_rng(None if seed is None else (seed, 1))
        self._left = np.empty(0, "float32")

    @classmethod
    def of(
        cls, generator: keras.Model, seed: int | None = None, truncation: float | None = None
    ) -> Self:
        """Return the latents of a generator.

        Truncation leaves its categories alone where their shares were learned: else the rare ones
        would be chosen never.
        """
        offsets = category_offsets(generator)
        learned = 0 if offsets is None else offsets.output.shape[-1]
        return cls(generator.input_shape[-1], seed, truncation, learned)

    def draw(self, n: int) -> np.ndarray:
        """Return the next `n` vectors, float32 `(n, latent_dim)`."""
        if self.truncation is None:
            return self._draws.standard_normal((n, self.latent_dim), "float32")
        touched = self.latent_dim - self._untouched
        parts, found, wanted = [self._left], len(self._left), n * touched
        while found < wanted:
            values = self._draws.standard_normal(wanted, "float32")
            parts.append(values[np.abs(values) <= self.truncation])
            found += len(parts[-1])
        values = np.concatenate(parts)
        self._left = values[wanted:].copy()
        others = self._others.standard_normal((n, self._untouched), "float32")
        return np.concatenate([values[:wanted].reshape(n, touched), others], axis=1)


def check_truncation(truncation: float | None) -> None:
    """Raise a `ValueError` unless a truncation is None or a number that draws can stay below."""
    if truncation is None:
        return
    check_finite(truncation=truncation)
    if truncation < SMALLEST_TRUNCATION:
        raise ValueError(
            f"`truncation` must be at least {SMALLEST_TRUNCATION}, or None. "
            f"Received: truncation={truncation!r}"
        )
