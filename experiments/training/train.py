"""What every experiment does: train the models that the settings ask for, one run each."""

import contextlib
import dataclasses
import io
import tempfile
from pathlib import Path

import keras

from capsgan_keras.datasets import DatasetError
from capsgan_keras.gan.optimizers import learning_rate
from capsgan_keras.models.generator import category_offsets
from capsgan_keras.runs import RunDirectory, WriteRun, sample_images
from capsgan_keras.runs.finishing import finish_run
from capsgan_keras.runs.lock import working
from capsgan_keras.runs.model_card import counted
from capsgan_keras.terminal import progress
from capsgan_keras.training.averages import averaged, use_averages
from capsgan_keras.training.batches import EpochBatches
from capsgan_keras.training.callbacks import FollowEpoch, NonFiniteError
from experiments.command_line.interrupts import INTERRUPTS
from experiments.errors import DivergedError, SettingsError
from experiments.training.absurd import StopOnAbsurd
from experiments.training.devices import (
    agree,
    choose_devices,
    join_workers,
    keeps_files,
    leave_workers,
    spread_over,
)
from experiments.training.images import load_images
from experiments.training.labels import labels_of
from experiments.training.networks import build_gan
from experiments.training.plan import check_unchanged, plan_run, warn
from experiments.training.tensorboard import check_logs, log_settings, logs_of


def load_training_images(settings):
    """Return the images of a run, a `Dataset`.

    Args:
        settings: `experiments.settings.training.Settings`.

    Raises:
        SettingsError: On a Keras backend that nothing can be trained on.
        ConnectionError: Where the other workers cannot be joined.
        DatasetError: Where the images cannot be had.
    """
    if keras.backend.backend() not in ("tensorflow", "jax"):
        raise SettingsError(
            "experiments run on the Keras backends tensorflow and jax: set KERAS_BACKEND. "
            f"Received: {keras.backend.backend()}"
        )
    join_workers(settings)
    try:
        return load_images(
            settings.dataset, settings.data_dir, settings.image_size, settings.validation
        )
    except DatasetError as error:
        options = "--dataset, --data-dir, --image-size, --validation"
        raise DatasetError(f"{error}\nOptions that say which images: {options}") from error


def train(settings, dataset, check=None):
    """Train every model that the settings ask for, with every seed, and write its run directory.

    Args:
        settings: `experiments.settings.training.Settings`.
        dataset: What `load_training_images` returned.
        check: Function without arguments that may refuse before anything is written.

    Returns:
        The folders of the runs that were trained or brought to their end, a list; not of those that
        were finished already. None on a worker that keeps no files.

    Raises:
        SettingsError: Where the settings do not fit the data or each other.
        RunError: Where a folder holds something else, or a run that the settings do not fit.
        InUseError: Where another process trains one of the runs.
        DivergedError: Where training diverges.
        OSError: Where files cannot be written.
    """
    images, by_seed = dataset.x_train, settings.by_seed
    try:
        batches = [
            EpochBatches(
                images,
                each.batch_size,
                each.seed,
                _steps(each, len(images)),
                flips=bool(each.flips),
                labels=labels_of(each, dataset),
            )
            for each in by_seed
        ]
    except ValueError as error:
        raise SettingsError(str(error)) from error
    if settings.learn_category_shares and not settings.latent_categories:
        warn("`--learn-category-shares` does nothing: the latents have no categories")
    devices = choose_devices(settings)
    check_logs(settings)
    if check is not None:
        check()
    left_out = len(images) % settings.batch_size
    leaving = f", leaving out {counted(left_out, 'image')} of each pass, others each time"
    print(
        f"{dataset.name}: {len(images):,} training images of shape {dataset.image_shape}, "
        f"{counted(batches[0].num_batches, 'step')} an epoch" + (leaving if left_out else "")
    )
    # All are planned before the first is trained, so that what is wrong shows at once.
    count = len(devices) or 1
    plans = [[plan_run(each, model, dataset, count) for model in each.models] for each in by_seed]
    _try_networks(settings, plans, dataset)
    agree(devices, [_fingerprint(plan) for its_plans in plans for plan in its_plans])
    trained = []
    for each, its_batches, its_plans in zip(by_seed, batches, plans, strict=True):
        for plan in its_plans:
            if plan is not None:
                # Also starts the numbers in layers' names anew, so that no name depends on the
                # model before; it would end the scope, too.
                keras.backend.clear_session()
                with _place(plan, keeps_files(devices)) as own, spread_over(devices):
                    train_model(each, own, dataset, its_batches)
                trained.append(plan.directory.path)
    leave_workers(devices)
    return trained if keeps_files(devices) else None


def _fingerprint(plan):
    """Return what all workers must have in common of a plan, as JSON can hold it."""
    if plan is None:
        return None
    epoch = plan.checkpoint.epoch if plan.checkpoint else None
    return [plan.description["settings"], plan.description["dataset"]["checksum"], epoch]


@contextlib.contextmanager
def _place(plan, kept):
    """Give the plan of this process: to write the run itself, or what all workers but one write.

    Each step is collective, and so are those that read the networks to save them. So the others
    write too, to a folder that is removed.
    """
    with contextlib.ExitStack() as stack:
        if kept:
            stack.enter_context(working(plan.directory.lock))
            check_unchanged(plan)
        else:
            print(f"{plan.model}: trains along with the worker that keeps {plan.directory.path}")
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))  # that one says it all
            scratch = stack.enter_context(tempfile.TemporaryDirectory())
            directory = RunDirectory(Path(scratch, plan.directory.path.name))
            directory.create(plan.description if plan.is_new else plan.directory.read_config())
            plan = dataclasses.replace(plan, directory=directory)
        yield plan


def _try_networks(settings, plans, dataset):
    """Build each of several models once and throw it away: what cannot be built shows at once.

    Raises:
        SettingsError: Where the settings fit no network, or one takes more memory than there is.
    """
    new = {p.model: p for each in plans for p in each if p is not None and p.checkpoint is None}
    for plan in new.values() if len(new) > 1 else ():
        keras.config.set_dtype_policy(plan.policy)
        build_gan(settings, plan.model, dataset.image_shape)


def _steps(settings, n_images):
    """Return the steps of an epoch of several passes; None for one pass."""
    passes = settings.passes or 1
    return passes * n_images // settings.batch_size if passes > 1 else None


def train_model(settings, plan, dataset, batches):
    """Train one model to its last epoch and write its run directory."""
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(plan.policy)
    if plan.checkpoint is None:
        steps = batches.num_batches * settings.epochs
        gan = build_gan(settings, plan.model, dataset.image_shape, steps)
        epoch = 0
        writer = WriteRun(plan.directory, settings.seed, keep_every=settings.keep_every)
    else:
        gan, epoch = plan.checkpoint.load_gan(plan.description), plan.checkpoint.epoch
        writer = WriteRun(
            plan.directory,
            settings.seed,
            plan.checkpoint.history,
            plan.checkpoint.seconds,
            settings.keep_every,
        )
        with averaged(gan):
            images = sample_images(gan, settings.seed)
        plan.directory.restore(plan.checkpoint, images)
    if plan.checkpoint is None:  # also where an older version had begun, and finished no epoch
        rates = {
            "generator_learning_rate": learning_rate(gan.generator_optimizer),
            settings.rate_setting(plan.model): learning_rate(gan.discriminator_optimizer),
        }
        known = {"learning_rates": rates, "discriminator_outputs": gan.discriminator_outputs}
        plan.directory.create(plan.description | known)
    if epoch < settings.epochs:
        print(f"{plan.model}: epochs {epoch + 1} to {settings.epochs} in {plan.directory.path}")
        # The checkpoint comes last, so that it is not ahead of the logs.
        callbacks = [*logs_of(settings, plan), writer]
        log_settings(settings, plan)
        with telling_divergence(plan.directory, plan.model, "Lower learning rates may help"):
            fit(gan, batches, settings.epochs, callbacks, epoch, progress(settings.verbose))
    else:
        use_averages(gan)  # as `fit` does at its end
    # A checkpoint of an older version has no room for shares.
    if settings.learn_category_shares and category_offsets(gan.generator) is not None:
        gan.learn_category_shares(dataset.x_train, seed=settings.seed)
        plan.directory.write_samples(settings.epochs, sample_images(gan, settings.seed))
    seen = batches.num_batches * batches.batch_size
    print(finish_run(plan.directory, gan, writer, seen))


@contextlib.contextmanager
def telling_divergence(directory, name, advice):
    """Raise a `DivergedError` that says what is left of a run, where its training diverges.

    Args:
        directory: The `RunDirectory`.
        name: The model's name, for the message.
        advice: What may help, for the message.
    """
    try:
        yield
    except NonFiniteError as error:
        kept = directory.newest_checkpoint()
        stands = f"The checkpoint {kept.path} stands" if kept else "No epoch was finished"
        raise DivergedError(
            f"{name}: training has diverged: {error}. {stands}. {advice}"
        ) from error


def heeding_interrupts():
    """Return the callback that ends training after an interrupt that Keras swallows."""
    return keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: INTERRUPTS.heed())


def fit(gan, batches, epochs, callback, initial_epoch=0, verbose=0):
    """Train a GAN on the batches of some epochs, in their order.

    Args:
        gan: The `GAN`, compiled.
        batches: `EpochBatches`.
        epochs: The last epoch, counted from the beginning of the run.
        callback: Keras callback, or a list of them, that sees the logs, once they are known to be
            finite.
        initial_epoch: Epochs that are done.
        verbose: As in Keras.

    Raises:
        NonFiniteError: At the first batch after which a logged value is not finite, or the epoch
            after which a weight is not.
    """
    gan.fit(
        batches.feed(),
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=verbose,
        callbacks=[heeding_interrupts(), FollowEpoch(batches), StopOnAbsurd(), callback],
    )
