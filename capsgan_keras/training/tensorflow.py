"""The train step on TensorFlow."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from capsgan_keras.training import adversarial, replicas
from capsgan_keras.training.fused_kernels import fused_kernels
from capsgan_keras.types import Tensor


class AdversarialTrainer(keras.Model):
    """Override the steps of `keras.Model` on the TensorFlow backend."""

    train_function: Any  # None before the first `fit`
    test_function: Any  # None before the first `evaluate`

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """Update both players on one batch, or this replica's part of it; return the logs."""
        parts = self.real_images(data), self.real_labels(data)
        if replicas.replica_count() == 1:
            batch = adversarial.Batch(*parts)
            with fused_kernels(self, (self.generator_optimizer, self.discriminator_optimizer)):
                return adversarial.train_step(self, batch, differentiate, apply_gradients)
        with replicas.seeds_of_this_replica(self):
            batch = replicas.ReplicaBatch(*parts)
            logs = adversarial.train_step(self, batch, differentiate, apply_gradients)
        return replicas.reducible(logs)

    @staticmethod
    def input_gradients(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """Return the gradient of a function's summed outputs; it can be differentiated."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            outputs = function(inputs)
        return tape.gradient(outputs, inputs)

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """Score one batch and return the logs."""
        parts = self.real_images(data), self.real_labels(data)
        if replicas.replica_count() == 1:
            return adversarial.test_step(self, adversarial.Batch(*parts))
        return replicas.reducible(adversarial.test_step(self, replicas.ReplicaBatch(*parts)))

    def check_batch_size(self, size: int) -> None:
        """Raise a `ValueError` unless each replica gets an image of a batch of `size`."""
        count = replicas.devices_per_batch(self)
        largest = -(-size // count)
        if largest * (count - 1) >= size:
            raise ValueError(
                f"A batch must give each of the {count} replicas an image; TensorFlow gives "
                f"{largest} to one after the other. Change the batch size, or leave images out. "
                f"Received: a batch of {size} images"
            )

    def make_train_function(self, force: bool = False) -> None:
        """Do as Keras; on several replicas, normalize batches over all of them."""
        adversarial.check_compiled(self)
        before = self.train_function
        super().make_train_function(force)
        if replicas.devices_per_batch(self) > 1:
            replicas.check_strategy(self)
            if self.train_function is not before:
                self.train_function = replicas.normalize_over_replicas(self, self.train_function)

    def make_test_function(self, force: bool = False) -> None:
        """Do as Keras; on several replicas, normalize batches over all of them."""
        before = self.test_function
        super().make_test_function(force)
        if replicas.devices_per_batch(self) > 1:
            replicas.check_strategy(self)
            if self.test_function is not before:
                self.test_function = replicas.normalize_over_replicas(self, self.test_function)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Do as Keras on one replica; refuse several."""
        self._refuse_replicas("train_on_batch")
        return super().train_on_batch(*args, **kwargs)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Do as Keras on one replica; refuse several."""
        self._refuse_replicas("test_on_batch")
        return super().test_on_batch(*args, **kwargs)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Do nothing: a GAN is built already.

        Keras would add up the first batch's parts to see their shape. That fails where the parts
        have different sizes, and always over several workers.
        """

    def _refuse_replicas(self, method: str) -> None:
        if replicas.devices_per_batch(self) > 1:
            raise NotImplementedError(
                f"`{method}` gives every replica the whole batch: use `fit` or `evaluate`. "
                f"Received: {replicas.devices_per_batch(self)} replicas"
            )


def differentiate(
    gan: keras.Model, forward: Callable[[], tuple], groups: Sequence[list[keras.Variable]]
) -> tuple:
    """See `capsgan_keras.training.adversarial`."""
    del gan
    with tf.GradientTape(persistent=len(groups) > 1) as tape:
        losses, outputs = forward()
        if replicas.replica_count() > 1:
            # Each replica has the whole loss, and their gradients will be summed up.
            losses = [loss / replicas.replica_count() for loss in losses]
    gradients = [
        tape.gradient(loss, variables) for loss, variables in zip(losses, groups, strict=True)
    ]
    return losses, outputs, gradients


def apply_gradients(
    gan: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    gradients: list[Tensor],
    variables: list[keras.Variable],
) -> None:
    """See `capsgan_keras.training.adversarial`."""
    del gan
    if replicas.replica_count() > 1:
        gradients = replicas.summed_gradients(optimizer, gradients)
    optimizer.apply(gradients, variables)
