"""The settings of a capsule classifier's training: one frozen dataclass.

Only the standard library is imported here, so that `--help` need not wait for Keras.
"""

import dataclasses
from pathlib import Path
from typing import Any

from experiments.settings.fields import (
    check_fields,
    not_negative,
    rate,
    setting,
    truth,
    whole_number,
)
from experiments.settings.training import Settings

CAPSULE_MODELS = ("capsnet", "efficient", "deep")
CLASSIFIER_MODELS = (*CAPSULE_MODELS, "plain")
ROUTINGS = ("dynamic", "leaky", "self_attention", "inverted_dot_product", "em")
TESTS = ("affine", "overlap")
OVERLAP_SHIFT = 4
"""By how many pixels each of two overlapping images is moved at most, where nothing else is said:
as in section 6 of Sabour et al."""
_SHARED = {field.name: field for field in dataclasses.fields(Settings)}


def _shared(name: str, default: Any = None, **changes: Any) -> Any:
    """Return a field of the other experiments, where its default or help is another."""
    field = _SHARED[name]
    default = field.default if default is None else default
    return dataclasses.field(default=default, metadata=field.metadata | changes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """Everything that sets the training of a classifier; `--help` explains each field.

    Raises:
        ValueError: Where a value is out of its range, or two exclude each other.
    """

    dataset: str = _shared("dataset", "mnist")
    model: str = setting(
        "efficient",
        "capsnet: that of Sabour et al. efficient: Efficient-CapsNet. deep: with convolutional "
        "capsules. plain: a control, the network of --size-of without capsules",
        choices=CLASSIFIER_MODELS,
        identity=False,  # the run's identity names it
    )
    size_of: str = setting(
        "efficient", "the capsule network whose layers plain has", choices=CAPSULE_MODELS
    )
    width: float = setting(
        1.0, "factor of the numbers of filters and of types of capsules", rate, float
    )
    routing: str | None = setting(
        None,
        "how capsules are routed (default: self_attention for efficient, else dynamic)",
        choices=ROUTINGS,
    )
    routings: int = setting(3, "iterations of routing, if it has any", whole_number(1), int)
    epochs: int = setting(20, "each ends with a checkpoint", whole_number(1), int)
    batch_size: int = setting(64, "images in a training step", whole_number(1), int)
    learning_rate: float = setting(
        1e-3, "Adam's rate at the start; it falls to 0 along a cosine", rate, float
    )
    reconstruction: float = setting(
        0.0005,
        "weight of the reconstruction's summed squared error in the loss, as in Sabour et al.",
        not_negative,
        float,
    )
    shift: int = setting(
        2, "pixels that training images are moved at most, in each direction", whole_number(0), int
    )
    flips: bool = setting(
        False, "mirror half of the training images, others in each epoch", truth, bool, flag=True
    )
    canvas: int | None = setting(
        None,
        "side of the black images in whose middle all images are laid before they are moved, such "
        "as 40 for affNIST's size (default: none; with --overlap the side of the images and 8 "
        "pixels)",
        whole_number(1),
        int,
    )
    overlap: bool = setting(
        False,
        "train on pairs of overlapping images of two classes, and find both classes; the pairs "
        "are made anew in each epoch",
        truth,
        bool,
        flag=True,
    )
    test: tuple[str, ...] = setting(
        (),
        "what else to test on, made from the test images. affine: turned, sheared, scaled and "
        "moved. overlap: pairs, of which both classes must be found; always with --overlap",
        choices=TESTS,
        many=True,
        identity=False,
    )
    seed: int = _shared(
        "seed", help="sets the initial weights, the order of images and how they are moved"
    )
    seeds: int = _shared("seeds", help="runs, with the seeds from --seed on")
    run_dir: str | None = _shared(
        "run_dir",
        help="folder that gets a folder for each run (default: runs/capsnet/ and the data set's "
        "name, and in it overlap/ with --overlap, and validation/ with --validation)",
    )
    data_dir: str | None = _shared("data_dir")
    image_size: int | None = _shared("image_size")
    validation: int = _shared("validation")
    resume: bool = _shared("resume")
    tensorboard: bool = _shared(
        "tensorboard", help="write logs and settings for TensorBoard, in tensorboard/ of each run"
    )
    verbose: int | None = _shared("verbose")
    precision: str = _shared("precision")

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self)
        if self.seed + self.seeds > 2**32:
            raise ValueError(
                "`seed` and `seeds` must leave every seed below 2**32. "
                f"Received: seed={self.seed}, seeds={self.seeds}"
            )
        if self.model == "plain" and self.routing is not None:
            raise ValueError(
                "`routing` is for networks of capsules. "
                f"Received: model='plain', routing={self.routing!r}"
            )

    @property
    def network(self) -> str:
        """The capsule network whose layers the run's network has."""
        return self.size_of if self.model == "plain" else self.model

    @property
    def distribute(self) -> bool:
        """Whether to train on several devices: a classifier does not."""
        return False

    @property
    def name(self) -> str:
        """The network's name, in folders and tables."""
        if self.model == "plain":
            return f"plain-{self.size_of}"
        return self.model if self.routing is None else f"{self.model}-{self.routing}"

    @property
    def tests(self) -> tuple[str, ...]:
        """What the network is tested on besides the test images."""
        return tuple(t for t in TESTS if t in self.test or (t == "overlap" and self.overlap))

    @property
    def runs_folder(self) -> Path:
        """The folder in which each run has a folder."""
        folder = Path("runs", "capsnet", Path(self.dataset.rpartition(":")[2]).resolve().stem)
        for part, wanted in (("overlap", self.overlap), ("validation", self.validation)):
            folder = folder / part if wanted else folder
        return Path(self.run_dir or folder).expanduser()

    @property
    def by_seed(self) -> list["ClassifierSettings"]:
        """The settings of the runs of each seed, in order."""
        seeds = range(self.seed, self.seed + self.seeds)
        return [dataclasses.replace(self, seed=seed, seeds=1) for seed in seeds]

    def run_path(self, model: str) -> Path:
        """Return the folder of a run; `model` is the settings' own `name`."""
        return self.runs_folder / f"{model}-seed{self.seed}"

    def identity(self, model: str) -> dict[str, Any]:
        """Return the settings that tell one run from another; `model` is as in `run_path`."""
        unused = {"size_of"} if self.model != "plain" else {"routing", "routings", "reconstruction"}
        return {"model": model} | {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.metadata["identity"] and field.name not in unused
        }
