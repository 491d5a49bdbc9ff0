"""Before training: which runs are new, which go on, and which must not be touched."""

import dataclasses
import sys
from pathlib import Path

from capsgan_keras.datasets.registry import find_dataset
from capsgan_keras.runs import provenance
from capsgan_keras.runs.directory import Checkpoint, RunDirectory, RunError
from capsgan_keras.runs.lock import check_free
from capsgan_keras.runs.records import check_epochs, check_parts
from experiments.settings.differences import differences
from experiments.training.precision import resolve_precision


@dataclasses.dataclass(frozen=True)
class Plan:
    """One model's run.

    Attributes:
        model: One of the settings' `models`.
        directory: Where it lies.
        policy: Its dtype policy.
        description: What `config.json` says of it, as far as known before networks are built.
        is_new: Whether there is nothing of it yet.
        checkpoint: What it goes on from; None where it starts from the beginning.
    """

    model: str
    directory: RunDirectory
    policy: str
    description: dict
    is_new: bool
    checkpoint: Checkpoint | None = None


def plan_run(settings, model, dataset, devices, kind=RunDirectory, way=None):
    """Look at a model's folder and return its `Plan`, or None where the run is finished.

    Args:
        settings: `experiments.settings.training.Settings`.
        model: One of the settings' `models`.
        dataset: `capsgan_keras.datasets.Dataset`.
        devices: Number of devices to train on.
        kind: Class of the run's directory.
        way: Function of settings and model that says in words how the run trains.

    Raises:
        RunError: Where the folder holds something else, or a run that the settings do not fit.
        InUseError: Where another process trains this run.
    """
    directory, way = kind(settings.run_path(model)), way or _way_of_training
    exists = directory.exists
    check_free(directory.lock)
    if not exists:
        directory.check_place()
        if settings.resume:
            warn(f"{directory.path}: there is no run to resume: it starts from the beginning")
        policy, reason = resolve_precision(settings.precision)
        print(f"{model}: {policy} ({reason}); {way(settings, model)}")
        description = describe(settings, model, policy, dataset, devices)
        return Plan(model, directory, policy, description, True)
    if not settings.resume:
        raise RunError(
            f"{directory.path}: holds a run already. Go on with it by --resume, or choose another "
            "--run-dir or --seed"
        )
    stored = directory.read_config()
    check_parts(directory.path / "config.json", stored, ["versions", "commit"])
    # A machine without bfloat16 goes on in bfloat16 where the run was started so.
    policy = stored["settings"]["precision"]
    if settings.precision != "auto":
        policy = settings.precision
    description = describe(settings, model, policy, dataset, devices)
    check_same_run(directory.path, stored, description)
    if directory.finished:
        print(f"{directory.path}: is finished already")
        return None
    print(f"{model}: {policy} (as the run was started); {way(settings, model)}")
    checkpoint = directory.newest_checkpoint()
    if checkpoint is None:
        warn(f"{directory.path}: no epoch was finished: it starts from the beginning")
    else:
        check_epochs(checkpoint.path / "state.json", checkpoint.history, checkpoint.epoch)
    return Plan(model, directory, policy, description, False, checkpoint)


def check_unchanged(plan):
    """Raise a `RunError` where another process has changed a run since it was planned."""
    directory = plan.directory
    checkpoint = None
    if not plan.is_new and not directory.finished:
        checkpoint = directory.newest_checkpoint()
    if directory.exists == plan.is_new or directory.finished or checkpoint != plan.checkpoint:
        raise RunError(
            f"{directory.path}: another command has worked there since this one began. Give this "
            "one again, with --resume"
        )


def _way_of_training(settings, model):
    """Return in words which of the settings that decide on speed, besides precision, hold."""
    updates = f"{settings.update} updates"
    if model != "capsule":
        return updates
    if settings.num_capsule == 1 and settings.routing == "dynamic":
        return f"{updates}; one capsule, without routing"
    if settings.routing == "self_attention":
        return f"{updates}; self-attention routing"
    return f"{updates}; {settings.routing} routing, {settings.routings} times"


def describe(settings, model, policy, dataset, devices):
    """Return what `config.json` says of a run, as far as known before networks are built."""
    identity = settings.identity(model) | {"precision": policy}
    return provenance.describe(identity, dataset, _source(settings.dataset), devices)


def _source(dataset):
    """Return a data set's name, or its whole path, by which it is found from any folder."""
    return dataset if find_dataset(dataset) else str(Path(dataset).expanduser().resolve())


def check_same_run(path, stored, asked):
    """Refuse to go on with other settings or images; warn of other versions and sources.

    Settings that only one of two versions of the package knows are not compared.

    Args:
        path: The run's folder, for messages.
        stored: What `describe` returned when the run was started.
        asked: What it returns now.

    Raises:
        RunError: Where they differ, with each difference on a line.
    """
    refused = _lines(stored["settings"], asked["settings"])
    refused += _lines(
        *({"checksum of the images": p["dataset"]["checksum"]} for p in (stored, asked))
    )
    if refused:
        raise RunError("\n  ".join([f"{path}: the run was started with other settings:", *refused]))
    for parts in (
        [part["dataset"] for part in (stored, asked)],
        [part["versions"] for part in (stored, asked)],
        # Runs of older versions, which do not say it, had one.
        [{"devices": part.get("devices", 1)} for part in (stored, asked)],
        [{"commit": part["commit"]} for part in (stored, asked)],
    ):
        for line in _lines(*parts):
            warn(f"{path}: {line}")


def _lines(stored, asked):
    found = differences(stored, asked, only_common=True)
    return [f"{name}: {before} then, {now} now" for name, before, now in found]


def warn(message):
    """Write a warning to standard error."""
    print(f"warning: {message}", file=sys.stderr)
