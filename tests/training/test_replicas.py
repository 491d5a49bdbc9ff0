"""Steps on two replicas of a `tf.distribute` strategy are those of one device.

Tolerance: 5e-6, for weights and logs, after 5 steps at the same batch and one with parts of
different sizes, by which weights have moved by more than 0.01.
"""

import numpy as np
import pytest

TOLERANCE = 5e-6

TRAIN = """
for model in MODELS:
    for update in ("simultaneous", "alternating"):
        key = f"{model}-{update}"
        one = make(model, update=update)
        keep(f"{key}/start", one)
        with two_devices():
            two = make(model, update=update)
        for name, gan in (("one", one), ("two", two)):
            history = fit(gan, images[:45], validation_data=images[45:58])
            keep(f"{key}/{name}", gan, history)
        for index, copy in enumerate(strategy.experimental_local_results(two.noise.state.value)):
            results[f"{key}/noise-{index}"] = copy.numpy()
        results[f"{key}/noise"] = one.noise.state.numpy()

# Statistics of the batch itself, also when images are generated.
def normalizes_by_the_batch():
    generator = build_generator(SHAPE, 5, filters=(4, 3), batch_statistics=True, seed=1)
    discriminator = build_convolutional_discriminator(SHAPE, filters=(4, 6), seed=2)
    gan = ConvolutionalGAN(SHAPE, 5, generator=generator, discriminator=discriminator, seed=3)
    gan.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05))
    return gan
one_by_batch = normalizes_by_the_batch()
with two_devices():
    two_by_batch = normalizes_by_the_batch()
for name, gan in (("one", one_by_batch), ("two", two_by_batch)):
    history = fit(gan, images[:45], validation_data=images[45:58])
    keep(f"statistics/{name}", gan, history)

# The noise of one step, replica by replica.
from capsgan_keras.training.replicas import ReplicaBatch
def latents(part):
    batch = ReplicaBatch(part)
    pixels = tf.cast(part[:, 0, 0], "float32")
    return batch.local_rows(two.sample_latents(batch.size)), batch.gather(pixels)
parts = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensors(images[:5]))
drawn, gathered = tf.function(lambda part: strategy.run(latents, args=(part,)))(next(iter(parts)))
for index in range(2):
    results[f"latents-{index}"] = strategy.experimental_local_results(drawn)[index].numpy()
    results[f"gathered-{index}"] = strategy.experimental_local_results(gathered)[index].numpy()
results["latents"] = one.sample_latents(5).numpy()
results["pixels"] = images[:5, 0, 0]
"""


@pytest.fixture(scope="module")
def results(on_two_devices):
    return on_two_devices(TRAIN)


def test_statistics_of_a_batch_are_those_of_all_replicas(results, assert_close):
    names = {name.split("/")[-1] for name in results.files if name.startswith("statistics/two/")}
    assert {"d_loss", "g_loss", "val_d_loss", "val_g_loss"} < names
    assert_close(results, "statistics/one", "statistics/two", TOLERANCE)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
@pytest.mark.parametrize("model", ["capsule", "convolutional"])
def test_two_replicas_train_as_one_device(results, assert_close, model, update):
    key = f"{model}-{update}"
    moved = [
        np.abs(results[f"{key}/one/weight-{index}"] - results[f"{key}/start/weight-{index}"]).max()
        for index in range(10)
    ]
    assert max(moved) > 0.01
    logs = {name for name in results.files if name.startswith(f"{key}/one/") and "loss" in name}
    assert logs == {f"{key}/one/{n}" for n in ("d_loss", "g_loss", "val_d_loss", "val_g_loss")}
    assert_close(results, f"{key}/one", f"{key}/two", TOLERANCE)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_the_noise_goes_on_as_on_one_device(results, update):
    draws = 6 * (2 if update == "alternating" else 1)
    for copy in ("noise", "noise-0", "noise-1"):
        np.testing.assert_array_equal(results[f"capsule-{update}/{copy}"], [3, draws])


def test_replicas_take_their_own_rows_of_one_noise(results):
    parts = [results["latents-0"], results["latents-1"]]
    assert [len(part) for part in parts] == [3, 2]
    np.testing.assert_array_equal(np.concatenate(parts), results["latents"])
    assert np.abs(parts[0][:2] - parts[1]).min() > 0


def test_outputs_are_put_together_in_order_on_both(results):
    for index in range(2):
        np.testing.assert_array_equal(results[f"gathered-{index}"], results["pixels"])
