"""Speed of the training step: against the textbook step, option by option, and the limit.

    python -m benchmarks.training
    python -m benchmarks.training --dataset-shape cifar10 --model capsule --steps 20
    python -m benchmarks.training --backend jax --batch-size 128 1024

The reference is the textbook step (benchmarks/textbook.py: alternating, capsules by repeated
inputs and map_fn, in a tf.function) in float32. Beside it stand the same step with one option of
the package's each: capsules by one product, the simultaneous step, bfloat16 where the hardware has
it, images that lie in memory as a tensor from which batches are made ahead, and all steps in one
execution; and the package's step, alternating and simultaneous, in both precisions, by `fit` with
batches as the experiments give them, and by `fit` with all options together. All train the same
networks on random images. On JAX the package's step is timed alone, by `fit` and by one compiled
loop over batches that lie on the device.

--networks default has the package's default networks; --networks tuned has those that
experiments.mnist and experiments.cifar10 train by default, at their batch size. The optimizers
are the package's default ones in both.

First these are checked: the capsule layer's value and gradients and the alternating step's losses
and weights against the textbook's, in float32 and, more loosely, in bfloat16; the simultaneous
step against the simultaneous textbook step; and that all ways of feeding, and all alternating
forms of the textbook step, end with the same weights. The simultaneous step does less work than
the alternating one: benchmarks/limit.py counts both. Then all are timed in turn, --steps at a
time, --repeats times around, so that whatever else the machine does slows all of them alike;
ratios are taken within each round. The first round, which compiles, is not timed. Beside them
stand the limit (benchmarks/limit.py): the multiply-adds that the step needs over the rate of the
machine's best large product; the rates of the step's own large convolutions, each alone; and, on
TensorFlow, the operations that the time goes to. Time: 8 minutes on 2 CPU cores.
"""

import dataclasses
import os
import sys

from benchmarks.costs import compare_models
from benchmarks.measuring import (
    FOLDER,
    DisagreementError,
    cell,
    gradient_backend,
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
FED = ("fit", "fit, dataset, one execution")
"""Ways to feed the step on TensorFlow that are timed: the experiments', and all together."""
SEED = 0
NETWORKS = ("default", "tuned")
DEFAULT_BATCH = 128
TOLERANCES = {"float32": 1e-3, "mixed_bfloat16": 0.2}
"""Largest relative difference from the textbook's values: of float32, sums in another order; of
bfloat16, whose numbers have 8 bits, intermediate values rounded at other places."""


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
        "training",
        __doc__,
        FOLDER / "training-<shape>.json, -tuned, -<backend> but for tensorflow",
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
        "--networks",
        choices=NETWORKS,
        default="default",
        help="the package's, or those of the experiments (default: default)",
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
        help="images in a step; several are measured one after the other "
        f"(default: {DEFAULT_BATCH}, or the experiment's)",
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
    backend = gradient_backend()
    suffix = "-tuned" if options.networks == "tuned" else ""
    suffix += "" if backend == "tensorflow" else f"-{backend}"
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
    for batch_size in dict.fromkeys(options.batch_size or [default_batch(options)]):
        for model in models:
            new_gan = gan_maker(model, options.dataset_shape, options.networks)
            result = measure(new_gan, batch_size, precisions, options, best)
            results.append({"model": model, "batch_size": batch_size, **result})
            print(table(shape, results[-1]), flush=True)
    settings = {
        "image_shape": list(shape),
        "networks": options.networks,
        "steps": options.steps,
        "repeats": options.repeats,
    }
    compared = compare_models(results)
    write_result(
        output, settings, {"best_rates": best, "models": results, "models_compared": compared}
    )


def default_batch(options):
    """Return the batch size that goes with the networks."""
    if options.networks == "default":
        return DEFAULT_BATCH
    return tuned_settings(options.dataset_shape).batch_size


def tuned_settings(dataset):
    """Return the default settings of `experiments.<dataset>`."""
    import importlib

    return importlib.import_module(f"experiments.{dataset}").TUNED


def compute_dtype(precision):
    """Return the dtype that a policy computes in."""
    import keras

    return keras.dtype_policies.get(precision).compute_dtype


def default_precisions():
    """Return float32, and bfloat16 where training picks it by itself."""
    from experiments.training.precision import resolve_precision

    return "float32", resolve_precision("auto")[0]


def measure(new_gan, batch_size, precisions, options, best):
    """Check values, then time all steps of one model.

    Args:
        new_gan: Function of a precision, as `gan_maker` returns it.
        batch_size: Images in a step.
        precisions: Names of dtype policies.
        options: The parsed arguments.
        best: Dictionary of precisions: `benchmarks.limit.best_rates`.

    Returns:
        Dictionary for the JSON file: `differences` from the textbook's values, as `check` returns
        them, and `feeding`, those of the ways to feed the step; `multiply_adds` and
        `multiply_adds_alternating` that the steps need for each real image; `convolutions` by
        precision, as `benchmarks.limit.own_convolutions` returns them; `steps`, as `summarize`
        returns them; `operations` by precision, as `benchmarks.operations.profile` returns them,
        empty where TensorFlow does not compute.

    Raises:
        DisagreementError: Where values differ.
    """
    import numpy as np

    from benchmarks import feeding, limit
    from capsgan_keras.training.batches import EpochBatches

    gan = new_gan("float32")
    images = np.random.default_rng(SEED).integers(
        0, 256, (options.steps * batch_size, *gan.image_shape), dtype=np.uint8
    )
    batches = EpochBatches(images, batch_size, SEED)
    differences = check(new_gan, precisions, batches[0])
    few = EpochBatches(images[: 2 * batch_size], batch_size, SEED) if options.steps > 2 else batches
    fed = feeding.check(lambda: new_gan("float32"), few)
    if differences is not None:
        from benchmarks import textbook_ways

        fed |= textbook_ways.check(lambda: new_gan("float32"), few)
    steps = make_steps(new_gan, precisions, batches)
    seconds = time_in_turn(steps, 1, options.repeats, warm_up=1)
    rates = {key: [len(images) / value for value in values] for key, values in seconds.items()}
    counts = {
        "multiply_adds": limit.step_multiply_adds(gan),
        "multiply_adds_alternating": limit.alternating_multiply_adds(gan),
    }
    return {
        "differences": differences,
        "feeding": fed,
        **counts,
        "convolutions": {
            precision: limit.own_convolutions(gan, batch_size, compute_dtype(precision))
            for precision in precisions
        },
        "steps": [
            row | {"share_of_limit": shares_of_limit(row, counts, best)} for row in summarize(rates)
        ],
        "operations": operations(steps, precisions),
    }


def shares_of_limit(row, counts, best):
    """Return the shares of the best products' rates that a step's multiply-adds reach.

    Args:
        row: One of the rows of `summarize`.
        counts: Dictionary `multiply_adds` and `multiply_adds_alternating`, for each real image.
        best: Dictionary of precisions: `benchmarks.limit.best_rates`.

    Returns:
        Dictionary with the keys of the rates.
    """
    multiply_adds = counts[
        "multiply_adds_alternating" if alternates(row["step"]) else "multiply_adds"
    ]
    operations = 2 * multiply_adds * row["images_per_second"]["median"]
    return {name: operations / rate["median"] for name, rate in best[row["precision"]].items()}


def alternates(step):
    """Return whether the players take turns in a step of this name."""
    return step == ALTERNATING or (step.startswith(TEXTBOOK) and SIMULTANEOUS not in step)


def operations(steps, precisions):
    """Profile the simultaneous step in each precision; empty but on TensorFlow."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return {}
    from benchmarks.operations import profile

    return {precision: profile(steps[SIMULTANEOUS, precision], 1) for precision in precisions}


def gan_maker(model, dataset, networks):
    """Return a function of a dtype policy that makes a GAN, always with the same weights.

    Args:
        model: `"capsule"` or `"convolutional"`.
        dataset: A key of `SHAPES`.
        networks: `"default"`, the package's, or `"tuned"`, those of `experiments.<dataset>`.
    """
    if networks == "default":
        return lambda precision: new_gan(model, SHAPES[dataset], precision)

    def new_tuned_gan(precision):
        import keras

        from experiments.training.networks import build_gan

        # The optimizers that it is compiled with are replaced before any step.
        settings = dataclasses.replace(tuned_settings(dataset), decay=0.0, seed=SEED)
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(precision)
        try:
            return build_gan(settings, model, SHAPES[dataset])
        finally:
            keras.config.set_dtype_policy(before)

    return new_tuned_gan


def new_gan(model, shape, precision):
    """Return the default GAN of a kind, not compiled, always with the same weights."""
    from capsgan_keras import CapsuleGAN, ConvolutionalGAN

    kind = {"capsule": CapsuleGAN, "convolutional": ConvolutionalGAN}[model]
    return kind(shape, seed=SEED, dtype=precision)


def check(new_gan, precisions, images):
    """Compare the package with the textbook.

    Args:
        new_gan: Function of a precision, as `gan_maker` returns it.
        precisions: Names of dtype policies; float32 is always among those compared.
        images: uint8 `(batch, height, width, channels)`.

    Returns:
        Dictionary of the largest relative differences: `layer`, of the capsule layer in float32,
        where there is one; `simultaneous float32`, of the simultaneous step; and of the
        alternating step in each precision. None where there is no TensorFlow to compute the
        textbook's.

    Raises:
        DisagreementError: Where one is above that of `TOLERANCES`, or not a number.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    from benchmarks.textbook import compare_steps

    differences = {}
    layer = _compare_capsules(new_gan("float32"), len(images))
    if layer:
        differences["layer"] = _checked("capsule layer", "float32", layer)
    for update, precision in (
        (ALTERNATING, "float32"),
        (SIMULTANEOUS, "float32"),
        *((ALTERNATING, precision) for precision in precisions if precision != "float32"),
    ):
        found = compare_steps(new_gan(precision), images, update)
        differences[f"{update} {precision}"] = _checked(f"{update} step", precision, found)
    return differences


def _compare_capsules(gan, batch_size):
    """Differences of the last layer of capsules from the textbook's; None where there is none."""
    import numpy as np

    from benchmarks.textbook import compare_layers
    from capsgan_keras.layers import CapsuleLayer

    found = [layer for layer in gan.discriminator.layers if isinstance(layer, CapsuleLayer)]
    if not found:
        return None
    rng = np.random.default_rng(SEED)
    capsules = rng.normal(scale=0.3, size=(batch_size, *found[-1].input.shape[1:]))
    return compare_layers(found[-1], capsules.astype("float32"))


def _checked(what, precision, values):
    tolerance = TOLERANCES[precision]
    if not all(value <= tolerance for value in values.values()):
        raise DisagreementError(
            f"the {what} in {precision} differs from the textbook's by more than {tolerance:g} "
            f"(relative). Received: {values}"
        )
    return values


def make_steps(new_gan, precisions, batches):
    """Return all that is timed: `(name, precision)` -> function that trains on all batches.

    Each has networks of its own. On TensorFlow each option stands alone on top of the textbook
    step in the first precision, and the ways to feed `fit` are those of the experiments and with
    all options together, in the last.
    """
    import keras

    from benchmarks import feeding

    on_tensorflow = keras.backend.backend() == "tensorflow"
    steps = {}
    for precision in precisions:
        if on_tensorflow:
            every = precision == precisions[0]
            steps |= _textbook_steps(new_gan, precision, batches, every)
        gan = new_gan(precision)
        gan.compile(update=ALTERNATING)
        steps[ALTERNATING, precision] = feeding.step_by_step(gan, batches)
        for name, (way, options) in feeding.ways(batches.num_batches).items():
            wanted = name in FED and precision == precisions[-1]
            if on_tensorflow and name != feeding.STEP_BY_STEP and not wanted:
                continue
            gan = new_gan(precision)
            gan.compile(**options)
            name = SIMULTANEOUS if name == feeding.STEP_BY_STEP else name
            steps[name, precision] = way(gan, batches)
    return steps


def _textbook_steps(new_gan, precision, batches, every):
    from benchmarks import textbook_ways
    from benchmarks.textbook import TextbookGAN

    steps = {}
    for name, (way, options) in textbook_ways.ways(new_gan(precision)).items():
        if name == TEXTBOOK or every:
            gan = new_gan(precision)
            textbook = TextbookGAN(gan, *gan.default_optimizers(), **options)
            steps[name, precision] = way(textbook, batches)
    return steps


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
        f"{'step':30}{'precision':16}{'images/s':>24}{'x textbook':>20}{'x textbook float32':>20}"
        f"{'limit':>7}",
    ]
    for row in result["steps"]:
        share = row["share_of_limit"]["convolution"]
        columns = (
            cell(row["images_per_second"], ".1f").rjust(24),
            cell(row["times_textbook"], ".2f").rjust(20),
            cell(row["times_textbook_float32"], ".2f").rjust(20),
            f"{share:.0%}".rjust(7),
        )
        lines.append(f"{row['step']:30}{row['precision']:16}{''.join(columns)}")
    lines.append(
        f"{result['multiply_adds'] / 1e6:.1f} million multiply-adds an image, "
        f"{result['multiply_adds_alternating'] / 1e6:.1f} of the alternating step"
    )
    for precision, alone in result["convolutions"].items():
        lines.append(
            f"{precision}: the step's large convolutions alone {alone['rate'] / 1e9:.0f} GFLOP/s"
        )
    for precision, shares in result["operations"].items():
        named = ", ".join(f"{share['operation']} {share['share']:.0%}" for share in shares)
        lines.append(f"{precision}: {named}")
    for part, values in (result["differences"] or {}).items():
        lines.append(f"{part}: largest difference from the textbook's {max(values.values()):.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
