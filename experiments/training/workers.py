"""Several workers that train one run: processes that the environment introduces to each other.

Each backend names them in variables of its own, and says in its own errors that one is lost. All
else is the same for both, in `experiments.training.devices`.
"""

import contextlib
import functools
import json
import os

import keras

from experiments.errors import SettingsError

ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
NUMBER = "KERAS_DISTRIBUTION_NUM_PROCESSES"
INDEX = "KERAS_DISTRIBUTION_PROCESS_ID"


class TensorFlowWorkers:
    """Workers that `TF_CONFIG` names, under a `MultiWorkerMirroredStrategy`."""

    def join(self):
        """Join the others, once, and before anything is computed."""
        self._strategy()

    def devices(self):
        """Return the names of all devices of all workers."""
        strategy = self._strategy()
        addresses = [
            f"{kind}:{index}"
            for kind, workers in strategy.cluster_resolver.cluster_spec().as_dict().items()
            for index in range(len(workers))
        ]
        here = strategy.num_replicas_in_sync // len(addresses)
        return [f"{address}/{device}" for address in addresses for device in range(here)]

    def is_chief(self):
        """Return whether this worker keeps what it writes."""
        return self._strategy().extended.should_checkpoint

    def all_have(self, number):
        """Return whether all workers call this with the same number, in [0, 10,000)."""
        import tensorflow as tf  # one of two backends

        # Few digits, so that their sum over many is exact in the floats that all devices add.
        def total():
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(float(number)))

        strategy = self._strategy()
        sums = strategy.experimental_local_results(strategy.run(tf.function(total)))
        return float(sums[0]) == number * strategy.num_replicas_in_sync

    def is_lost(self, error):
        """Return whether an error says that another worker has ended."""
        import tensorflow as tf  # one of two backends

        return isinstance(error, (tf.errors.UnavailableError, tf.errors.AbortedError))

    def scope(self, devices):
        """Return the scope in which models train on all devices."""
        del devices
        return self._strategy().scope()

    def leave(self):
        """Do nothing: the others may end before this process does."""

    @functools.cache  # noqa: B019  # there is one of this class
    def _strategy(self):
        import tensorflow as tf  # one of two backends

        return tf.distribute.MultiWorkerMirroredStrategy()


class JaxWorkers:
    """Workers that variables of Keras name, under a `keras.distribution.DataParallel`."""

    def join(self):
        """Join the others, once, and before anything is computed.

        Raises:
            ConnectionError: Where they cannot be joined.
        """
        import jax  # one of two backends

        if jax.distributed.is_initialized():
            return
        try:
            keras.distribution.initialize()
        except RuntimeError as error:
            raise ConnectionError(f"the other workers could not be joined. {error}") from error

    def devices(self):
        """Return the names of all devices of all workers."""
        self.join()
        return keras.distribution.list_devices()

    def is_chief(self):
        """Return whether this worker keeps what it writes."""
        import jax  # one of two backends

        return jax.process_index() == 0

    def all_have(self, number):
        """Return whether all workers call this with the same number."""
        import numpy as np  # beside what else waits for the backend
        from jax.experimental import multihost_utils  # one of two backends

        return bool((multihost_utils.process_allgather(np.int32(number)) == number).all())

    def is_lost(self, error):
        """Return whether an error says that another worker has ended.

        XLA has no class for it: the libraries that connect the workers say so in words.
        """
        words = ("Gloo", "NCCL", "UNAVAILABLE", "ABORTED")
        return isinstance(error, (RuntimeError, ValueError)) and any(
            word in str(error) for word in words
        )

    def scope(self, devices):
        """Return the scope in which models train on all devices; each process has its rows."""
        return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False).scope()

    def leave(self):
        """Wait for the others and leave them: the chief may work on when they have ended."""
        import jax  # one of two backends

        jax.distributed.shutdown()


WORKERS = {"tensorflow": TensorFlowWorkers(), "jax": JaxWorkers()}


def workers():
    """Return the workers that this process is one of; None where the environment names none.

    Raises:
        SettingsError: Where the environment is wrong, or is of the other backend.
    """
    named = {"tensorflow": _in_tf_config(), "jax": _in_variables_of_keras()}
    backend = keras.backend.backend()
    if named["tensorflow"] and backend != "tensorflow":
        raise SettingsError(
            "`distribute` is for the devices of one machine where TF_CONFIG names workers, but on "
            f"TensorFlow. On JAX {ADDRESSES}, {NUMBER} and {INDEX} name them. Unset TF_CONFIG. "
            f"Received: TF_CONFIG={os.environ['TF_CONFIG']}"
        )
    if named["jax"] and backend != "jax":
        raise SettingsError(
            f"{ADDRESSES}, {NUMBER} and {INDEX} name workers on JAX. On TensorFlow TF_CONFIG names "
            f"them. Unset the variables. Received: {ADDRESSES}={os.environ[ADDRESSES]}"
        )
    if named["tensorflow"]:
        _check_cluster(named["tensorflow"])
    return WORKERS[backend] if named.get(backend) else None


def _in_tf_config():
    """Return what `TF_CONFIG` holds, where it makes this process one of several workers."""
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    except ValueError as error:
        raise SettingsError(f"TF_CONFIG must be JSON. Received: {error}") from error
    if not isinstance(config, dict):
        raise SettingsError(f"TF_CONFIG must be a JSON object. Received: {config!r}")
    return config if config.get("cluster") else None


def _check_cluster(config):
    """Raise a `SettingsError` where `TF_CONFIG` does not say who this worker is among which."""
    cluster, task = config["cluster"], config.get("task")
    lists = cluster.values() if isinstance(cluster, dict) else [cluster]
    if not all(isinstance(each, list) and each and all(map(_is_address, each)) for each in lists):
        raise SettingsError(
            'TF_CONFIG must have a "cluster" such as {"worker": ["10.0.0.1:2222", '
            f'"10.0.0.2:2222"]}}. Received: {json.dumps(cluster)}'
        )
    kind, index = (task.get("type"), task.get("index")) if isinstance(task, dict) else (None, None)
    among = len(cluster[kind]) if isinstance(kind, str) and kind in cluster else 0
    if not str(index).isdecimal() or int(index) >= among:
        raise SettingsError(
            'TF_CONFIG must have a "task" that says which of the cluster this worker is, such as '
            f'{{"type": "worker", "index": 0}}. Received: {json.dumps(task)} in a cluster of '
            f"{', '.join(f'{len(each)} {name}' for name, each in cluster.items())}"
        )


def _is_address(text):
    """Return whether something is host:port."""
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host) and port.isdecimal()


def _in_variables_of_keras():
    """Return whether the variables of Keras make this process one of several workers."""
    given = {name: os.environ.get(name) for name in (ADDRESSES, NUMBER, INDEX)}
    if not any(given.values()):
        return False
    lacking = [name for name, value in given.items() if not value]
    if lacking:
        raise SettingsError(
            f"{ADDRESSES}, {NUMBER} and {INDEX} must be set together. Received: no "
            f"{' and no '.join(lacking)}"
        )
    if not all(map(_is_address, given[ADDRESSES].split(","))):
        raise SettingsError(
            f"{ADDRESSES} must be host:port of worker 0, or of all workers with commas between. "
            f"Received: {given[ADDRESSES]}"
        )
    number, index = given[NUMBER], given[INDEX]
    if not number.isdecimal() or int(number) < 1:
        raise SettingsError(f"{NUMBER} must be the number of workers. Received: {number}")
    if not index.isdecimal() or int(index) >= int(number):
        raise SettingsError(
            f"{INDEX} must be 0 on one worker, and another number below {number} on each. "
            f"Received: {index}"
        )
    return True


@contextlib.contextmanager
def naming_lost_workers():
    """Raise a `ConnectionError` where an error in the block says that another worker has ended."""
    ours = workers()
    try:
        yield
    except Exception as error:
        if ours is None or not ours.is_lost(error):
            raise
        reason = str(error).partition("\n")[0]
        raise ConnectionError(f"another worker has ended: end all, and go on. {reason}") from error
