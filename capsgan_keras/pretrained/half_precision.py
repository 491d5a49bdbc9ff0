"""GANs in half the space: kernels in float16 in a file of Keras's own format.

Keras assigns what a file holds to the variables of the model, whatever its dtype, so that
`keras.saving.load_model` reads such a file as it reads others, and gives float32 variables.
"""

import io
import json
import os
import zipfile
from typing import Any

import h5py
import numpy as np

from capsgan_keras.gan.base import GAN
from capsgan_keras.gan.saving import copy_of

WEIGHTS = "model.weights.h5"
"""The file in a `.keras` archive that holds the weights."""
_JSON = ("metadata.json", "config.json")
"""Those that say by which version of Keras it was saved, and what the model is."""


def save_half_precision(gan: GAN, path: str | os.PathLike) -> None:
    """Save a GAN without optimizers, its kernels in float16, as the `.keras` file `path`.

    Vectors (biases, scales, moving statistics) stay as they are: they take little space, and small
    variances would leave float16's range. Equal networks give equal bytes: the file holds neither
    the time nor places in memory.

    Raises:
        ValueError: Where a weight is too large for float16.
        OSError: Where the file cannot be written.
    """
    weights = io.BytesIO()
    copy_of(gan).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with h5py.File(io.BytesIO(parts[WEIGHTS])) as source, h5py.File(weights, "w") as target:
        _copy(source, target)
    parts[WEIGHTS] = weights.getvalue()
    for name in _JSON:
        parts[name] = json.dumps(json.loads(parts[name], object_hook=_of_no_moment)).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            # Of this class an entry has the first date that archives know, and not the time.
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def _of_no_moment(values: dict[str, Any]) -> dict[str, Any]:
    """Return a dictionary without the time of saving and the places of objects in memory.

    By the places, Keras makes one object of several equal ones, which networks do not need.
    """
    moments = ("date_saved", "shared_object_id")
    return {key: value for key, value in values.items() if key not in moments}


def _copy(source: h5py.Group, target: h5py.Group) -> None:
    target.attrs.update(source.attrs)
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy(item, target.create_group(name))
        else:
            target.create_dataset(name, data=_halved(item)).attrs.update(item.attrs)


def _halved(dataset: h5py.Dataset) -> np.ndarray:
    values = dataset[()]
    if values.ndim < 2 or values.dtype != np.float32:
        return values
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError(
            "The weights must be within float16's range, at most 65,504 in size. "
            f"Received: {np.abs(values).max():g} in {dataset.name}"
        )
    return half
