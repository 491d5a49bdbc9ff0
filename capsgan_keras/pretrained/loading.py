"""Loading the trained networks that come with the package, and those that others share.

Each of the package's lies in a folder `<data set>/<model>/` beside this file: a finished run
directory (`capsgan_keras.runs`) without its checkpoint, curves and single generator, whose
`gan.keras` has no optimizer and holds its kernels in float16. `python -m experiments.publish`
writes it, and the commands of `experiments` that read runs take its name (`find_run`).

A shared folder, which `python -m experiments.publish --to` writes, is a model in Keras's own form
of a folder, as model hubs keep it, with the run's records in `run/`.
"""

import dataclasses
import os
from pathlib import Path

from capsgan_keras.files import BEFORE, is_temporary, standing, usable_path
from capsgan_keras.gan.base import GAN
from capsgan_keras.runs.reading import Run, load_run
from capsgan_keras.runs.records import RunError

FOLDER = Path(__file__).parent
RECORDS = "run"
"""The part of a shared folder that holds the run's records."""


def pretrained_models(folder: str | os.PathLike = FOLDER) -> list[tuple[str, str]]:
    """Return what `load_pretrained` takes: a sorted list of pairs `(model, dataset)`.

    Example:

    ```python
    from capsgan_keras.pretrained import pretrained_models
    print(pretrained_models())  # [('capsule', 'cifar10'), ('capsule', 'mnist'), ...]
    ```
    """
    entries = Path(folder).glob("*/*")
    places = {entry.with_name(entry.name.removeprefix(BEFORE)) for entry in entries}
    return sorted(
        (place.name, place.parent.name)
        for place in places
        if not is_temporary(place) and (standing(place) / "metrics.json").is_file()
    )


def load_pretrained(
    model: str | os.PathLike, dataset: str | None = None, folder: str | os.PathLike = FOLDER
) -> GAN:
    """Load trained networks that come with the package, or that were shared as a folder.

    The package's compute in float32, with kernels that are stored in float16. The model card, the
    `README.md` beside them, says by how many grey levels their images differ from those of the
    networks as they were trained, and what was measured of them. Shared networks are as they were
    trained.

    Args:
        model: `"capsule"` or `"convolutional"`; or, as the only argument, the path of a folder that
            `python -m experiments.publish --to` has made.
        dataset: What they were trained on, such as `"mnist"`.
        folder: Where to look; by default where the package keeps them.

    Returns:
        A `CapsuleGAN` or a `ConvolutionalGAN`, not compiled.

    Raises:
        ValueError: Where there is none of that name; the message lists what there is. Also where
            `folder` can be no folder.
        RunError: (a `ValueError`) where there is no such folder, or a file of it is damaged.

    Example:

    ```python
    from capsgan_keras import load_pretrained
    gan = load_pretrained("capsule", "mnist")
    images = gan.generate(64, seed=0)  # uint8 (64, 28, 28, 1)
    scores = gan.discriminate(images)  # (64,) probabilities of being real
    ```
    """
    if dataset is None:
        return _load_shared(standing(usable_path(model, "model")))
    folder = usable_path(folder, "folder")
    available = pretrained_models(folder)
    if (model, dataset) not in available:
        listed = ", ".join(f"load_pretrained({pair[0]!r}, {pair[1]!r})" for pair in available)
        raise ValueError(
            "`model` and `dataset` must name trained networks that come with the package: "
            f"{listed or 'there are none'}. Received: model={model!r}, dataset={dataset!r}"
        )
    return load_run(pretrained_path(str(model), str(dataset), folder)).gan


def _load_shared(path: Path) -> GAN:
    if not _is_shared(path):
        raise RunError(
            f"{path}: must be a folder made by python -m experiments.publish --to: Keras's form "
            f"of a model, with {RECORDS}/ beside it. load_run reads a run's folder, "
            "load_pretrained(model, dataset) what comes with the package, and "
            'keras.saving.load_model("hf://OWNER/NAME") what lies on a hub'
        )
    return _shared_run(path).gan


def _is_shared(path: Path) -> bool:
    return (path / "metadata.json").is_file() and (path / RECORDS).is_dir()


def _shared_run(path: Path) -> Run:
    records = load_run(path / RECORDS)
    if not records.finished:
        raise RunError(f"{path / RECORDS}: is damaged: it lacks metrics.json")
    return dataclasses.replace(records, path=path, model_file=path)


def find_run(word: str | os.PathLike) -> Run:
    """Return the run that a person names: its own folder, a shared folder, or the package's.

    Args:
        word: The folder of a run; one that `python -m experiments.publish --to` has made; or
            `<data set>/<model>` of what comes with the package. What exists at that path goes
            first.

    Raises:
        ValueError: Where it can be no path.
        RunError: (a `ValueError`) where there is nothing of that name, or a file of it is damaged.

    Example:

    ```python
    from capsgan_keras.pretrained.loading import find_run
    print(find_run("mnist/capsule").metrics["parameters"])
    ```
    """
    path = standing(usable_path(word))
    if _is_shared(path):
        return _shared_run(path)
    names = package_names()
    name = Path(word).as_posix()
    if not path.exists() and name in names:
        return load_run(names[name])
    try:
        return load_run(path)
    except RunError as error:
        if path.exists():
            raise
        raise RunError(f"{error}. With the package come {', '.join(names)}") from error


def package_names() -> dict[str, Path]:
    """Return the folder of each network that comes with the package, by `<data set>/<model>`."""
    pairs = pretrained_models()
    return {f"{dataset}/{model}": pretrained_path(model, dataset) for model, dataset in pairs}


def pretrained_path(model: str, dataset: str, folder: str | os.PathLike = FOLDER) -> Path:
    """Return the folder of trained networks, whether they are there or not."""
    return Path(folder) / dataset / model
