"""The settings of a training run: one frozen dataclass, read by the command line and the runs.

Only the standard library is imported here, so that `--help` need not wait for Keras.
"""

import dataclasses
import math
from pathlib import Path

MODELS = ("capsule", "convolutional")
PUBLISHED = ("tuned", "paper")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
LOSSES = ("margin", "cross-entropy", "least-squares")


def _text(name, value):
    if not isinstance(value, str) or not value:
        _fail(name, "must be a text that is not empty", value)


def whole(low, high=math.inf):
    """Return a check that a value is a whole number in a range; see `_setting`."""

    def check(name, value):
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or not low <= value <= high:
            limit = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
            _fail(name, f"must be a whole number {limit}", value)

    return check


def _whole_numbers(count=None):
    def check(name, value):
        numbers = value if isinstance(value, tuple) else ()
        good = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in numbers)
        if not numbers or not good or count not in (None, len(numbers)):
            wanted = "one or more" if count is None else count
            _fail(name, f"must be {wanted} positive whole numbers", value)

    return check


def _rate(name, value):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0.0 < value < math.inf:
        _fail(name, "must be a positive number", value)


def _share(name, value):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0.0 <= value < 1.0:
        _fail(name, "must be a number in [0, 1)", value)


def _flag(name, value):
    if not isinstance(value, bool):
        _fail(name, "must be True or False", value)


def _one_of(choices):
    def check(name, value):
        if value not in choices:
            _fail(name, f"must be one of {', '.join(map(repr, choices))}", value)

    return check


def _fail(name, expected, value):
    raise ValueError(f"`{name}` {expected}. Received: {name}={value!r}")


def _setting(default, help, check, parse=str, choices=None, many=False, model=None, identity=True):
    """Describe one setting.

    Args:
        default: Its value where nothing else is said. None stands for the package's default.
        help: One line for `--help`.
        check: Function `(name, value)` that raises a `ValueError`; not asked about None.
        parse: What turns a word of the command line into a value.
        choices: Values that the command line offers.
        many: Whether the command line takes several values.
        model: The only model that it belongs to; None for both.
        identity: Whether a run with another value is another run.
    """
    metadata = {
        "help": help,
        "check": _one_of(choices) if choices else check,
        "parse": parse,
        "choices": choices,
        "many": many,
        "model": model,
        "identity": identity,
        "optional": default is None,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that sets a training run, validated; `--help` explains each field.

    Raises:
        ValueError: Where a value is out of its range, or two exclude each other.
    """

    dataset: str = _setting(
        "digits",
        "a data set's name, such as digits; module:name of one that a module registers; or the "
        "path of an .npz file or a folder of images",
        _text,
        identity=False,  # runs are told apart by the checksum of the images
    )
    settings: str | None = _setting(
        None,
        "the published settings in whose place the other options put single values: tuned, or "
        "paper (what the paper says, and where it is silent what DCGAN and its software did)",
        None,
        choices=PUBLISHED,
    )
    model: str = _setting("both", "what to train", None, choices=(*MODELS, "both"), identity=False)
    epochs: int = _setting(10, "passes through the images", whole(1), int)
    batch_size: int = _setting(128, "real images in a training step", whole(1), int)
    seed: int = _setting(
        0, "sets the initial weights, the noise and the order of images", whole(0, 2**32 - 1), int
    )
    seeds: int = _setting(
        1,
        "runs of each model, with the seeds from --seed on; they are evaluated together",
        whole(1),
        int,
        identity=False,
    )
    run_dir: str | None = _setting(
        None,
        "folder that gets a folder for each run (default: runs/ and the data set's name, and in it "
        "paper/ for the settings of that name, and validation/ for runs with --validation)",
        _text,
        identity=False,
    )
    data_dir: str | None = _setting(
        None,
        "folder with the files of named data sets (default: the environment variable "
        "CAPSGAN_DATA_DIR, else a download)",
        _text,
        identity=False,
    )
    image_size: int | None = _setting(
        None, "side to resize images to (default: as they are)", whole(16), int
    )
    validation: int = _setting(
        0,
        "training images, chosen at random, that are held out and evaluated on in the place of "
        "the test images, to choose settings by; 0: none",
        whole(0),
        int,
    )
    resume: bool = _setting(
        False,
        "go on with a run that was interrupted, from its last whole epoch",
        _flag,
        bool,
        identity=False,
    )
    distribute: bool = _setting(
        False,
        "train on all devices of this machine together: its GPUs or TPUs, else its logical CPU "
        "devices; the batch is divided among them",
        _flag,
        bool,
        identity=False,  # the steps are the same, but for rounding
    )
    evaluate: bool | None = _setting(
        None,
        "compare both models once they are trained, by the generative adversarial metric, label "
        "spreading and, on MNIST and CIFAR-10, sample quality (default: yes, unless --dataset is "
        "not the experiment's own)",
        _flag,
        bool,
        identity=False,
    )
    verbose: int = _setting(
        1,
        "0: no progress, 1: a progress bar, 2: a line for each epoch",
        None,
        int,
        choices=(0, 1, 2),
        identity=False,
    )
    precision: str = _setting(
        "auto",
        "arithmetic of the networks; auto takes mixed_bfloat16 where the hardware has "
        "instructions for it",
        None,
        choices=PRECISIONS,
    )
    update: str = _setting(
        "simultaneous",
        "whether both networks learn from one forward pass or in turn",
        None,
        choices=("simultaneous", "alternating"),
    )
    loss: str | None = _setting(
        None,
        "of both networks (default: margin with the capsule discriminator, cross-entropy with the "
        "convolutional one)",
        None,
        choices=LOSSES,
    )
    beta_1: float = _setting(
        0.5, "of Adam, for both networks: decay of the mean of the gradients", _share, float
    )
    beta_2: float = _setting(
        0.999, "of Adam, for both networks: decay of the mean of their squares", _share, float
    )
    generator_learning_rate: float | None = _setting(
        None, "of the generator (default: 2e-4)", _rate, float
    )
    capsule_learning_rate: float | None = _setting(
        None,
        "of the capsule discriminator (default: 1e-4 with batch normalization in it, 2e-4 without)",
        _rate,
        float,
        model="capsule",
    )
    convolutional_learning_rate: float | None = _setting(
        None,
        "of the convolutional discriminator (default: 2e-4)",
        _rate,
        float,
        model="convolutional",
    )
    decay: float = _setting(
        0.0,
        "share of the steps, at the end, in which both learning rates fall to a twentieth along a "
        "cosine",
        _share,
        float,
    )
    generator_ema: float = _setting(
        0.0,
        "momentum of the moving average of the generator's weights that is saved, shown and "
        "evaluated in their place; 0: none",
        _share,
        float,
    )
    latent_dim: int = _setting(
        100, "components of a latent vector, --latent-categories among them", whole(1), int
    )
    latent_categories: int = _setting(
        0,
        "components of a latent vector, the last ones, that choose a category; 0: none",
        whole(0),
        int,
    )
    generator_filters: tuple[int, int] = _setting(
        (128, 64),
        "two numbers: channels at a quarter and at half of the image's size",
        _whole_numbers(2),
        int,
        many=True,
    )
    generator_kernel_size: int | None = _setting(
        None, "side of the generator's kernels (default: 4 transposed, 5 nearest)", whole(1), int
    )
    upsampling: str | None = _setting(
        None,
        "how the generator upsamples (default: transposed for grey images, nearest for others)",
        None,
        choices=("transposed", "nearest"),
    )
    dropout: float = _setting(0.0, "rate of dropout in the discriminator", _share, float)
    capsule_filters: tuple[int, ...] | None = _setting(
        None,
        "filters of each convolution before the primary capsules (default: 32 for grey images, "
        "64 128 for others)",
        _whole_numbers(),
        int,
        many=True,
        model="capsule",
    )
    capsule_kernel_size: int | None = _setting(
        None,
        "side of the capsule discriminator's kernels (default: 9 for grey images, 5 for others)",
        whole(1),
        int,
        model="capsule",
    )
    capsule_strides: int | None = _setting(
        None,
        "strides of the convolutions before the primary capsules (default: 1 for grey images, 2 "
        "for others)",
        whole(1),
        int,
        model="capsule",
    )
    capsule_padding: str | None = _setting(
        None,
        "of the capsule discriminator (default: valid for grey images, same for others)",
        None,
        choices=("valid", "same"),
        model="capsule",
    )
    capsule_batch_norm: bool | None = _setting(
        None,
        "normalize the last convolution before the primary capsules (default: yes for grey "
        "images, no for others)",
        _flag,
        bool,
        model="capsule",
    )
    n_channels: int | None = _setting(
        None,
        "types of primary capsules (default: 4 for grey images, 16 for others)",
        whole(1),
        int,
        model="capsule",
    )
    primary_dim_capsule: int = _setting(
        8, "components of a primary capsule", whole(1), int, model="capsule"
    )
    num_capsule: int = _setting(
        1,
        "final capsules: 1 (the paper), or 2, for real and for generated images",
        None,
        int,
        choices=(1, 2),
        model="capsule",
    )
    dim_capsule: int = _setting(16, "components of a final capsule", whole(1), int, model="capsule")
    routing: str = _setting(
        "dynamic",
        "leaky adds an orphan category to the softmax",
        None,
        choices=("dynamic", "leaky"),
        model="capsule",
    )
    routings: int = _setting(
        3,
        "iterations of routing; with one final capsule dynamic routing has no effect",
        whole(1),
        int,
        model="capsule",
    )
    convolutional_batch_norm: bool = _setting(
        True,
        "normalize the convolutions of the convolutional discriminator but the first; it learns "
        "faster then, and judges single images otherwise than batches",
        _flag,
        bool,
        model="convolutional",
    )
    convolutional_filters: tuple[int, ...] = _setting(
        (64, 128),
        "filters of each convolution of the convolutional discriminator",
        _whole_numbers(),
        int,
        many=True,
        model="convolutional",
    )
    convolutional_dropout: float | None = _setting(
        None,
        "rate of dropout in the convolutional discriminator (default: that of --dropout)",
        _share,
        float,
        model="convolutional",
    )

    def __post_init__(self):
        """Check every field."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.metadata["optional"]:
                continue
            field.metadata["check"](field.name, value)
        if self.update == "alternating" and self.precision == "mixed_float16":
            raise ValueError(
                "Alternating updates cannot be had with `precision` mixed_float16, where both "
                "losses share one loss scale. Received: update='alternating', "
                "precision='mixed_float16'"
            )
        if self.latent_categories != 0 and not 2 <= self.latent_categories <= self.latent_dim:
            raise ValueError(
                "`latent_categories` must be 0, or from 2 to `latent_dim`, whose last components "
                f"they are. Received: latent_categories={self.latent_categories}, "
                f"latent_dim={self.latent_dim}"
            )
        if self.seed + self.seeds > 2**32:
            raise ValueError(
                "`seed` and `seeds` must leave every seed below 2**32. "
                f"Received: seed={self.seed}, seeds={self.seeds}"
            )

    @property
    def models(self):
        """The models to train, in order."""
        return MODELS if self.model == "both" else (self.model,)

    @property
    def runs_folder(self):
        """The folder in which each run has a folder, as a `Path`."""
        folder = Path("runs", Path(self.dataset.rpartition(":")[2]).resolve().stem)
        if self.settings == "paper":
            folder /= self.settings
        if self.validation:
            folder /= "validation"
        return Path(self.run_dir or folder).expanduser()

    @property
    def by_seed(self):
        """The settings of the runs of each seed, in order, as a list."""
        seeds = range(self.seed, self.seed + self.seeds)
        return [dataclasses.replace(self, seed=seed, seeds=1) for seed in seeds]

    def run_path(self, model):
        """Return the folder of one model's run, a `Path`."""
        return self.runs_folder / f"{model}-seed{self.seed}"

    def identity(self, model):
        """Return the settings that tell one run of `model` from another, as a dictionary."""
        return {"model": model} | {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.metadata["identity"] and field.metadata["model"] in (None, model)
        }
