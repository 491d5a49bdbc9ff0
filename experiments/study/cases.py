"""The cases of the study, in one table, and its sizes. Neither Keras nor NumPy is imported here."""

import dataclasses

from experiments import mnist
from experiments.settings.evaluations import TableSettings
from experiments.settings.fields import check_fields, countable, setting, whole_number
from experiments.settings.training import Settings

NEIGHBOURS = TableSettings().n_neighbors
"""Of label spreading, the image itself included."""
BASE = dataclasses.replace(
    mnist.TUNED,
    settings=None,
    model="capsule",
    loss="margin",
    # Latents and momenta nearer to the paper's: what the tuned ones gain would cover the changes.
    latent_dim=32,
    latent_categories=0,
    learn_category_shares=None,
    beta_1=0.5,
    beta_2=0.999,
    generator_ema=0.0,
    # The layers that the tuned settings had when the study was made.
    capsule_filters=(64, 128),
    convolutional_batch_norm=True,
    # Falling rates would freeze both players in the second half of so short a run.
    decay=0.0,
    # A quarter of the generator's, for both, so that the discriminators differ in layers alone.
    capsule_learning_rate=2.5e-4,
    convolutional_learning_rate=2.5e-4,
)
"""What the cases on MNIST are single changes of."""

CIFAR10 = Settings(dataset="cifar10", model="capsule", loss="margin", epochs=20, batch_size=64)
"""The same for CIFAR-10: the package's defaults, whatever the tuned settings come to be."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the study: what it asks, and what it changes of the base, in words."""

    name: str
    question: str
    change: str
    settings: Settings
    max_seeds: int | None = None  # None: as many as are asked for


def _cases(question, *rows, base=BASE, max_seeds=None):
    return [
        Case(name, question, change, dataclasses.replace(base, **values), max_seeds)
        for name, change, values in rows
    ]


_CNN = {"model": "convolutional"}
_CROSS, _SQUARES = {"loss": "cross-entropy"}, {"loss": "least-squares"}
# The same convolution with as many weights, cut into an eighth of the vectors.
_64 = {"n_channels": 2, "primary_dim_capsule": 64}
_RATE = BASE.generator_learning_rate

CASES = (
    *_cases(
        "capsules or loss",
        ("capsule-margin", "capsule D, margin loss (the base)", {}),
        ("capsule-cross-entropy", "capsule D, cross-entropy", _CROSS),
        ("capsule-least-squares", "capsule D, least squares", _SQUARES),
        ("convolutional-margin", "convolutional D, margin loss", _CNN),
        ("convolutional-cross-entropy", "convolutional D, cross-entropy (its base)", _CNN | _CROSS),
        ("convolutional-least-squares", "convolutional D, least squares", _CNN | _SQUARES),
    ),
    *_cases(
        "rate of D to that of G",
        ("rate-1", "1 (the base: 1/4)", {"capsule_learning_rate": _RATE}),
        ("rate-half", "1/2", {"capsule_learning_rate": _RATE / 2}),
        ("rate-eighth", "1/8", {"capsule_learning_rate": _RATE / 8}),
    ),
    *_cases(
        "capsules",
        ("wide-capsules", "2 types of primary capsules of 64 components (the base: 16 of 8)", _64),
        ("batch-norm", "batch normalization in D", {"capsule_batch_norm": True}),
    ),
    *_cases(
        "routing",
        ("leaky-routing", "leaky routing, one capsule", {"routing": "leaky"}),
        ("two-capsules", "two capsules, real and generated", {"num_capsule": 2}),
    ),
    *_cases(
        "padding",
        ("cifar10-same", "same padding in D", {}),
        ("cifar10-valid", "valid padding in D", {"capsule_padding": "valid"}),
        base=CIFAR10,
        max_seeds=1,
    ),
)

RATES = {"1": "rate-1", "1/2": "rate-half", "1/4": "capsule-margin", "1/8": "rate-eighth"}
"""The cases of the ratios of both learning rates, D's to G's."""
PROOF = "routings"  # names the comparison of numbers of routings, as a case names its runs


def _size(default, text, low=1):
    return setting(default, text, whole_number(low), int)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudySizes:
    """How much every run trains and is measured; `--help` explains each field."""

    steps: int = _size(3_000, "training steps of a run")
    every: int = _size(50, "steps to a point of the curves")
    n_samples: int = _size(10_000, "images of each generator that the classifier sees", 2)
    n_unlabelled: int = _size(10_000, "images of each generator that label spreading has")
    n_labelled: int = _size(100, "labelled images that it has")
    draws: int = setting(5, "draws of these", countable, int)
    seed: int = _size(0, "sets the generated images and the draws", 0)
    proof_steps: int = _size(50, "training steps in the comparison of routings")

    def __post_init__(self):
        """Check every field."""
        check_fields(self)
        # Label spreading on the labelled images alone, a control, has no other neighbours.
        if self.n_labelled < NEIGHBOURS:
            raise ValueError(
                f"`n_labelled` must be at least {NEIGHBOURS}, the neighbours of label spreading. "
                f"Received: n_labelled={self.n_labelled}"
            )
        if self.steps % self.every:
            raise ValueError(
                f"`steps` must be a multiple of `every`, {self.every}. Received: steps={self.steps}"
            )
