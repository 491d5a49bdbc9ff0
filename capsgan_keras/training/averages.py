"""The generator with averaged weights, for what is saved, shown and evaluated.

A Keras optimizer with `use_ema=True` keeps an exponential moving average of its weights. Its method
`finalize_variable_values` puts the averages in the place of the weights.

The moving statistics of batch normalization are not among these weights. Those of training belong
to the trained weights, not to their average. They are therefore estimated again, as after
stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407, section 3.2): as plain means
over some forward passes of the averaged network.
"""

import contextlib
from collections.abc import Iterable, Iterator

import keras
import numpy as np
from keras import ops

_PASSES = 20
_PASS_SIZE = 256
"""Images in a forward pass: 5,120 of them set the statistics."""


def start_averages(gan: keras.Model) -> None:
    """Set averages before the first step, which Keras has at zero, to the weights.

    Training that makes no step would else end with weights of zero.

    Args:
        gan: A compiled `capsgan_keras.GAN`.
    """
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        if optimizer.use_ema and not _has_stepped(optimizer):
            # A player that is frozen has none.
            averages = getattr(optimizer, "_model_variables_moving_average", [])
            for variable, average in zip(optimizer._trainable_variables, averages, strict=True):
                average.assign(ops.copy(variable))


def use_averages(gan: keras.Model) -> None:
    """Replace the generator's weights by their averages, if its optimizer keeps any.

    A second call changes nothing.

    Args:
        gan: A compiled `capsgan_keras.GAN`.
    """
    if not _has_averages(gan):
        return
    variables = gan.player_variables[0]
    gan.generator_optimizer.finalize_variable_values(variables)
    part_from_averages(variables)
    _estimate_statistics(gan.generator, gan.latent_dim)


def part_from_averages(variables: Iterable[keras.Variable]) -> None:
    """Let weights that are averages now have memory of their own.

    On JAX weight and average would be one array, and `predict` donates its memory.
    """
    for variable in variables:
        variable.assign(ops.copy(variable))


@contextlib.contextmanager
def averaged(gan: keras.Model) -> Iterator[None]:
    """Use the averages within the block; then restore the weights exactly.

    Args:
        gan: As in `use_averages`.
    """
    if not _has_averages(gan):
        yield
        return
    # Not by keras.callbacks.SwapEMAWeights: on TensorFlow it swaps by sums, which round.
    variables = [*gan.generator.variables, *gan.player_variables[0]]  # an encoder's, too
    before = [np.array(ops.convert_to_numpy(variable)) for variable in variables]
    try:
        use_averages(gan)
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def _has_averages(gan: keras.Model) -> bool:
    optimizer = gan.generator_optimizer
    return optimizer is not None and optimizer.use_ema and _has_stepped(optimizer)


def _has_stepped(optimizer: keras.optimizers.Optimizer) -> bool:
    return int(ops.convert_to_numpy(optimizer.iterations)) > 0


def _estimate_statistics(generator: keras.Model, latent_dim: int) -> None:
    """Set the moving statistics of batch normalization to means over forward passes."""
    layers = [
        layer
        for layer in generator._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    draws = np.random.default_rng(0)
    try:
        for done in range(_PASSES):
            for layer in layers:  # so that all passes have equal weight in the mean
                layer.momentum = done / (done + 1)
            generator(draws.standard_normal((_PASS_SIZE, latent_dim), "float32"), training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
