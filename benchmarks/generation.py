"""Speed and memory of generating and scoring many images, against plain predictions.

    python -m benchmarks.generation
    python -m benchmarks.generation --dataset-shape cifar10 --repeats 2

`GAN.generate` and `GAN.discriminate` (chunks of 4,096 images, batches of 256) on --images images,
against `predict` of the generator and of the discriminator on all at once in Keras's batches of
32, with the same rounding and scaling of pixels. The networks have had a few steps of training.
First the images are checked to be the same, to one grey level, and the scores to 1e-4. Then the
four are timed in turn, --repeats times around; the plain way, which is slower, on --plain-images
only, so that both are stated in images per second. Memory is the growth of a process of its own
that does one of them once, on all --images, after a single image.
"""

import argparse
import itertools
import json
import sys

from benchmarks.measuring import (
    FOLDER,
    DisagreementError,
    cell,
    gradient_backend,
    mebibytes,
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
from benchmarks.training import MODELS, SHAPES, new_gan

TASKS = ("generate", "discriminate")
WAYS = ("package", "plain")
PLAIN_BATCH = 32
"""The size of a batch in `keras.Model.predict` where nothing else is said."""
TRAINING_STEPS = 20
GREY_LEVELS = 1
"""Largest difference of pixels: where float32 sums in another order round to the other side."""
SCORE_TOLERANCE = 1e-4
"""Largest difference of scores, which are in [0, 1]."""
SEED = 0


def main(argv=None):
    """Run the benchmark, print a table for each model and write a JSON file.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 1 where images or scores differ; 2 where the file can't be written.
    """
    return run_command("generation", run, parse(argv))


def parse(argv):
    """Return the parsed arguments.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = new_parser("generation", __doc__, FOLDER / "generation-<shape>.json")
    parser.add_argument(
        "--dataset-shape",
        choices=SHAPES,
        default="mnist",
        help="size of the images, and so the networks (default: mnist)",
    )
    parser.add_argument(
        "--model", choices=(*MODELS, "both"), default="both", help="whose networks (default: both)"
    )
    parser.add_argument(
        "--images",
        type=positive,
        default=50_000,
        help="images to generate and to score (default: 50000)",
    )
    parser.add_argument(
        "--plain-images",
        type=positive,
        default=10_000,
        help="images that the plain way is timed on, at most --images (default: 10000)",
    )
    parser.add_argument(
        "--repeats", type=positive, default=3, help="times around all ways (default: 3)"
    )
    # What the processes whose memory is measured are started with.
    names = map(":".join, itertools.product(MODELS, TASKS, WAYS))
    parser.add_argument("--memory-of", choices=[*names], help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def run(options):
    """Measure what the options ask for, print it and write it.

    Raises:
        DisagreementError: Where images or scores differ.
        OSError: Where the file can't be written.
    """
    shape = SHAPES[options.dataset_shape]
    if options.memory_of:
        print(json.dumps(memory(*options.memory_of.split(":"), shape, options.images)))
        return
    gradient_backend()  # those that can't are refused before anything is written
    output = output_file(options.output, f"generation-{options.dataset_shape}.json")
    plain_images = min(options.plain_images, options.images)
    results = {}
    for model in MODELS if options.model == "both" else (options.model,):
        results[model] = measure(model, shape, options.images, plain_images, options.repeats)
        for task, ways in results[model]["tasks"].items():
            for way in WAYS:
                ways[way]["peak_bytes"] = memory_of(
                    "benchmarks.generation",
                    [
                        *("--memory-of", f"{model}:{task}:{way}"),
                        *("--dataset-shape", options.dataset_shape, "--images", options.images),
                    ],
                )
        print(table(model, shape, options.images, results[model]), flush=True)
    settings = {
        "image_shape": list(shape),
        "images": options.images,
        "plain_images_timed": plain_images,
        "plain_batch": PLAIN_BATCH,
        "training_steps": TRAINING_STEPS,
        "repeats": options.repeats,
    }
    write_result(output, settings, {"models": results})


def measure(model, shape, images, plain_images, repeats):
    """Check values, then time all ways of one model.

    Args:
        model: `"capsule"` or `"convolutional"`.
        shape: `(height, width, channels)`.
        images: How many images the package's way is timed on.
        plain_images: How many of them the plain way is timed on.
        repeats: How often each is timed.

    Returns:
        Dictionary for the JSON file: `differences`, as `compare` returns them, and `tasks`:
        for each task a dictionary of each way's `images_per_second` and of `times_plain`, how
        many times as fast the package's way is; spreads over the rounds.

    Raises:
        DisagreementError: Where images or scores differ.
    """
    from benchmarks.material import trained_gan

    gan = trained_gan(model, shape, TRAINING_STEPS)
    to_score = images_to_score(gan, images)
    counts = {"package": images, "plain": plain_images}
    functions = {
        (task, way): job(task, way, gan, to_score, counts[way]) for task in TASKS for way in WAYS
    }
    # Each does once all that it is timed on, so that nothing is left to compile.
    differences = compare({key: function() for key, function in functions.items()})
    seconds = time_in_turn(functions, calls=1, repeats=repeats, warm_up=0)
    rates = {
        (task, way): [counts[way] / value for value in values]
        for (task, way), values in seconds.items()
    }
    tasks = {
        task: {
            way: {"images_per_second": spread(rates[task, way]) | {"rounds": rates[task, way]}}
            for way in WAYS
        }
        | {"times_plain": ratios(rates[task, "package"], rates[task, "plain"])}
        for task in TASKS
    }
    return {"differences": differences, "tasks": tasks}


def images_to_score(gan, count):
    """Return uint8 images: every other one the generator's, so that scores vary."""
    from benchmarks.material import synthetic_images

    images, _ = synthetic_images(count, gan.image_shape)
    images[::2] = gan.generate((count + 1) // 2, seed=SEED)
    return images


def job(task, way, gan, images, count):
    """Return a function without arguments that generates, or scores, `count` images.

    Args:
        task: `"generate"` or `"discriminate"`.
        way: `"package"` or `"plain"`.
        gan: The GAN.
        images: uint8 images, of which the first `count` are scored.
        count: How many.
    """
    return {
        ("generate", "package"): lambda: gan.generate(count, seed=SEED),
        ("generate", "plain"): lambda: plain_generate(gan, count, SEED),
        ("discriminate", "package"): lambda: gan.discriminate(images[:count]),
        ("discriminate", "plain"): lambda: plain_discriminate(gan, images[:count]),
    }[task, way]


def plain_generate(gan, count, seed):
    """Generate all images by one prediction in batches of `PLAIN_BATCH`.

    Args:
        gan: The GAN.
        count: How many.
        seed: Of the latents, as in `GAN.generate`.

    Returns:
        uint8 images `(count, height, width, channels)`.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    latents = rng.standard_normal((count, gan.latent_dim), "float32")
    images = gan.generator.predict(latents, batch_size=PLAIN_BATCH, verbose=0)
    return np.rint((images + 1.0) * 127.5).astype("uint8")


def plain_discriminate(gan, images):
    """Score all images by one prediction in batches of `PLAIN_BATCH`.

    Args:
        gan: The GAN; its discriminator has one output, a probability.
        images: uint8 `(n, height, width, channels)`.

    Returns:
        float32 `(n,)`.
    """
    scaled = images.astype("float32") / 127.5 - 1.0
    return gan.discriminator.predict(scaled, batch_size=PLAIN_BATCH, verbose=0)[:, 0]


def compare(values):
    """Compare what all ways computed, as far as the plain way went.

    Args:
        values: Dictionary with the keys `(task, way)`: uint8 images and float scores.

    Returns:
        Dictionary: `grey_levels` and `scores`, the largest differences, and `share_of_pixels`
        that differ at all.

    Raises:
        DisagreementError: Where one is too large, or not a number.
    """
    import numpy as np

    pixels, scores = (
        np.abs(
            np.subtract(
                values[task, "package"][: len(values[task, "plain"])],
                values[task, "plain"],
                dtype=np.float32,
            )
        )
        for task in TASKS
    )
    differences = {
        "grey_levels": int(pixels.max()),
        "share_of_pixels": float(np.mean(pixels > 0)),
        "scores": float(scores.max()),
    }
    if not (differences["grey_levels"] <= GREY_LEVELS and differences["scores"] <= SCORE_TOLERANCE):
        raise DisagreementError(
            f"Images differ by more than {GREY_LEVELS} grey level, or scores by more than "
            f"{SCORE_TOLERANCE:g}, from plain predictions. Received: {differences}"
        )
    return differences


def memory(model, task, way, shape, images):
    """Return the bytes by which this process grows while it does one task, after a single image.

    Args:
        model: `"capsule"` or `"convolutional"`.
        task: `"generate"` or `"discriminate"`.
        way: `"package"` or `"plain"`.
        shape: `(height, width, channels)`.
        images: How many images.

    Returns:
        Positive integer, or None where `peak_memory` can't tell.
    """
    import numpy as np

    gan = new_gan(model, shape, "float32")
    to_score = np.random.default_rng(SEED).integers(0, 256, (images, *shape), np.uint8)
    job(task, way, gan, to_score, 1)()
    return peak_memory(job(task, way, gan, to_score, images))


def table(model, shape, images, result):
    """Return one model's results as a text: medians, with least and most in brackets."""
    size = "x".join(map(str, shape))
    lines = [
        f"{model}, {size}; medians (least-most); MiB: growth of a process with {images:,} images",
        f"{'task':14}{'way':10}{'images/s':>28}{'x plain':>20}{'MiB':>10}",
    ]
    for task, ways in result["tasks"].items():
        for way in WAYS:
            ratio = ways["times_plain"] if way == "package" else None
            lines.append(
                f"{task:14}{way:10}{cell(ways[way]['images_per_second'], '.0f'):>28}"
                f"{cell(ratio, '.2f'):>20}{mebibytes(ways[way]['peak_bytes']):>10}"
            )
    differences = result["differences"]
    lines.append(
        f"largest differences: {differences['grey_levels']} grey level in "
        f"{differences['share_of_pixels']:.2%} of the pixels, scores {differences['scores']:.1e}"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
