"""What a training step needs at least, and what the machine gives at best.

The multiply-adds are those of the simultaneous step, per real image, with as many generated ones:

- the generator's forward pass F, its weights' gradients F, and its inputs' gradients F but for
  the first layer, which has none to pass on;
- the discriminator's forward pass and its weights' gradients for real and generated images, its
  inputs' gradients for both but for the first layer, and one more whole pass back, of the
  generator's loss to the generated images.

Only convolutions, matrix products and capsules count: element by element work, normalization and
the optimizers need few multiply-adds, though not little time. The machine's best is the rate of
the fastest large matrix product and of the fastest large convolution, measured in the same run.
"""

import math
import time

from keras import layers, ops

from capsgan_keras.layers import CapsuleLayer, PrimaryCap

MATRICES = (1024, 2048, 4096)
"""Sides of square matrices."""
CONVOLUTIONS = ((64, 128, 5), (128, 128, 3), (128, 256, 5))
"""Channels in and out, and the kernel's side, on 64 images of 28 x 28."""
ROUNDS = 5


def forward_multiply_adds(network):
    """Return the multiply-adds of a functional model's layers, for one sample, in order."""
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
        counts.append(positions * math.prod(kernel.shape))
    return counts


def step_multiply_adds(gan):
    """Return the multiply-adds of a simultaneous step, per real image; see the module."""
    generator = forward_multiply_adds(gan.generator)
    discriminator = forward_multiply_adds(gan.discriminator)
    return 3 * sum(generator) - generator[0] + 7 * sum(discriminator) - 2 * discriminator[0]


def best_rates(dtype):
    """Measure the machine's fastest large products.

    Args:
        dtype: `"float32"` or `"bfloat16"`.

    Returns:
        Dictionary `matmul`, `convolution`: floating-point operations per second, a multiply-add
        counted as two.
    """

    def matmul(side):
        matrix = ops.ones((side, side), dtype)
        return 2 * side**3, lambda: ops.matmul(matrix, matrix)

    def convolution(channels, filters, kernel_size):
        images = ops.ones((64, 28, 28, channels), dtype)
        kernel = ops.ones((kernel_size, kernel_size, channels, filters), dtype)
        count = 2 * 64 * 28 * 28 * channels * filters * kernel_size**2
        return count, lambda: ops.conv(images, kernel, padding="same", data_format="channels_last")

    return {
        "matmul": max(_rate(*matmul(side)) for side in MATRICES),
        "convolution": max(_rate(*convolution(*sizes)) for sizes in CONVOLUTIONS),
    }


def _rate(operations, function):
    """Best of some rounds, the first of which may compile and is left out."""
    seconds = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        ops.convert_to_numpy(ops.cast(function()[..., 0, 0], "float32"))  # wait for the result
        seconds.append(time.perf_counter() - start)
    return operations / min(seconds[1:])
