"""Finished runs of one data set, read to be compared."""

import dataclasses
import hashlib
from collections import Counter
from pathlib import Path

from capsgan_keras import load_dataset, load_run
from capsgan_keras.datasets import Dataset
from experiments.errors import EvaluationError


@dataclasses.dataclass(frozen=True)
class FinishedRuns:
    """Runs that were trained on the same images.

    Attributes:
        runs: Dictionary from a short name to a `capsgan_keras.runs.directory.Run`.
        dataset: Their images.
    """

    runs: dict
    dataset: Dataset

    @property
    def evaluation_folder(self):
        """Where their results go if nothing else is said, a `Path`.

        It is named after their seeds: `seed0`, `seeds0-2`, or `seeds0+2+5` where some are left out.
        """
        folder = next(iter(self.runs.values())).path.parent / "evaluation"
        seeds = sorted({run.config["settings"]["seed"] for run in self.runs.values()})
        if len(seeds) == 1:
            return folder / f"seed{seeds[0]}"
        if seeds == list(range(seeds[0], seeds[-1] + 1)):
            return folder / f"seeds{seeds[0]}-{seeds[-1]}"
        return folder / f"seeds{'+'.join(map(str, seeds))}"

    def describe(self):
        """Return what tells these runs from others, as JSON can hold it."""
        dataset = {"name": self.dataset.name, "checksum": self.dataset.checksum}
        validation = next(iter(self.runs.values())).config["settings"].get("validation")
        if validation:
            dataset["validation"] = validation
        return {
            "dataset": dataset,
            "runs": [_describe(name, run) for name, run in self.runs.items()],
        }


def load_finished_runs(paths, data_dir=None):
    """Read run directories and the data set that they were trained on.

    Args:
        paths: The folders of one or more finished runs.
        data_dir: As in `load_dataset`.

    Returns:
        `FinishedRuns`, in the order of `paths`. A run is called by the name of its folder; where
        two have the same, the name of the folder around it stands before it.

    Raises:
        RunError: Where a folder holds no run, or a damaged one.
        DatasetError: Where the data set cannot be had.
        EvaluationError: Where a run has not ended or is without its networks, or the runs or the
            images do not fit.
    """
    paths = [Path(path).expanduser() for path in paths]
    repeated = [str(p) for p, count in Counter(p.resolve() for p in paths).items() if count > 1]
    if repeated:
        raise EvaluationError(f"Each run must be given once. Received twice: {', '.join(repeated)}")
    runs = [load_run(path) for path in paths]
    for run in runs:
        if not run.finished:
            raise EvaluationError(
                f"{run.path}: the run has not ended. Go on with it by --resume of its experiment"
            )
        if not (run.path / "gan.keras").is_file():
            raise EvaluationError(
                f"{run.path}: holds the records of a run without its networks (gan.keras)"
            )
    dataset = _load_common_dataset(runs, data_dir)
    names = Counter(path.resolve().name for path in paths)
    return FinishedRuns(
        {_name(path.resolve(), names): run for path, run in zip(paths, runs, strict=True)}, dataset
    )


def load_images(source, data_dir, image_size, validation):
    """Return the images of runs, a `Dataset`.

    Args:
        source, data_dir, image_size: As in `load_dataset`.
        validation: How many training images take the place of the test images; None or 0 for none.

    Raises:
        DatasetError: Where they cannot be had, or as many cannot be held out.
    """
    dataset = load_dataset(source, data_dir, image_size)
    return dataset.hold_out(validation) if validation else dataset


def _name(path, names):
    return path.name if names[path.name] == 1 else f"{path.parent.name}/{path.name}"


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
    dataset = load_images(
        first["source"], data_dir, settings.get("image_size"), settings.get("validation")
    )
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
        "gan_checksum": hashlib.sha256((run.path / "gan.keras").read_bytes()).hexdigest(),
    }
