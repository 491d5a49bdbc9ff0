"""The train step on JAX, where state goes in and out of every function."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import keras

from capsgan_keras.training import adversarial
from capsgan_keras.types import Tensor


class AdversarialTrainer(keras.Model):
    """Override the steps of `keras.Model` on the JAX backend."""

    def train_step(self, state: tuple, data: Any) -> tuple[dict[str, Tensor], tuple]:
        """Update both players on one batch; return the logs and the new state."""
        groups = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        batch = SharedBatch(self.real_images(data), self.real_labels(data))
        return _stateless(
            lambda: adversarial.train_step(self, batch, differentiate, apply_gradients),
            groups,
            state,
        )

    @staticmethod
    def input_gradients(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """Return the gradient of a function's summed outputs; it can be differentiated."""
        return jax.grad(lambda values: jax.numpy.sum(function(values)))(inputs)

    def test_step(self, state: tuple, data: Any) -> tuple[dict[str, Tensor], tuple]:
        """Score one batch; return the logs and the new state."""
        groups = (self.trainable_variables, self.non_trainable_variables, self.metrics_variables)
        batch = SharedBatch(self.real_images(data), self.real_labels(data))
        return _stateless(lambda: adversarial.test_step(self, batch), groups, state)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Do as Keras; where it fails, the model keeps its weights."""
        with undistributed(), _kept_if_it_fails(self):
            return super().predict(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Do as Keras; where it fails, the model keeps its weights."""
        with _kept_if_it_fails(self):
            return super().evaluate(*args, **kwargs)

    def _symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: a GAN is built already, and images are no latents."""

    def make_train_function(self, force: bool = False) -> None:
        """Do as Keras, after a check of what `compile` was for."""
        adversarial.check_compiled(self)
        super().make_train_function(force)

    def check_batch_size(self, size: int) -> None:
        """Raise a `ValueError` unless the devices can share a batch of `size` images evenly."""
        devices = devices_per_batch(self)
        if size % devices:
            raise ValueError(
                f"Under a `keras.distribution` over {devices} devices each batch must be a "
                "multiple of their number, the last one too: change the batch size, or leave "
                f"images out. Received: a batch of {size} images"
            )


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Let each of several processes predict and save by itself, all of them the same.

    Under a distribution over processes Keras takes inputs for the rows of this process alone, and
    cannot give the outputs, which lie on the devices of all. Each variable that saving makes would
    be compared over all processes.
    """
    distribution = keras.distribution.distribution()
    if distribution is None or jax.process_count() == 1:
        yield
        return
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


class ProcessBatches(keras.utils.PyDataset):
    """The rows that this process has of each batch, where several processes share batches.

    Args:
        batches: The `keras.utils.PyDataset` of whole batches, equal in all processes.
    """

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self._batches = batches

    @property
    def num_batches(self) -> int | None:
        """Number of batches in an epoch."""
        return self._batches.num_batches

    def __getitem__(self, index: int) -> Any:
        """Return the rows of this process of the batch at `index`."""
        batch = self._batches[index]  # images, or the pair of these and labels
        size = len(keras.tree.flatten(batch)[0])
        own, rest = divmod(size, jax.process_count())
        if rest:
            raise ValueError(
                f"Each batch must be a multiple of the number of processes, {jax.process_count()}. "
                f"Received: a batch of {size} images"
            )
        start = jax.process_index() * own
        return keras.tree.map_structure(lambda part: part[start : start + own], batch)


@contextlib.contextmanager
def _kept_if_it_fails(model: keras.Model) -> Iterator[None]:
    """Give a model its weights back where the block fails.

    Keras takes them out of the model for the time of `predict` and `evaluate`, and puts them back
    at their end alone.
    """
    before = [(variable, variable.value) for variable in model.variables]
    try:
        yield
    except BaseException:
        model.jax_state_sync()  # what the last whole batch returned
        for variable, value in before:
            if variable._value is None and not value.is_deleted():
                variable.assign(value)
        raise


class SharedBatch(adversarial.Batch):
    """A batch that lies on all devices of Keras's global distribution, if one is set.

    JAX computes as if there were one device, and puts results where their inputs lie. Noise has no
    inputs: without a layout, each device would generate all images.
    """

    def local_rows(self, tensor: Tensor) -> Tensor:
        """Return a tensor of the global batch, its rows on the devices that have the images."""
        distribution = keras.distribution.distribution()
        if distribution is None:
            return tensor
        layout = distribution.get_data_layout(tensor.shape)
        return keras.distribution.distribute_tensor(tensor, layout)


def devices_per_batch(model: keras.Model) -> int:
    """Return the number of devices among which Keras's global distribution divides a batch."""
    del model
    distribution = keras.distribution.distribution()
    if distribution is None or distribution.batch_dim_name is None:
        return 1
    mesh = distribution.device_mesh
    return dict(zip(mesh.axis_names, mesh.shape, strict=True))[distribution.batch_dim_name]


def loss_divisor(loss: keras.losses.Loss, targets: Tensor, outputs: Tensor) -> int:
    """Return 1: Keras divides the value of a loss by nothing."""
    del loss, targets, outputs
    return 1


def _stateless(step: Callable[[], dict[str, Tensor]], groups: tuple, state: tuple) -> tuple:
    """Call `step` with the variables in `groups` at the values of `state`."""
    mapping = list(zip(itertools.chain(*groups), itertools.chain(*state), strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        logs = step()
    return logs, tuple([scope.get_current_value(v) for v in group] for group in groups)


def differentiate(
    gan: keras.Model, forward: Callable[[], tuple], groups: Sequence[list[keras.Variable]]
) -> tuple:
    """See `capsgan_keras.training.adversarial`."""
    wanted = [variable for group in groups for variable in group]
    held = {id(variable) for variable in wanted}
    # The optimizer's are among them for the scale of the losses under float16.
    others = [
        variable
        for variable in [*gan.variables, *gan.optimizer.variables]
        if id(variable) not in held
    ]
    other_values = [variable.value for variable in others]

    def pure(values: list[Tensor]) -> tuple:
        mapping = [*zip(wanted, values, strict=True), *zip(others, other_values, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            losses, outputs = forward()
        # A layer may also have changed what is trained, such as a kernel that it normalizes.
        return losses, (outputs, [scope.get_current_value(v) for v in [*others, *wanted]])

    values = [variable.value for variable in wanted]
    result: tuple = jax.vjp(pure, values, has_aux=True)
    losses, pullback, (outputs, new_values) = result
    for variable, value in zip([*others, *wanted], new_values, strict=True):
        variable.assign(value)

    gradients: list[list[Tensor]] = []
    start = 0
    for index, group in enumerate(groups):
        seeds = [jax.numpy.zeros_like(loss) for loss in losses]
        seeds[index] = jax.numpy.ones_like(losses[index])
        (all_gradients,) = pullback(tuple(seeds))
        gradients.append(all_gradients[start : start + len(group)])
        start += len(group)
    return losses, outputs, gradients


def apply_gradients(
    gan: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    gradients: list[Tensor],
    variables: list[keras.Variable],
) -> None:
    """See `capsgan_keras.training.adversarial`."""
    del gan
    new_values, new_optimizer_values = optimizer.stateless_apply(
        [variable.value for variable in optimizer.variables],
        gradients,
        [variable.value for variable in variables],
    )
    for variable, value in zip(variables, new_values, strict=True):
        variable.assign(value)
    for variable, value in zip(optimizer.variables, new_optimizer_values, strict=True):
        variable.assign(value)
