"""The settings of the evaluations, and the names that their files carry.

Only the standard library is imported here, as in `experiments.settings.fields`.
"""

import argparse
import dataclasses
from pathlib import Path

from experiments.settings.fields import (
    anything,
    check_fields,
    countable,
    not_negative,
    run_package_file,
    setting,
    truth,
    whole_number,
)
from experiments.settings.package import fields_of, from_package

GAM, SEMI_SUPERVISED, SAMPLE_QUALITY = "gam", "semi_supervised", "sample_quality"
EVALUATIONS = (GAM, SEMI_SUPERVISED, SAMPLE_QUALITY)
"""Names of the evaluations: of their commands, and of their result files without `.json`."""
GAM_EPOCHS, QUALITY_EPOCHS = OVER_EPOCHS = ("gam_epochs", "quality_epochs")
"""Names of the metric and of sample quality over the epochs of training, as of their files."""

CONTROLS = ("nearest_labelled", "labels_only", "real_unlabelled")
"""Names of the semi-supervised table's rows without generated images."""
CUTS = ("paper", "calibrated")
"""Cuts with a name in result files. "paper" is 0.5, which the paper does not state."""
CLASSIFIERS = Path("runs", "classifiers")
"""Folder that keeps the classifiers of sample quality."""


def result_format(name):
    """Return what a result file says that it is, for an evaluation's name."""
    return f"capsgan_keras {name} 1"


def test_images_name(validation):
    """Return what the images are called that runs are evaluated on.

    Args:
        validation: How many training images take their place; None or 0 for none.
    """
    return "validation images" if validation else "test images"


def cut_name(cut):
    """Return what people read in the place of a cut of result files."""
    return "0.5" if cut == "paper" else str(cut)


def _cut(word):
    try:
        cut = word if word in CUTS else float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be calibrated or a number from 0 to 1. Received: {word}"
        ) from None
    return "paper" if cut == 0.5 else cut


def _cuts(name, value):
    good = all(cut in CUTS or 0.0 <= cut <= 1.0 for cut in value)
    if not good or not value or len(set(value)) != len(value):
        raise ValueError(
            f"`{name}` must be calibrated or numbers from 0 to 1, each once. "
            f"Received: --cut {' '.join(map(cut_name, value))}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricSettings:
    """Settings of `experiments.gam`; `--help` explains each field."""

    n_samples: int = setting(
        10_000, "images that each model generates", whole_number(1), int, option="samples"
    )
    cuts: tuple = setting(
        CUTS,
        "scores from which on an image counts as real: numbers, or calibrated (where each loss has "
        "its balance); one metric for each",
        _cuts,
        _cut,
        many=True,
        option="cut",
        show=cut_name,
    )
    seed: int = setting(0, "sets the images and the bootstrap", whole_number(0), int)
    tolerance: float = setting(
        0.1, "how far from 1 r_test may be for there to be a winner", not_negative, float
    )

    def __post_init__(self):
        """Check every field."""
        check_fields(self)


NO_EFFECT = {"knn": "gamma", "rbf": "n_neighbors"}
"""The setting that has none with a kernel, and does not tell results apart."""
_PACKAGE = run_package_file("evaluation", "label_spreading", "settings.py")
_PACKAGE_FIELDS = fields_of(_PACKAGE["SemiSupervisedSettings"])


def _of_package(name, parse=str, many=False, check=anything):
    return from_package(_PACKAGE_FIELDS[name], check, parse=parse, many=many)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableSettings:
    """Settings of `experiments.semi_supervised`; `--help` explains each field.

    Those of label spreading are the package's `SemiSupervisedSettings`, which checks them.
    """

    n_labelled: tuple = _of_package("n_labelled", int, many=True)
    draws: int = _of_package("draws", int, check=countable)
    seed: int = setting(0, "sets the draws and the generated images", whole_number(0), int)
    n_unlabelled: int = setting(
        _PACKAGE["N_UNLABELLED"],
        "images that each generator makes, or real ones",
        whole_number(1),
        int,
    )
    kernel: str = _of_package("kernel")
    n_neighbors: int = _of_package("n_neighbors", int)
    gamma: float = _of_package("gamma", float)
    alpha: float = _of_package("alpha", float)
    max_iter: int = _of_package("max_iter", int)
    stratified: bool = _of_package("stratified", bool)
    unreached_points: str = _of_package("unreached_points")
    choose_settings: bool = setting(
        False,
        "choose neighbours (at most as many as the fewest labelled images) and alpha, or gamma of "
        "the rbf kernel, on a part of the training images: once for each number of labelled "
        "images, and the same for all models and controls. Classes are drawn equally, and images "
        "that no label reaches count as scikit-learn has them",
        truth,
        bool,
        flag=True,
    )

    def __post_init__(self):
        """Check what the package does not."""
        check_fields(self)

    @property
    def without_effect(self):
        """What was said of settings and changes nothing, one sentence each."""
        reasons = [(NO_EFFECT[self.kernel], f"with the kernel {self.kernel}")]
        reasons += [(name, "with --choose-settings") for name in self._chosen]
        return [
            f"--{name.replace('_', '-')} {getattr(self, name)} has no effect {reason}"
            for name, reason in reasons
            if getattr(self, name) != _PACKAGE_FIELDS[name].default
        ]

    @property
    def _chosen(self):
        chosen = {"knn": ("n_neighbors", "alpha"), "rbf": ("gamma",)}[self.kernel]
        return chosen if self.choose_settings else ()

    @property
    def with_effect(self):
        """What results depend on, by name; settings that are to be chosen have their defaults."""
        defaults = {name: _PACKAGE_FIELDS[name].default for name in self._chosen}
        given = dataclasses.asdict(self) | defaults
        del given[NO_EFFECT[self.kernel]]
        return given

    @property
    def file_name(self):
        """Name of the result file: tables of both kernels can lie in one folder."""
        variant = "-rbf" if self.kernel == "rbf" else ""
        return f"{SEMI_SUPERVISED}{variant}{'-chosen' if variant and self.choose_settings else ''}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualitySettings:
    """Settings of `experiments.sample_quality`; `--help` explains each field."""

    n_samples: int = setting(10_000, "images of each run", whole_number(2), int, option="samples")
    seed: int = setting(0, "sets the images", whole_number(0), int)

    def __post_init__(self):
        """Check every field."""
        check_fields(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an experiment evaluates once both models are trained; quality only where it is given."""

    metric: MetricSettings = MetricSettings()
    table: TableSettings = TableSettings()
    quality: QualitySettings | None = None
