"""The settings of BiGANs, and of the evaluation of their codes.

Only the standard library is imported here, as in `experiments.settings.fields`.
"""

import dataclasses

from experiments.settings.fields import (
    check_fields,
    countable,
    rate,
    setting,
    whole_number,
    whole_numbers,
)
from experiments.settings.training import Settings

CODES = "codes"
"""Name of the evaluation, and of its result file."""
METHODS = {
    "nearest": "1-nearest neighbour",
    "probe": "linear probe",
    "spreading": "label spreading",
}
"""What the error of codes is measured by, by its name in result files."""


def _labels(name, value):
    if value not in ("none", "all") and not (value.isdecimal() and int(value) > 0):
        raise ValueError(
            f"`{name}` must be none, all or a positive whole number. Received: {name}={value!r}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderSettings(Settings):
    """Everything that sets the training of a BiGAN, validated; `--help` explains each field.

    Raises:
        ValueError: As `Settings`.
    """

    head: str = setting(
        "capsule",
        "what the joint discriminator ends in: a capsule, by default with the margin loss, or a "
        "dense layer, by default with cross-entropy",
        choices=("capsule", "dense"),
    )
    labels: str = setting(
        "none",
        "how many training images have labels, which makes a BiCoGAN: all, a number of them, drawn "
        "with as many of each class, or none for a BiGAN",
        _labels,
    )
    label_weight: float | None = setting(
        None, "weight of the encoder's loss on labels (default: 1)", rate, float
    )
    classes: int | None = setting(
        None, "classes of the images, where --labels are used (default: 10)", whole_number(2), int
    )
    encoder_width: float | None = setting(
        None, "factor of all numbers of filters, capsules and units of the encoder", rate, float
    )
    discriminator_filters: tuple[int, ...] | None = setting(
        None,
        "filters of each convolution of the joint discriminator (default: 32 64 128)",
        whole_numbers(),
        int,
        many=True,
    )
    discriminator_units: int | None = setting(
        None,
        "units of the joint discriminator's layer that sees image and code (default: 512)",
        whole_number(1),
        int,
    )
    discriminator_learning_rate: float | None = setting(
        None, "of the joint discriminator (default: 2e-4)", rate, float
    )

    def __post_init__(self):
        """Check every field."""
        super().__post_init__()
        for name in ("label_weight", "classes"):
            if getattr(self, name) is not None and self.labels == "none":
                raise ValueError(
                    f"`{name}` needs `labels`. Received: {name}={getattr(self, name)}, "
                    "labels='none'"
                )
        if self.loss == "hinge" and self.head == "capsule":
            raise ValueError(
                "`loss` hinge is for `head` dense, which gives any number: a length is never "
                f"negative. Received: loss='hinge', head={self.head!r}"
            )
        if self.num_classes is not None and self.num_classes >= self.latent_dim:
            raise ValueError(
                "`latent_dim` must be larger than the number of classes, which are its last "
                f"components. Received: latent_dim={self.latent_dim}, classes={self.num_classes}"
            )

    @property
    def num_classes(self):
        """The number of classes; None where labels are not used."""
        return None if self.labels == "none" else self.classes or 10

    @property
    def kind(self):
        """`"bigan"`, or `"bicogan"` where labels are used."""
        return "bigan" if self.labels == "none" else "bicogan"

    @property
    def models(self):
        """The models to train, in order: one for each encoder."""
        return tuple(f"{self.kind}-{encoder}" for encoder in super().models)

    @property
    def runs_folder(self):
        """The folder in which each run has a folder, as a `Path`."""
        folder = super().runs_folder
        if self.run_dir:
            return folder
        return folder / (self.kind if self.labels == "none" else f"{self.kind}-{self.labels}")

    def rate_setting(self, model):
        """Return the name of the setting that is the learning rate of a model's discriminator."""
        del model
        return "discriminator_learning_rate"


UNUSED = tuple(
    field.name
    for field in dataclasses.fields(Settings)
    if field.metadata["model"] is not None
    or field.name in ("settings", "latent_categories", "learn_category_shares", "width")
)
"""Settings of other GANs, for which a BiGAN has no use."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodeSettings:
    """Settings of the evaluation of codes; `--help` explains each field."""

    n_labelled: tuple = setting(
        (100, 1_000, 10_000),
        "numbers of labelled training images that classes are predicted from",
        whole_numbers(),
        int,
        many=True,
    )
    draws: int = setting(5, "draws of each number", countable, int)
    n_unlabelled: int = setting(
        50_000, "other training images that label spreading has", whole_number(1), int
    )

    def __post_init__(self):
        """Check every field."""
        check_fields(self)
        if len(set(self.n_labelled)) < len(self.n_labelled):
            raise ValueError(
                f"`n_labelled` must name each number once. Received: n_labelled={self.n_labelled}"
            )
