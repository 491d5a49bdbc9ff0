"""Speed of the training step against the textbook step, on the same networks, in one run.

    python -m benchmarks.training
    python -m benchmarks.training --dataset-shape cifar10 --model capsule --steps 20

The package's step (simultaneous, its default, and alternating) and the textbook step
(benchmarks/textbook.py: alternating, capsules by repeated inputs and map_fn, in a tf.function)
train the same networks on random images. First, in float32, the alternating step and the capsule
layer are checked to give the textbook's losses, weights and gradients. Then the steps are timed
in turn, --steps at a time, --repeats times around, so that whatever else the machine does slows
all of them alike; ratios are taken within each round. The first steps, which compile, are not
timed.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from pathlib import Path

SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
MODELS = ("capsule", "convolutional")
PRECISIONS = ("float32", "mixed_bfloat16")
UPDATES = ("simultaneous", "alternating")
TEXTBOOK = "textbook"
SEED = 0
WARM_UP = 2
TOLERANCE = 1e-3
"""Largest relative difference from the textbook's values: float32 sums in another order."""
DISAGREED, REFUSED = 1, 2


class DisagreementError(ArithmeticError):
    """The package and the textbook compute different values: their times can't be compared."""


def main(argv=None):
    """Run the benchmark, print tables and write a JSON file.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 1 where values differ from the textbook's; 2 where the backend can't
        train or the file can't be written.
    """
    options = parse(argv)
    # Read when TensorFlow is imported, which is after the arguments, so that --help is quick.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        run(options)
    except DisagreementError as error:
        print(f"python -m benchmarks.training: error: {error}", file=sys.stderr)
        return DISAGREED
    except (OSError, NotImplementedError) as error:
        print(f"python -m benchmarks.training: error: {error}", file=sys.stderr)
        return REFUSED
    return 0


def parse(argv):
    """Return the parsed arguments.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--dataset-shape",
        choices=SHAPES,
        default="mnist",
        help="size of the images, and so the networks (default: mnist)",
    )
    parser.add_argument(
        "--model", choices=(*MODELS, "both"), default="both", help="what to train (default: both)"
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        help="arithmetic of the networks, for all steps (default: float32, and mixed_bfloat16 "
        "where the hardware has instructions for it)",
    )
    parser.add_argument(
        "--batch-size", type=_positive, default=128, help="images in a step (default: 128)"
    )
    parser.add_argument(
        "--steps", type=_positive, default=10, help="steps timed at a time (default: 10)"
    )
    parser.add_argument(
        "--repeats", type=_positive, default=7, help="times around all steps (default: 7)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="the file to write (default: results/benchmarks/training-<shape>.json)",
    )
    return parser.parse_args(argv)


def _positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive whole number. Received: {text}")
    return number


def run(options):
    """Measure what the options ask for, print it and write it.

    Raises:
        DisagreementError: Where values differ from the textbook's.
        OSError: Where the file can't be written.
        NotImplementedError: Where the Keras backend can't train.
    """
    import keras

    from capsgan_keras.files import write_json

    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise NotImplementedError(
            "GANs train on the Keras backends tensorflow and jax: set the environment variable "
            f"KERAS_BACKEND. Received: backend {backend!r}"
        )
    output = options.output or Path(f"results/benchmarks/training-{options.dataset_shape}.json")
    output.parent.mkdir(parents=True, exist_ok=True)  # what can't be written to shows at once
    if backend != "tensorflow":
        print(
            f"The textbook step needs the Keras backend tensorflow. This is {backend}: the "
            "package's step is timed alone."
        )
    shape = SHAPES[options.dataset_shape]
    precisions = tuple(dict.fromkeys(options.precision or default_precisions()))
    models = MODELS if options.model == "both" else (options.model,)
    results = {}
    for model in models:
        results[model] = measure(model, shape, precisions, options)
        print(table(model, shape, options.batch_size, results[model]), flush=True)
    settings = {
        "image_shape": list(shape),
        "batch_size": options.batch_size,
        "steps": options.steps,
        "repeats": options.repeats,
    }
    write_json(output, {"machine": machine(), "settings": settings, "models": results})
    print(f"Written to {output}")


def default_precisions():
    """Return float32, and bfloat16 where training picks it by itself."""
    from experiments.precision import resolve_precision

    return "float32", resolve_precision("auto")[0]


def measure(model, shape, precisions, options):
    """Check values, then time all steps of one model.

    Args:
        model: `"capsule"` or `"convolutional"`.
        shape: `(height, width, channels)`.
        precisions: Names of dtype policies.
        options: The parsed arguments.

    Returns:
        Dictionary for the JSON file: `differences` from the textbook's values, as `check` returns
        them, and `steps`, as `summarize` returns them.

    Raises:
        DisagreementError: Where values differ from the textbook's.
    """
    import numpy as np

    count = min(options.steps, 8)  # a few batches do: what they show makes no difference
    batches = np.random.default_rng(SEED).integers(
        0, 256, (count, options.batch_size, *shape), dtype=np.uint8
    )
    differences = check(model, shape, batches[0])
    steps = make_steps(model, shape, precisions)
    rates = time_in_turn(steps, batches, options.steps, options.repeats)
    return {"differences": differences, "steps": summarize(rates)}


def new_gan(model, shape, precision):
    """Return the default GAN of a kind, not compiled, always with the same weights."""
    from capsgan_keras import CapsuleGAN, ConvolutionalGAN

    kind = {"capsule": CapsuleGAN, "convolutional": ConvolutionalGAN}[model]
    return kind(shape, seed=SEED, dtype=precision)


def check(model, shape, images):
    """Compare the package with the textbook in float32.

    Args:
        model: `"capsule"` or `"convolutional"`.
        shape: `(height, width, channels)`.
        images: uint8 `(batch, height, width, channels)`.

    Returns:
        Dictionary of the largest relative differences of the train step and, for the capsule
        model, of its capsule layer; None where there is no TensorFlow to compute the textbook's.

    Raises:
        DisagreementError: Where one is above `TOLERANCE`, or not a number.
    """
    import keras
    import numpy as np

    if keras.backend.backend() != "tensorflow":
        return None
    from benchmarks.textbook import compare_layers, compare_steps

    gan = new_gan(model, shape, "float32")
    differences = {}
    if model == "capsule":
        layer = gan.discriminator.get_layer("final_capsules")
        capsules = np.random.default_rng(SEED).normal(
            scale=0.3, size=(len(images), *layer.input.shape[1:])
        )
        differences["layer"] = compare_layers(layer, capsules.astype("float32"))
    differences["step"] = compare_steps(gan, images)
    for part, values in differences.items():
        if not all(value <= TOLERANCE for value in values.values()):
            raise DisagreementError(
                f"{model}: the {part} differs from the textbook's by more than {TOLERANCE:g} "
                f"(relative). Received: {values}"
            )
    return differences


def make_steps(model, shape, precisions):
    """Return all steps to time: `(name, precision)` -> function of a batch of images.

    Each has networks of its own and ends when its losses have come back to Python.
    """
    import keras

    steps = {}
    for precision in precisions:
        for update in UPDATES:
            gan = new_gan(model, shape, precision)
            gan.compile(update=update)
            steps[update, precision] = gan.train_on_batch
        if keras.backend.backend() == "tensorflow":
            steps[TEXTBOOK, precision] = _textbook_step(new_gan(model, shape, precision))
    return steps


def _textbook_step(gan):
    from benchmarks.textbook import TextbookGAN

    textbook = TextbookGAN(gan, *gan.default_optimizers())
    return lambda images: [loss.numpy() for loss in textbook.train_step(images)]


def time_in_turn(steps, batches, n_steps, repeats):
    """Time functions in turn.

    Args:
        steps: Dictionary of functions of a batch.
        batches: Array `(n, batch, ...)`; taken one after the other, over and over.
        n_steps: How often a function is called each time that its turn comes.
        repeats: How often the turn comes.

    Returns:
        Dictionary with the keys of `steps`: lists of images per second, one number a turn.
    """
    for step in steps.values():
        for _ in range(WARM_UP):
            step(batches[0])
    rates = {key: [] for key in steps}
    for _ in range(repeats):
        for key, step in steps.items():
            start = time.perf_counter()
            for index in range(n_steps):
                step(batches[index % len(batches)])
            seconds = time.perf_counter() - start
            rates[key].append(n_steps * batches.shape[1] / seconds)
    return rates


def summarize(rates):
    """Turn rates into medians, spreads and ratios.

    Args:
        rates: As `time_in_turn` returns them, the keys `(name, precision)`.

    Returns:
        List of dictionaries, one a step: `step`, `precision`, `images_per_second`, and
        `times_textbook` and `times_textbook_float32`: how many times as fast as the textbook step
        in the same precision and in float32. Each of these is a dictionary with `median`, `min`
        and `max` of the rounds; a ratio is None where its textbook step was not timed.
    """

    def ratio(key, reference):
        if reference not in rates:
            return None
        pairs = zip(rates[key], rates[reference], strict=True)
        return _spread([ours / theirs for ours, theirs in pairs])

    return [
        {
            "step": name,
            "precision": precision,
            "images_per_second": _spread(values) | {"rounds": values},
            "times_textbook": ratio((name, precision), (TEXTBOOK, precision)),
            "times_textbook_float32": ratio((name, precision), (TEXTBOOK, "float32")),
        }
        for (name, precision), values in rates.items()
    ]


def _spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def table(model, shape, batch_size, result):
    """Return one model's results as a text: medians, with least and most in brackets."""
    size = "x".join(map(str, shape))
    lines = [
        f"{model}, {size}, batch {batch_size}; medians (least-most); x textbook: times as fast as",
        "the textbook step in the same precision",
        f"{'step':14}{'precision':16}{'images/s':>24}{'x textbook':>22}{'x textbook float32':>22}",
    ]
    for row in result["steps"]:
        columns = (
            _cell(row["images_per_second"], ".1f").rjust(24),
            _cell(row["times_textbook"], ".2f").rjust(22),
            _cell(row["times_textbook_float32"], ".2f").rjust(22),
        )
        lines.append(f"{row['step']:14}{row['precision']:16}{''.join(columns)}")
    if result["differences"] is not None:
        largest = max(max(values.values()) for values in result["differences"].values())
        lines.append(f"largest relative difference from the textbook's values: {largest:.1e}")
    return "\n".join(lines)


def _cell(spread, digits):
    if spread is None:
        return "-"
    median, low, high = (format(spread[key], digits) for key in ("median", "min", "max"))
    return f"{median} ({low}-{high})"


def machine():
    """Describe the machine and the versions, without names or paths."""
    import keras

    from capsgan_keras.provenance import git_commit, versions
    from experiments.precision import cpu_flags

    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "bfloat16_instructions": cpu_flags(),
        "devices": keras.distribution.list_devices(),
        "system": platform.system(),
        "versions": versions(),
        "commit": git_commit(),
    }


def _cpu_model(path="/proc/cpuinfo"):
    """The processor's name, as Linux knows it, else as Python does."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


if __name__ == "__main__":
    sys.exit(main())
