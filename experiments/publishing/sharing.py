"""A finished run as a folder that is ready to be pushed to a model hub."""

import shlex

from capsgan_keras import load_run
from capsgan_keras.evaluation import calibrated_cut
from capsgan_keras.files import (
    LOCK,
    file_in_the_way,
    names_in,
    quoted,
    replacing,
    standing,
    write_json,
    write_text,
)
from capsgan_keras.gan.saving import copy_of
from capsgan_keras.plotting import image_grid, save_figure, save_image, training_curves
from capsgan_keras.pretrained.loading import RECORDS, load_pretrained
from capsgan_keras.runs import SAMPLE_COLUMNS, SAMPLE_ROWS, RunDirectory, sample_images
from capsgan_keras.runs.card_head import NO_LICENSE, check_license
from capsgan_keras.runs.lock import working
from capsgan_keras.runs.model_card import shared_card
from capsgan_keras.runs.models import file_checksum
from experiments.errors import EvaluationError
from experiments.publishing.storing import check_finished, evaluation_of, evaluations_in
from experiments.training.surroundings import check_surroundings

CONTENT = {
    *("README.md", "config.json", "metadata.json", "model.weights.h5"),
    *("samples.png", "curves.png", RECORDS),
}
"""What a shared folder holds. The model's own files have the names that Keras gives them."""


def share(runs, to, results=None, license=None, overwrite=False):
    """Make a folder of a finished run's networks, in the form that model hubs keep.

    It holds both networks as they were trained, without optimizers, in Keras's own form of a
    folder; the model card, two pictures, and the run's records.

    Args:
        runs: The run's folder, in a list.
        to: The folder to make.
        results: A folder with result files of this very run; None for none.
        license: Name of the networks' licence on the hub; None where nobody says one.
        overwrite: Whether a folder that was made so before may be replaced.

    Yields:
        Lines that say what was made, how to load it, and how to push it.

    Raises:
        ValueError: Where there are several runs, or the licence has no name of a hub.
        EvaluationError: Where the run has not ended, the folder holds other things, or the results
            are of other runs.
        RunError: Where a folder holds no run, or a damaged one.
        InUseError: Where another process writes the folder.
        OSError: Where a file cannot be written.
    """
    check_surroundings()
    if len(runs) != 1:
        raise EvaluationError(f"--to takes one run, a folder for each. Received: {len(runs)} runs")
    license = check_license(NO_LICENSE if license is None else license)
    evaluations = None if results is None else evaluations_in(results)
    to = to.absolute()
    _check_place(to, overwrite)
    RunDirectory(to).check_place()
    run = load_run(runs[0])
    check_finished(run)
    evaluation = evaluation_of(run, evaluations)
    with working(to.with_name(f"{LOCK}-{to.name}")), replacing(to) as partial:
        copy_of(run.gan).save(partial, zipped=False)
        (partial / "assets").rmdir()  # empty: no layer has files of its own, and hubs drop it
        config = _without_paths(run.config)
        records = RunDirectory(partial / RECORDS)
        records.create(config)
        records.write_history(run.history)
        checksum = file_checksum(partial)  # so that other weights are not taken for these
        write_json(records.path / "metrics.json", run.metrics | {"checksum": checksum})
        grid = sample_images(run.gan, run.config["settings"]["seed"])
        save_image(partial / "samples.png", image_grid(grid, SAMPLE_ROWS, SAMPLE_COLUMNS))
        balance = calibrated_cut(run.gan.loss, run.gan.discriminator_outputs)
        curves = training_curves(run.history, balance)
        save_figure(partial / "curves.png", curves)
        card = shared_card(to.name, config, run.metrics, evaluation, license)
        write_text(partial / "README.md", card)
        load_pretrained(partial)  # what cannot be loaded is not left behind
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    yield f"{to}: both networks, the model card, pictures, {size / 1e6:.1f} MB. To load them:"
    yield "  from capsgan_keras import load_pretrained"
    yield f"  gan = load_pretrained({quoted(to)})"
    yield f"To push it: hf upload {shlex.quote(f'OWNER/{to.name}')} {shlex.quote(str(to))}"


def _check_place(to, overwrite):
    """Refuse a place where something else would be lost."""
    blocked = file_in_the_way(to)
    if blocked is not None:
        raise EvaluationError(f"{to}: is no folder: {blocked} is a file")
    standing_there = standing(to)
    if not standing_there.exists():
        return
    found = names_in(standing_there)
    others = [name for name in found if name not in CONTENT]
    if others or (found and not (standing_there / RECORDS).is_dir()):
        raise EvaluationError(
            f"{to}: holds {', '.join((others or found)[:3])}, which --to has not made. "
            "Choose another folder"
        )
    if found and not overwrite:
        raise EvaluationError(f"{to}: holds networks already. Replace them by --overwrite")


def _without_paths(config):
    """Return a run's config without the place of images of one's own on this machine."""
    source = config["dataset"]["source"]
    if "/" not in source and "\\" not in source:
        return config
    return config | {"dataset": config["dataset"] | {"source": config["dataset"]["name"]}}
