"""Train the classifiers that the settings ask for, one run each."""

import time
from pathlib import Path
from typing import Any

import keras

from capsgan_keras.datasets import Dataset
from capsgan_keras.runs.callbacks import WriteEpochs
from capsgan_keras.runs.lock import working
from capsgan_keras.runs.model_card import counted
from capsgan_keras.terminal import progress
from capsgan_keras.training.callbacks import FollowEpoch, StopOnNonFinite
from capsgan_keras.types import History
from experiments.capsnet.batches import ClassifierBatches, count_classes, network_shape
from experiments.capsnet.card import MEASURES, classifier_card
from experiments.capsnet.directory import ClassifierDirectory
from experiments.capsnet.figures import figures
from experiments.capsnet.networks import build_network, count_parameters
from experiments.capsnet.testing import measure
from experiments.errors import SettingsError
from experiments.settings.classifiers import ClassifierSettings
from experiments.training.plan import Plan, check_unchanged, plan_run
from experiments.training.tensorboard import check_logs, log_settings, logs_of
from experiments.training.train import heeding_interrupts, telling_divergence


def train(settings: ClassifierSettings, dataset: Dataset) -> list[Path]:
    """Train with every seed, and write the run directories.

    Args:
        settings: What to train.
        dataset: What `load_training_images` returned.

    Returns:
        The folders of all runs that the settings ask for, finished before or now.

    Raises:
        SettingsError: Where the settings do not fit the data or each other.
        DatasetError: Where images lack classes, or there is no test image.
        RunError: Where a folder holds something else, or a run that the settings do not fit.
        InUseError: Where another process trains one of the runs.
        DivergedError: Where training diverges.
        OSError: Where files cannot be written.
    """
    check_logs(settings)
    num_classes, image_shape = count_classes(dataset), network_shape(settings, dataset)
    try:
        batches = [ClassifierBatches(each, dataset, num_classes) for each in settings.by_seed]
    except ValueError as error:
        raise SettingsError(str(error)) from error
    print(
        f"{dataset.name}: {counted(len(dataset.x_train), 'training image')} of "
        f"{num_classes} classes, seen as {image_shape}, "
        f"{counted(batches[0].num_batches, 'step')} an epoch"
    )
    # All are planned before the first is trained, so that what is wrong shows at once.
    plans = [
        plan_run(each, each.name, dataset, 1, ClassifierDirectory, _way)
        for each in settings.by_seed
    ]
    folders = []
    for each, its_batches, plan in zip(settings.by_seed, batches, plans, strict=True):
        directory = ClassifierDirectory(each.run_path(each.name))
        folders.append(directory.path)
        if plan is None:
            _test_again(each, directory, dataset)
            continue
        keras.backend.clear_session()  # so that no name depends on the network before
        with working(directory.lock):
            check_unchanged(plan)
            _train_one(each, plan, its_batches, dataset, image_shape, num_classes)
    return folders


def _train_one(
    settings: ClassifierSettings,
    plan: Plan,
    batches: ClassifierBatches,
    dataset: Dataset,
    image_shape: tuple[int, int, int],
    num_classes: int,
) -> None:
    """Train one network to its last epoch and write its run directory."""
    directory = plan.directory
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(plan.policy)
    epoch, writer = 0, WriteEpochs(directory)
    if plan.checkpoint is None:
        steps = batches.num_batches * settings.epochs
        network = build_network(settings, image_shape, num_classes, steps)
    else:
        network, epoch = plan.checkpoint.load_network(), plan.checkpoint.epoch
        writer = WriteEpochs(directory, plan.checkpoint.history, plan.checkpoint.seconds)
        directory.go_back(plan.checkpoint)
    if plan.checkpoint is None:
        directory.create(plan.description)
    if epoch < settings.epochs:
        print(f"{settings.name}: epochs {epoch + 1} to {settings.epochs} in {directory.path}")
        log_settings(settings, plan)
        with telling_divergence(directory, settings.name, "A lower --learning-rate may help"):
            network.fit(
                batches.feed(),
                epochs=settings.epochs,
                initial_epoch=epoch,
                shuffle=False,
                verbose=progress(settings.verbose),
                callbacks=[
                    heeding_interrupts(),
                    FollowEpoch(batches),
                    StopOnNonFinite(),
                    *logs_of(settings, plan, with_grids=False),
                    writer,  # last, so that it is not ahead of the logs
                ],
            )
    metrics = {
        "epochs": settings.epochs,
        "final": {name: values[-1] for name, values in writer.history.items()},
        "seconds": writer.seconds,
        "seconds_per_epoch": writer.seconds / settings.epochs,
        "parameters": count_parameters(network),
        "image_shape": list(image_shape),
    }
    directory.write_network(network)
    _finish(settings, directory, network, dataset, metrics, writer.history)


def _finish(
    settings: ClassifierSettings,
    directory: ClassifierDirectory,
    network: keras.Model,
    dataset: Dataset,
    metrics: dict[str, Any],
    history: History,
) -> None:
    """Measure a trained network, draw it, and write that."""
    started = time.perf_counter()
    metrics |= measure(network, settings, dataset)
    pictures = figures(network, settings, dataset, history)
    directory.write_figures(pictures)
    card = classifier_card(directory.path, directory.read_config(), metrics)
    directory.write_results(metrics, card)
    results = ", ".join(f"{name} {metrics[name]:.2%}" for name in MEASURES if name in metrics)
    print(
        f"{counted(metrics['epochs'], 'epoch')} in {metrics['seconds']:.0f} s, tested in "
        f"{time.perf_counter() - started:.0f} s: {results}. In {directory.path}:\n"
        f"  network.keras             the trained network\n"
        f"  README.md, metrics.json   the model card, and errors, time and size\n"
        f"  {', '.join(f'{name}.png' for name in pictures)}"
    )


def _test_again(
    settings: ClassifierSettings, directory: ClassifierDirectory, dataset: Dataset
) -> None:
    """Make the tests of a finished run that were not made when it was trained."""
    metrics = directory.read_metrics()
    made = {"affine": "affine_error", "overlap": "overlap_exact_match"}
    if all(made[test] in metrics for test in settings.tests):
        return
    with working(directory.lock):
        network = directory.load_network()
        _finish(settings, directory, network, dataset, metrics, directory.read_history())


def _way(settings: ClassifierSettings, model: str) -> str:
    """Return in words how a network routes."""
    if settings.model == "plain":
        return f"the layers of {settings.size_of}, without capsules"
    routing = settings.routing or ("self_attention" if model == "efficient" else "dynamic")
    times = "" if routing == "self_attention" else f", {settings.routings} times"
    return f"{routing} routing{times}"
