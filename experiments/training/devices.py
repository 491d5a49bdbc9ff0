"""The devices that `--distribute` trains on: of this machine, or of several workers.

Over workers each process gives the same command. All do the same steps, for those are collective,
and only the chief keeps what it writes.
"""

import contextlib
import functools
import json
import os
import zlib

import keras

from experiments.errors import SettingsError


def choose_devices(settings):
    """Return the names of the devices to divide batches among; none without `--distribute`.

    Args:
        settings: `experiments.settings.training.Settings`.

    Raises:
        SettingsError: Where the batch cannot be divided evenly among them, or this is one of
            several workers that the backend cannot join.
    """
    if not settings.distribute:
        return []
    devices = _devices_of_workers() if _in_cluster() else keras.distribution.list_devices()
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
    """Join the other workers, where there are any: TensorFlow wants it before it computes."""
    if settings.distribute and _in_cluster():
        _workers()


def keeps_files(devices):
    """Return whether this process keeps what it writes: the chief of several workers does.

    Args:
        devices: What `choose_devices` returned.
    """
    return not devices or not _in_cluster() or _workers().extended.should_checkpoint


def agree(devices, plan):
    """Wait for the other workers, and refuse to go on unless all have the same plan.

    Args:
        devices: What `choose_devices` returned.
        plan: What JSON can hold.

    Raises:
        SettingsError: Where another worker plans something else.
        ConnectionError: Where another worker has ended.
    """
    if not devices or not _in_cluster():
        return
    import tensorflow as tf  # workers are TensorFlow's

    # Few digits, so that their sum over many workers is exact in the floats that all devices add.
    number = zlib.crc32(json.dumps(plan, sort_keys=True).encode()) % 10_000

    def total():
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(float(number)))

    strategy = _workers()
    with _naming_lost_workers():
        sums = strategy.experimental_local_results(strategy.run(tf.function(total)))
    if float(sums[0]) != number * strategy.num_replicas_in_sync:
        raise SettingsError(
            "All workers must be given the same command and see the same --run-dir. Received: "
            "other settings, images or checkpoints on one of them than here"
        )


def _in_cluster():
    """Return whether `TF_CONFIG` makes this process one of several workers.

    Raises:
        SettingsError: Where Keras's backend has no such workers.
    """
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    except ValueError as error:
        raise SettingsError(f"TF_CONFIG must be JSON. Received: {error}") from error
    if not isinstance(config, dict):
        raise SettingsError(f"TF_CONFIG must be a JSON object. Received: {config!r}")
    if not config.get("cluster"):
        return False
    if keras.backend.backend() != "tensorflow":
        raise SettingsError(
            "`distribute` is for the devices of one machine, where one process writes the run, "
            "but on TensorFlow. Unset TF_CONFIG. "
            f"Received: TF_CONFIG={os.environ['TF_CONFIG']}"
        )
    return True


def _devices_of_workers():
    strategy = _workers()
    addresses = [
        f"{kind}:{index}"
        for kind, workers in strategy.cluster_resolver.cluster_spec().as_dict().items()
        for index in range(len(workers))
    ]
    here = strategy.num_replicas_in_sync // len(addresses)
    return [f"{address}/{device}" for address in addresses for device in range(here)]


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
    with _naming_lost_workers(), _DISTRIBUTIONS[keras.backend.backend()](tuple(devices)).scope():
        yield


@contextlib.contextmanager
def _naming_lost_workers():
    if not _in_cluster():
        yield
        return
    import tensorflow as tf  # workers are TensorFlow's

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        reason = str(error).partition("\n")[0]
        raise ConnectionError(f"another worker has ended: end all, and go on. {reason}") from error


@functools.cache  # a second strategy on the same devices would mix up its messages with the first's
def _tensorflow(devices):
    import tensorflow as tf  # one of two backends

    return _workers() if _in_cluster() else tf.distribute.MirroredStrategy(devices)


@functools.cache  # once, and before anything is computed
def _workers():
    import tensorflow as tf  # workers are TensorFlow's

    return tf.distribute.MultiWorkerMirroredStrategy()


def _jax(devices):
    return keras.distribution.DataParallel(devices=devices)


_DISTRIBUTIONS = {"tensorflow": _tensorflow, "jax": _jax}
