"""What a training step needs at least, and what the machine gives at best.

The multiply-adds of the simultaneous step, per real image, with as many generated ones:

- the generator's forward pass F, its weights' gradients F, and its inputs' gradients F but for
  the first layer, which has none to pass on;
- the discriminator's forward pass and its weights' gradients for real and generated images, its
  inputs' gradients for both but for the first layer, and one more whole pass back, of the
  generator's loss to the generated images.

The alternating step shares no pass between the players: it needs one more forward pass of the
generator and one more of the discriminator.

Only convolutions, matrix products and capsules count: element by element work, normalization and
the optimizers need few multiply-adds, though not little time. Products with a convolution's zero
padding are counted like others. A layer of capsules counts as one product with its kernel: that is
all for one output capsule, and leaves out the routing of several.

The machine's best is the rate of the fastest large matrix product and of the fastest large
convolution, measured in the same run. Between the two stands the rate of the step's own large
convolutions, each timed alone: forward, gradient for the inputs, gradient for the kernel. Many
products are made in one compiled loop, so that a call lasts long beside its dispatch.
"""

import math
import time

import keras
from keras import layers, ops

from benchmarks.measuring import spread
from capsgan_keras.layers import CapsuleLayer, PrimaryCap

MATRICES = (1024, 2048, 4096)
"""Sides of square matrices."""
CONVOLUTIONS = ((64, 128, 5), (128, 128, 3), (128, 256, 5))
"""Channels in and out, and the kernel's side, on 64 images of 28 x 28."""
ROUNDS = 5
LEAST_SECONDS = 0.05
"""Of a timed call."""
LARGE = 0.1
"""Least share of its network's multiply-adds that a convolution has to be timed alone."""
PASSES = {
    "generator": {"forward": 1, "input gradient": 1, "kernel gradient": 1},
    "discriminator": {"forward": 2, "input gradient": 3, "kernel gradient": 2},
}
"""How often the simultaneous step goes through a layer, per real image."""


def forward_multiply_adds(network):
    """Return the multiply-adds of a functional model's layers, for one sample, in order."""
    return [count for _, count in _counted(network)]


def _counted(network):
    """Layers that multiply, with their multiply-adds for one sample."""
    counts = []
    for layer in network.layers:
        if isinstance(layer, PrimaryCap):
            kernel = layer.convolution.kernel
            positions = layer.output.shape[1] // layer.n_channels
        elif isinstance(layer, layers.Conv2DTranspose):  # before Conv2D: each input is spread out
            kernel, positions = layer.kernel, math.prod(layer.input.shape[1:3])
        elif isinstance(layer, layers.Conv2D):
            kernel, positions = layer.kernel, math.prod(layer.output.shape[1:3])
        elif isinstance(layer, layers.Dense | CapsuleLayer):
            kernel, positions = layer.kernel, 1
        else:
            continue
        counts.append((layer, positions * math.prod(kernel.shape)))
    return counts


def step_multiply_adds(gan):
    """Return the multiply-adds of a simultaneous step, per real image; see the module."""
    generator = forward_multiply_adds(gan.generator)
    discriminator = forward_multiply_adds(gan.discriminator)
    return 3 * sum(generator) - generator[0] + 7 * sum(discriminator) - 2 * discriminator[0]


def alternating_multiply_adds(gan):
    """Return the multiply-adds of an alternating step, per real image; see the module."""
    forward = [sum(forward_multiply_adds(one)) for one in (gan.generator, gan.discriminator)]
    return step_multiply_adds(gan) + sum(forward)


def best_rates(dtype):
    """Measure the machine's fastest large products.

    Args:
        dtype: `"float32"` or `"bfloat16"`.

    Returns:
        Dictionary `matmul`, `convolution`: floating-point operations per second, a multiply-add
        counted as two, of the product with the highest median, as spreads over the rounds.
    """

    def matmul(side):
        matrix = ops.full((side, side), 1 / side, dtype)
        return rate(2 * side**3, ops.matmul, matrix, matrix)

    def convolution(channels, filters, kernel_size):
        images = ops.ones((64, 28, 28, channels), dtype)
        kernel = ops.full((kernel_size, kernel_size, channels, filters), 1e-3, dtype)
        count = 2 * 64 * 28 * 28 * channels * filters * kernel_size**2

        def convolve(images, kernel):
            return ops.conv(images, kernel, padding="same", data_format="channels_last")

        return rate(count, convolve, images, kernel)

    return {
        "matmul": max(map(matmul, MATRICES), key=_median),
        "convolution": max((convolution(*sizes) for sizes in CONVOLUTIONS), key=_median),
    }


def _median(values):
    return values["median"]


def own_convolutions(gan, batch_size, dtype):
    """Measure the large convolutions of a GAN's networks, each alone.

    Args:
        gan: A `capsgan_keras.GAN` with images `(height, width, channels)`.
        batch_size: Images in a product.
        dtype: `"float32"` or `"bfloat16"`.

    Returns:
        Dictionary: `products`, a list of dictionaries `network`, `layer`, `pass`, and `rate`, a
        spread of floating-point operations per second; `rate`, that of all of them together, each
        made as often as in a simultaneous step, at the medians.
    """
    products, operations, seconds = [], 0, 0.0
    for player, passes in PASSES.items():
        counted = _counted(getattr(gan, player))
        total = sum(count for _, count in counted)
        for layer, count in counted:
            shape = (batch_size, *layer.input.shape[1:])
            layer = layer.convolution if isinstance(layer, PrimaryCap) else layer
            if not isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
                continue
            if count < LARGE * total:
                continue
            for name, function, operands in _passes(layer, shape, dtype):
                found = rate(2 * count * batch_size, function, *operands)
                products.append(
                    {"network": player, "layer": layer.name, "pass": name, "rate": found}
                )
                operations += passes[name] * count
                seconds += passes[name] * count / found["median"]
    return {"products": products, "rate": operations / seconds}


def _passes(layer, shape, dtype):
    """The passes of a convolution of inputs of a shape: name, function of two tensors, these."""
    transposed = isinstance(layer, layers.Conv2DTranspose)
    convolution = ops.conv_transpose if transposed else ops.conv
    options = {"strides": layer.strides, "padding": layer.padding, "data_format": "channels_last"}

    def forward(images, kernel):
        return convolution(images, kernel, **options)

    images = ops.ones(shape, dtype)
    kernel = ops.full(layer.kernel.shape, 1e-3, dtype)
    gradient = ops.full(layer.compute_output_shape(shape), 1e-3, dtype)
    return [
        ("forward", forward, (images, kernel)),
        (
            "input gradient",
            lambda gradient, kernel: _pull_back(lambda x: forward(x, kernel), images, gradient),
            (gradient, kernel),
        ),
        (
            "kernel gradient",
            lambda images, gradient: _pull_back(lambda k: forward(images, k), kernel, gradient),
            (images, gradient),
        ),
    ]


def _pull_back(function, at, gradient):
    """The gradient for the argument of a linear function, whose value itself is not needed."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.vjp(function, at)[1](gradient)[0]
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(at)
        value = function(at)
    return tape.gradient(value, at, output_gradients=gradient)


def rate(operations, function, one, other):
    """Measure the rate of a product.

    Args:
        operations: Floating-point operations of one product.
        function: Function of two tensors.
        one, other: The tensors.

    Returns:
        Spread over `ROUNDS` of operations per second.
    """
    repeat = _repeating(function, one, other)
    count = 1
    repeat(count)  # compiles
    while (seconds := _seconds(repeat, count)) < LEAST_SECONDS:
        count = math.ceil(count * min(1.2 * LEAST_SECONDS / seconds, 100.0)) + 1
    return spread([operations * count / _seconds(repeat, count) for _ in range(ROUNDS)])


def _seconds(repeat, count):
    start = time.perf_counter()
    repeat(count)
    return time.perf_counter() - start


def _repeating(function, one, other):
    """Return a function of a number that makes so many products, one after the other."""

    def loop(count, one, other):
        def product(_, before):
            # Made of the one before, if by next to nothing, so that none can be left out.
            step = ops.ravel(before)[0] * ops.cast(1e-30, before.dtype)
            return function(one, other + step)

        return ops.fori_loop(0, count, product, function(one, other))

    if keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(loop)
    else:
        import tensorflow as tf

        compiled = tf.function(loop, autograph=False)

    def repeat(count):
        # One was made before the loop.
        result = compiled(ops.convert_to_tensor(count - 1, dtype="int32"), one, other)
        # A transfer of one number waits for the result.
        ops.convert_to_numpy(ops.cast(ops.ravel(result)[0], "float32"))

    return repeat
