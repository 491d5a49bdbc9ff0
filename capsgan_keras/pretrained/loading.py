"""Loading the trained networks that come with the package.

Each lies in a folder `<data set>/<model>/` beside this file: a finished run directory
(`capsgan_keras.runs`) without its checkpoint, curves and single generator, whose `gan.keras` has no
optimizer and holds its kernels in float16. `python -m experiments.publish` writes it, and the
evaluations of `experiments` take its path as that of a run.
"""

import os
from pathlib import Path

from capsgan_keras.files import BEFORE, is_temporary, standing, usable_path
from capsgan_keras.gan.base import GAN
from capsgan_keras.runs.reading import load_run

FOLDER = Path(__file__).parent


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


def load_pretrained(model: str, dataset: str, folder: str | os.PathLike = FOLDER) -> GAN:
    """Load trained networks that come with the package.

    They compute in float32, with kernels that are stored in float16. The model card, the
    `README.md` beside them, says by how many grey levels their images differ from those of the
    networks as they were trained, and what was measured of them.

    Args:
        model: `"capsule"` or `"convolutional"`.
        dataset: What they were trained on, such as `"mnist"`.
        folder: Where to look; by default where the package keeps them.

    Returns:
        A `CapsuleGAN` or a `ConvolutionalGAN`, not compiled.

    Raises:
        ValueError: Where there is none of that name; the message lists what there is. Also where
            `folder` can be no folder.
        RunError: (a `ValueError`) where a file of it is damaged.

    Example:

    ```python
    from capsgan_keras import load_pretrained
    gan = load_pretrained("capsule", "mnist")
    images = gan.generate(64, seed=0)  # uint8 (64, 28, 28, 1)
    scores = gan.discriminate(images)  # (64,) probabilities of being real
    ```
    """
    folder = usable_path(folder, "folder")
    available = pretrained_models(folder)
    if (model, dataset) not in available:
        listed = ", ".join(f"load_pretrained({pair[0]!r}, {pair[1]!r})" for pair in available)
        raise ValueError(
            "`model` and `dataset` must name trained networks that come with the package: "
            f"{listed or 'there are none'}. Received: model={model!r}, dataset={dataset!r}"
        )
    return load_run(pretrained_path(model, dataset, folder)).gan


def pretrained_path(model: str, dataset: str, folder: str | os.PathLike = FOLDER) -> Path:
    """Return the folder of trained networks, whether they are there or not."""
    return Path(folder) / dataset / model
