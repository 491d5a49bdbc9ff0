"""Finished runs of one data set, read to be compared."""

import dataclasses
from collections import Counter

from capsgan_keras.datasets import Dataset, DatasetError
from capsgan_keras.files import readable, usable_path
from capsgan_keras.gan.prediction import check_many
from capsgan_keras.pretrained.loading import FOLDER, find_run
from capsgan_keras.runs.models import file_checksum
from experiments.errors import EvaluationError
from experiments.training.images import load_images


@dataclasses.dataclass(frozen=True)
class FinishedRuns:
    """Runs that were trained on the same images.

    Attributes:
        runs: Dictionary from a short name to a `capsgan_keras.runs.directory.Run`.
        dataset: Their images.
        retrained: Names of runs that the same command has trained just now.
    """

    runs: dict
    dataset: Dataset
    retrained: frozenset = frozenset()

    @property
    def evaluation_folder(self):
        """Where their results go if nothing else is said, a `Path`.

        It is named after their seeds: `seed0`, `seeds0-2`, or `seeds0+2+5` where some are left out.

        Raises:
            EvaluationError: Where that would be in the package.
        """
        first = next(iter(self.runs.values())).path
        if first.resolve().is_relative_to(FOLDER.resolve()):
            raise EvaluationError(
                f"{first}: comes with the package, where no results go. Give --output"
            )
        folder = first.parent / "evaluation"
        seeds = sorted({run.config["settings"]["seed"] for run in self.runs.values()})
        if len(seeds) == 1:
            return folder / f"seed{seeds[0]}"
        if seeds == list(range(seeds[0], seeds[-1] + 1)):
            return folder / f"seeds{seeds[0]}-{seeds[-1]}"
        return folder / f"seeds{'+'.join(map(str, seeds))}"

    @property
    def validation(self):
        """How many training images the runs held out, to be evaluated on; None or 0 for none."""
        return next(iter(self.runs.values())).config["settings"].get("validation")

    @property
    def kept_epochs(self):
        """The epochs whose networks all runs have kept, as a list.

        Raises:
            EvaluationError: Where there is none.
        """
        kept = {name: run.kept_epochs for name, run in self.runs.items()}
        epochs = sorted(set.intersection(*map(set, kept.values())))
        if not epochs:
            found = "; ".join(f"{name}: {list(each) or 'none'}" for name, each in kept.items())
            raise EvaluationError(
                "All runs must have kept the networks of an epoch (--keep-every of their "
                f"experiment). Received: {found}"
            )
        return epochs

    def check_samples(self, name, n):
        """Refuse, before hours of work, more images of each run than fit the memory.

        Args:
            name: The setting that says how many.
            n: How many.

        Raises:
            ValueError: Where they are too many.
        """
        latent_dim = max(run.config["settings"]["latent_dim"] for run in self.runs.values())
        check_many(name, n, latent_dim, self.dataset.image_shape)

    def describe(self):
        """Return what tells these runs from others, as JSON can hold it."""
        dataset = {"name": self.dataset.name, "checksum": self.dataset.checksum}
        if self.validation:
            dataset["validation"] = self.validation
        return {
            "dataset": dataset,
            "runs": [_describe(name, run) for name, run in self.runs.items()],
        }


def load_finished_runs(paths, data_dir=None, retrained=()):
    """Read run directories and the data set that they were trained on.

    Args:
        paths: One or more finished runs, as `find_run` takes them.
        data_dir: As in `load_dataset`.
        retrained: Those of the folders whose runs the same command has trained just now.

    Returns:
        `FinishedRuns`, in the order of `paths`. A run is called by the name of its folder; where
        two have the same, the name of the folder around it stands before it.

    Raises:
        RunError: Where a folder holds no run, or a damaged one.
        DatasetError: Where the data set cannot be had.
        EvaluationError: Where a run has not ended or is without its networks, or the runs or the
            images do not fit.
    """
    paths = [usable_path(path) for path in paths]
    runs = [find_run(path) for path in paths]
    places = Counter(run.path.resolve() for run in runs)
    repeated = [str(place) for place, count in places.items() if count > 1]
    if repeated:
        raise EvaluationError(f"Each run must be given once. Received twice: {', '.join(repeated)}")
    for run in runs:
        if not run.finished:
            raise EvaluationError(
                f"{run.path}: the run has not ended. Go on with it by --resume of its experiment"
            )
        if not run.model_file.exists():
            raise EvaluationError(
                f"{run.path}: holds the records of a run without its networks (gan.keras)"
            )
    dataset = _load_common_dataset(runs, data_dir)
    folders = Counter(path.resolve().name for path in paths)
    names = [_name(path.resolve(), folders) for path in paths]
    return FinishedRuns(
        dict(zip(names, runs, strict=True)),
        dataset,
        frozenset(name for name, path in zip(names, paths, strict=True) if path in retrained),
    )


def _name(path, names):
    name = path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}"
    return readable(name)


def _load_common_dataset(runs, data_dir):
    described = [run.config["dataset"] for run in runs]
    if len({dataset["checksum"] for dataset in described}) > 1:
        lines = [
            f"{run.path}: {dataset['name']}, {dataset['image_shape']}, checksum "
            f"{dataset['checksum'][:12]}"
            for run, dataset in zip(runs, described, strict=True)
        ]
        raise EvaluationError(
            "\n  ".join(["The runs must be of the same data set. Received:", *lines])
        )
    first = described[0]
    settings = runs[0].config["settings"]
    options = data_dir, settings.get("image_size"), settings.get("validation")
    try:
        dataset = load_images(first["source"], *options)
    except DatasetError as error:
        if runs[0].model_file != runs[0].path:
            raise
        raise DatasetError(
            f"{error}\n{runs[0].path}: was made to be shared, and names its images without their "
            f"place. Start the command where {first['source']} is their path"
        ) from error
    if dataset.checksum != first["checksum"]:
        raise EvaluationError(
            f"{first['source']}: these are not the images that the runs were trained on. Expected: "
            f"checksum {first['checksum'][:12]}. Received: {dataset.checksum[:12]}, shape "
            f"{dataset.image_shape}"
        )
    return dataset


def _describe(name, run):
    settings = run.config["settings"]
    # Networks that come with the package compute otherwise than in their training.
    precision = run.metrics.get("pretrained", settings)["precision"]
    return {
        "name": name,
        "model": settings["model"],
        "seed": settings["seed"],
        "epochs": settings["epochs"],
        "batch_size": settings["batch_size"],
        "precision": precision,
        "parameters": run.metrics["parameters"],
        "gan_checksum": gan_checksum(run),
    }


def gan_checksum(run):
    """Return the SHA-256 of a run's trained networks, by which result files name them."""
    return file_checksum(run.model_file)
