"""How the cost of a training step and of a label-spreading table grows with their size.

The steps train the networks of CIFAR-10's tuned settings, in float32. One size changes at a time:
the batch, the width of the discriminator (a factor of all its filters), or the side of the
images. All sizes are timed in turn. The memory of a step, and the time and memory of a table, are
measured in a process of their own each. Each cost is fitted by a power of the size.
"""

from dataclasses import replace

import numpy as np
from keras import layers

from benchmarks.label_spreading import measure_table
from benchmarks.measuring import exponent, in_own_process, peak_memory, spread, time_in_turn
from benchmarks.training.networks import MODELS, TINY, TUNED, new_gan
from capsgan_keras.layers import PrimaryCap

SIZES = {"batch": (16, 64, 256), "width": (0.5, 1, 2), "side": (16, 32, 64)}
QUICK_SIZES = {"batch": (2, 4), "width": (1, 2), "side": (16, 32)}
POINTS, QUICK_POINTS = (8_000, 16_000, 32_000), (1_000, 2_000)
SEED = 0


def run(quick=False):
    """Measure how time and memory grow.

    Args:
        quick: Whether tiny networks and few points are measured, for tests.

    Returns:
        Dictionary for the JSON file: `rounds`; `steps`, with what `measure_steps` returns for
        each model; `memory`, with `sizes`, `bytes` and their `exponent` for each model; and
        `points`, what `measure_tables` returns.
    """
    settings = replace(TUNED["cifar10"], **TINY) if quick else TUNED["cifar10"]
    sizes, points, rounds = (QUICK_SIZES, QUICK_POINTS, 2) if quick else (SIZES, POINTS, 5)
    steps, memory = {}, {}
    for model in MODELS:
        print(f"growth: {model} GAN", flush=True)
        steps[model] = measure_steps(settings, model, sizes, rounds)
        memory[model] = measure_memory(settings, model, sizes["batch"], quick)
    print("growth: label spreading", flush=True)
    tables = measure_tables(points, 2 if quick else 3, quick)
    return {"rounds": rounds, "steps": steps, "memory": memory, "points": tables}


def measure_steps(settings, model, sizes, rounds):
    """Time the train step at several sizes.

    Args:
        settings: `experiments.settings.training.Settings`.
        model: `"capsule"` or `"convolutional"`.
        sizes: Dictionary of `"batch"`, `"width"` and `"side"`: ascending numbers.
        rounds: How often.

    Returns:
        Dictionary with the same keys: `sizes`, `milliseconds` of a step (a spread for each), and
        the `exponent`, a spread over the rounds.
    """
    usual = {"batch": settings.batch_size, "width": 1, "side": 32}
    cases = {
        (part, size): tuple((usual | {part: size}).values())
        for part, numbers in sizes.items()
        for size in numbers
    }
    functions = {case: train_step(settings, model, *case) for case in dict.fromkeys(cases.values())}
    timed = time_in_turn(functions, 2, rounds)
    growing = {}
    for part, numbers in sizes.items():
        seconds = [timed[cases[part, size]] for size in numbers]
        growing[part] = {
            "sizes": list(numbers),
            "milliseconds": [spread([1e3 * value for value in values]) for values in seconds],
            "exponent": exponent(numbers, seconds),
        }
    return growing


def train_step(settings, model, batch, width, side):
    """Return a function that trains a new GAN by one step on random images.

    Args:
        settings: `experiments.settings.training.Settings`.
        model: `"capsule"` or `"convolutional"`.
        batch: Images in a step.
        width: Factor of the discriminator's filters and types of primary capsules.
        side: Of the images: a multiple of 4, at least 16.
    """
    shape = (side, side, 3)
    gan = new_gan(settings, model, image_shape=shape)
    if width != 1:
        wider = replace(settings, **widened(gan.discriminator, width))
        gan = new_gan(wider, model, image_shape=shape)
    images = random_images(batch, shape)
    return lambda: gan.train_on_batch(images)


def random_images(count, shape):
    """Return uint8 images `(count, *shape)`."""
    return np.random.default_rng(SEED).integers(0, 256, (count, *shape), dtype=np.uint8)


def widened(discriminator, factor):
    """Return the settings that make a discriminator wider by a factor."""
    filters = [
        round(factor * layer.filters)
        for layer in discriminator.layers
        if isinstance(layer, layers.Conv2D)
    ]
    types = [
        round(factor * layer.n_channels)
        for layer in discriminator.layers
        if isinstance(layer, PrimaryCap)
    ]
    if types:
        return {"capsule_filters": tuple(filters), "n_channels": types[0]}
    return {"convolutional_filters": tuple(filters)}


def measure_memory(settings, model, batches, quick):
    """Return `sizes` of the batch, the `bytes` of a step with each, and their `exponent`."""
    needed = [in_own_process(step_memory, settings, model, batch, quick=quick) for batch in batches]
    fitted = exponent(batches, [[value] for value in needed])
    return {"sizes": list(batches), "bytes": needed, "exponent": fitted}


def step_memory(settings, model, batch):
    """Return the bytes by which this process grows in a train step."""
    gan = new_gan(settings, model)
    images = random_images(max(batch, 3), gan.image_shape)
    for count in (2, 3):  # two sizes, so that no other is traced anew
        gan.train_on_batch(images[:count])
    return peak_memory(lambda: gan.train_on_batch(images[:batch]))


def measure_tables(points, rounds, quick):
    """Measure label-spreading tables of several sizes, a process each.

    Args:
        points: Ascending numbers of unlabelled images.
        rounds: How often each table is made.
        quick: Whether this process makes all of them.

    Returns:
        Dictionary: `sizes` and `rounds`; `seconds`, a spread for each, and their `exponent`, a
        spread over the rounds; `bytes`, of the first round, and their `bytes_exponent`.
    """
    made = [
        [in_own_process(measure_table, "synthetic", count, quick=quick) for count in points]
        for _ in range(rounds)
    ]
    seconds = [[table["seconds"] for table in tables] for tables in zip(*made, strict=True)]
    needed = [table["bytes"] for table in made[0]]
    return {
        "sizes": list(points),
        "rounds": rounds,
        "seconds": [spread(values) for values in seconds],
        "exponent": exponent(points, seconds),
        "bytes": needed,
        "bytes_exponent": exponent(points, [[value] for value in needed]),
    }
