"""How the cost of a training step and of label spreading grows.

    python -m benchmarks.growth
    python -m benchmarks.growth --quick
    python -m benchmarks.growth --parts points --points 10000 20000

For both models, float32, the networks for colour images, whose layout is the same at every size
(32x32 images, batch 128 and 64 filters in the discriminator's first convolution, where nothing
else is said):

- batch, width, side: images per second of the train step against the size of the batch, the
  filters of the discriminator's first convolution (the second has twice as many, and there are a
  quarter as many types of primary capsules; the generator stays) and the images' side;
- memory: the growth of a process of its own in two steps, against the size of the batch, after
  steps on 2 and 3 images, whose freed memory the steps use again: small batches are understated;
- points: seconds and memory of a label-spreading table for one model, 3 numbers of labels in 5
  draws, against the number of unlabelled images (synthetic, 28x28; benchmarks.semi_supervised
  says with how many others), each in a process of its own, whose growth does not hold the images.

Each growth is fitted by a power of the size, a straight line through the logarithms: an exponent
of 1 is a cost (seconds of a step, bytes, seconds of a table) in proportion to the size. The train
steps of all sizes are timed in turn, --steps at a time, --repeats times around, and the exponent
is fitted within each round.

The full default takes about 20 minutes on 2 cores, most of them the tables of 80,000 and 120,000
points; --quick takes about 3.
"""

import argparse
import json
import sys

from benchmarks.measuring import (
    FOLDER,
    cell,
    gradient_backend,
    mebibytes,
    memory_of,
    new_parser,
    output_file,
    peak_memory,
    positive,
    run_command,
    spread,
    time_in_turn,
    write_result,
)
from benchmarks.semi_supervised import load, make_table, points_of
from benchmarks.training import MODELS

STEP_PARTS = ("batch", "width", "side")
PARTS = (*STEP_PARTS, "memory", "points")
CHANNELS = 3
BASE = {"batch": 128, "width": 64, "side": 32}
SIZES = {
    "batch": (16, 32, 64, 128, 256, 512),
    "width": (16, 32, 64, 128),
    "side": (16, 24, 32, 48, 64),
    "points": (10_000, 20_000, 40_000, 80_000, 120_000),
}
QUICK_SIZES = {
    "batch": (16, 64, 256),
    "width": (16, 32, 64),
    "side": (16, 32, 48),
    "points": (2_000, 4_000, 8_000),
}
TABLE = "table"
SEED = 0


def main(argv=None):
    """Run the benchmark, print tables and write a JSON file.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 2 where the file can't be written, or a process of its own fails.
    """
    return run_command("growth", run, parse(argv))


def parse(argv):
    """Return the parsed arguments, sizes filled in.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = new_parser("growth", __doc__, FOLDER / "growth.json")
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=[*PARTS], help="what to measure (default: all)"
    )
    parser.add_argument(
        "--model", choices=(*MODELS, "both"), default="both", help="what to train (default: both)"
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer")
    for option, part, parse_size, text in (
        ("--batch-sizes", "batch", positive, "images in a step"),
        ("--widths", "width", width, "filters of the first convolution, multiples of 4"),
        ("--sides", "side", side, "of the images, multiples of 4 from 16"),
        ("--points", "points", points_of, "unlabelled images of a table, from 1000"),
    ):
        words = " ".join(map(str, SIZES[part]))
        parser.add_argument(
            option,
            dest=part,
            nargs="+",
            type=parse_size,
            metavar="N",
            help=f"{text} (default: {words})",
        )
    parser.add_argument(
        "--steps", type=positive, default=2, help="steps timed at a time (default: 2)"
    )
    parser.add_argument(
        "--repeats", type=positive, default=5, help="times around all sizes (default: 5)"
    )
    parser.add_argument(
        "--table-repeats", type=positive, default=1, help="times around all tables (default: 1)"
    )
    # What the processes whose memory is measured are started with.
    parser.add_argument("--memory-of", choices=(*MODELS, TABLE), help=argparse.SUPPRESS)
    parser.add_argument("--size", type=positive, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    for part, sizes in (QUICK_SIZES if options.quick else SIZES).items():
        given = getattr(options, part)
        setattr(options, part, sorted(set(sizes if given is None else given)))
    return options


def _multiple_of_4(text, least):
    number = int(text)
    if number < least or number % 4:
        raise argparse.ArgumentTypeError(
            f"must be a multiple of 4 and at least {least}. Received: {text}"
        )
    return number


def width(text):
    """Return the number of filters that a word of the command line stands for."""
    return _multiple_of_4(text, 4)


def side(text):
    """Return the side of images that a word of the command line stands for."""
    return _multiple_of_4(text, 16)


def run(options):
    """Measure what the options ask for, print it and write it.

    Raises:
        subprocess.CalledProcessError: Where a process of its own fails.
        OSError: Where the file can't be written.
    """
    if options.memory_of:
        measured = (
            measure_table(options.size)
            if options.memory_of == TABLE
            else step_memory(options.memory_of, options.size)
        )
        print(json.dumps(measured))
        return
    gradient_backend()  # those that can't are refused before anything is written
    output = output_file(options.output, "growth.json")
    models = MODELS if options.model == "both" else (options.model,)
    results = {}
    for part in options.parts:
        if part == "points":
            results[part] = measure_tables(options.points, options.table_repeats)
            print(points_table(results[part]), flush=True)
        elif part == "memory":
            results[part] = {model: measure_memory(model, options.batch) for model in models}
            print(memory_table(results[part]), flush=True)
        else:
            sizes = getattr(options, part)
            results[part] = {
                model: measure_steps(model, part, sizes, options.steps, options.repeats)
                for model in models
            }
            print(step_table(part, results[part]), flush=True)
    settings = {
        "base": BASE | {"channels": CHANNELS},
        "steps": options.steps,
        "repeats": options.repeats,
        "table_repeats": options.table_repeats,
    }
    write_result(output, settings, results)


def new_gan(model, width, side):
    """Return a compiled GAN for colour images.

    Args:
        model: `"capsule"` or `"convolutional"`.
        width: Filters of the discriminator's first convolution.
        side: Of the images.
    """
    from capsgan_keras import CapsuleGAN, ConvolutionalGAN
    from capsgan_keras.models import (
        build_capsule_discriminator,
        build_convolutional_discriminator,
    )

    shape = (side, side, CHANNELS)
    filters = (width, 2 * width)
    if model == "capsule":
        discriminator = build_capsule_discriminator(
            shape, filters=filters, n_channels=width // 4, seed=SEED
        )
        gan = CapsuleGAN(shape, discriminator=discriminator, seed=SEED)
    else:
        discriminator = build_convolutional_discriminator(shape, filters=filters, seed=SEED)
        gan = ConvolutionalGAN(shape, discriminator=discriminator, seed=SEED)
    gan.compile()
    return gan


def random_images(count, side):
    """Return uint8 images `(count, side, side, CHANNELS)`."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    return rng.integers(0, 256, (count, side, side, CHANNELS), np.uint8)


def measure_steps(model, part, sizes, steps, repeats):
    """Time the train step at several sizes.

    Args:
        model: `"capsule"` or `"convolutional"`.
        part: What the sizes are: `"batch"`, `"width"` or `"side"`.
        sizes: Ascending integers.
        steps: How many are timed at a time.
        repeats: How often.

    Returns:
        Dictionary for the JSON file: `sizes`; `images_per_second`, a spread for each; `exponent`
        of a step's seconds, a spread over the rounds, None for a single size.
    """
    functions, batch_sizes = {}, {}
    for size in sizes:
        case = BASE | {part: size}
        gan = new_gan(model, case["width"], case["side"])
        images = random_images(case["batch"], case["side"])
        functions[size] = lambda gan=gan, images=images: gan.train_on_batch(images)
        batch_sizes[size] = case["batch"]
    seconds = time_in_turn(functions, steps, repeats)
    rates = [[batch_sizes[size] / value for value in seconds[size]] for size in sizes]
    return {
        "sizes": list(sizes),
        "images_per_second": [spread(values) | {"rounds": values} for values in rates],
        "exponent": exponents(sizes, [seconds[size] for size in sizes]),
    }


def measure_memory(model, sizes):
    """Measure the memory of train steps at several sizes of the batch, a process each.

    Args:
        model: `"capsule"` or `"convolutional"`.
        sizes: Ascending integers.

    Returns:
        Dictionary for the JSON file: `sizes`; `peak_bytes`, an integer for each, or None where
        they can't be had; their `exponent`, None where there are not two.
    """
    peaks = [
        memory_of("benchmarks.growth", ["--memory-of", model, "--size", size]) for size in sizes
    ]
    return {"sizes": list(sizes), "peak_bytes": peaks, "exponent": exponent(sizes, peaks)}


def step_memory(model, batch_size):
    """Return the bytes by which this process grows in two train steps.

    Args:
        model: `"capsule"` or `"convolutional"`.
        batch_size: Images in a step.

    Returns:
        Positive integer, or None where `peak_memory` can't tell.
    """
    gan = new_gan(model, BASE["width"], BASE["side"])
    images = random_images(max(batch_size, 3), BASE["side"])
    for count in (2, 3):  # two sizes, so that no other is traced anew
        gan.train_on_batch(images[:count])

    def two_steps():
        for _ in range(2):
            gan.train_on_batch(images[:batch_size])

    return peak_memory(two_steps)


def measure_tables(sizes, repeats):
    """Measure label-spreading tables with several numbers of points, a process each.

    Args:
        sizes: Ascending integers.
        repeats: How often each is made.

    Returns:
        Dictionary for the JSON file: `sizes`; `seconds`, a spread for each; `peak_bytes`, the
        largest for each, or None where they can't be had; `seconds_exponent`, a spread over the
        rounds, and `bytes_exponent`, None where there are not two sizes.
    """
    rounds = [
        [memory_of("benchmarks.growth", ["--memory-of", TABLE, "--size", size]) for size in sizes]
        for _ in range(repeats)
    ]
    each = [*zip(*rounds, strict=True)]
    seconds = [[table["seconds"] for table in tables] for tables in each]
    peaks = [[table["bytes"] for table in tables] for tables in each]
    largest = [None if None in values else max(values) for values in peaks]
    return {
        "sizes": list(sizes),
        "seconds": [spread(values) | {"rounds": values} for values in seconds],
        "peak_bytes": largest,
        "seconds_exponent": exponents(sizes, seconds),
        "bytes_exponent": exponent(sizes, largest),
    }


def measure_table(points):
    """Make one label-spreading table for one model.

    Args:
        points: Number of unlabelled images.

    Returns:
        Dictionary: `seconds`, and `bytes` by which this process grows, None where `peak_memory`
        can't tell.
    """
    import sklearn.semi_supervised  # noqa: F401

    # What is imported by now counts neither in seconds nor in bytes.
    import capsgan_keras.evaluation  # noqa: F401

    data = load("synthetic", points)
    seconds = []
    peak = peak_memory(
        lambda: seconds.extend(
            time_in_turn({TABLE: lambda: make_table(*data)}, 1, repeats=1, warm_up=0)[TABLE]
        )
    )
    return {"seconds": seconds[0], "bytes": peak}


def exponents(sizes, rounds):
    """Return the spread of the exponents that are fitted within each round.

    Args:
        sizes: Positive numbers.
        rounds: For each a list of positive costs, one a round.

    Returns:
        Dictionary with `median`, `min` and `max`, or None for a single size.
    """
    if len(sizes) < 2:
        return None
    return spread([exponent(sizes, costs) for costs in zip(*rounds, strict=True)])


def exponent(sizes, costs):
    """Return the exponent of the power of the size that fits the costs best, in logarithms.

    Args:
        sizes: Positive numbers.
        costs: As many positive numbers.

    Returns:
        A float, or None for a single size, or where a cost is None or not positive.
    """
    import numpy as np

    if len(sizes) < 2 or not all(cost and cost > 0 for cost in costs):
        return None
    return float(np.polyfit(np.log(sizes), np.log(costs), deg=1)[0])


def step_table(part, results):
    """Return the rates at several sizes as a text: medians, with least and most in brackets."""
    lines = [
        f"images/s; medians (least-most); exponent of a step's seconds against the {part}",
        f"{part:10}" + "".join(f"{model:>24}" for model in results),
    ]
    columns = [
        [cell(values, ".0f") for values in each["images_per_second"]]
        + [cell(each["exponent"], ".2f")]
        for each in results.values()
    ]
    return _rows(lines, next(iter(results.values()))["sizes"], columns)


def memory_table(results):
    """Return the memory at several sizes of the batch as a text."""
    lines = [
        "MiB by which a process grows in train steps; exponent against the batch",
        f"{'batch':10}" + "".join(f"{model:>24}" for model in results),
    ]
    columns = [
        [*map(mebibytes, each["peak_bytes"]), _number(each["exponent"])]
        for each in results.values()
    ]
    return _rows(lines, next(iter(results.values()))["sizes"], columns)


def points_table(result):
    """Return seconds and memory of label-spreading tables as a text."""
    lines = [
        "A label-spreading table for one model; medians (least-most)",
        f"{'points':10}{'seconds':>24}{'MiB':>24}",
    ]
    columns = [
        [cell(values, ".1f") for values in result["seconds"]]
        + [cell(result["seconds_exponent"], ".2f")],
        [*map(mebibytes, result["peak_bytes"]), _number(result["bytes_exponent"])],
    ]
    return _rows(lines, result["sizes"], columns)


def _number(value):
    return "-" if value is None else f"{value:.2f}"


def _rows(lines, sizes, columns):
    """Write a row for each size, and one for the exponents."""
    names = [*(f"{size:,}" for size in sizes), "exponent"]
    for name, cells in zip(names, zip(*columns, strict=True), strict=True):
        lines.append(f"{name:10}" + "".join(f"{text:>24}" for text in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
