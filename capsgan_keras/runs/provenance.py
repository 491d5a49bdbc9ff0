"""What a run was made with: settings, images, versions and the commit."""

import importlib
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from capsgan_keras.datasets import Dataset
from capsgan_keras.version import __version__


def describe(
    settings: Mapping[str, Any], dataset: Dataset, source: str, devices: int = 1
) -> dict[str, Any]:
    """Return what `config.json` says of a run, but for its learning rates.

    Args:
        settings: What JSON can hold: `model`, `seed`, `precision`, `epochs`, `batch_size`,
            `latent_dim` and others.
        dataset: The images.
        source: By what `load_dataset` finds them.
        devices: Number of devices that share each batch.
    """
    return {
        "settings": dict(settings),
        "dataset": {
            "name": dataset.name,
            "source": source,
            "checksum": dataset.checksum,
            "images": len(dataset.x_train),
            "image_shape": list(dataset.image_shape),
        },
        "devices": devices,
        "versions": versions(),
        "commit": git_commit(),
    }


def versions() -> dict[str, str]:
    """Return the versions that a run depends on, as a dictionary of texts."""
    backend = keras.backend.backend()
    return {
        "capsgan_keras": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": f"{backend} {importlib.import_module(backend).__version__}",
        "numpy": np.__version__,
    }


def git_commit(file: str | os.PathLike = __file__) -> str | None:
    """Return the commit of the working tree that tracks this package.

    Args:
        file: A file of the package.

    Returns:
        The commit's 40 digits, followed by `-dirty` where tracked files differ from it. None where
        the package is not run from its own working tree, as after `pip install`.
    """
    folder = Path(file).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", folder, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=30,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(file).name)
        return git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    except (OSError, subprocess.SubprocessError):  # no git, no working tree, not tracked
        return None
