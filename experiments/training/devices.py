"""The devices that `--distribute` trains on: of this machine, or of several workers.

Over workers each process gives the same command. All do the same steps, for those are collective,
and only the chief keeps what it writes.
"""

import contextlib
import functools
import json
import zlib

import keras

from experiments.errors import SettingsError
from experiments.training.workers import naming_lost_workers, workers


def choose_devices(settings):
    """Return the names of the devices to divide batches among; none without `--distribute`.

    Args:
        settings: `experiments.settings.training.Settings`.

    Raises:
        SettingsError: Where the batch cannot be divided evenly among them, or the environment
            names workers wrongly.
        ConnectionError: Where the other workers cannot be joined.
    """
    if not settings.distribute:
        return []
    others = workers()
    devices = others.devices() if others else keras.distribution.list_devices()
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


def join_workers(settings):
    """Join the other workers, where there are any: backends want it before they compute."""
    others = workers() if settings.distribute else None
    if others:
        print("--distribute: waiting until all workers are there", flush=True)
        others.join()


def leave_workers(devices):
    """Part from the other workers, once all have trained what there is to train.

    Args:
        devices: What `choose_devices` returned.
    """
    others = workers() if devices else None
    if others:
        with naming_lost_workers():
            others.leave()


def keeps_files(devices):
    """Return whether this process keeps what it writes: the chief of several workers does.

    Args:
        devices: What `choose_devices` returned.
    """
    others = workers() if devices else None
    return others is None or others.is_chief()


def agree(devices, plan):
    """Wait for the other workers, and refuse to go on unless all have the same plan.

    Args:
        devices: What `choose_devices` returned.
        plan: What JSON can hold.

    Raises:
        SettingsError: Where another worker plans something else.
        ConnectionError: Where another worker has ended.
    """
    others = workers() if devices else None
    if others is None:
        return
    number = zlib.crc32(json.dumps(plan, sort_keys=True).encode()) % 10_000
    with naming_lost_workers():
        agreed = others.all_have(number)
    if not agreed:
        raise SettingsError(
            "All workers must be given the same command and see the same --run-dir. Received: "
            "other settings, images or checkpoints on one of them than here"
        )


@contextlib.contextmanager
def spread_over(devices):
    """Train the models that are made in the block on all of the devices.

    Args:
        devices: What `choose_devices` returned.

    Raises:
        ConnectionError: Where another worker has ended.
    """
    if not devices:
        yield
        return
    others = workers()
    scope = others.scope(devices) if others else _SCOPES[keras.backend.backend()](tuple(devices))
    with naming_lost_workers(), scope:
        yield


@functools.cache  # a second strategy on the same devices would mix up its messages with the first's
def _strategy(devices):
    import tensorflow as tf  # one of two backends

    return tf.distribute.MirroredStrategy(devices)


_SCOPES = {
    "tensorflow": lambda devices: _strategy(devices).scope(),
    "jax": lambda devices: keras.distribution.DataParallel(devices=devices).scope(),
}
