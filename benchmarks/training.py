"""Speed of the training step: against the textbook step, option by option, and the limit.

    python -m benchmarks.training
    python -m benchmarks.training --dataset-shape cifar10 --model capsule --steps 20
    python -m benchmarks.training --backend jax --batch-size 128 1024

The package's step (simultaneous, its default, and alternating) and the textbook step
(benchmarks/textbook.py: alternating, capsules by repeated inputs and map_fn, in a tf.function)
train the same networks on random images, in float32 and, where the hardware has it, in bfloat16.
The simultaneous step is also fed in other ways (benchmarks/feeding.py): by `fit`, from a data set
that lies on the device, with all steps in one execution; on JAX by one compiled loop.

First, in float32, the alternating step and the capsule layer are checked to give the textbook's
losses, weights and gradients, and all ways of feeding to end with the same weights. Then all are
timed in turn, --steps at a time, --repeats times around, so that whatever else the machine does
slows all of them alike; ratios are taken within each round. The first round, which compiles, is
not timed. Beside them stands the limit (benchmarks/limit.py): the multiply-adds that the step
needs over the rate of the machine's best large product, and, on TensorFlow, the operations that
the time goes to. Time: 6 minutes on 2 CPU cores.
"""

import os
import sys

from benchmarks.measuring import (
    FOLDER,
    DisagreementError,
    cell,
    new_parser,
    output_file,
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
SIMULTANEOUS, ALTERNATING = "simultaneous", "alternating"
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
    options = parse(argv)
    if options.backend:
        os.environ["KERAS_BACKEND"] = options.backend  # read when Keras is imported
    return run_command("training", run, options)


def parse(argv):
    """Return the parsed arguments.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = new_parser(
        "training", __doc__, FOLDER / "training-<shape>.json, -<backend> but for tensorflow"
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
        "--backend", choices=("tensorflow", "jax"), help="Keras's backend (default: Keras's own)"
    )
    parser.add_argument(
        "--batch-size",
        nargs="+",
        type=positive,
        default=[128],
        help="images in a step; several are measured one after the other (default: 128)",
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
    suffix = "" if backend == "tensorflow" else f"-{backend}"
    output = output_file(options.output, f"training-{options.dataset_shape}{suffix}.json")
    if backend != "tensorflow":
        print(
            f"The textbook step needs the Keras backend tensorflow. This is {backend}: the "
            "package's step is timed alone."
        )
    shape = SHAPES[options.dataset_shape]
    precisions = tuple(dict.fromkeys(options.precision or default_precisions()))
    models = MODELS if options.model == "both" else (options.model,)
    from benchmarks.limit import best_rates

    best = {precision: best_rates(compute_dtype(precision)) for precision in precisions}
    results = []
    for batch_size in dict.fromkeys(options.batch_size):
        for model in models:
            result = measure(model, shape, batch_size, precisions, options, best)
            results.append({"model": model, "batch_size": batch_size, **result})
            print(table(shape, results[-1]), flush=True)
    settings = {"image_shape": list(shape), "steps": options.steps, "repeats": options.repeats}
    write_result(output, settings, {"best_rates": best, "models": results})


def compute_dtype(precision):
    """Return the dtype that a policy computes in."""
    import keras

    return keras.dtype_policies.get(precision).compute_dtype


def default_precisions():
    """Return float32, and bfloat16 where training picks it by itself."""
    from experiments.precision import resolve_precision

    return "float32", resolve_precision("auto")[0]


def measure(model, shape, batch_size, precisions, options, best):
    """Check values, then time all steps of one model.

    Args:
        model: `"capsule"` or `"convolutional"`.
        shape: `(height, width, channels)`.
        batch_size: Images in a step.
        precisions: Names of dtype policies.
        options: The parsed arguments.
        best: Dictionary of precisions: `benchmarks.limit.best_rates`.

    Returns:
        Dictionary for the JSON file: `differences` from the textbook's values, as `check` returns
        them, and `feeding`, those of the ways to feed the step; `multiply_adds` that a step needs
        for each real image; `steps`, as `summarize` returns them; `operations` by precision, as
        `benchmarks.operations.profile` returns them, empty where TensorFlow does not compute.

    Raises:
        DisagreementError: Where values differ.
    """
    import numpy as np

    from benchmarks import feeding
    from benchmarks.limit import step_multiply_adds
    from capsgan_keras.training.batches import EpochBatches

    images = np.random.default_rng(SEED).integers(
        0, 256, (options.steps * batch_size, *shape), dtype=np.uint8
    )
    batches = EpochBatches(images, batch_size, SEED)
    differences = check(model, shape, batches[0])
    few = EpochBatches(images[: 2 * batch_size], batch_size, SEED) if options.steps > 2 else batches
    fed = feeding.check(lambda: new_gan(model, shape, "float32"), few)
    steps = make_steps(model, shape, precisions, batches)
    seconds = time_in_turn(steps, 1, options.repeats, warm_up=1)
    rates = {key: [len(images) / value for value in values] for key, values in seconds.items()}
    multiply_adds = step_multiply_adds(new_gan(model, shape, "float32"))
    return {
        "differences": differences,
        "feeding": fed,
        "multiply_adds": multiply_adds,
        "steps": [
            row | {"share_of_limit": shares_of_limit(row, multiply_adds, best)}
            for row in summarize(rates)
        ],
        "operations": operations(steps, precisions),
    }


def shares_of_limit(row, multiply_adds, best):
    """Return the shares of the best products' rates that a step's multiply-adds reach.

    Args:
        row: One of the rows of `summarize`.
        multiply_adds: What a simultaneous step needs for each real image.
        best: Dictionary of precisions: `benchmarks.limit.best_rates`.

    Returns:
        Dictionary with the keys of the rates; None for steps that are not simultaneous, which
        need more.
    """
    if row["step"] in (TEXTBOOK, ALTERNATING):
        return None
    operations = 2 * multiply_adds * row["images_per_second"]["median"]
    return {name: operations / rate for name, rate in best[row["precision"]].items()}


def operations(steps, precisions):
    """Profile the simultaneous step in each precision; empty but on TensorFlow."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return {}
    from benchmarks.operations import profile

    return {precision: profile(steps[SIMULTANEOUS, precision], 1) for precision in precisions}


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


def make_steps(model, shape, precisions, batches):
    """Return all that is timed: `(name, precision)` -> function that trains on all batches.

    Each has networks of its own.
    """
    import keras

    from benchmarks import feeding

    steps = {}
    for precision in precisions:
        for name, (way, options) in feeding.ways(batches.num_batches).items():
            gan = new_gan(model, shape, precision)
            gan.compile(**options)
            name = SIMULTANEOUS if name == feeding.STEP_BY_STEP else name
            steps[name, precision] = way(gan, batches)
        gan = new_gan(model, shape, precision)
        gan.compile(update=ALTERNATING)
        steps[ALTERNATING, precision] = feeding.step_by_step(gan, batches)
        if keras.backend.backend() == "tensorflow":
            textbook = _textbook_steps(new_gan(model, shape, precision), batches)
            steps[TEXTBOOK, precision] = textbook
    return steps


def _textbook_steps(gan, batches):
    from benchmarks.feeding import stacked
    from benchmarks.textbook import TextbookGAN

    textbook = TextbookGAN(gan, *gan.default_optimizers())

    def train():
        for images in stacked(batches):
            for loss in textbook.train_step(images):
                loss.numpy()

    return train


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


def table(shape, result):
    """Return one model's results as a text: medians, with least and most in brackets."""
    size = "x".join(map(str, shape))
    lines = [
        f"{result['model']}, {size}, batch {result['batch_size']}; medians (least-most); "
        "x textbook: times as fast as the textbook",
        "step in the same precision; limit: share of the best convolution's rate",
        f"{'step':28}{'precision':16}{'images/s':>24}{'x textbook':>20}{'x textbook float32':>20}"
        f"{'limit':>7}",
    ]
    for row in result["steps"]:
        share = row["share_of_limit"]
        columns = (
            cell(row["images_per_second"], ".1f").rjust(24),
            cell(row["times_textbook"], ".2f").rjust(20),
            cell(row["times_textbook_float32"], ".2f").rjust(20),
            ("-" if share is None else f"{share['convolution']:.0%}").rjust(7),
        )
        lines.append(f"{row['step']:28}{row['precision']:16}{''.join(columns)}")
    lines.append(f"{result['multiply_adds'] / 1e6:.1f} million multiply-adds an image")
    for precision, shares in result["operations"].items():
        named = ", ".join(f"{share['operation']} {share['share']:.0%}" for share in shares)
        lines.append(f"{precision}: {named}")
    if result["differences"] is not None:
        largest = max(max(values.values()) for values in result["differences"].values())
        lines.append(f"largest relative difference from the textbook's values: {largest:.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
