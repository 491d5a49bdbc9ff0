"""The textbook step, and the same with one option of the package's each."""

import keras
import tensorflow as tf

from benchmarks.feeding import agreeing, difference, stacked
from benchmarks.textbook import TextbookGAN, package_weights
from capsgan_keras.layers import CapsuleLayer

TEXTBOOK = "textbook"
ONE_PRODUCT = "textbook, one product"
SIMULTANEOUS = "textbook, simultaneous"


def step_by_step(textbook, batches):
    """One call a step, whose losses come back to Python."""

    def train():
        for images in stacked(batches):
            for loss in textbook.train_step(images):
                loss.numpy()

    return train


def from_dataset(textbook, batches):
    """The same from a `tf.data.Dataset` that holds the images as a tensor, made ahead."""
    data = tf.data.Dataset.from_tensor_slices(stacked(batches)).prefetch(2)

    def train():
        for images in data:
            for loss in textbook.train_step(images):
                loss.numpy()

    return train


def one_execution(textbook, batches):
    """All steps in one call."""

    def train():
        for loss in textbook.train_steps(tf.constant(stacked(batches))):
            loss.numpy()

    return train


def ways(gan):
    """Return the ways for a GAN: name -> (way, arguments of `TextbookGAN`)."""
    found = {
        TEXTBOOK: (step_by_step, {}),
        ONE_PRODUCT: (step_by_step, {"one_product": True}),
        SIMULTANEOUS: (step_by_step, {"update": "simultaneous"}),
        "textbook, dataset": (from_dataset, {}),
        "textbook, one execution": (one_execution, {}),
    }
    if not any(isinstance(layer, CapsuleLayer) for layer in gan.discriminator.layers):
        del found[ONE_PRODUCT]
    return found


def check(new_gan, batches):
    """Compare the weights that all alternating ways end with.

    Args:
        new_gan: Function that returns a GAN, always with the same weights and seed.
        batches: `EpochBatches`.

    Returns:
        Dictionary of ways: the largest difference from the textbook step, as a share of the
        largest change of the same variable.

    Raises:
        DisagreementError: Where one is above `benchmarks.feeding.TOLERANCE`, or not a number.
    """
    weights = {}
    for name, (way, options) in ways(new_gan()).items():
        if name == SIMULTANEOUS:
            continue
        optimizers = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.01)
        textbook = TextbookGAN(new_gan(), *optimizers, **options)
        before = _weights(textbook)
        way(textbook, batches)()
        weights[name] = _weights(textbook)
    reference = weights.pop(TEXTBOOK)
    differences = {name: difference(before, ours, reference) for name, ours in weights.items()}
    return agreeing("ways to do the textbook step", differences)


def _weights(textbook):
    return [
        weight
        for network in (textbook.generator, textbook.discriminator)
        for weights in package_weights(network).values()
        for weight in weights
    ]
