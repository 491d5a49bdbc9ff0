"""The settings of a training run: one frozen dataclass, read by the command line and the runs.

Only the standard library is imported here, so that `--help` need not wait for Keras.
"""

import dataclasses
from pathlib import Path

from experiments.settings.fields import (
    anything,
    check_fields,
    countable,
    not_negative,
    place,
    rate,
    run_package_file,
    setting,
    share,
    text,
    truth,
    whole_number,
    whole_numbers,
)
from experiments.settings.package import fields_of, from_package

MODELS = ("capsule", "convolutional")
PUBLISHED = ("tuned", "paper", "stack")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")

_PACKAGE = run_package_file("gan", "settings.py")
LOSSES, TUNED, NEUTRAL = (_PACKAGE[name] for name in ("LOSSES", "TUNED", "NEUTRAL"))
_NETWORK_FIELDS = fields_of(_PACKAGE["NetworkSettings"])


def _network(name, check=anything, parse=str, **options):
    return from_package(_NETWORK_FIELDS[name], check, parse, **options)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that sets a training run, validated; `--help` explains each field.

    Raises:
        ValueError: Where a value is out of its range, or two exclude each other.
    """

    dataset: str = setting(
        "digits",
        "a data set's name, such as digits, mnist or cifar10; module:name of one that a module "
        "registers; or the path of an .npz file or a folder of images",
        text,
        identity=False,  # runs are told apart by the checksum of the images
    )
    settings: str | None = setting(
        None,
        "the published settings to start from; the other options change single values of them. "
        "tuned: found in trials. paper: what the paper says, and where it is silent what DCGAN and "
        "the paper's software did. stack: what the examples of the paper's two packages did",
        choices=PUBLISHED,
    )
    model: str = setting("both", "what to train", choices=(*MODELS, "both"), identity=False)
    epochs: int = setting(
        10, "each ends with a checkpoint and a picture; see --passes", whole_number(1), int
    )
    keep_every: int | None = setting(
        None,
        "keep the networks of every so many epochs, in kept/, to be compared by "
        "`--over-epochs` of experiments.gam and experiments.sample_quality (default: of none)",
        whole_number(1),
        int,
        identity=False,
    )
    passes: int | None = setting(
        None, "how often an epoch goes through the images (default: once)", whole_number(1), int
    )
    batch_size: int = _network("batch_size", whole_number(1), int)
    seed: int = setting(
        0,
        "sets the initial weights, the noise and the order of images",
        whole_number(0, 2**32 - 1),
        int,
    )
    seeds: int = setting(
        1,
        "runs of each model, with the seeds from --seed on; they are evaluated together",
        countable,
        int,
        identity=False,
    )
    run_dir: str | None = setting(
        None,
        "folder that gets a folder for each run (default: runs/ and the data set's name, and in it "
        "paper/ or stack/ for the settings of that name, and validation/ for runs with "
        "--validation)",
        place,
        identity=False,
    )
    data_dir: str | None = setting(
        None,
        "folder with the files of mnist, cifar10 and their like (default: the environment variable "
        "CAPSGAN_DATA_DIR, else a download)",
        place,
        identity=False,
    )
    image_size: int | None = setting(
        None, "side to resize images to (default: as they are)", whole_number(16), int
    )
    validation: int = setting(
        0,
        "training images, chosen at random, that are held out and evaluated on in the place of "
        "the test images, to choose settings by; 0: none",
        whole_number(0),
        int,
    )
    resume: bool = setting(
        False,
        "go on with a run that was interrupted, from its last whole epoch",
        truth,
        bool,
        flag=True,
        identity=False,
    )
    tensorboard: bool = setting(
        False,
        "write logs, sample grids and settings for TensorBoard, in tensorboard/ of each run",
        truth,
        bool,
        flag=True,
        identity=False,
    )
    distribute: bool = setting(
        False,
        "train on all devices of this machine together: its GPUs or TPUs, else its logical CPU "
        "devices; or, where TF_CONFIG (on JAX the variables KERAS_DISTRIBUTION_...) names several "
        "workers, on those of all; the batch is divided among them",
        truth,
        bool,
        identity=False,  # the steps are the same, but for rounding
    )
    evaluate: bool | None = setting(
        None,
        "compare both models once they are trained, by the generative adversarial metric, label "
        "spreading and, on MNIST and CIFAR-10, sample quality (default: yes, unless --dataset is "
        "not the experiment's own)",
        truth,
        bool,
        identity=False,
    )
    overwrite: bool = setting(
        False,
        "let the evaluation replace result files that are damaged, or of other runs or settings",
        truth,
        bool,
        flag=True,
        identity=False,
    )
    verbose: int | None = setting(
        None,
        "0: no progress, 1: a progress bar, 2: a line for each epoch (default: 1 on a terminal, "
        "else 2)",
        parse=int,
        choices=(0, 1, 2),
        identity=False,
    )
    precision: str = setting(
        "auto",
        "arithmetic of the networks; auto takes mixed_bfloat16 where the hardware has "
        "instructions for it",
        choices=PRECISIONS,
    )
    update: str = _network("update")
    loss: str | None = _network("loss")
    gradient_penalty: float | None = _network("gradient_penalty", not_negative, float)
    penalty_every: int | None = _network("penalty_every", whole_number(1), int)
    spectral_normalization: bool | None = _network("spectral_normalization", truth, bool)
    augmentation: tuple[str, ...] | None = _network("augmentation", many=True)
    flips: bool | None = _network("flips", truth, bool)
    beta_1: float = _network("beta_1", share, float)
    beta_2: float = _network("beta_2", share, float)
    generator_learning_rate: float | None = _network("generator_learning_rate", rate, float)
    capsule_learning_rate: float | None = _network(
        "capsule_learning_rate", rate, float, model="capsule"
    )
    convolutional_learning_rate: float | None = _network(
        "convolutional_learning_rate", rate, float, model="convolutional"
    )
    decay: float = _network("decay", share, float)
    time_decay: float | None = _network("time_decay", not_negative, float)
    generator_ema: float = _network("generator_ema", share, float)
    latent_dim: int = _network("latent_dim", whole_number(1), int)
    latent_categories: int = _network("latent_categories", whole_number(0), int)
    learn_category_shares: bool | None = _network("learn_category_shares", truth, bool)
    width: float | None = _network("width", rate, float)
    generator_filters: tuple[int, ...] = _network(
        "generator_filters", whole_numbers(), int, many=True
    )
    generator_scales: tuple[int, ...] | None = _network(
        "generator_scales", whole_numbers(), int, many=True
    )
    generator_kernel_size: int | None = _network("generator_kernel_size", whole_number(1), int)
    generator_last_kernel_size: int | None = _network(
        "generator_last_kernel_size", whole_number(1), int
    )
    generator_activation: str | None = _network("generator_activation")
    generator_output: str | None = _network("generator_output")
    generator_batch_statistics: bool | None = _network("generator_batch_statistics", truth, bool)
    upsampling: str | None = _network("upsampling")
    initializer: str | None = _network("initializer")
    dropout: float = _network("dropout", share, float)
    capsule_filters: tuple[int, ...] | None = _network(
        "capsule_filters", whole_numbers(), int, many=True, model="capsule"
    )
    capsule_kernel_size: int | None = _network(
        "capsule_kernel_size", whole_number(1), int, model="capsule"
    )
    capsule_strides: int | None = _network("capsule_strides", whole_number(1), int, model="capsule")
    capsule_padding: str | None = _network("capsule_padding", model="capsule")
    capsule_batch_norm: bool | None = _network("capsule_batch_norm", truth, bool, model="capsule")
    capsule_activation: str | None = _network("capsule_activation", model="capsule")
    n_channels: int | None = _network("n_channels", whole_number(1), int, model="capsule")
    primary_dim_capsule: int = _network(
        "primary_dim_capsule", whole_number(1), int, model="capsule"
    )
    num_capsule: int = _network("num_capsule", None, int, model="capsule")
    dim_capsule: int = _network("dim_capsule", whole_number(1), int, model="capsule")
    routing: str = _network("routing", model="capsule")
    routings: int = _network("routings", whole_number(1), int, model="capsule")
    convolutional_batch_norm: bool = _network(
        "convolutional_batch_norm", truth, bool, model="convolutional"
    )
    convolutional_filters: tuple[int, ...] = _network(
        "convolutional_filters", whole_numbers(), int, many=True, model="convolutional"
    )
    convolutional_dropout: float | None = _network(
        "convolutional_dropout", share, float, model="convolutional"
    )
    convolutional_downsampling: str | None = _network(
        "convolutional_downsampling", model="convolutional"
    )
    convolutional_activation: str | None = _network(
        "convolutional_activation", model="convolutional"
    )
    convolutional_layer_dropout: float | None = _network(
        "convolutional_layer_dropout", share, float, model="convolutional"
    )
    convolutional_units: int | None = _network(
        "convolutional_units", whole_number(1), int, model="convolutional"
    )
    convolutional_head: str | None = _network("convolutional_head", model="convolutional")

    def __post_init__(self):
        """Check every field."""
        check_fields(self)
        scales = self.generator_scales
        if scales is not None and not set(scales) <= {1, 2}:
            raise ValueError(
                f"`generator_scales` must be 1 or 2 each. Received: generator_scales={scales}"
            )
        filters = self.generator_filters
        if len(filters) != (2 if scales is None else len(scales)):
            raise ValueError(
                "`generator_filters` must be as many as `generator_scales`, or 2 without them. "
                f"Received: generator_filters={filters}, generator_scales={scales}"
            )
        if self.keep_every is not None and self.keep_every > self.epochs:
            raise ValueError(
                "`keep_every` must be at most `epochs`, else no networks are kept. "
                f"Received: keep_every={self.keep_every}, epochs={self.epochs}"
            )
        if self.time_decay and self.decay:
            raise ValueError(
                "`decay` and `time_decay` exclude each other. "
                f"Received: decay={self.decay}, time_decay={self.time_decay}"
            )
        if self.penalty_every is not None and not self.gradient_penalty:
            raise ValueError(
                "`penalty_every` needs a `gradient_penalty`. "
                f"Received: penalty_every={self.penalty_every}, no gradient_penalty"
            )
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
        if self.settings not in (None, PUBLISHED[0]):
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

    def rate_setting(self, model):
        """Return the name of the setting that is the learning rate of a model's discriminator."""
        return f"{model}_learning_rate"

    def identity(self, model):
        """Return the settings that tell one run of `model` from another, as a dictionary."""
        settings = {"model": model} | {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.metadata["identity"] and field.metadata["model"] in (None, model)
        }
        if not self.latent_categories:
            settings["learn_category_shares"] = None  # there is nothing to learn
        return settings


def tuned(dataset, **others):
    """Return `Settings` with the networks and optimizers that the package has for a data set.

    Args:
        dataset: Its name; one without settings of its own gets the neutral ones.
        **others: Fields of `Settings`.
    """
    networks = TUNED.get(dataset, NEUTRAL)
    values = {name: getattr(networks, name) for name in _NETWORK_FIELDS if name != "steps"}
    return Settings(**values | {"dataset": dataset} | others)
