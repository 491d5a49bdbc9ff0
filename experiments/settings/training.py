"""The settings of a training run: one frozen dataclass, read by the command line and the runs.

Only the standard library is imported here, so that `--help` need not wait for Keras.
"""

import dataclasses
from pathlib import Path

from experiments.settings.fields import (
    check_fields,
    rate,
    setting,
    share,
    text,
    truth,
    whole_number,
    whole_numbers,
)

MODELS = ("capsule", "convolutional")
PUBLISHED = ("tuned", "paper")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
LOSSES = ("margin", "cross-entropy", "least-squares")


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
        "the paper's software did",
        choices=PUBLISHED,
    )
    model: str = setting("both", "what to train", choices=(*MODELS, "both"), identity=False)
    epochs: int = setting(10, "passes through the images", whole_number(1), int)
    batch_size: int = setting(128, "real images in a training step", whole_number(1), int)
    seed: int = setting(
        0,
        "sets the initial weights, the noise and the order of images",
        whole_number(0, 2**32 - 1),
        int,
    )
    seeds: int = setting(
        1,
        "runs of each model, with the seeds from --seed on; they are evaluated together",
        whole_number(1),
        int,
        identity=False,
    )
    run_dir: str | None = setting(
        None,
        "folder that gets a folder for each run (default: runs/ and the data set's name, and in it "
        "paper/ for the settings of that name, and validation/ for runs with --validation)",
        text,
        identity=False,
    )
    data_dir: str | None = setting(
        None,
        "folder with the files of mnist, cifar10 and their like (default: the environment variable "
        "CAPSGAN_DATA_DIR, else a download)",
        text,
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
    distribute: bool = setting(
        False,
        "train on all devices of this machine together: its GPUs or TPUs, else its logical CPU "
        "devices; the batch is divided among them",
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
    verbose: int = setting(
        1,
        "0: no progress, 1: a progress bar, 2: a line for each epoch",
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
    update: str = setting(
        "simultaneous",
        "whether both networks learn from one forward pass or in turn",
        choices=("simultaneous", "alternating"),
    )
    loss: str | None = setting(
        None,
        "of both networks (default: margin with the capsule discriminator, cross-entropy with the "
        "convolutional one)",
        choices=LOSSES,
    )
    beta_1: float = setting(
        0.5, "of Adam, for both networks: decay of the mean of the gradients", share, float
    )
    beta_2: float = setting(
        0.999, "of Adam, for both networks: decay of the mean of their squares", share, float
    )
    generator_learning_rate: float | None = setting(
        None, "of the generator (default: 2e-4)", rate, float
    )
    capsule_learning_rate: float | None = setting(
        None,
        "of the capsule discriminator (default: 1e-4 with batch normalization in it, 2e-4 without)",
        rate,
        float,
        model="capsule",
    )
    convolutional_learning_rate: float | None = setting(
        None,
        "of the convolutional discriminator (default: 2e-4)",
        rate,
        float,
        model="convolutional",
    )
    decay: float = setting(
        0.0,
        "share of the steps, at the end, in which both learning rates fall to a twentieth along a "
        "cosine",
        share,
        float,
    )
    generator_ema: float = setting(
        0.0,
        "momentum of the moving average of the generator's weights that is saved, shown and "
        "evaluated in their place; 0: none",
        share,
        float,
    )
    latent_dim: int = setting(
        100, "components of a latent vector, --latent-categories among them", whole_number(1), int
    )
    latent_categories: int = setting(
        0,
        "components of a latent vector, the last ones, that choose a category; 0: none",
        whole_number(0),
        int,
    )
    generator_filters: tuple[int, int] = setting(
        (128, 64),
        "two numbers: channels at a quarter and at half of the image's size",
        whole_numbers(2),
        int,
        many=True,
    )
    generator_kernel_size: int | None = setting(
        None,
        "side of the generator's kernels (default: 4 transposed, 5 nearest)",
        whole_number(1),
        int,
    )
    upsampling: str | None = setting(
        None,
        "how the generator upsamples (default: transposed for grey images, nearest for others)",
        choices=("transposed", "nearest"),
    )
    dropout: float = setting(0.0, "rate of dropout in the discriminator", share, float)
    capsule_filters: tuple[int, ...] | None = setting(
        None,
        "filters of each convolution before the primary capsules (default: 32 for grey images, "
        "64 128 for others)",
        whole_numbers(),
        int,
        many=True,
        model="capsule",
    )
    capsule_kernel_size: int | None = setting(
        None,
        "side of the capsule discriminator's kernels (default: 9 for grey images, 5 for others)",
        whole_number(1),
        int,
        model="capsule",
    )
    capsule_strides: int | None = setting(
        None,
        "strides of the convolutions before the primary capsules (default: 1 for grey images, 2 "
        "for others)",
        whole_number(1),
        int,
        model="capsule",
    )
    capsule_padding: str | None = setting(
        None,
        "of the capsule discriminator (default: valid for grey images, same for others)",
        choices=("valid", "same"),
        model="capsule",
    )
    capsule_batch_norm: bool | None = setting(
        None,
        "normalize the last convolution before the primary capsules (default: yes for grey "
        "images, no for others)",
        truth,
        bool,
        model="capsule",
    )
    n_channels: int | None = setting(
        None,
        "types of primary capsules (default: 4 for grey images, 16 for others)",
        whole_number(1),
        int,
        model="capsule",
    )
    primary_dim_capsule: int = setting(
        8, "components of a primary capsule", whole_number(1), int, model="capsule"
    )
    num_capsule: int = setting(
        1,
        "final capsules: 1 (the paper), or 2, for real and for generated images",
        parse=int,
        choices=(1, 2),
        model="capsule",
    )
    dim_capsule: int = setting(
        16, "components of a final capsule", whole_number(1), int, model="capsule"
    )
    routing: str = setting(
        "dynamic",
        "leaky adds an orphan category to the softmax",
        choices=("dynamic", "leaky"),
        model="capsule",
    )
    routings: int = setting(
        3,
        "iterations of routing; with one final capsule dynamic routing has no effect",
        whole_number(1),
        int,
        model="capsule",
    )
    convolutional_batch_norm: bool = setting(
        True,
        "normalize the convolutions of the convolutional discriminator but the first; it learns "
        "faster then, and judges single images otherwise than batches",
        truth,
        bool,
        model="convolutional",
    )
    convolutional_filters: tuple[int, ...] = setting(
        (64, 128),
        "filters of each convolution of the convolutional discriminator",
        whole_numbers(),
        int,
        many=True,
        model="convolutional",
    )
    convolutional_dropout: float | None = setting(
        None,
        "rate of dropout in the convolutional discriminator (default: that of --dropout)",
        share,
        float,
        model="convolutional",
    )

    def __post_init__(self):
        """Check every field."""
        check_fields(self)
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

    def identity(self, model):
        """Return the settings that tell one run of `model` from another, as a dictionary."""
        return {"model": model} | {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.metadata["identity"] and field.metadata["model"] in (None, model)
        }
