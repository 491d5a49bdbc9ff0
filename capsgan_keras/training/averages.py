"""The generator with averaged weights, for what is saved, shown and evaluated.

A Keras optimizer with `use_ema=True` keeps an exponential moving average of its weights and, with
`finalize_variable_values`, puts it in their place. The moving statistics of batch normalization are
not among these weights: those of training belong to the weights that were trained, not to their
average. They are therefore taken anew, as after stochastic weight averaging (Izmailov et al. 2018,
arXiv 1803.05407, section 3.2): as plain means over some forward passes of the averaged network.
"""

import contextlib

import keras
import numpy as np
from keras import ops

_PASSES = 20
_PASS_SIZE = 256
"""Images in a forward pass: 5,120 of them set the statistics."""


def use_averages(gan):
    """Put the averages in the place of the generator's weights, where its optimizer keeps any.

    Calling it again changes nothing, for the averages stay as they are.

    Args:
        gan: A compiled `capsgan_keras.GAN`.
    """
    if not _has_averages(gan):
        return
    variables = gan.generator.trainable_variables
    gan.generator_optimizer.finalize_variable_values(variables)
    for variable in variables:
        # On JAX weight and average are one array now, which `predict` would give away.
        variable.assign(ops.copy(variable))
    _estimate_statistics(gan.generator, gan.latent_dim)


@contextlib.contextmanager
def averaged(gan):
    """Use the averages within the block; training goes on from what was there, bit for bit.

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


def _has_averages(gan):
    optimizer = gan.generator_optimizer
    if optimizer is None or not optimizer.use_ema:
        return False
    return int(ops.convert_to_numpy(optimizer.iterations)) > 0  # before, they are zeros


def _estimate_statistics(generator, latent_dim):
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
            for layer in layers:  # so that each pass counts as much as those before it
                layer.momentum = done / (done + 1)
            generator(draws.standard_normal((_PASS_SIZE, latent_dim), "float32"), training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
