"""The settings of the experiments, as one call."""

import dataclasses

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.datasets import Dataset
from capsgan_keras.gan.settings import NEUTRAL, TUNED
from capsgan_keras.layers import DifferentiableAugmentation
from experiments import cifar10, digits, mnist
from experiments.settings.training import Settings
from experiments.training.networks import build_gan

MODELS = {"capsule": CapsuleGAN, "convolutional": ConvolutionalGAN}
EXPERIMENTS = {"mnist": mnist.TUNED, "cifar10": cifar10.TUNED, "digits": digits.DIGITS}
IMAGES = {"mnist": (60_000, 28, 28, 1), "cifar10": (50_000, 32, 32, 3), "digits": (1437, 28, 28, 1)}


def dataset(name, shape):
    empty = np.broadcast_to(np.zeros((), "uint8"), shape)
    return Dataset(name, empty, None, empty[:0], None)


def optimizers(gan):
    pair = gan.generator_optimizer, gan.discriminator_optimizer
    return [keras.optimizers.serialize(each)["config"] | {"name": ""} for each in pair]


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("name", TUNED)
@pytest.mark.parametrize("model", MODELS)
def test_a_tuned_gan_is_the_experiments(model, name, loaded):
    settings, shape = EXPERIMENTS[name], IMAGES[name]
    steps = settings.epochs * (shape[0] // settings.batch_size)
    keras.backend.clear_session()
    expected = build_gan(settings, model, shape[1:], steps)
    keras.backend.clear_session()
    gan = MODELS[model].tuned(dataset(name, shape) if loaded else name, seed=settings.seed)
    assert gan.get_config() == expected.get_config()
    for ours, theirs in zip(gan.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert optimizers(gan) == optimizers(expected)
    assert gan.update == expected.update


@pytest.mark.parametrize("shape", [(28, 28, 1), (16, 24, 3), (64, 64, 4)])
@pytest.mark.parametrize("name", ["drawings", "mnist"])
@pytest.mark.parametrize("model", MODELS)
def test_own_images_get_neutral_settings(model, name, shape):
    gan = MODELS[model].tuned(dataset(name, (7, *shape)), steps=100)
    assert gan.image_shape == shape
    own = name == "drawings" or shape[-1] != 1
    assert gan.latent_dim == (NEUTRAL if own else TUNED["mnist"]).latent_dim
    choosing = [step for step in gan.generator.operations if step.name == "one_hot"]
    assert len(choosing) == (0 if own else 1)
    schedule = optimizers(gan)[0]["learning_rate"]["config"]
    assert schedule["decay_steps"] + schedule["warmup_steps"] == 100


@pytest.mark.parametrize("name", ["drawings", "mnist", "digits"])
def test_few_images_are_augmented_whatever_their_name(name):
    for count, wanted in ((4_999, name != "digits"), (5_000, False)):
        gan = CapsuleGAN.tuned(dataset(name, (count, 28, 28, 1)), steps=10)
        kinds = {type(layer) for layer in gan.discriminator.layers}
        assert (DifferentiableAugmentation in kinds) == wanted


def test_the_experiments_read_the_same_fields():
    shared = {field.name for field in dataclasses.fields(type(NEUTRAL))} - {"steps"}
    assert shared < {field.name for field in dataclasses.fields(Settings)}
    for name, settings in EXPERIMENTS.items():
        assert {key: getattr(settings, key) for key in shared} == {
            key: getattr(TUNED[name], key) for key in shared
        }


@pytest.mark.parametrize("data", ["mnist2", None, np.zeros((2, 28, 28, 1), "uint8"), (28, 28, 1)])
def test_other_data_are_refused(data):
    with pytest.raises(
        ValueError, match=r"`data` must be 'mnist', .*load_dataset.*Received: data="
    ):
        CapsuleGAN.tuned(data)


@pytest.mark.parametrize("steps", [0, -1, 1.5, True])
def test_steps_out_of_range_are_refused(steps):
    with pytest.raises(ValueError, match="`steps` must be a positive integer"):
        ConvolutionalGAN.tuned("mnist", steps=steps)


def test_a_tuned_gan_trains_saves_and_loads(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (8, 16, 16, 3), "uint8")
    gan = CapsuleGAN.tuned(dataset("mine", images.shape), steps=4, seed=0, dtype="float32")
    gan.fit(images, batch_size=4, epochs=2, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(loaded.generate(3, seed=1), gan.generate(3, seed=1))
    assert optimizers(loaded) == optimizers(gan)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, 1.0) for name in ("beta_1", "beta_2", "generator_ema", "decay")],
        *[(name, -0.1) for name in ("beta_1", "decay", "width", "time_decay")],
        *[("width", 0.0), ("width", float("nan")), ("width", "2"), ("generator_ema", True)],
        *[("batch_size", 0), ("batch_size", "a"), ("loss", "wasserstein"), ("beta_1", "a")],
    ],
)
def test_settings_out_of_range_are_named(name, value):
    settings = dataclasses.replace(NEUTRAL, **{name: value})
    with pytest.raises(ValueError, match=rf"`{name}` must be.* Received: .*{name}="):
        CapsuleGAN.from_settings(settings, (16, 16, 1))


@pytest.mark.parametrize("steps", [0, 1.5, "10", -5])
def test_steps_out_of_range_are_named(steps):
    with pytest.raises(ValueError, match="`steps` must be a positive integer"):
        CapsuleGAN.from_settings(NEUTRAL, (16, 16, 1), steps)


@pytest.mark.parametrize("settings", [None, {"loss": "margin"}])
def test_other_things_than_settings_are_named(settings):
    with pytest.raises(ValueError, match="`settings` must be NetworkSettings"):
        CapsuleGAN.from_settings(settings, (16, 16, 1))
