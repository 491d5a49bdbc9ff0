"""Speed of the generative adversarial metric against computing each of its quantities anew.

    python -m benchmarks.gam
    python -m benchmarks.gam --images 2000 --test-images 2000

The trained networks for MNIST that come with the package, a convolutional GAN and a CapsuleGAN,
are compared on MNIST's test images (the environment variable CAPSGAN_DATA_DIR, else a download)
at both cuts of `experiments.gam`, in three ways:

- package: `generative_adversarial_metric` on `Remembered` models, as `experiments.gam` does; it
  gives bootstrap intervals besides, which the others leave out.
- one pass: images generated and scored once, by plain predictions in batches of 32.
- naive: for each quantity (the four accuracies at each cut, the two areas under the ROC curve)
  whatever it needs is generated and scored anew, by plain predictions in batches of 32.

First the images, scores, accuracies, r_samples, r_test and areas are checked to be the same, and
the accuracies to lie well between 0 and 1: saturated ones would be equal whatever was computed.
Then the three are timed in turn, --repeats times around. The ratio to `one pass` is what larger
batches bring, the rest is what is not done again.
"""

import functools
import sys

from benchmarks.generation import compare, plain_discriminate, plain_generate
from benchmarks.measuring import (
    FOLDER,
    CannotMeasureError,
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

WAYS = ("package", "one pass", "naive")
CUTS = ("paper", "calibrated")
ACCURACIES = 0.05, 0.95
"""Between which they must lie."""
TOLERANCE = 1e-3
"""Largest difference of accuracies, ratios and areas: a score may fall on a cut's other side."""
SEED = 0


def main(argv=None):
    """Run the benchmark, print a table and write a JSON file.

    Args:
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 1 where values differ; 2 where there are no data, values are
        saturated or the file can't be written.
    """
    return run_command("gam", run, parse(argv))


def parse(argv):
    """Return the parsed arguments.

    Raises:
        SystemExit: On wrong arguments, or after `--help`.
    """
    parser = new_parser("gam", __doc__, FOLDER / "gam-mnist.json")
    parser.add_argument(
        "--images",
        type=positive,
        default=10_000,
        help="images that each model generates (default: 10000)",
    )
    parser.add_argument(
        "--test-images",
        type=positive,
        default=10_000,
        help="test images, at most 10000 (default: 10000)",
    )
    parser.add_argument(
        "--repeats", type=positive, default=3, help="times around all ways (default: 3)"
    )
    return parser.parse_args(argv)


def run(options):
    """Measure what the options ask for, print it and write it.

    Raises:
        DisagreementError: Where values differ.
        CannotMeasureError: Where there are no test images, or the accuracies are saturated.
        OSError: Where the file can't be written.
    """
    from capsgan_keras import load_pretrained

    output = output_file(options.output, "gam-mnist.json")
    x_test = test_images(options.test_images)
    gans = {
        "a": load_pretrained("convolutional", "mnist"),
        "b": load_pretrained("capsule", "mnist"),
    }
    result = measure(gans, x_test, options.images, options.repeats)
    print(table(result, options.images, len(x_test)))
    settings = {
        "networks": "pretrained, mnist",
        "images": options.images,
        "test_images": options.test_images,
        "cuts": list(CUTS),
        "repeats": options.repeats,
    }
    write_result(output, settings, result)


def test_images(count):
    """Return the first test images of MNIST.

    Raises:
        CannotMeasureError: Where there is no MNIST, or not so many images.
    """
    from capsgan_keras.datasets import DatasetError, load_dataset

    try:
        _, (x_test, _) = load_dataset("mnist")
    except DatasetError as error:
        raise CannotMeasureError(str(error)) from error
    if count > len(x_test):
        raise CannotMeasureError(
            f"--test-images must be at most {len(x_test)}, those of MNIST. Received: {count}"
        )
    return x_test[:count]


def measure(gans, x_test, images, repeats):
    """Check values, then time all ways.

    Args:
        gans: Dictionary of the GANs `"a"` and `"b"`.
        x_test: uint8 test images.
        images: How many images each model generates.
        repeats: How often each way is timed.

    Returns:
        Dictionary for the JSON file: `values`, the package's at both cuts; `differences`, the
        largest from it; `seconds` of each way and `times_package`, how many times as long each
        other way took, as spreads over the rounds.

    Raises:
        DisagreementError: Where values differ.
        CannotMeasureError: Where an accuracy is next to 0 or 1.
    """
    functions = {
        "package": lambda: package(gans, x_test, images),
        "one pass": lambda: one_pass(gans, x_test, images),
        "naive": lambda: naive(gans, x_test, images),
    }
    passes = {
        name: compare(passes_of(gans[name], gans[other], x_test, images))
        for name, other in ("ab", "ba")
    }
    # Each is called once, so that nothing is left to compile.
    values = {way: function() for way, function in functions.items()}
    check_saturation(values["package"])
    differences = {way: check(way, values[way], values["package"]) for way in WAYS[1:]}
    seconds = time_in_turn(functions, calls=1, repeats=repeats, warm_up=0)
    return {
        "values": values["package"],
        "differences": {"predictions": passes, "values": differences},
        "seconds": {way: spread(seconds[way]) | {"rounds": seconds[way]} for way in WAYS},
        "times_package": {way: ratios(seconds[way], seconds["package"]) for way in WAYS[1:]},
    }


def passes_of(gan, other, x_test, images):
    """Return what the metric asks of one model, from `GAN` and predicted plainly.

    Args:
        gan: The model: its images are returned, and its scores of what it judges.
        other: The other model, whose images it judges beside the test images.
        x_test: uint8 test images.
        images: How many images each model generates.

    Returns:
        Dictionary as `benchmarks.generation.compare` takes it.
    """
    import numpy as np

    judged = np.concatenate([x_test, other.generate(images, seed=SEED)])
    return {
        ("generate", "package"): gan.generate(images, seed=SEED),
        ("generate", "plain"): plain_generate(gan, images, SEED),
        ("discriminate", "package"): gan.discriminate(judged),
        ("discriminate", "plain"): plain_discriminate(gan, judged),
    }


def package(gans, x_test, images):
    """Compute the metric at both cuts as `experiments.gam` does.

    Returns:
        Dictionary: `auc`, of the areas under the ROC curve of both discriminators, and for each
        cut a dictionary of the four accuracies, `r_samples` and `r_test`.
    """
    from capsgan_keras.evaluation import Remembered, generative_adversarial_metric

    models = [Remembered(gans[name]) for name in "ab"]
    results = {
        cut: generative_adversarial_metric(*models, x_test, images, cut, SEED) for cut in CUTS
    }
    return {"auc": results[CUTS[0]].auc} | {
        cut: result.accuracies | {"r_samples": result.r_samples, "r_test": result.r_test}
        for cut, result in results.items()
    }


def one_pass(gans, x_test, images):
    """Compute what `package` does, each set of images generated and scored once, plainly."""
    # Remembers by model and sets of images, so that each is generated and scored once.
    generated = functools.cache(lambda name: plain_generate(gans[name], images, SEED))

    @functools.cache
    def scores(judge, source):
        shown = x_test if source == "test" else generated(source)
        return plain_discriminate(gans[judge], shown)

    return quantities(gans, scores)


def naive(gans, x_test, images):
    """Compute what `package` does, whatever a quantity needs generated and scored anew, plainly."""

    def scores(judge, source):
        shown = x_test if source == "test" else plain_generate(gans[source], images, SEED)
        return plain_discriminate(gans[judge], shown)

    return quantities(gans, scores)


def quantities(gans, scores):
    """Compute the metric's quantities, one after the other, from equations 4 and 5.

    Args:
        gans: Dictionary of the GANs `"a"` and `"b"`.
        scores: Function of a discriminator's name and of `"a"`, `"b"` (their images) or `"test"`,
            returning its scores.

    Returns:
        Dictionary as `package` returns it.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score

    from capsgan_keras.evaluation import calibrated_cut

    def area(judge, other):
        of_samples, of_test = scores(judge, other), scores(judge, "test")
        real = np.repeat([0, 1], [len(of_samples), len(of_test)])
        return float(roc_auc_score(real, np.concatenate([of_samples, of_test])))

    def divide(one, other):
        return one / other if other else None

    values = {"auc": {"d_a": area("a", "b"), "d_b": area("b", "a")}}
    for cut in CUTS:
        limit = {
            name: 0.5 if cut == "paper" else calibrated_cut(gan.loss) for name, gan in gans.items()
        }
        shares = {
            "d_a_on_g_b": float(np.mean(scores("a", "b") < limit["a"])),
            "d_b_on_g_a": float(np.mean(scores("b", "a") < limit["b"])),
            "d_a_on_test": float(np.mean(scores("a", "test") >= limit["a"])),
            "d_b_on_test": float(np.mean(scores("b", "test") >= limit["b"])),
        }
        values[cut] = shares | {
            "r_samples": divide(shares["d_a_on_g_b"], shares["d_b_on_g_a"]),
            "r_test": divide(shares["d_a_on_test"], shares["d_b_on_test"]),
        }
    return values


def check_saturation(values):
    """Refuse accuracies next to 0 or 1, which could be equal whatever the ways compute.

    Args:
        values: Dictionary as `package` returns it.

    Raises:
        CannotMeasureError: Where one does not lie between those of `ACCURACIES`.
    """
    least, most = ACCURACIES
    for cut in CUTS:
        for name, value in values[cut].items():
            if not (name.startswith("r_") or least < value < most):
                raise CannotMeasureError(
                    f"accuracies must lie between {least} and {most}, or nothing is compared. "
                    f"Received: {name} ({cut}) = {value}"
                )


def check(way, values, expected):
    """Compare a way's values with the package's.

    Args:
        way: Its name, for the message.
        values: What it computed.
        expected: What the package did.

    Returns:
        The largest difference.

    Raises:
        DisagreementError: Where one is above `TOLERANCE`, or only one of two is a number.
    """
    largest = 0.0
    for part, numbers in expected.items():
        for name, number in numbers.items():
            other = values[part][name]
            if number is None and other is None:  # a ratio to no image at all
                continue
            if None in (number, other) or not abs(number - other) <= TOLERANCE:
                raise DisagreementError(
                    f"{name} ({part}), {way}, differs from the package's {number} by more than "
                    f"{TOLERANCE:g}. Received: {other}"
                )
            largest = max(largest, abs(number - other))
    return largest


def table(result, images, test_images):
    """Return the results as a text: medians, with least and most in brackets."""
    lines = [
        f"Metric at {len(CUTS)} cuts, {images:,} images of each model, {test_images:,} test "
        "images; medians (least-most)",
        f"{'way':12}{'seconds':>24}{'x package':>22}",
    ]
    for way in WAYS:
        times = result["times_package"].get(way)
        lines.append(f"{way:12}{cell(result['seconds'][way], '.2f'):>24}{cell(times, '.2f'):>22}")
    largest = max(result["differences"]["values"].values())
    lines.append(f"largest difference of accuracies, ratios and areas: {largest:.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
