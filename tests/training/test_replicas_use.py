"""Saving, scoring and refusals of a GAN on two replicas of a `tf.distribute` strategy."""

import json

import keras
import numpy as np
import pytest

import capsgan_keras  # noqa: F401, its classes are to be loaded

USE = """
import sys
path = {path!r}
one = make("capsule")
with two_devices():
    two = make("capsule")
for gan in (one, two):
    fit(gan, images[:16])
for name, gan in (("one", one), ("two", two)):
    for n in (1, 3):
        results[f"{{name}}/images-{{n}}"] = gan.generate(n, seed=0)
        results[f"{{name}}/scores-{{n}}"] = gan.discriminate(images[:n])
two.save(path + "/gan.keras")
two.generator.save(path + "/generator.keras")
with two_devices():
    again = keras.saving.load_model(path + "/gan.keras")
for key, gan in (("two", two), ("again", again)):
    keep(f"{{key}}/trained-on", gan, fit(gan, images[16:32]))

errors = {{}}
errors["last batch"] = error_of(lambda: fit(two, images[:9]))
errors["validation"] = error_of(lambda: fit(two, images[:8], validation_data=images[:1]))
errors["evaluate"] = error_of(lambda: two.evaluate(images[:1], verbose=0))
rows = tf.data.Dataset.from_tensor_slices(images[:1]).batch(8)
errors["data set"] = error_of(lambda: fit(two, rows, batch_size=None))
for method in ("train_on_batch", "test_on_batch"):
    errors[method] = error_of(lambda: getattr(two, method)(images[:8]))
def outside():
    with two_devices():
        fit(one, images[:8])
errors["outside"] = error_of(outside)
def compiled_with(**options):
    with two_devices():
        gan = make("convolutional", **options)
    return lambda: fit(gan, images[:8])
errors["compiled outside"] = error_of(lambda: (two.compile(), fit(two, images[:8])))
errors["jit"] = error_of(compiled_with(jit_compile=True))
errors["steps"] = error_of(compiled_with(steps_per_execution=2))
other = tf.distribute.experimental.CentralStorageStrategy(["CPU:0", "CPU:1"])
def elsewhere():
    with other.scope():
        gan = make("convolutional")
    fit(gan, images[:8])
errors["strategy"] = error_of(elsewhere)
results["errors"] = json.dumps(errors)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def results(on_two_devices, folder):
    return on_two_devices(USE.format(path=str(folder)))


@pytest.fixture(scope="module")
def errors(results):
    return json.loads(str(results["errors"]))


@pytest.mark.parametrize("n", [1, 3])
def test_any_number_of_images_is_generated_and_scored(results, n):
    assert results[f"two/images-{n}"].shape == (n, 16, 16, 1)
    difference = results[f"two/images-{n}"].astype(int) - results[f"one/images-{n}"]
    assert np.abs(difference).max() <= 1
    np.testing.assert_allclose(
        results[f"two/scores-{n}"], results[f"one/scores-{n}"], rtol=0, atol=5e-6
    )


def test_what_was_saved_loads_without_a_strategy(results, folder):
    gan = keras.saving.load_model(folder / "gan.keras")
    images = gan.generate(3, seed=0)
    assert np.abs(images.astype(int) - results["two/images-3"]).max() <= 1
    data = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 1), dtype=np.uint8)
    gan.fit(data[16:32], batch_size=8, shuffle=False, verbose=0)
    for index, weight in enumerate(gan.get_weights()):
        expected = results[f"two/trained-on/weight-{index}"]
        np.testing.assert_allclose(weight, expected, rtol=0, atol=5e-6)


def test_what_was_saved_trains_on_under_the_strategy(results, assert_close):
    assert_close(results, "two/trained-on", "again/trained-on", 0.0)


def test_saved_layers_are_those_of_one_device(folder):
    """`synchronized` would keep a network from loading on other backends."""
    generator = keras.saving.load_model(folder / "generator.keras")
    layers = [x for x in generator.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(layers) == 2
    assert not any(layer.synchronized for layer in layers)


@pytest.mark.parametrize("case", ["last batch", "validation", "evaluate"])
def test_an_array_that_leaves_a_replica_without_images(errors, case):
    assert errors[case].startswith("ValueError: A batch must give each of the 2 replicas an image")
    assert errors[case].endswith("Received: a batch of 1 images")


def test_a_data_set_that_leaves_a_replica_without_images(errors):
    assert errors["data set"].startswith("InvalidArgumentError")
    assert "A batch leaves a replica without images" in errors["data set"]


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch"])
def test_whole_batches_on_every_replica_are_refused(errors, method):
    assert errors[method].startswith(f"NotImplementedError: `{method}` gives every replica the")
    assert errors[method].endswith("Received: 2 replicas")


@pytest.mark.parametrize("case", ["outside", "compiled outside"])
def test_variables_outside_of_the_scope_are_refused(errors, case):
    assert errors[case].startswith("ValueError: The networks, the GAN and its optimizers must be")
    assert "Received: the variable '" in errors[case]


def test_other_strategies_are_refused(errors):
    assert errors["strategy"].startswith("NotImplementedError: A GAN trains on several replicas of")
    assert "Received: a CentralStorageStrategy" in errors["strategy"]


def test_options_that_tensorflow_cannot_do_are_refused(errors):
    assert errors["jit"].endswith("Received: jit_compile=True")
    assert errors["steps"].endswith("Received: steps_per_execution=2")
