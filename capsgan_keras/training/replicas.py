"""One step of a GAN on several replicas of a `tf.distribute` strategy.

The step is that of one device on the global batch:

- Each replica draws the noise of the global batch from the same state and takes its own rows.
- It runs the networks on its part of the batch, with batch normalization over all parts.
- It sees the discriminator's outputs on all parts, so that losses and logs need no averaging.
- Its gradients hold what its own rows contribute: their sum over the replicas is the gradient.
"""

import contextlib
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from capsgan_keras.training.adversarial import Batch
from capsgan_keras.types import Tensor

SEED_STRIDE = 0x9E3779B1
"""Difference between the seeds of two replicas, far from the small numbers that users take."""
_DIVIDED = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


class ReplicaBatch(Batch):
    """The part of a batch that one replica has.

    The parts may have different sizes, but none may be empty: on a CPU TensorFlow gives a
    convolution of no images the wrong shape.

    Args:
        real: Images `(part, height, width, channels)`.
        labels: Their classes, int32 `(part,)`; None where they are not used.

    Attributes:
        real: The images of the part.
        labels: Their classes.
        size: Number of images in the global batch.
    """

    def __init__(self, real: Tensor, labels: Tensor | None = None) -> None:
        self.labels = labels
        self._context = tf.distribute.get_replica_context()
        own = self._context.replica_id_in_sync_group
        self._own_size = tf.shape(real)[0]
        # As floats, which every kind of device can sum up.
        sizes = tf.one_hot(own, replica_count()) * tf.cast(self._own_size, "float32")
        sizes = tf.cast(self._context.all_reduce(tf.distribute.ReduceOp.SUM, sizes), "int32")
        filled = tf.debugging.assert_positive(sizes, "A batch leaves a replica without images")
        with tf.control_dependencies([filled] if filled is not None else []):  # None: eagerly
            self.real = tf.identity(real)
        self.size = tf.reduce_sum(sizes)
        self._start = tf.reduce_sum(sizes[:own])

    def local_rows(self, tensor: Tensor) -> Tensor:
        """Return this replica's rows of a tensor of the global batch."""
        return tensor[self._start : self._start + self._own_size]

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the rows of all replicas, in order; gradients flow back to each."""
        after = self.size - self._start - self._own_size
        # A sum of rows padded with zeros: `all_gather` is slower, and not there on all strategies.
        padded = tf.pad(tensor, [[self._start, after], *[[0, 0]] * (len(tensor.shape) - 1)])
        return self._context.all_reduce(tf.distribute.ReduceOp.SUM, padded)


def replica_count() -> int:
    """Return the number of replicas of the current strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def undistributed() -> contextlib.AbstractContextManager[None]:
    """Return a context without effect: a strategy predicts and saves in each worker."""
    return contextlib.nullcontext()


def devices_per_batch(model: keras.Model) -> int:
    """Return the number of replicas among which a model's strategy divides a batch."""
    return model.distribute_strategy.num_replicas_in_sync


def loss_divisor(loss: keras.losses.Loss, targets: Tensor, outputs: Tensor) -> int:
    """Return the number by which Keras divides `loss(targets, outputs)`.

    Keras divides a mean that it takes itself by the number of replicas, since it expects parts of
    a sum over them. It does not divide a mean that the loss's own `call` has taken.
    """
    if replica_count() == 1 or getattr(loss, "reduction", None) not in _DIVIDED:
        return 1
    return replica_count() if len(loss.call(targets, outputs).shape) > 0 else 1


def summed_gradients(
    optimizer: keras.optimizers.Optimizer, gradients: list[Tensor | None]
) -> list[Tensor | None]:
    """Return gradients that an optimizer may clip or search for overflow.

    An optimizer sums over the replicas, but only after it has clipped each replica's part, and it
    looks for overflow in the first one's part alone. Here the first replica gets the sum and the
    others get zeros, so that the optimizer's sum stays the same.

    Args:
        optimizer: The optimizer that is to apply the gradients.
        gradients: List of tensors and None.
    """
    if not _clips_or_scales(optimizer):
        return gradients
    context = tf.distribute.get_replica_context()
    is_first = tf.equal(context.replica_id_in_sync_group, 0)
    present = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
    sums = context.all_reduce(tf.distribute.ReduceOp.SUM, present)
    shares = iter([tf.where(is_first, total, tf.zeros_like(total)) for total in sums])
    return [None if gradient is None else next(shares) for gradient in gradients]


def _clips_or_scales(optimizer: keras.optimizers.Optimizer) -> bool:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return True
    return any(
        getattr(inner, option)
        for inner in getattr(optimizer, "optimizers", [optimizer])
        for option in ("clipnorm", "clipvalue", "global_clipnorm")
    )


def reducible(logs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return logs in the shape in which Keras takes their means over the replicas.

    Over several workers Keras takes them along a first axis, which a scalar does not have.
    """
    strategy = tf.distribute.get_strategy()
    here = len(strategy.extended.worker_devices)
    if strategy.num_replicas_in_sync == here:
        return logs
    return {name: value[None] for name, value in logs.items()}


@contextlib.contextmanager
def seeds_of_this_replica(gan: keras.Model) -> Iterator[None]:
    """Let dropout, and other layers with seeds, draw different numbers on each replica.

    Each replica has a copy of a seed's state. All copies are equal before and after the block.
    """
    noise = {id(gan.noise.state), id(gan.evaluation_noise.state)}
    states = [state for state in gan.seed_states() if id(state) not in noise]
    own = tf.distribute.get_replica_context().replica_id_in_sync_group
    shifts = [tf.constant([SEED_STRIDE, 0], s.dtype) * tf.cast(own, s.dtype) for s in states]
    for state, shift in zip(states, shifts, strict=True):
        state.assign_add(shift)
    yield
    for state, shift in zip(states, shifts, strict=True):
        state.assign_sub(shift)


def normalize_over_replicas(gan: keras.Model, function: Callable) -> Callable:
    """Return a train or test function that normalizes batches over all replicas.

    Layers of batch normalization and operations that take a batch's own moments are `synchronized`
    only while the function runs, which is when it is traced. So a saved network does not have the
    option, and loads on other backends.
    """
    parts = [
        operation
        for layer in gan._flatten_layers()
        for operation in getattr(layer, "operations", [layer])
        if getattr(operation, "synchronized", None) is False
    ]

    def synchronized(iterator: Iterator) -> dict[str, Tensor]:
        for part in parts:
            part.synchronized = True
        try:
            return function(iterator)
        finally:
            for part in parts:
                part.synchronized = False

    return synchronized


def check_strategy(gan: keras.Model) -> None:
    """Raise an error unless a GAN can be trained on the replicas of its strategy.

    Raises:
        NotImplementedError: Under a strategy other than the supported ones.
        ValueError: Where variables were made outside of the strategy's scope, or on options of
            `compile` that the strategy does not support.
    """
    strategy = gan.distribute_strategy
    supported = tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy
    if not isinstance(strategy, supported):
        raise NotImplementedError(
            "A GAN trains on several replicas of a tf.distribute.MirroredStrategy or "
            "MultiWorkerMirroredStrategy only. "
            f"Received: a {type(strategy).__name__} with {strategy.num_replicas_in_sync} replicas"
        )
    for variable in [*gan.variables, *gan.optimizer.variables]:
        if not strategy.extended.variable_created_in_scope(variable.value):
            raise ValueError(
                "The networks, the GAN and its optimizers must be made, and `compile` called, "
                "inside the scope of the strategy. Received: the variable "
                f"{variable.path!r}, made outside of it"
            )
    # TensorFlow would refuse both, for any Keras model, in words that do not name them.
    if gan.jit_compile:
        raise ValueError(
            "`jit_compile` must be False or 'auto' on several replicas. Received: jit_compile=True"
        )
    operations = type(getattr(strategy.extended, "_cross_device_ops", None)).__name__
    if gan.steps_per_execution > 1 and operations == "CollectiveAllReduce":
        raise ValueError(
            "`steps_per_execution` must be 1 on several replicas, but where the strategy was made "
            "with cross_device_ops=tf.distribute.HierarchicalCopyAllReduce() or "
            "ReductionToOneDevice(). "
            f"Received: steps_per_execution={gan.steps_per_execution}"
        )
