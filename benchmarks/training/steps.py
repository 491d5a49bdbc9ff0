"""Speed of the training step against the textbook step, and against its own convolutions.

The steps train the networks of the experiments' tuned settings on random images, at their batch
size and with their optimizers. Their values are compared with the textbook's before any is timed.
On JAX the package's steps are timed alone: the textbook step is written for TensorFlow.
"""

import time
from dataclasses import replace

import keras
import numpy as np

from benchmarks.measuring import Seconds, ratios, spread, time_in_turn
from benchmarks.training.networks import IMAGE_SHAPES, MODELS, TINY, TUNED, new_gan
from experiments.training.precision import resolve_precision

TEXTBOOK, ALTERNATING, SIMULTANEOUS = "textbook", "alternating", "simultaneous"
CONVOLUTIONS = "convolutions"
SEED = 0


def run(quick=False):
    """Check and time all steps, in float32, and in bfloat16 where the hardware has it.

    Args:
        quick: Whether tiny networks take single steps, for tests.

    Returns:
        Dictionary for the JSON file: `steps`, `rounds`, and `datasets`, which holds what
        `measure` returns for each data set and model.

    Raises:
        DisagreementError: Where a step differs from the textbook's.
    """
    steps, rounds, changes = (1, 2, TINY) if quick else (10, 7, {})
    precisions = dict.fromkeys(("float32", resolve_precision("auto")[0]))
    datasets = {}
    for dataset, settings in TUNED.items():
        datasets[dataset] = {}
        for model in MODELS:
            print(f"training: {model} GAN, {dataset}", flush=True)
            result = measure(replace(settings, **changes), model, precisions, steps, rounds)
            datasets[dataset][model] = result
    return {"steps": steps, "rounds": rounds, "datasets": datasets}


def measure(settings, model, precisions, steps, rounds):
    """Check and time the steps of one model.

    Args:
        settings: `experiments.settings.training.Settings`.
        model: `"capsule"` or `"convolutional"`.
        precisions: Names of dtype policies.
        steps: How many are timed at a time.
        rounds: How often.

    Returns:
        Dictionary: `batch_size`; `differences` from the textbook, as `check_step` returns them;
        `steps`, a list of dictionaries as `row` returns them.
    """
    shape = (steps, settings.batch_size, *IMAGE_SHAPES[settings.dataset])
    batches = np.random.default_rng(SEED).integers(0, 256, shape, dtype=np.uint8)

    def new(precision, update=SIMULTANEOUS):
        return new_gan(replace(settings, update=update), model, precision)

    differences, functions = {}, {}
    for precision in precisions:
        if keras.backend.backend() == "tensorflow":
            # Only here: it needs TensorFlow, which need not be installed beside JAX.
            from benchmarks.training.comparison import compare

            found, references = compare(new, batches, precision)
            differences |= found
            functions |= {
                (name, precision): one_by_one(way, batches) for name, way in references.items()
            }
        for update in (ALTERNATING, SIMULTANEOUS):
            functions[update, precision] = in_fit(new(precision, update), batches)
    seconds = time_in_turn(functions, 1, rounds)
    return {
        "batch_size": settings.batch_size,
        "differences": differences,
        "steps": [row(*key, seconds, steps * settings.batch_size) for key in functions],
    }


def one_by_one(step, batches):
    """Return a function that calls a step with each batch."""

    def train():
        for images in batches:
            step(images)

    return train


def in_fit(gan, batches):
    """Return a function that trains by `fit`, and returns the time of its steps.

    What `fit` does before the first step and after the last is left out.
    """
    images, clock = np.concatenate(batches), _Clock()
    options = {"batch_size": len(batches[0]), "shuffle": False, "verbose": 0}

    def train():
        gan.fit(images, callbacks=[clock], **options)
        return Seconds(clock.end - clock.start)

    return train


class _Clock(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        for value in logs.values():
            float(value)  # which waits for a device
        self.end = time.perf_counter()


def row(name, precision, seconds, images):
    """Turn the seconds of one step into a rate and ratios.

    Args:
        name: The step's name.
        precision: Its dtype policy.
        seconds: Dictionary of names and precisions: lists of seconds, one number a round.
        images: How many images are trained on in these seconds.

    Returns:
        Dictionary `step`, `precision`, and three spreads over the rounds: `images_per_second`;
        `times_textbook`, how many times as fast as the textbook step in float32; and
        `convolutions_share`, the share of the time that the step's convolutions need alone. A
        ratio is None where there is nothing to compare with.
    """
    own = seconds[name, precision]
    textbook = seconds.get((TEXTBOOK, "float32")) if name != CONVOLUTIONS else None
    # The convolutions are those of the simultaneous step.
    alone = seconds.get((CONVOLUTIONS, precision)) if name == SIMULTANEOUS else None
    return {
        "step": name,
        "precision": precision,
        "images_per_second": spread([images / value for value in own]),
        "times_textbook": textbook and ratios(textbook, own),
        "convolutions_share": alone and ratios(alone, own),
    }
