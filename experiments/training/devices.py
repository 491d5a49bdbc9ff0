"""The devices that `--distribute` trains on."""

import contextlib
import functools
import json
import os

import keras

from experiments.errors import SettingsError


def choose_devices(settings):
    """Return the names of the devices to divide batches among; none without `--distribute`.

    Args:
        settings: `experiments.settings.training.Settings`.

    Raises:
        SettingsError: Where the batch cannot be divided evenly among them, or this is one of
            several workers.
    """
    if not settings.distribute:
        return []
    if json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster"):
        raise SettingsError(
            "`distribute` is for the devices of one machine, where one process writes the run. "
            "Over several workers, train by `fit` in the scope of a "
            "tf.distribute.MultiWorkerMirroredStrategy, or unset TF_CONFIG. "
            f"Received: TF_CONFIG={os.environ['TF_CONFIG']}"
        )
    devices = keras.distribution.list_devices()
    if len(devices) == 1:
        print(f"--distribute: there is one device, {devices[0]}: nothing is distributed")
        return []
    if settings.batch_size % len(devices):
        raise SettingsError(
            f"`batch_size` must be a multiple of the number of devices, {len(devices)} "
            f"({', '.join(devices)}). Received: batch_size={settings.batch_size}"
        )
    print(
        f"--distribute: {len(devices)} devices, {', '.join(devices)}: "
        f"{settings.batch_size // len(devices)} images of each batch on each"
    )
    return devices


def spread_over(devices):
    """Return a context manager: models made in it are trained on all of the devices.

    Args:
        devices: What `choose_devices` returned.
    """
    if not devices:
        return contextlib.nullcontext()
    return _DISTRIBUTIONS[keras.backend.backend()](tuple(devices)).scope()


@functools.cache  # a second strategy on the same devices would mix up its messages with the first's
def _tensorflow(devices):
    import tensorflow as tf  # one of two backends

    return tf.distribute.MirroredStrategy(devices)


def _jax(devices):
    return keras.distribution.DataParallel(devices=devices)


_DISTRIBUTIONS = {"tensorflow": _tensorflow, "jax": _jax}
