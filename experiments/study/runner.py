"""Makes the files of a study: trains and measures what is missing."""

import dataclasses
import itertools
from functools import partial
from time import perf_counter

import keras
import numpy as np

from capsgan_keras import load_dataset
from capsgan_keras.datasets.registry import find_dataset
from capsgan_keras.evaluation import calibrated_cut, load_or_train_classifier
from capsgan_keras.gan.prediction import check_many
from capsgan_keras.layers import CapsuleLayer
from capsgan_keras.terminal import progress
from capsgan_keras.training.batches import EpochBatches
from capsgan_keras.training.callbacks import NonFiniteError
from experiments.errors import DivergedError
from experiments.evaluations.result_file import ResultFile
from experiments.reports.text import NETWORKS
from experiments.study.cases import BASE, CASES, PROOF
from experiments.study.measures import life, measure, measure_controls
from experiments.study.records import CONTROLS, ROUTINGS, RUN, StudyRun, read_record
from experiments.training.networks import build_gan
from experiments.training.precision import resolve_precision
from experiments.training.surroundings import check_surroundings
from experiments.training.train import fit


def run_study(folder, sizes, names, seeds, overwrite, precision, data_dir, cache_dir, verbose):
    """Make the missing files of the cases in `names`, and of `PROOF`; arguments as in `--help`.

    Raises:
        ValueError: Where files, data or a classifier do not fit.
        DivergedError: Where a training of the comparison of routings is not finite.
    """
    check_surroundings()
    policy = choose_precision(precision, folder)
    cases = [case for case in CASES if case.name in names]
    wanted = dict.fromkeys(case.settings.dataset for case in cases)
    for name, size in itertools.product(wanted, ("n_samples", "n_unlabelled")):
        check_many(size, getattr(sizes, size), BASE.latent_dim, find_dataset(name).image_shape)
    # What is missing or too poor shows before the first training.
    datasets = {name: load_dataset(name, data_dir) for name in {**wanted, BASE.dataset: None}}
    load = partial(load_or_train_classifier, cache_dir=cache_dir, verbose=progress(verbose))
    classifiers = {name: load(datasets[name]) for name in wanted}

    def finish(name, kind, dataset, make, settings=None, **identity):
        if settings is not None:
            identity["settings"] = settings.identity(settings.model) | {"precision": policy}
            for field in ("epochs", "validation"):  # the study counts steps, holds nothing out
                del identity["settings"][field]
        identity["dataset"] = {"name": dataset.name, "checksum": dataset.checksum}
        identity["sizes"] = dataclasses.asdict(sizes)
        file = ResultFile(folder / f"{name}.json", kind, identity, overwrite)
        if not file.finished:
            print(f"{name} ...", flush=True)
            with file.filling():
                file.results = make()
                file.write(finished=True)
            print(f"  in {file.path}", flush=True)

    if PROOF in names:
        dataset = datasets[BASE.dataset]
        make = partial(compare_routings, BASE, policy, dataset.x_train, sizes.proof_steps)
        finish(PROOF, ROUTINGS, dataset, make, BASE)
    # All cases with one seed, then with the next: an interrupted study compares them too.
    for seed, case in itertools.product(range(seeds), cases):
        if case.max_seeds is None or seed < case.max_seeds:
            settings = dataclasses.replace(case.settings, seed=seed)
            dataset, classifier = datasets[settings.dataset], classifiers[settings.dataset]
            make = partial(_train_and_measure, settings, policy, dataset, classifier, sizes)
            name = f"{case.name}-seed{seed}"
            finish(name, RUN, dataset, make, settings, case=case.name, seed=seed)
    for name in wanted:
        make = partial(measure_controls, datasets[name], classifiers[name], sizes)
        finish(f"controls-{name}", CONTROLS, datasets[name], make)


def choose_precision(requested, folder):
    """Return a dtype policy: with `"auto"` that of runs that are there, else the machine's."""
    for path in sorted(folder.glob("[!.]*-seed*.json")) if requested == "auto" else ():
        return read_record(StudyRun, RUN, path).precision
    return resolve_precision(requested)[0]


def _train_and_measure(settings, policy, dataset, classifier, sizes):
    start = perf_counter()
    gan, curve, diverged = train(settings, policy, dataset.x_train, sizes.steps, sizes.every)
    end = perf_counter()
    measured = None if diverged else measure(gan, dataset, classifier, sizes)
    return {
        "curve": curve,
        "equilibrium": calibrated_cut(gan.loss, gan.discriminator_outputs),
        "diverged": diverged,
        "life": life(curve, measured and measured["recognised"]),
        "measured": measured,
        "parameters": {part: getattr(gan, part).count_params() for part in NETWORKS},
        "seconds": {"training": round(end - start, 2), "measuring": round(perf_counter() - end, 2)},
    }


def train(settings, policy, images, steps, every, compute_routing=False):
    """Train a new GAN of one model's settings on uint8 images.

    Returns:
        `(gan, curve, diverged)`: the `GAN`; lists `step`, `d_real` and `d_fake`, D's mean outputs
        in training over the `every` steps up to each; what was not finite, or None.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(policy)
    gan = build_gan(settings, settings.model, images.shape[1:], steps)
    for layer in gan.discriminator.layers:
        if compute_routing and isinstance(layer, CapsuleLayer):
            layer.routing = "computed"  # with "dynamic" it takes a shorter way for one capsule
    batches = EpochBatches(images, settings.batch_size, settings.seed, steps_per_epoch=every)
    history, diverged = keras.callbacks.History(), None
    try:
        fit(gan, batches, steps // every, history)
    except NonFiniteError as error:
        diverged = f"{error} (an epoch stands for {every} steps)"
    logs = history.history
    curve = {key: [round(float(x), 5) for x in logs.get(key, ())] for key in ("d_real", "d_fake")}
    points = range(1, len(curve["d_real"]) + 1)
    return gan, {"step": [every * point for point in points]} | curve, diverged


def compare_routings(settings, policy, images, steps):
    """Train with two numbers of routings each time, and count the weights that differ in any bit.

    Both trainings have the same seed and batches. Equal bits need kernels that add up in a fixed
    order, as those of the CPU do.
    """
    results = {}
    for name, routing, numbers in (
        ("package", "dynamic", (1, 3)),
        # Not with 1 routing, whose sum is taken in another order and so rounded otherwise.
        ("computed", "dynamic", (2, 3)),
        # The couplings are not 1. These must differ, or the comparison could not tell.
        ("leaky", "leaky", (2, 3)),
    ):
        ends = []
        for number in numbers:
            changed = dataclasses.replace(settings, routing=routing, routings=number)
            gan, _, diverged = train(changed, policy, images, steps, steps, name == "computed")
            if diverged:
                raise DivergedError(diverged)
            weights = gan.generator.get_weights() + gan.discriminator.get_weights()
            ends.append(np.concatenate([each.ravel() for each in weights]))
        different = np.not_equal(*(end.view(np.uint32) for end in ends))
        counts = {"numbers": different.size, "different": int(different.sum())}
        results[name] = {"routings": list(numbers), "steps": steps} | counts
    return results
