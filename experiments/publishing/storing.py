"""Storing the networks of finished runs in the package."""

import keras
import numpy as np

from capsgan_keras import load_run
from capsgan_keras.checks import check_positive
from capsgan_keras.datasets import DATASET_NAMES
from capsgan_keras.files import LOCK, replacing, standing, write_json, write_text
from capsgan_keras.gan.prediction import check_many
from capsgan_keras.gan.saving import in_float32
from capsgan_keras.plotting import image_grid, save_image
from capsgan_keras.pretrained.half_precision import save_half_precision
from capsgan_keras.pretrained.loading import FOLDER, pretrained_path
from capsgan_keras.runs import SAMPLE_COLUMNS, SAMPLE_ROWS, RunDirectory, sample_images
from capsgan_keras.runs.lock import working
from capsgan_keras.runs.model_card import pretrained_card
from experiments.errors import EvaluationError
from experiments.evaluations.finished_runs import gan_checksum
from experiments.reports.card_texts import run_summary
from experiments.reports.folders import read_folders
from experiments.training.surroundings import check_surroundings

MAXIMUM_BYTES = 8_000_000
"""Of a file with both networks of a GAN."""
COMPARED_SEED = 0


def publish(runs, results=None, output=None, images=10_000, overwrite=False):
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
        ValueError: Where as many images do not fit the memory.
        EvaluationError: Where a run has not ended or cannot be published, networks of its name are
            stored already, its file is too large, or the results are of other runs.
        RunError: Where a folder holds no run, or a damaged one.
        OSError: Where a file cannot be written.
    """
    check_positive(images=images)
    check_surroundings()
    evaluations = None if results is None else evaluations_in(results.expanduser())
    output = FOLDER if output is None else output.expanduser()
    plans = {}
    # All are looked at before the first is stored.
    for run in map(load_run, runs):
        check_run(run)
        settings, dataset = run.config["settings"], run.config["dataset"]
        check_many("images", images, settings["latent_dim"], tuple(dataset["image_shape"]))
        model, dataset = settings["model"], dataset["source"]
        path = pretrained_path(model, dataset, output)
        if path in plans:
            raise EvaluationError(
                f"Each model of a data set must be given once. Received: {plans[path][0].path} and "
                f"{run.path}, both {model} on {dataset}"
            )
        if standing(path).exists() and not overwrite:
            raise EvaluationError(f"{path}: is stored already. Replace it by --overwrite")
        plans[path] = run, evaluation_of(run, evaluations)
    for path, (run, evaluation) in plans.items():
        yield store(run, evaluation, path, images)


def check_finished(run):
    """Raise an `EvaluationError` unless a run has ended."""
    if not run.finished:
        raise EvaluationError(
            f"{run.path}: the run has not ended. Go on with it by --resume of its experiment"
        )


def check_run(run):
    """Raise an `EvaluationError` unless a run can be stored in the package."""
    check_finished(run)
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


def evaluations_in(folder):
    """Return the evaluations whose result files lie in a folder.

    Raises:
        EvaluationError: Where only folders below it hold some.
    """
    folders = read_folders(folder)
    if folder not in folders:
        below = ", ".join(map(str, folders))
        raise EvaluationError(f"{folder}: holds no results itself, but {below} does")
    return folders[folder]


def evaluation_of(run, evaluations):
    """Return what results say of a run, a dictionary of texts.

    Args:
        run: A `capsgan_keras.runs.Run`.
        evaluations: `experiments.reports.folders.Evaluations`; None for none.

    Raises:
        EvaluationError: Where one of them is of other runs.
    """
    if evaluations is None:
        return {}
    checksum = gan_checksum(run)
    for results in evaluations.all:
        if all(each.gan_checksum != checksum for each in results.runs):
            names = ", ".join(each.name for each in results.runs)
            raise EvaluationError(
                f"{run.path}: its networks are not those that {results.path.name} is of: {names}"
            )
    return run_summary(checksum, evaluations)


def store(run, evaluation, path, images):
    """Store one run's networks, measure them, and write the card.

    Args:
        run: A finished `capsgan_keras.runs.Run`.
        evaluation: Dictionary of texts for the card.
        path: The folder to be.
        images: How many images are compared.

    Returns:
        A line that says where and how exactly.

    Raises:
        EvaluationError: Where the file is too large.
        InUseError: Where another process stores networks there.
        OSError: Where a file cannot be written.
    """
    whole = in_float32(run.gan)
    with working(path.with_name(f"{LOCK}-{path.name}")), replacing(path) as partial:
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
            "run_checksum": gan_checksum(run),
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
