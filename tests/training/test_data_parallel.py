"""Steps on two JAX devices under `keras.distribution.DataParallel` are those of one device.

Tolerance: 5e-6, for weights and logs, after 5 steps at the same batch, by which weights have moved
by more than 0.01. The draws of dropout are the same too.
"""

import json

import keras
import numpy as np
import pytest

import capsgan_keras  # noqa: F401, its classes are to be loaded

pytestmark = pytest.mark.long  # on JAX; run by CI beside the others
TOLERANCE = 5e-6

TRAIN = """
import jax
for model in MODELS:
    for update in ("simultaneous", "alternating"):
        key = f"{{model}}-{{update}}"
        one = make(model, update=update, dropout=0.25)
        keep(f"{{key}}/start", one)
        keep(f"{{key}}/one", one, fit(one, images[:40]))
        with two_devices():
            two = make(model, update=update, dropout=0.25)
            keep(f"{{key}}/two", two, fit(two, images[:40]))
        results[f"{{key}}/noise"] = two.noise.state.numpy()

def flops(gan, batch):
    state = [[v.value for v in group] for group in (
        gan.trainable_variables, gan.non_trainable_variables, gan.optimizer.variables,
        gan.metrics_variables)]
    return jax.jit(gan.train_step).lower(state, (batch,)).compile().cost_analysis()["flops"]

errors = {{}}
results["flops-1"] = flops(one, jax.numpy.asarray(images))
with two_devices():
    layout = keras.distribution.distribution().get_data_layout(images.shape)
    batch = keras.distribution.distribute_tensor(jax.numpy.asarray(images), layout)
    results["flops-2"] = flops(two, batch)
    for n in (1, 3):
        results[f"two/images-{{n}}"] = two.generate(n, seed=0)
        results[f"two/scores-{{n}}"] = two.discriminate(images[:n])
    for name, value in two.evaluate(images[:12], verbose=0, return_dict=True).items():
        results[f"two/{{name}}"] = value
    two.save({path!r})
    errors["last batch"] = error_of(lambda: fit(two, images[:11]))
    errors["batch size"] = error_of(lambda: fit(two, images[:10], batch_size=5))
    errors["evaluate"] = error_of(lambda: two.evaluate(images[:3], verbose=0))
for n in (1, 3):
    results[f"one/images-{{n}}"] = one.generate(n, seed=0)
    results[f"one/scores-{{n}}"] = one.discriminate(images[:n])
for name, value in one.evaluate(images[:12], verbose=0, return_dict=True).items():
    results[f"one/{{name}}"] = value
results["errors"] = json.dumps(errors)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("saved") / "gan.keras"


@pytest.fixture(scope="module")
def results(on_two_devices, path):
    return on_two_devices(TRAIN.format(path=str(path)), backend="jax")


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
@pytest.mark.parametrize("model", ["capsule", "convolutional"])
def test_two_devices_train_as_one(results, assert_close, model, update):
    key = f"{model}-{update}"
    moved = [
        np.abs(results[f"{key}/one/weight-{index}"] - results[f"{key}/start/weight-{index}"]).max()
        for index in range(10)
    ]
    assert max(moved) > 0.01
    assert f"{key}/one/g_loss" in results.files
    assert_close(results, f"{key}/one", f"{key}/two", TOLERANCE)
    draws = 5 * (2 if update == "alternating" else 1)
    np.testing.assert_array_equal(results[f"{key}/noise"], [3, draws])


def test_each_device_does_half_of_the_work(results):
    """Noise that lies on no device in particular would have each generate all images."""
    assert results["flops-2"] < 0.55 * results["flops-1"]


@pytest.mark.parametrize("log", ["d_loss", "g_loss", "d_real", "d_fake", "d_accuracy"])
def test_held_out_images_are_scored_as_on_one_device(results, log):
    assert results[f"two/{log}"] == pytest.approx(float(results[f"one/{log}"]), abs=TOLERANCE)


@pytest.mark.parametrize("n", [1, 3])
def test_any_number_of_images_is_generated_and_scored(results, n):
    difference = results[f"two/images-{n}"].astype(int) - results[f"one/images-{n}"]
    assert results[f"two/images-{n}"].shape == (n, 16, 16, 1)
    assert np.abs(difference).max() <= 1
    scores = results[f"two/scores-{n}"], results[f"one/scores-{n}"]
    np.testing.assert_allclose(*scores, rtol=0, atol=TOLERANCE)


def test_what_was_saved_loads_on_one_device_and_another_backend(results, path):
    gan = keras.saving.load_model(path)
    images = gan.generate(3, seed=0)
    assert np.abs(images.astype(int) - results["two/images-3"]).max() <= 1


@pytest.mark.parametrize(("case", "size"), [("last batch", 3), ("batch size", 5), ("evaluate", 3)])
def test_a_batch_that_cannot_be_divided(results, case, size):
    message = json.loads(str(results["errors"]))[case]
    assert message.startswith("ValueError: Under a `keras.distribution` over 2 devices each batch")
    assert message.endswith(f"Received: a batch of {size} images")
