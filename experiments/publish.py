"""Store the networks of finished runs in the package, where `load_pretrained` finds them.

    python -m experiments.publish runs/mnist/capsule-seed0 runs/mnist/convolutional-seed0 \\
        --results results/mnist

Each run's networks go to capsgan_keras/pretrained/<data set>/<model>/, with kernels in float16 and
without optimizers, at most 4 MB, with a model card, a grid of images and the run's records. The
images of what is stored are compared with those of the run, and the largest difference of a pixel
is written down. With --results, so is what the evaluations in that folder measured of the run.

What is stored is a run directory too, which `experiments.gam` and the other evaluations take.
Time: half a minute for a run on MNIST and 2 CPU cores.
"""

import argparse
import hashlib
import shutil
import sys
from pathlib import Path

from experiments.command_line.arguments import INTERRUPTED, USAGE_ERROR
from experiments.command_line.logs import quiet_tensorflow

MAXIMUM_BYTES = 4_000_000
"""Of a file with both networks of a GAN."""
COMPARED_IMAGES, COMPARED_SEED = 10_000, 0


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a finished run's folder")
    parser.add_argument("--results", type=Path, help="folder with the results of their evaluation")
    parser.add_argument(
        "--output", type=Path, help="folder to store in (default: the package's own)"
    )
    parser.add_argument(
        "--images",
        type=int,
        default=COMPARED_IMAGES,
        help=f"images that are compared (default: {COMPARED_IMAGES})",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace networks that are stored already"
    )
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code
    quiet_tensorflow()
    try:
        for line in publish(**vars(arguments)):
            print(line)
    except (ValueError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("\nInterrupted. Folders that were named are whole.", file=sys.stderr)
        return INTERRUPTED
    return 0


def publish(runs, results=None, output=None, images=COMPARED_IMAGES, overwrite=False):
    """Store the networks of finished runs.

    Args:
        runs: The folders of the runs.
        results: A folder with result files of these very runs; None for none.
        output: Folder to store in; None for the package's.
        images: How many images are compared.
        overwrite: Whether networks that are stored already may be replaced.

    Yields:
        For each run, once it is stored, a line that says where and how exactly.

    Raises:
        EvaluationError: Where a run has not ended or cannot be published, networks of its name are
            stored already, its file is too large, or the results are of other runs.
        RunError: Where a folder holds no run, or a damaged one.
        OSError: Where a file cannot be written.
    """
    from capsgan_keras import load_run
    from capsgan_keras.checks import check_positive
    from capsgan_keras.pretrained.loading import FOLDER, pretrained_path
    from experiments.errors import EvaluationError

    check_positive(images=images)
    files = {} if results is None else read_results_of(results.expanduser())
    output = FOLDER if output is None else output.expanduser()
    plans = {}
    # All are looked at before the first is stored.
    for run in map(load_run, runs):
        check_run(run)
        model, dataset = run.config["settings"]["model"], run.config["dataset"]["source"]
        path = pretrained_path(model, dataset, output)
        if path in plans:
            raise EvaluationError(
                f"Each model of a data set must be given once. Received: {plans[path][0].path} and "
                f"{run.path}, both {model} on {dataset}"
            )
        if path.exists() and not overwrite:
            raise EvaluationError(f"{path}: is stored already. Replace it by --overwrite")
        plans[path] = run, evaluation_of(run, files)
    for path, (run, evaluation) in plans.items():
        yield store(run, evaluation, path, images)


def read_results_of(folder):
    """Return the result files right in a folder, as `experiments.report.read_folders` does."""
    from experiments.errors import EvaluationError
    from experiments.report import read_folders

    folders = read_folders(folder)
    if folder not in folders:
        below = ", ".join(map(str, folders))
        raise EvaluationError(f"{folder}: holds no results itself, but {below} does")
    return folders[folder]


def check_run(run):
    """Raise an `EvaluationError` unless a run can be published."""
    from capsgan_keras.datasets import DATASET_NAMES
    from experiments.errors import EvaluationError

    if not run.finished:
        raise EvaluationError(
            f"{run.path}: the run has not ended. Go on with it by --resume of its experiment"
        )
    source = run.config["dataset"]["source"]
    if source not in DATASET_NAMES or run.config["settings"].get("image_size") is not None:
        raise EvaluationError(
            f"{run.path}: must be of one of the data sets {', '.join(DATASET_NAMES)}, at its own "
            f"size. Received: {source}, {run.config['dataset']['image_shape']}"
        )
    if run.config["settings"].get("validation"):
        raise EvaluationError(
            f"{run.path}: must be trained on all training images. Received: a run with "
            f"--validation {run.config['settings']['validation']}"
        )


def evaluation_of(run, files):
    """Return what result files say of a run, a dictionary of texts.

    Args:
        run: A `capsgan_keras.runs.directory.Run`.
        files: Dictionary from the evaluation to the content of its file.

    Raises:
        EvaluationError: Where a file is of other runs.
    """
    from experiments.errors import EvaluationError
    from experiments.reports.tables import run_summary

    summary, checksum = {}, checksum_of(run)
    for evaluation, content in files.items():
        described = {each["gan_checksum"]: each["name"] for each in content["identity"]["runs"]}
        if checksum not in described:
            raise EvaluationError(
                f"{run.path}: its networks are not those that {evaluation}.json is of: "
                f"{', '.join(described.values())}"
            )
        summary |= run_summary(described[checksum], {evaluation: content})
    return summary


def checksum_of(run):
    """Return the SHA-256 of a run's trained networks, as result files have it."""
    return hashlib.sha256((run.path / "gan.keras").read_bytes()).hexdigest()


def store(run, evaluation, path, images):
    """Store one run's networks, measure them, and write the card.

    Args:
        run: A finished `capsgan_keras.runs.directory.Run`.
        evaluation: Dictionary of texts for the card.
        path: The folder to be.
        images: How many images are compared.

    Returns:
        A line that says where and how exactly.

    Raises:
        EvaluationError: Where the file is too large.
        OSError: Where a file cannot be written.
    """
    import keras

    from capsgan_keras.files import replacing, write_json, write_text
    from capsgan_keras.plotting import image_grid, save_image
    from capsgan_keras.pretrained.half_precision import in_float32, save_half_precision
    from capsgan_keras.runs.directory import (
        SAMPLE_COLUMNS,
        SAMPLE_ROWS,
        RunDirectory,
        sample_images,
    )
    from capsgan_keras.runs.model_card import pretrained_card
    from experiments.errors import EvaluationError

    whole = in_float32(run.gan)
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.with_name(f"{path.name}-before")
    with replacing(path) as partial:
        RunDirectory(partial).create(run.config)
        file = partial / "gan.keras"
        save_half_precision(whole, file)
        size = file.stat().st_size
        if size > MAXIMUM_BYTES:
            raise EvaluationError(
                f"{run.path}: its networks take {size / 1e6:.1f} MB in float16, more than the "
                f"{MAXIMUM_BYTES / 1e6:g} MB that the package takes: {run.metrics['parameters']}"
            )
        stored = keras.saving.load_model(file)
        measured = compare(stored, whole, run.gan, images)
        facts = {
            "weights": "float16",
            "precision": "float32",
            "bytes": size,
            "run_checksum": checksum_of(run),
            **measured,
            "evaluation": evaluation,
        }
        metrics = run.metrics | {"pretrained": facts}
        RunDirectory(partial).write_history(run.history)
        grid = image_grid(
            sample_images(stored, run.config["settings"]["seed"]), SAMPLE_ROWS, SAMPLE_COLUMNS
        )
        save_image(partial / "samples.png", grid)
        write_text(partial / "README.md", pretrained_card(run.config, metrics))
        write_json(partial / "metrics.json", metrics)
        if path.exists():  # only where it may be replaced
            shutil.rmtree(before, ignore_errors=True)  # of a killed process
            path.rename(before)
    shutil.rmtree(before, ignore_errors=True)
    return (
        f"{path}: {size / 1e6:.2f} MB. {measured['share_that_differs']:.3%} of the pixels of "
        f"{images:,} images differ, by at most {measured['largest_difference']} of 255 grey levels "
        f"(from the run's own arithmetic by at most {measured['largest_difference_from_run']})"
    )


def compare(stored, whole, as_trained, images):
    """Measure how far images of stored networks are from those of the run.

    Args:
        stored: The GAN with rounded weights.
        whole: The same with the weights as trained, in float32 too.
        as_trained: The run's own GAN, in its own arithmetic.
        images: How many images each generates.

    Returns:
        Dictionary: the number and seed of the images; the largest difference of a pixel, the share
        of pixels that differ, and by more than one, and the largest difference of a score, all
        against `whole`; the largest difference of a pixel against `as_trained`.
    """
    import numpy as np

    pixels = stored.generate(images, seed=COMPARED_SEED)

    def difference(gan):
        others = gan.generate(images, seed=COMPARED_SEED)
        return np.abs(np.subtract(pixels, others, dtype=np.int16))

    rounding = difference(whole)
    scores = (gan.discriminate(pixels) for gan in (stored, whole))
    return {
        "compared_images": images,
        "compared_seed": COMPARED_SEED,
        "largest_difference": int(rounding.max()),
        "share_that_differs": float((rounding > 0).mean()),
        "share_beyond_one": float((rounding > 1).mean()),
        "largest_difference_from_run": int(difference(as_trained).max()),
        "largest_score_difference": float(np.abs(np.subtract(*scores)).max()),
    }


if __name__ == "__main__":
    sys.exit(main())
