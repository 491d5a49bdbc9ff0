"""The generator with averaged weights, for what is saved, shown and evaluated.

A Keras optimizer with `use_ema=True` keeps an exponential moving average of its weights. Its method
`finalize_variable_values` puts the averages in the place of the weights.

The moving statistics of batch normalization are not among these weights. Those of training belong
to the trained weights, not to their average. They are therefore estimated again, as after
stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407, section 3.2): as plain means
over some forward passes of the averaged network.
"""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

_PASSES = 20
_PASS_SIZE = 256
"""Images in a forward pass: 5,120 of them set the statistics."""


def use_averages(gan: keras.Model) -> None:
    """Replace the generator's weights by their averages, if its optimizer keeps any.

    A second call changes nothing.

    Args:
        gan: A compiled `capsgan_keras.GAN`.
    """
    if not _has_averages(gan):
        return
    variables = gan.generator.trainable_variables
    gan.generator_optimizer.finalize_variable_values(variables)
    for variable in variables:
        # On JAX weight and average are one array now, and `predict` donates its memory.
        variable.assign(ops.copy(variable))
    _estimate_statistics(gan.generator, gan.latent_dim)


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
    variables = gan.generator.variables
    before = [np.array(ops.convert_to_numpy(variable)) for variable in variables]
    try:
        use_averages(gan)
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def _has_averages(gan: keras.Model) -> bool:
    optimizer = gan.generator_optimizer
    if optimizer is None or not optimizer.use_ema:
        return False
    # Before the first step the averages are zeros.
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
