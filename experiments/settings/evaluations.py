"""The settings of the evaluations. Only the standard library is imported here, as in `settings`."""

import dataclasses
import math
from pathlib import Path

from experiments.settings.training import whole

CUTS = ("paper", "calibrated")
CLASSIFIERS = Path("runs", "classifiers")
"""Folder that keeps the classifiers of sample quality."""


def result_format(name):
    """Return what a result file says that it is, for an evaluation's module name."""
    return f"capsgan_keras {name} 1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricSettings:
    """Settings of `experiments.gam`.

    Attributes:
        n_samples: Images that each model generates.
        cuts: `"paper"`, `"calibrated"` or numbers; the metric is taken with each.
        seed: Sets the generated images and the bootstrap.
        tolerance: How far from 1 `r_test` may be for there to be a winner.
    """

    n_samples: int = 10_000
    cuts: tuple = CUTS
    seed: int = 0
    tolerance: float = 0.1

    def __post_init__(self):
        """Check every field."""
        whole(1)("n_samples", self.n_samples)
        whole(0)("seed", self.seed)
        if not 0.0 <= self.tolerance < math.inf:
            raise ValueError(
                "`tolerance` must be a finite number of at least 0. "
                f"Received: tolerance={self.tolerance!r}"
            )
        good = all(cut in CUTS or 0.0 <= cut <= 1.0 for cut in self.cuts)
        if not good or not self.cuts or len(set(self.cuts)) != len(self.cuts):
            raise ValueError(
                "`cuts` must be paper, calibrated or numbers from 0 to 1, each once. "
                f"Received: cuts={self.cuts!r}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableSettings:
    """Settings of `experiments.semi_supervised`; see `semi_supervised_error`.

    Attributes:
        choose_settings: Whether neighbours and alpha are chosen on a part of the training images,
            in place of `n_neighbors` and `alpha`.
    """

    n_labelled: tuple = (100, 1_000, 10_000)
    draws: int = 5
    seed: int = 0
    n_unlabelled: int = 50_000
    kernel: str = "knn"
    n_neighbors: int = 7
    alpha: float = 0.2
    max_iter: int = 30
    stratified: bool = True
    unreached_points: str = "scikit-learn"
    choose_settings: bool = False

    def __post_init__(self):
        """Check what `SemiSupervisedSettings` does not."""
        whole(1)("n_unlabelled", self.n_unlabelled)


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualitySettings:
    """Settings of `experiments.sample_quality`.

    Attributes:
        n_samples: Images that each model generates, at least 2.
        seed: Sets them.
    """

    n_samples: int = 10_000
    seed: int = 0

    def __post_init__(self):
        """Check every field."""
        whole(2)("n_samples", self.n_samples)
        whole(0)("seed", self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an experiment evaluates once both models are trained; quality only where it is given."""

    metric: MetricSettings = MetricSettings()
    table: TableSettings = TableSettings()
    quality: QualitySettings | None = None
