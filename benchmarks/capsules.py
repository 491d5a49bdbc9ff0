"""Speed and memory of the capsule layer against two textbook ways to compute it.

One forward and backward pass of a layer, in float32, with gradients for its inputs and weights.
The layers are the last ones of CapsNet and of the experiments' discriminators, and some with other
routings or windows beside the plain way. Values and gradients are compared before any is timed.
"""

from functools import partial

import keras
import numpy as np
import tensorflow as tf

from benchmarks.measuring import (
    check_values,
    difference,
    in_own_process,
    peak_memory,
    ratios,
    spread,
    time_in_turn,
)
from benchmarks.reference.capsules import (
    EinsumCapsules,
    MapFnCapsules,
    textbook_kernel,
    textbook_layer,
    textbook_weights,
)
from benchmarks.reference.routed import joined, plain
from benchmarks.training.networks import new_gan
from capsgan_keras.layers import CapsuleLayer, ConvCapsuleLayer
from capsgan_keras.models import CapsNet
from experiments import cifar10, mnist

TOLERANCE = 1e-4
"""Largest difference of values and gradients, as a share of the largest element."""
LAYER = "layer"
TEXTBOOK = {"einsum": EinsumCapsules, "map_fn": MapFnCapsules}
NETWORKS = {
    "CapsNet, MNIST": lambda: CapsNet((28, 28, 1), 10).encoder,
    "CapsNet, CIFAR-10": lambda: CapsNet((32, 32, 3), 10).encoder,
    "discriminator, MNIST, paper": lambda: new_gan(mnist.PAPER, "capsule").discriminator,
    "discriminator, MNIST, tuned": lambda: new_gan(mnist.TUNED, "capsule").discriminator,
    "discriminator, CIFAR-10, tuned": lambda: new_gan(cifar10.TUNED, "capsule").discriminator,
}
"""Functions that build the networks whose last capsules are timed."""
QUICK = "discriminator, MNIST, tuned"
"""The one that tests time."""
SEED = 0
FULL, WINDOWS = (1152, 8), (14, 14, 8, 8)
ROUTED = {
    "leaky": (lambda: CapsuleLayer(10, 16, routing="leaky"), FULL),
    "self-attention": (lambda: CapsuleLayer(10, 16, routing="self_attention"), FULL),
    "inverted dot-product": (lambda: CapsuleLayer(10, 16, routing="inverted_dot_product"), FULL),
    "EM": (lambda: CapsuleLayer(10, 16, routing="em"), FULL),
    "dynamic, windows": (lambda: ConvCapsuleLayer(16, 8, 3, 2), WINDOWS),
    "self-attention, windows": (
        lambda: ConvCapsuleLayer(16, 8, 3, 2, routing="self_attention"),
        WINDOWS,
    ),
    "EM, windows": (lambda: ConvCapsuleLayer(16, 8, 3, 2, routing="em"), WINDOWS),
}
"""Functions that make the layers, and the shapes of their inputs without the batch."""


def run(quick=False):
    """Check and time all layers, and measure their memory.

    Args:
        quick: Whether only a small layer is timed on small batches, for tests.

    Returns:
        Dictionary for the JSON file: `batch_size`, `rounds`, `layers`, which holds what `measure`
        returns for each network, and `routings`, what `measure_routed` returns for each layer.

    Raises:
        DisagreementError: Where a textbook layer computes other values.
    """
    batch_size, rounds = (4, 2) if quick else (128, 9)
    names = [QUICK] if quick else NETWORKS
    layers = {}
    for name in names:
        print(f"capsules: {name}", flush=True)
        layers[name] = measure(sizes_of(NETWORKS[name]()), batch_size, rounds, quick)
    routings = {}
    for name in list(ROUTED)[-1 if quick else 0 :]:
        print(f"capsules: {name}", flush=True)
        routings[name] = measure_routed(name, batch_size, rounds, quick)
    return {"batch_size": batch_size, "rounds": rounds, "layers": layers, "routings": routings}


def sizes_of(network):
    """Return the sizes of a functional model's last `CapsuleLayer`, as a dictionary."""
    *_, layer = (layer for layer in network.layers if isinstance(layer, CapsuleLayer))
    _, num_input, input_dim = layer.input.shape
    return {
        "num_input": num_input,
        "input_dim": input_dim,
        "num_capsule": layer.num_capsule,
        "dim_capsule": layer.dim_capsule,
        "routings": layer.routings,
    }


def measure(sizes, batch_size, rounds, quick):
    """Check, time and weigh all ways to compute one layer.

    Args:
        sizes: Dictionary of `sizes_of`.
        batch_size: Samples in a pass.
        rounds: How often the passes are timed.
        quick: Whether memory is measured in this process.

    Returns:
        The sizes; `differences` of the textbook layers; and `ways`: for each `milliseconds` and
        `times_layer`, how many times the layer's time, as spreads over the rounds, and `memory`
        in bytes, None where it can't be measured.

    Raises:
        DisagreementError: Where a textbook layer computes other values.
    """
    passes = {way: make_pass(way, sizes, batch_size) for way in (LAYER, *TEXTBOOK)}
    differences = compare(passes, sizes)
    # A pass of one capsule is so short that several are timed at a time.
    seconds = time_in_turn(passes, 2 if sizes["num_capsule"] > 1 else 20, rounds)
    return sizes | {
        "differences": differences,
        "ways": {
            way: {
                "milliseconds": spread([1e3 * value for value in values]),
                "times_layer": ratios(values, seconds[LAYER]),
                "memory": in_own_process(memory, way, sizes, batch_size, quick=quick),
            }
            for way, values in seconds.items()
        },
    }


def measure_routed(name, batch_size, rounds, quick):
    """Check, time and weigh a layer of `ROUTED` and its plain way.

    Args:
        name: Key of `ROUTED`.
        batch_size: As in `measure`.
        rounds: As in `measure`.
        quick: As in `measure`.

    Returns:
        `capsules`, the shapes of inputs and outputs in words, and `differences` and `ways` as in
        `measure`.

    Raises:
        DisagreementError: Where the plain way computes other values.
    """
    passes = routed_passes(name, batch_size)
    ours, theirs = (way() for way in passes.values())
    names = ("value", "input_gradient", "kernel_gradient")
    differences = dict(zip(names, map(difference, ours, theirs), strict=True))
    check_values(f"{name}: the layer and einsum", differences, TOLERANCE)
    seconds = time_in_turn(passes, 2, rounds)
    make, inputs = ROUTED[name]
    outputs = (*ours[0].shape[1:-1], make().dim_capsule)
    return {
        "capsules": " to ".join(" x ".join(map(str, shape)) for shape in (inputs, outputs)),
        "differences": {"einsum": differences},
        "ways": {
            way: {
                "milliseconds": spread([1e3 * value for value in values]),
                "times_layer": ratios(values, seconds[LAYER]),
                "memory": in_own_process(routed_memory, way, name, batch_size, quick=quick),
            }
            for way, values in seconds.items()
        },
    }


def routed_passes(name, batch_size):
    """Return a layer's pass and that of its plain way, by the ways' names, as `make_pass` does."""
    make, shape = ROUTED[name]
    keras.utils.set_random_seed(SEED)
    layer = make()
    outputs = joined(layer(keras.Input(shape)))
    inputs = tf.random.stateless_normal((batch_size, *shape), (SEED, 0), stddev=0.3)
    factors = tf.random.stateless_normal((batch_size, *outputs.shape[1:]), (SEED, 1))
    ways = {LAYER: lambda inputs: joined(layer(inputs)), "einsum": partial(plain, layer)}
    return {way: _compiled(function, inputs, layer, factors) for way, function in ways.items()}


def make_pass(way, sizes, batch_size):
    """Return a compiled forward and backward pass, always on the same weights and inputs.

    Args:
        way: `"layer"` or a key of `TEXTBOOK`.
        sizes: Dictionary of `sizes_of`.
        batch_size: Samples in the pass.

    Returns:
        Function without arguments that returns the layer's value, and the gradients of a weighted
        sum of it with respect to inputs and kernel.
    """
    layer = CapsuleLayer(
        sizes["num_capsule"],
        sizes["dim_capsule"],
        sizes["routings"],
        kernel_initializer=keras.initializers.GlorotUniform(seed=SEED),
    )
    shape = (batch_size, sizes["num_input"], sizes["input_dim"])
    outputs = layer(keras.Input(shape[1:]))
    if way != LAYER:
        weights = textbook_weights(layer)
        layer = textbook_layer(layer, TEXTBOOK[way])
        layer.build(shape)
        layer.set_weights(weights)
    inputs = tf.random.stateless_normal(shape, (SEED, 0), stddev=0.3)
    factors = tf.random.stateless_normal((batch_size, *outputs.shape[1:]), (SEED, 1))

    return _compiled(layer, inputs, layer, factors)


def _compiled(function, inputs, layer, factors):
    @tf.function
    def compute():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function(inputs)
            total = tf.reduce_sum(value * factors)
        return value, *tape.gradient(total, [inputs, layer.kernel.value])

    return compute


def compare(passes, sizes):
    """Return the differences of the layer's value and gradients from the textbook layers'.

    Raises:
        DisagreementError: Where one is above the tolerance.
    """
    value, to_inputs, to_kernel = map(np.asarray, passes[LAYER]())
    to_kernel = textbook_kernel(to_kernel, sizes["num_capsule"], sizes["input_dim"])
    differences = {}
    for way in TEXTBOOK:
        found = map(difference, (value, to_inputs, to_kernel), passes[way]())
        names = ("value", "input_gradient", "kernel_gradient")
        differences[way] = dict(zip(names, found, strict=True))
        check_values(f"The layer and {way}", differences[way], TOLERANCE)
    return differences


def memory(way, sizes, batch_size):
    """Return the bytes by which this process grows in a pass; arguments as of `make_pass`."""
    # What TensorFlow takes once for itself is not counted, and neither is the graph.
    make_pass(way, sizes | {"num_input": 8}, 2)()
    return peak_memory(make_pass(way, sizes, batch_size).get_concrete_function())


def routed_memory(way, name, batch_size):
    """Return the bytes by which this process grows in a pass of a layer of `ROUTED`."""
    routed_passes(name, 2)[way]()
    return peak_memory(routed_passes(name, batch_size)[way].get_concrete_function())
