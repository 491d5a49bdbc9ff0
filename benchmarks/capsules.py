"""Speed and memory of the capsule layer against other ways to compute it.

    python -m benchmarks.capsules
    python -m benchmarks.capsules --shape capsnet --precision mixed_bfloat16

Forward and backward pass of one layer with 3 routings, with gradients for inputs and weights, on
the shapes of CapsNet (1152 -> 10 x 16, and 2048 -> 10 x 16) and of the discriminators (288 and
1152 -> 1 x 16):

- layer: `CapsuleLayer`;
- einsum: the predictions by one einsum, then the same routing;
- map_fn: as CapsNet-Keras computes (benchmarks/textbook.py), on TensorFlow alone;
- attention: self-attention in place of the iterations, as in Efficient-CapsNet: another function,
  whose cost is a reference.

Values and gradients of the first three are checked to agree before any is timed. The ways are
timed in turn, and ratios are taken within each round. Memory is the growth of a process of its
own in its first forward and backward pass, over what it held with inputs, weights and graph made
(Linux). Time: 3 minutes on 2 CPU cores.
"""

import json
import sys

from benchmarks.measuring import (
    FOLDER,
    DisagreementError,
    cell,
    gradient_backend,
    memory_of,
    new_parser,
    output_file,
    peak_memory,
    positive,
    ratios,
    run_command,
    spread,
    time_in_turn,
    write_result,
)

SHAPES = {
    "capsnet": (1152, 10),
    "capsnet-2048": (2048, 10),
    "discriminator": (288, 1),
    "discriminator-1152": (1152, 1),
}
"""Input capsules (of 8 components) and output capsules (of 16)."""
INPUT_DIM, DIM_CAPSULE, ROUTINGS = 8, 16, 3
LAYER, EINSUM, MAP_FN, ATTENTION = "layer", "einsum", "map_fn", "attention"
WAYS = (LAYER, EINSUM, MAP_FN, ATTENTION)
PRECISIONS = ("float32", "mixed_bfloat16")
TOLERANCES = {"float32": 1e-4, "mixed_bfloat16": 0.05}
"""Largest difference of values and gradients, as a share of the largest element."""
SEED = 0


def main(argv=None):
    """Run the benchmark, print tables and write a JSON file.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 1 where values differ; 2 where the backend can't
        differentiate or the file can't be written.
    """
    return run_command("capsules", run, parse(argv))


def parse(argv):
    """Return the parsed arguments.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = new_parser("capsules", __doc__, FOLDER / "capsules.json")
    parser.add_argument(
        "--shape", nargs="+", choices=SHAPES, default=list(SHAPES), help="layers (default: all)"
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="float32", help="(default: float32)"
    )
    parser.add_argument("--batch-size", type=positive, default=128, help="(default: 128)")
    parser.add_argument(
        "--calls", type=positive, default=2, help="passes timed at a time (default: 2)"
    )
    parser.add_argument(
        "--repeats", type=positive, default=9, help="times around all ways (default: 9)"
    )
    parser.add_argument(
        "--memory-of",
        choices=WAYS,
        help="print the memory of one way's first pass on the first --shape, and do nothing else",
    )
    return parser.parse_args(argv)


def run(options):
    """Measure what the options ask for, print it and write it.

    Raises:
        DisagreementError: Where ways that should agree do not.
        NotImplementedError: Where the Keras backend can't differentiate.
        OSError: Where the file can't be written.
    """
    if options.memory_of:
        print(json.dumps(first_pass_memory(options)))
        return
    gradient_backend()  # those that can't are refused before anything is written
    output = output_file(options.output, "capsules.json")
    results = {}
    for shape in dict.fromkeys(options.shape):
        results[shape] = measure(shape, options)
        print(table(shape, results[shape]), flush=True)
    settings = {
        "batch_size": options.batch_size,
        "input_dim": INPUT_DIM,
        "dim_capsule": DIM_CAPSULE,
        "routings": ROUTINGS,
        "precision": options.precision,
        "calls": options.calls,
        "repeats": options.repeats,
    }
    write_result(output, settings, {"shapes": results})


def measure(shape, options):
    """Check values, then time all ways on one shape, and measure their memory.

    Returns:
        Dictionary for the JSON file: `num_input_capsules`, `num_capsule`, `differences`, and
        `ways`: for each `milliseconds`, `times_as_slow` as the layer (spreads of the rounds) and
        `memory` in bytes, None where it can't be measured.

    Raises:
        DisagreementError: Where ways that should agree do not.
    """
    num_input, num_capsule = SHAPES[shape]
    steps = {
        way: make_step(way, num_input, num_capsule, options.batch_size, options.precision)
        for way in available_ways()
    }
    differences = check(steps, TOLERANCES[options.precision])
    seconds = time_in_turn(steps, options.calls, options.repeats)
    return {
        "num_input_capsules": num_input,
        "num_capsule": num_capsule,
        "differences": differences,
        "ways": {
            way: {
                "milliseconds": spread([1e3 * value for value in values]),
                "times_as_slow": ratios(values, seconds[LAYER]),
                "memory": child_memory(way, shape, options),
            }
            for way, values in seconds.items()
        },
    }


def available_ways():
    """Return the ways that the Keras backend can compute."""
    import keras

    return tuple(way for way in WAYS if way != MAP_FN or keras.backend.backend() == "tensorflow")


def new_layer(way, num_input, num_capsule, precision):
    """Return a built layer of a kind, always with the same kernel values."""
    import keras
    import numpy as np

    from benchmarks.alternatives import AttentionCapsules, EinsumCapsules
    from capsgan_keras.layers import CapsuleLayer

    ours = CapsuleLayer(num_capsule, DIM_CAPSULE, routings=ROUTINGS, dtype=precision)
    ours.build((None, num_input, INPUT_DIM))
    initializer = keras.initializers.GlorotUniform(seed=SEED)
    ours.kernel.assign(initializer(ours.kernel.shape))
    if way == LAYER:
        return ours
    if way == MAP_FN:
        from benchmarks.textbook import copy_weights, textbook_layer

        layer = textbook_layer(ours)
        layer.build((None, num_input, INPUT_DIM))
        copy_weights(ours, layer)
        return layer
    kind = {EINSUM: EinsumCapsules, ATTENTION: AttentionCapsules}[way]
    layer = kind(num_capsule, DIM_CAPSULE, routings=ROUTINGS, dtype=precision)
    layer.build((None, num_input, INPUT_DIM))
    layer.kernel.assign(np.asarray(ours.kernel))
    return layer


def make_step(way, num_input, num_capsule, batch_size, precision):
    """Return a function that computes a layer's value and gradients, compiled on its first call.

    The function returns NumPy arrays: the value, and the gradients of its sum, with fixed random
    weights, with respect to inputs and kernel.
    """
    import numpy as np

    layer = new_layer(way, num_input, num_capsule, precision)
    rng = np.random.default_rng(SEED)
    inputs = rng.normal(scale=0.3, size=(batch_size, num_input, INPUT_DIM)).astype("float32")
    weights = rng.normal(size=(batch_size, num_capsule, DIM_CAPSULE)).astype("float32")
    compiler = {"tensorflow": _tensorflow_step, "jax": _jax_step}[gradient_backend()]
    step = compiler(layer, inputs, weights)

    def arrays():
        value, to_inputs, to_kernel = (np.asarray(array) for array in step())
        if way == MAP_FN:
            from benchmarks.textbook import package_kernel

            to_kernel = package_kernel(to_kernel)
        return value, to_inputs, to_kernel

    return arrays


def _tensorflow_step(layer, inputs, weights):
    import tensorflow as tf

    inputs, weights = tf.constant(inputs), tf.constant(weights)

    @tf.function
    def step(inputs, weights):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = tf.cast(layer(inputs), tf.float32)
            total = tf.reduce_sum(value * weights)
        return value, *tape.gradient(total, [inputs, layer.kernel.value])

    compiled = step.get_concrete_function(inputs, weights)
    return lambda: compiled(inputs, weights)


def _jax_step(layer, inputs, weights):
    import jax
    import jax.numpy as jnp

    others = [variable.value for variable in layer.trainable_variables[1:]]

    def total(inputs, kernel):
        value, _ = layer.stateless_call([kernel, *others], [], inputs)
        value = value.astype("float32")
        return jnp.sum(value * weights), value

    differentiate = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)
    inputs, kernel = jnp.asarray(inputs), layer.kernel.value
    compiled = jax.jit(differentiate).lower(inputs, kernel).compile()

    def step():
        (_, value), gradients = compiled(inputs, kernel)
        return value, *gradients

    return step


def check(steps, tolerance):
    """Compare what the ways compute with the einsum's.

    Args:
        steps: Dictionary of the functions that `make_step` returns.
        tolerance: The largest difference allowed.

    Returns:
        Dictionary of ways: the largest differences of value and gradients, each as a share of the
        largest element.

    Raises:
        DisagreementError: Where one is above the tolerance, or not a number.
    """
    import numpy as np

    expected = steps[EINSUM]()
    differences = {}
    for way in (LAYER, MAP_FN):
        if way not in steps:
            continue
        shares = [
            float(np.max(np.abs(one - other)) / np.max(np.abs(other)))
            for one, other in zip(steps[way](), expected, strict=True)
        ]
        names = ("value", "input_gradient", "kernel_gradient")
        differences[way] = dict(zip(names, shares, strict=True))
        if not all(share <= tolerance for share in shares):
            raise DisagreementError(
                f"{way} differs from {EINSUM} by more than {tolerance:g} of the largest element. "
                f"Received: {differences[way]}"
            )
    return differences


def child_memory(way, shape, options):
    """Return `first_pass_memory` of a process of its own."""
    return memory_of(
        "benchmarks.capsules",
        [
            "--memory-of",
            way,
            "--shape",
            shape,
            "--precision",
            options.precision,
            "--batch-size",
            options.batch_size,
        ],
    )


def first_pass_memory(options):
    """Return the bytes that a layer's first forward and backward pass needs at its peak."""
    num_input, num_capsule = SHAPES[options.shape[0]]
    step = make_step(
        options.memory_of, num_input, num_capsule, options.batch_size, options.precision
    )
    return peak_memory(step)


def table(shape, result):
    """Return one shape's results as a text: medians, with least and most in brackets."""
    lines = [
        f"{shape}: {result['num_input_capsules']} -> {result['num_capsule']} x {DIM_CAPSULE}; "
        "medians (least-most); x layer: times as slow as the layer",
        f"{'way':12}{'ms':>26}{'x layer':>22}{'peak MiB':>12}",
    ]
    for way, row in result["ways"].items():
        memory = "-" if row["memory"] is None else f"{row['memory'] / 2**20:.0f}"
        lines.append(
            f"{way:12}{cell(row['milliseconds'], '.1f'):>26}"
            f"{cell(row['times_as_slow'], '.2f'):>22}{memory:>12}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
