"""What is chosen for images of which nothing is known: size, epochs, evaluation; and the time."""

import dataclasses
import os
import time
from pathlib import Path

import keras

from capsgan_keras import load_dataset
from capsgan_keras.datasets.folder import EXTENSIONS
from capsgan_keras.gan.settings import for_number_of
from capsgan_keras.runs.directory import RunDirectory
from capsgan_keras.runs.model_card import counted
from experiments.settings.evaluations import (
    Evaluation,
    MetricSettings,
    QualitySettings,
    TableSettings,
)
from experiments.training.devices import join_workers
from experiments.training.networks import build_gan
from experiments.training.precision import resolve_precision
from experiments.training.train import load_training_images

SIDE = 32
"""Images that are larger, or of several sizes, are resized to this side."""
LEAST_SIDE = 16
EPOCH_STEPS = 200
"""Steps that an epoch has at least, so that checkpoints and pictures take little of the time."""
LEAST_LABELLED = 200
"""Images with classes from which on some are held out."""
TIMED_STEPS = 5


def prepare(settings, steps, held_out=None):
    """Choose what the images and the number of steps leave open, and say it.

    Args:
        settings: `Settings` of the command line.
        steps: Training steps that are wished for.
        held_out: Images to hold out; None to choose.

    Returns:
        The `Settings`, the `Dataset` to train on, and the `Evaluation`, which is None for none.

    Raises:
        ValueError: Where the images cannot be had, or settings do not fit them.
    """
    join_workers(settings)  # steps are timed before the training
    size = settings.image_size or choose_size(settings.dataset)
    settings = dataclasses.replace(settings, image_size=size)
    dataset = load_training_images(settings)
    compared = settings.evaluate
    if compared is None:
        compared = _has_classes(dataset)
    if held_out is None:
        held_out = _to_hold_out(dataset) if compared else 0
    if held_out:
        dataset = dataset.hold_out(held_out)
    batch_size = min(settings.batch_size, len(dataset.x_train))
    passes, epochs = divide(steps, len(dataset.x_train), batch_size)
    settings = dataclasses.replace(
        settings, batch_size=batch_size, passes=passes, epochs=epochs, validation=held_out
    )
    settings = _augmented(settings, len(dataset.x_train))
    height, width, channels = dataset.image_shape
    resized = f"; resized to {size} x {size} (--image-size)" if size else ""
    print(
        f"{dataset.name}: {len(dataset.x_train):,} images to train on, {held_out:,} held out; "
        f"{height} x {width}, {'grey' if channels == 1 else 'coloured'}{resized}"
    )
    per_epoch = passes * len(dataset.x_train) // batch_size
    print(
        f"{counted(epochs * per_epoch, 'step')} of {counted(batch_size, 'image')} for each model, "
        f"in {counted(epochs, 'epoch')}"
    )
    if settings.augmentation:
        print(f"Augmentation of what discriminators see: {', '.join(settings.augmentation)}")
    if len(dataset.x_train) < LEAST_LABELLED:
        print("These are few images: generators may copy them. Several hundred are better.")
    _say_time(settings, dataset, epochs * per_epoch)
    return settings, dataset, _evaluation(dataset) if compared else None


def _augmented(settings, images):
    """Return settings with the augmentation of the runs to go on with, or else for the images."""
    if settings.augmentation is None and settings.resume:
        paths = [each.run_path(model) for each in settings.by_seed for model in settings.models]
        started = [directory for directory in map(RunDirectory, paths) if directory.exists]
        if started:
            stored = started[0].read_config()["settings"].get("augmentation")
            return dataclasses.replace(settings, augmentation=tuple(stored or ()))
    return for_number_of(images, settings)


def choose_size(source):
    """Return the side to resize images to; None where they can stay as they are.

    Args:
        source: What `load_dataset` takes.
    """
    sizes = _sizes_in(Path(os.path.expanduser(source))) or {load_dataset(source).image_shape[1::-1]}
    sides = {side for size in sizes for side in size}
    fits = all(LEAST_SIDE <= side <= SIDE and side % 4 == 0 for side in sides)
    return None if len(sizes) == 1 and fits else SIDE


def _sizes_in(folder):
    """Return the sizes of the images of a folder by their headers, without decoding them."""
    # Only folders of images need Pillow.
    from PIL import Image

    sizes = set()
    for path in folder.rglob("*") if os.path.isdir(folder) else ():
        if path.suffix.lower() in EXTENSIONS and path.is_file():
            try:
                with Image.open(path) as image:
                    sizes.add(image.size)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                pass  # loading says what is wrong with it
    return sizes


def divide(steps, images, batch_size):
    """Divide a number of steps into epochs.

    Returns:
        How often an epoch goes through the images, and how many epochs make about `steps`.
    """
    wanted = min(EPOCH_STEPS, steps) * batch_size
    passes = max(1, -(-wanted // images))
    return passes, max(1, round(steps / (passes * images // batch_size)))


def _has_classes(dataset):
    enough = len(dataset.x_train) >= LEAST_LABELLED or len(dataset.x_test)
    return dataset.y_train is not None and len(set(dataset.y_train.tolist())) > 1 and bool(enough)


def _to_hold_out(dataset):
    return 0 if len(dataset.x_test) else min(len(dataset.x_train) // 6, 1_000)


def _evaluation(dataset):
    """Return an evaluation at sizes that fit the images."""
    half = max(1, len(dataset.x_train) // 2)
    ten_each = 10 * (1 if dataset.y_train is None else int(dataset.y_train.max()) + 1)
    return Evaluation(
        metric=MetricSettings(n_samples=2_000),
        table=TableSettings(
            n_labelled=tuple(sorted({min(ten_each, half), half})), n_unlabelled=2_000
        ),
        quality=QualitySettings(n_samples=2_000),
    )


def _say_time(settings, dataset, steps):
    """Say how long new runs take here, by the time of a few steps."""
    for model in settings.models:
        if not any(each.run_path(model).exists() for each in settings.by_seed):
            seconds = seconds_per_step(settings, model, dataset) * steps * settings.seeds
            print(
                f"{model}: about {counted(max(1, round(seconds / 60)), 'minute')} on this machine"
            )


def seconds_per_step(settings, model, dataset):
    """Return how long a training step takes, by a model that is thrown away."""
    keras.config.set_dtype_policy(resolve_precision(settings.precision)[0])
    # Without averages, which `fit` would put in place at its end.
    gan = build_gan(dataclasses.replace(settings, generator_ema=0.0), model, dataset.image_shape)
    images = dataset.x_train[: settings.batch_size]
    for _ in range(2):  # to trace and compile
        gan.train_on_batch(images)
    start = time.perf_counter()
    for _ in range(TIMED_STEPS):
        gan.train_on_batch(images)
    return (time.perf_counter() - start) / TIMED_STEPS
