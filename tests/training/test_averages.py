"""Averages of the generator's weights, against averages that are written out here."""

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)
from capsgan_keras.training.averages import averaged, use_averages

SHAPE = (16, 16, 1)
MOMENTUM = 0.75
IMAGES = np.random.default_rng(0).integers(0, 256, (12, *SHAPE), "uint8")


def build_gan(model=ConvolutionalGAN, update="simultaneous", **options):
    discriminator = {
        CapsuleGAN: lambda: build_capsule_discriminator(SHAPE, filters=4, n_channels=1, seed=0),
        ConvolutionalGAN: lambda: build_convolutional_discriminator(SHAPE, filters=4, seed=0),
    }[model]()
    generator = build_generator(SHAPE, 4, filters=(4, 4), seed=0)
    gan = model(SHAPE, 4, generator=generator, discriminator=discriminator, seed=0)
    options = {"use_ema": True, "ema_momentum": MOMENTUM} | options
    gan.compile(
        generator_optimizer=keras.optimizers.Adam(1e-2, **options),
        discriminator_optimizer=keras.optimizers.Adam(1e-2),
        update=update,
    )
    return gan


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def moving_statistics(generator):
    return values(
        variable
        for layer in generator.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for variable in (layer.moving_mean, layer.moving_variance)
    )


class Record(keras.callbacks.Callback):
    """Keeps the weights after each step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(values(self.model.generator.trainable_variables))


def train(gan, epochs=2, **options):
    record = Record()
    options = {"batch_size": 4, "verbose": 0, "shuffle": False} | options
    gan.fit(IMAGES, epochs=epochs, callbacks=[record, *options.pop("callbacks", ())], **options)
    return record.steps


def average_of(steps):
    average = steps[0]
    for step in steps[1:]:
        average = [MOMENTUM * a + (1 - MOMENTUM) * w for a, w in zip(average, step, strict=True)]
    return average


@pytest.mark.parametrize("model", [CapsuleGAN, ConvolutionalGAN])
@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_fit_ends_with_the_moving_average_of_the_generators_weights(model, update):
    gan = build_gan(model, update)
    steps = train(gan)
    assert len(steps) == 6
    for ours, expected in zip(
        values(gan.generator.trainable_variables), average_of(steps), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)
    moved = [np.abs(a - b).max() for a, b in zip(average_of(steps), steps[-1], strict=True)]
    assert min(moved) > 1e-3


def test_training_itself_is_not_changed():
    with_averages, without = build_gan(), build_gan(use_ema=False, ema_momentum=0.99)
    steps = [train(gan) for gan in (with_averages, without)]
    for ours, theirs in zip(*steps, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    discriminators = [gan.discriminator.get_weights() for gan in (with_averages, without)]
    for ours, theirs in zip(*discriminators, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def features_before_normalization(generator, latents):
    """What the first batch normalization of the generator gets."""
    normalize = keras.layers.BatchNormalization
    first = next(layer for layer in generator.layers if isinstance(layer, normalize))
    features = keras.Model(generator.input, first.input)(latents)
    return keras.ops.convert_to_numpy(features)


def test_moving_statistics_are_those_of_the_averaged_weights():
    gan = build_gan()
    trained = moving_statistics(gan.generator)
    train(gan)
    mean, variance = moving_statistics(gan.generator)[:2]
    assert np.all(mean != trained[0])
    latents = np.random.default_rng(5).standard_normal((20_000, 4), "float32")
    features = features_before_normalization(gan.generator, latents)
    np.testing.assert_allclose(mean, features.mean(axis=(0, 1, 2)), atol=0.01)
    np.testing.assert_allclose(variance, features.var(axis=(0, 1, 2)), rtol=0.05)


def test_averages_are_used_for_a_block_only():
    gan = build_gan()
    seen = {}

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            before = values(gan.variables + gan.optimizer.variables)
            raw = gan.generate(3, seed=0)
            with averaged(gan):
                inside = values(gan.generator.trainable_variables)
                seen[epoch] = gan.generate(3, seed=0)
                statistics = moving_statistics(gan.generator)
            assert np.any(raw != seen[epoch])
            after = values(gan.variables + gan.optimizer.variables)
            for one, other in zip(before, after, strict=True):
                np.testing.assert_array_equal(one, other)
            seen["inside"], seen["statistics"] = inside, statistics

    steps = train(gan, callbacks=[Look()])
    expected = average_of(steps)
    for ours, theirs in zip(seen["inside"], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    # What the last block saw is what `fit` ends with, and what asking again gives.
    for _ in range(2):
        np.testing.assert_array_equal(gan.generate(3, seed=0), seen[1])
        for ours, theirs in zip(moving_statistics(gan.generator), seen["statistics"], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        use_averages(gan)


def test_without_averages_or_steps_nothing_changes():
    for gan in (build_gan(), build_gan(use_ema=False, ema_momentum=0.99)):
        before = values(gan.variables)
        with averaged(gan):
            pass
        use_averages(gan)
        for one, other in zip(before, values(gan.variables), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_saved_model_keeps_its_averages(tmp_path):
    gan = build_gan()
    saved = {}

    class Save(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            gan.save(tmp_path / "gan.keras")
            with averaged(gan):
                saved["images"] = gan.generate(3, seed=0)

    train(gan, callbacks=[Save()])
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert np.any(loaded.generate(3, seed=0) != saved["images"])
    use_averages(loaded)
    np.testing.assert_array_equal(loaded.generate(3, seed=0), saved["images"])
