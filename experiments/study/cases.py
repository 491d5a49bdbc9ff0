"""The settings of the study. Only the standard library is imported here, as in `settings`."""

import dataclasses

from experiments import mnist
from experiments.settings.training import Settings, whole

BASE = dataclasses.replace(
    mnist.TUNED,
    settings=None,
    model="capsule",
    loss="margin",
    # Adam as in DCGAN and the paper's software, and 32 latents without categories, nearer to their
    # 100: what the tuned settings gain there would cover what is under study.
    latent_dim=32,
    latent_categories=0,
    # The layers that the tuned settings had when the study was made.
    capsule_filters=(64, 128),
    beta_1=0.5,
    beta_2=0.999,
    generator_ema=0.0,
    # The rates stay. Falling ones would freeze both players in the second half of so short a run,
    # whatever they had come to, and the ratio under study would be that of the first half only.
    decay=0.0,
    convolutional_batch_norm=True,
    # A quarter of the generator's: one of the ratios. The same for both discriminators, so that
    # they differ in their layers alone.
    capsule_learning_rate=2.5e-4,
    convolutional_learning_rate=2.5e-4,
)
"""What the settings on MNIST are made from, by single changes."""

CIFAR10 = Settings(dataset="cifar10", model="capsule", loss="margin", epochs=20, batch_size=64)
"""The same for CIFAR-10: the package's defaults, whatever the tuned settings come to be."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the study.

    Attributes:
        name: Short, unique; names files.
        question: What it answers with others of the same question.
        change: What is different from the base, in words.
        settings: Its `Settings`; `settings.model` is one model.
        max_seeds: Largest number of runs; None for as many as are asked for.
    """

    name: str
    question: str
    change: str
    settings: Settings
    max_seeds: int | None = None

    @property
    def model(self):
        """`"capsule"` or `"convolutional"`."""
        return self.settings.model


def _case(name, question, change, base=BASE, max_seeds=None, **values):
    settings = dataclasses.replace(base, **values)
    return Case(name=name, question=question, change=change, settings=settings, max_seeds=max_seeds)


LOSS = "capsules or loss"
_RATE = "rate of D to that of G"
CAPSULES = "capsules"
ROUTING = "routing"
_PADDING = "padding"
_CONVOLUTIONAL = {"model": "convolutional"}
_RATE_OF_G = BASE.generator_learning_rate

CASES = (
    _case("capsule-margin", LOSS, "capsule D, margin loss (the base)"),
    _case("capsule-cross-entropy", LOSS, "capsule D, cross-entropy", loss="cross-entropy"),
    _case("capsule-least-squares", LOSS, "capsule D, least squares", loss="least-squares"),
    _case("convolutional-margin", LOSS, "convolutional D, margin loss", **_CONVOLUTIONAL),
    _case(
        "convolutional-cross-entropy",
        LOSS,
        "convolutional D, cross-entropy (its base)",
        loss="cross-entropy",
        **_CONVOLUTIONAL,
    ),
    _case(
        "convolutional-least-squares",
        LOSS,
        "convolutional D, least squares",
        loss="least-squares",
        **_CONVOLUTIONAL,
    ),
    _case("rate-1", _RATE, "1 (the base: 1/4)", capsule_learning_rate=_RATE_OF_G),
    _case("rate-half", _RATE, "1/2", capsule_learning_rate=_RATE_OF_G / 2),
    _case("rate-eighth", _RATE, "1/8", capsule_learning_rate=_RATE_OF_G / 8),
    # The same convolution with as many weights, cut into an eighth of the vectors.
    _case(
        "wide-capsules",
        CAPSULES,
        "2 types of primary capsules of 64 components (the base: 16 of 8)",
        n_channels=2,
        primary_dim_capsule=64,
    ),
    _case("batch-norm", CAPSULES, "batch normalization in D", capsule_batch_norm=True),
    _case("leaky-routing", ROUTING, "leaky routing, one capsule", routing="leaky"),
    _case("two-capsules", ROUTING, "two capsules, real and generated", num_capsule=2),
    _case("cifar10-same", _PADDING, "same padding in D", base=CIFAR10, max_seeds=1),
    _case(
        "cifar10-valid",
        _PADDING,
        "valid padding in D",
        base=CIFAR10,
        max_seeds=1,
        capsule_padding="valid",
    ),
)
"""13 settings on MNIST, and the question of padding, two runs on CIFAR-10."""

RATES = {
    "1": "rate-1",
    "1/2": "rate-half",
    "1/4": "capsule-margin",
    "1/8": "rate-eighth",
}
"""The cases of the ratios of both learning rates, D's to G's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudySizes:
    """How much every run trains and is measured.

    Attributes:
        steps: Training steps; a multiple of `every`.
        every: Steps that a point of the curves is the mean of.
        n_samples: Generated images that the classifier sees.
        n_unlabelled: Generated images that label spreading has.
        n_labelled: Real images that it has.
        draws: Draws of these.
        seed: Sets the generated images and the draws.
        proof_steps: Training steps of the comparison of routings.

    Raises:
        ValueError: Where a number is out of its range.
    """

    steps: int = 3_000
    every: int = 50
    n_samples: int = 10_000
    n_unlabelled: int = 10_000
    n_labelled: int = 100
    draws: int = 5
    seed: int = 0
    proof_steps: int = 50

    def __post_init__(self):
        """Check every field."""
        for field in dataclasses.fields(self):
            low = {"seed": 0, "n_samples": 2}.get(field.name, 1)
            whole(low)(field.name, getattr(self, field.name))
        if self.steps % self.every:
            raise ValueError(
                f"`steps` must be a multiple of `every`, {self.every}. Received: steps={self.steps}"
            )
