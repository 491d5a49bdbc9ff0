"""The settings of a semi-supervised table.

This file runs without NumPy and Keras, so that a command line can read fields, defaults and help
texts from it and answer `--help` at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import Any

N_UNLABELLED = 50_000
"""Unlabelled images in the paper."""


def _setting(default: Any, help: str, choices: tuple[str, ...] | None = None) -> Any:
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True)
class SemiSupervisedSettings:
    """The settings of a semi-supervised table.

    Attributes:
        n_labelled: Numbers of labelled images, the rows of the table.
        draws: How many times the labelled images are drawn for each number.
        seed: Seed of the draws.
        stratified: True: each draw has the same number of images from every class, to within one
            (and all of a class that has fewer). False: plain random draws.
        kernel: `"knn"` or `"rbf"`, scikit-learn's kernels. The RBF kernel's matrix is dense:
            60,000 training and 10,000 test points take 10 GB of memory.
        n_neighbors: Number of neighbours of the knn kernel, the image itself included; or one
            for each of `n_labelled`.
        gamma: The RBF kernel is `exp(-gamma ||x - y||^2)`, for pixels in [0, 1]; or one for each
            of `n_labelled`. The default is that of scikit-learn's digits examples. At the default
            of scikit-learn's class, 20, many affinities of raw images underflow.
        alpha: Clamping factor of label spreading, in (0, 1); or one for each of `n_labelled`.
        max_iter: Largest number of iterations.
        tol: Tolerance of convergence.
        unreached_points: `"scikit-learn"` or `"nearest_labelled"`. What is predicted for a test
            image that no label reaches: the first class, as scikit-learn does by accident, or
            the class of the nearest labelled image.

    Raises:
        ValueError: If a setting is out of its range.

    Example:

    ```python
    from capsgan_keras.evaluation import SemiSupervisedSettings
    settings = SemiSupervisedSettings(n_labelled=(20, 50), draws=2, alpha=(0.2, 0.5))
    print(settings.spreading(50))  # (7, 0.5)
    ```
    """

    n_labelled: tuple[int, ...] = _setting((100, 1_000, 10_000), "numbers of labelled images")
    draws: int = _setting(5, "draws of each number")
    seed: int = _setting(0, "sets the draws")
    stratified: bool = _setting(True, "draw the same number from each class")
    kernel: str = _setting("knn", "which images are near each other", ("knn", "rbf"))
    n_neighbors: int | tuple[int, ...] = _setting(7, "neighbours, the image itself included")
    gamma: float | tuple[float, ...] = _setting(0.25, "width of the rbf kernel")
    alpha: float | tuple[float, ...] = _setting(0.2, "clamping factor")
    max_iter: int = _setting(30, "largest number of iterations")
    tol: float = _setting(1e-3, "tolerance of convergence")
    unreached_points: str = _setting(
        "scikit-learn",
        "class of a test image that no label reaches: the first class, as scikit-learn has it, or "
        "that of the nearest labelled image",
        ("scikit-learn", "nearest_labelled"),
    )

    def __post_init__(self) -> None:
        """Check the settings."""
        # Importing anything of the package imports Keras.
        from capsgan_keras.checks import (
            check_above_zero,
            check_bool,
            check_choice,
            check_not_negative,
            check_positive,
            check_whole,
        )

        for name in ("n_labelled", "n_neighbors", "gamma", "alpha"):
            object.__setattr__(self, name, _without_numpy(getattr(self, name)))
        if not isinstance(self.n_labelled, tuple):
            object.__setattr__(self, "n_labelled", (self.n_labelled,))
        for n in self.n_labelled:
            check_positive(n_labelled=n)
        if len(set(self.n_labelled)) != len(self.n_labelled) or not self.n_labelled:
            raise ValueError(
                f"`n_labelled` must name at least one number, each once. "
                f"Received: n_labelled={self.n_labelled}"
            )
        check_whole(seed=self.seed)
        check_bool(stratified=self.stratified)
        check_positive(draws=self.draws, max_iter=self.max_iter)
        for name in ("n_neighbors", "gamma", "alpha"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != len(self.n_labelled):
                raise ValueError(
                    f"`{name}` must be one number, or one for each of the {len(self.n_labelled)} "
                    f"in `n_labelled`. Received: {name}={value!r}"
                )
        for setting in fields(self):
            if setting.metadata["choices"]:
                value = getattr(self, setting.name)
                check_choice(setting.name, value, setting.metadata["choices"])
        for n in self.n_labelled:
            n_neighbors, alpha = self.spreading(n)
            check_positive(n_neighbors=n_neighbors)
            if not isinstance(alpha, Real) or not 0 < alpha < 1:
                raise ValueError(f"`alpha` must lie in (0, 1). Received: alpha={alpha!r}")
            check_above_zero(gamma=self.gamma_for(n))
        check_not_negative(tol=self.tol)

    def spreading(self, n: int) -> tuple[int, float]:
        """Return the number of neighbours and alpha for `n` labelled images."""
        return self._of("n_neighbors", n), self._of("alpha", n)

    def gamma_for(self, n: int) -> float:
        """Return gamma for `n` labelled images."""
        return self._of("gamma", n)

    def _of(self, name: str, n: int) -> Any:
        value = getattr(self, name)
        return value[self.n_labelled.index(n)] if isinstance(value, tuple) else value


def combine(
    settings: SemiSupervisedSettings | None, options: dict[str, Any]
) -> SemiSupervisedSettings:
    """Return settings, by default the package's, with the values of `options` in their place."""
    if not isinstance(settings, SemiSupervisedSettings | None):
        raise ValueError(
            "`settings` must be SemiSupervisedSettings. Single settings are given by name, such "
            f"as n_labelled=(100,). Received: settings={settings!r}"
        )
    return replace(settings or SemiSupervisedSettings(), **options)


def _without_numpy(value: Any) -> Any:
    """Return a number as Python's own, for JSON, and several as a tuple of them."""
    value = value.tolist() if hasattr(value, "tolist") else value
    several = isinstance(value, Iterable) and not isinstance(value, str)
    return tuple(map(_without_numpy, value)) if several else value
