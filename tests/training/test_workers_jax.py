"""Two processes of JAX under `keras.distribution.DataParallel` train as one device.

Tolerance: 5e-6, for weights and logs, after 6 steps.
"""

import keras
import numpy as np
import pytest

import capsgan_keras  # noqa: F401, its classes are to be loaded

pytestmark = pytest.mark.long
TOLERANCE = 5e-6

TRAIN = """
import jax
from capsgan_keras.training.batches import EpochBatches
from capsgan_keras.training.callbacks import FollowEpoch

latents = np.random.default_rng(1).normal(size=(6, 5)).astype("float32")

def batches():
    return EpochBatches(images, 8, seed=4, steps_per_epoch=3)

def train(name, data, batches=None):
    gan = make("capsule", dropout=0.2)
    callbacks = [] if batches is None else [FollowEpoch(batches)]
    keep(name, gan, fit(gan, data, epochs=2, batch_size=None, callbacks=callbacks))
    results[f"{name}/images"] = gan.predict(latents, verbose=0)
    results[f"{name}/scores"] = gan.discriminate(gan.generate(3, seed=0))
    return gan

import tensorflow as tf
dataset = tf.data.Dataset.from_tensor_slices(images[:24]).batch(8)
train("one", dataset)
own = batches()
train("one_in_order", own.feed(), own)
with two_devices():
    gan = train("two", dataset)
    results["error"] = error_of(lambda: fit(gan, images))
    gan.save({folder!r} + f"/{jax.process_index()}.keras")
with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
    own = batches()
    train("two_in_order", own.feed(), own)
    results["rows"] = len(own.feed()[0])
    pairs = EpochBatches(images, 8, seed=4, labels=np.arange(len(images)))
    (shown, labels), (all_shown, all_labels) = pairs.feed()[0], pairs[0]
    here = slice(4 * jax.process_index(), 4 * jax.process_index() + 4)
    results["pair"] = [
        np.array_equal(shown, all_shown[here]), np.array_equal(labels, all_labels[here])]
    own = EpochBatches(images, 7, seed=0)
    results["uneven"] = error_of(lambda: own.feed()[0])
results["processes"], results["devices"] = jax.process_count(), jax.device_count()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def workers(on_two_workers, folder):
    return on_two_workers(TRAIN.replace("{folder!r}", repr(str(folder))), "jax")


def test_each_of_two_workers_ends_as_one_device(workers, assert_close):
    for results in workers:
        assert (results["processes"], results["devices"], results["rows"]) == (2, 2, 4)
        assert_close(results, "one", "two", TOLERANCE)
        assert_close(results, "one_in_order", "two_in_order", TOLERANCE)
        assert np.abs(results["one/weight-0"] - results["one_in_order/weight-0"]).max() > 1e-4
    for name in workers[0].files:
        np.testing.assert_array_equal(workers[0][name], workers[1][name], err_msg=name)


def test_labels_go_with_the_rows_of_their_images(workers):
    for results in workers:
        assert results["pair"].tolist() == [True, True]


def test_what_processes_cannot_share_is_refused(workers):
    assert "the data must be provided as a `tf.data.Dataset`" in str(workers[0]["error"])
    assert str(workers[0]["uneven"]).endswith("Received: a batch of 7 images")


def test_each_worker_saves_what_loads_in_one_process(workers, folder):
    for index, results in enumerate(workers):
        gan = keras.saving.load_model(folder / f"{index}.keras")
        for place, weight in enumerate(gan.get_weights()):
            np.testing.assert_array_equal(weight, results[f"two/weight-{place}"])
