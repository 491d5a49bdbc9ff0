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

import itertools
import sys

from benchmarks.measuring import (
    FOLDER,
    DisagreementError,
    cell,
    new_parser,
    positive,
    ratios,
    run_command,
    spread,
    time_in_turn,
    write_result,
)

SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
MODELS = ("capsule", "convolutional")
PRECISIONS = ("float32", "mixed_bfloat16")
UPDATES = ("simultaneous", "alternating")
TEXTBOOK = "textbook"
SEED = 0
TOLERANCE = 1e-3
"""Largest relative difference from the textbook's values: float32 sums in another order."""


def main(argv=None):
    """Run the benchmark, print tables and write a JSON file.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 1 where values differ from the textbook's; 2 where the backend can't
        train or the file can't be written.
    """
    return run_command("training", run, parse(argv))


def parse(argv):
    """Return the parsed arguments.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = new_parser("training", __doc__, FOLDER / "training-<shape>.json")
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
        "--batch-size", type=positive, default=128, help="images in a step (default: 128)"
    )
    parser.add_argument(
        "--steps", type=positive, default=10, help="steps timed at a time (default: 10)"
    )
    parser.add_argument(
        "--repeats", type=positive, default=7, help="times around all steps (default: 7)"
    )
    return parser.parse_args(argv)


def run(options):
    """Measure what the options ask for, print it and write it.

    Raises:
        DisagreementError: Where values differ from the textbook's.
        OSError: Where the file can't be written.
        NotImplementedError: Where the Keras backend can't train.
    """
    import keras

    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise NotImplementedError(
            "GANs train on the Keras backends tensorflow and jax: set the environment variable "
            f"KERAS_BACKEND. Received: backend {backend!r}"
        )
    output = options.output or FOLDER / f"training-{options.dataset_shape}.json"
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
    write_result(output, settings, {"models": results})


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
    seconds = time_in_turn(
        {key: feed(step, batches) for key, step in steps.items()}, options.steps, options.repeats
    )
    rates = {
        key: [options.batch_size / value for value in values] for key, values in seconds.items()
    }
    return {"differences": differences, "steps": summarize(rates)}


def feed(step, batches):
    """Return a function that calls `step` with one batch after the other, over and over."""
    rounds = itertools.cycle(batches)
    return lambda: step(next(rounds))


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


def summarize(rates):
    """Turn rates into medians, spreads and ratios.

    Args:
        rates: Dictionary of lists of images per second, one number a round; its keys are
            `(name, precision)`.

    Returns:
        List of dictionaries, one a step: `step`, `precision`, `images_per_second`, and
        `times_textbook` and `times_textbook_float32`: how many times as fast as the textbook step
        in the same precision and in float32. Each of these is a dictionary with `median`, `min`
        and `max` of the rounds; a ratio is None where its textbook step was not timed.
    """

    def ratio(key, reference):
        if reference not in rates:
            return None
        return ratios(rates[key], rates[reference])

    return [
        {
            "step": name,
            "precision": precision,
            "images_per_second": spread(values) | {"rounds": values},
            "times_textbook": ratio((name, precision), (TEXTBOOK, precision)),
            "times_textbook_float32": ratio((name, precision), (TEXTBOOK, "float32")),
        }
        for (name, precision), values in rates.items()
    ]


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
            cell(row["images_per_second"], ".1f").rjust(24),
            cell(row["times_textbook"], ".2f").rjust(22),
            cell(row["times_textbook_float32"], ".2f").rjust(22),
        )
        lines.append(f"{row['step']:14}{row['precision']:16}{''.join(columns)}")
    if result["differences"] is not None:
        largest = max(max(values.values()) for values in result["differences"].values())
        lines.append(f"largest relative difference from the textbook's values: {largest:.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
