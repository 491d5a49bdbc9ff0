"""Loading the model files of a run, and checking that they are the run's own."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from capsgan_keras.files import refuse_pipe
from capsgan_keras.gan import GAN
from capsgan_keras.runs.records import RunError

_CLASSES = {
    "capsule": "CapsuleGAN",
    "convolutional": "ConvolutionalGAN",
    "bigan": "BiGAN",
    "bicogan": "BiCoGAN",
}
"""The classes of models by their names in runs, up to a dash: an encoder's kind follows that."""
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
"""The files of a model in Keras's form of a folder."""


def network_sizes(gan: GAN) -> dict[str, int]:
    """Return the number of parameters of each network of a GAN, by the network's name."""
    return {name: getattr(gan, name).count_params() for name in gan.networks}


def load_model(path: Path) -> GAN:
    """Load a `.keras` file of a run, or a model in Keras's form of a folder.

    Raises:
        RunError: Where the file is damaged, cannot be read, or holds weights that are not finite.
    """
    try:
        refuse_pipe(path)
        is_model = path.is_dir()
        if is_model:
            _check_folder(path)
        else:
            with path.open("rb") as stream:
                is_model = zipfile.is_zipfile(stream)
    except OSError as error:
        raise RunError(f"{path}: could not be loaded. {error}") from error
    if not is_model:  # Keras would say that there is no file
        raise RunError(f"{path}: could not be loaded. It is no archive as Keras writes it")
    try:
        model = keras.saving.load_model(path)
    # Keras, zipfile and h5py raise errors of many kinds on damaged files.
    except Exception as error:
        raise RunError(f"{path}: could not be loaded. {type(error).__name__}: {error}") from error
    for variable in model.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise RunError(f"{path}: is damaged: its weight {variable.path} is not finite")
    return model


def _check_folder(path: Path) -> None:
    """Raise an error where a model's folder lacks a file, which Keras would not name."""
    for part in (CONFIG, WEIGHTS):
        if not (path / part).is_file():
            raise RunError(f"{path}: could not be loaded. It lacks {part}")
    try:
        h5py.File(path / WEIGHTS).close()
    except OSError as error:
        raise RunError(
            f"{path / WEIGHTS}: could not be loaded. It is no whole HDF5 file: {error}. A clone "
            "without Git LFS has pointers in the place of such files"
        ) from error


def check_gan(
    path: Path, gan: Any, config: dict[str, Any], metrics: dict[str, Any] | None = None
) -> None:
    """Raise a `RunError` unless a loaded model is that of the run whose records are given.

    Args:
        path: The model's file, for the message.
        gan: What was loaded.
        config: The run's `config.json`.
        metrics: The run's `metrics.json`, where it is finished. What is to be shared has a
            checksum of the model there.
    """
    settings, dataset = config["settings"], config["dataset"]
    kind = _CLASSES.get(settings["model"].partition("-")[0])
    found: dict[str, Any] = {"class": type(gan).__name__}
    wanted: dict[str, Any] = {"class": kind or found["class"]}
    if isinstance(gan, GAN):
        found["latent_dim"] = gan.latent_dim
        found["image_shape"] = list(gan.generator.output_shape[1:])
        found["parameters"] = network_sizes(gan)
    wanted |= {key: settings[key] for key in ("latent_dim",) if key in settings}
    wanted |= {key: dataset[key] for key in ("image_shape",) if key in dataset}
    if metrics is not None and metrics["parameters"]:
        wanted["parameters"] = metrics["parameters"]
    if metrics is not None and "checksum" in metrics:
        wanted["checksum"], found["checksum"] = metrics["checksum"], file_checksum(path)
    for name, value in wanted.items():
        if found.get(name) != value:
            raise RunError(
                f"{path}: is not the model of this run. Its {name} must be {value}. Received: "
                f"{found.get(name)}"
            )


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a model's file, in hexadecimal digits.

    Of a model in Keras's form of a folder it is that of its configuration and its weights.
    """
    parts = [path / CONFIG, path / WEIGHTS] if path.is_dir() else [path]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes())
    return digest.hexdigest()
