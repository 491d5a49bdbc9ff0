"""What a Keras user does with a model, done with a GAN."""

import csv

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN
from capsgan_keras.models import build_capsule_discriminator, build_generator

SHAPE = (16, 16, 1)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (24, *SHAPE), dtype=np.uint8)


@pytest.fixture
def make():
    def make(**compile_arguments):
        discriminator = build_capsule_discriminator(
            SHAPE, filters=4, kernel_size=3, n_channels=2, seed=2
        )
        generator = build_generator(SHAPE, latent_dim=5, filters=(4, 3), seed=1)
        gan = CapsuleGAN(SHAPE, 5, generator=generator, discriminator=discriminator, seed=3)
        gan.compile(**compile_arguments)
        return gan

    return make


def fit(gan, data, **options):
    return gan.fit(data, **{"batch_size": 8, "shuffle": False, "verbose": 0} | options)


def assert_same_weights(one, other, tolerance=0.0):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def test_model_checkpoint_keeps_whole_models(make, images, tmp_path):
    gan = make()
    saving = keras.callbacks.ModelCheckpoint(tmp_path / "epoch-{epoch}.keras")
    fit(gan, images, epochs=2, callbacks=[saving])
    loaded = keras.saving.load_model(tmp_path / "epoch-1.keras")
    fit(loaded, images)
    assert_same_weights(loaded, gan)


def test_model_checkpoint_watches_a_log(make, images, tmp_path):
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.weights.h5",
        monitor="d_loss",
        mode="min",
        save_best_only=True,
        save_weights_only=True,
    )
    gan = make()
    fit(gan, images, epochs=2, callbacks=[best])
    make().load_weights(tmp_path / "best.weights.h5")


def test_backup_and_restore_goes_on_after_an_interruption(make, images, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole, cut = make(), make()
    fit(whole, images, epochs=3)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        fit(cut, images, epochs=3, callbacks=[backup, Interrupt()])
    again = make()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    history = fit(again, images, epochs=3, callbacks=[backup])
    assert history.epoch == [2]
    assert_same_weights(again, whole)


def test_tensorboard_and_csv_logger(make, images, tmp_path):
    callbacks = [
        keras.callbacks.TensorBoard(tmp_path / "board"),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    history = fit(make(), images, epochs=2, validation_data=images[:8], callbacks=callbacks)
    assert list((tmp_path / "board" / "train").glob("events*"))
    with (tmp_path / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["d_loss"]) for row in rows] == pytest.approx(history.history["d_loss"])
    assert float(rows[-1]["val_g_loss"]) == pytest.approx(history.history["val_g_loss"][-1])


def test_early_stopping_watches_a_log(make, images):
    no_accuracy_improves_by = 2.0
    stopping = keras.callbacks.EarlyStopping(
        "d_accuracy", min_delta=no_accuracy_improves_by, patience=2, mode="max"
    )
    history = fit(make(), images, epochs=5, callbacks=[stopping])
    assert len(history.epoch) == 1 + 2


@pytest.mark.parametrize("with_labels", [False, True])
def test_tf_data(make, images, with_labels):
    import tensorflow as tf

    parts = (images, np.zeros(24, "int64")) if with_labels else images
    dataset = tf.data.Dataset.from_tensor_slices(parts).batch(8)
    piped, plain = make(), make()
    piped.fit(dataset, shuffle=False, verbose=0)
    fit(plain, images)
    assert_same_weights(piped, plain)
    assert set(piped.evaluate(dataset, verbose=0, return_dict=True)) == set(
        plain.evaluate(images, verbose=0, return_dict=True)
    )


def test_steps_per_epoch(make, images):
    import tensorflow as tf

    endless = tf.data.Dataset.from_tensor_slices(images).batch(8).repeat()
    gan = make()
    gan.fit(endless, epochs=2, steps_per_epoch=4, shuffle=False, verbose=0)
    assert int(gan.generator_optimizer.iterations) == 8


def test_an_incomplete_last_batch(make, images):
    gan = make()
    history = fit(gan, images[:20], validation_data=images[:5]).history
    assert int(gan.generator_optimizer.iterations) == 3
    assert np.isfinite(history["val_d_loss"]).all()


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}])
def test_other_ways_to_run_the_same_steps(make, images, options):
    other, plain = make(**options), make()
    fit(other, images)
    fit(plain, images)
    assert_same_weights(other, plain, tolerance=1e-5)


def test_train_on_batch_and_test_on_batch(make, images):
    gan = make()
    logs = gan.train_on_batch(images[:8], return_dict=True)
    assert set(logs) == {"d_loss", "g_loss", "d_real", "d_fake", "d_accuracy"}
    assert set(gan.test_on_batch(images[:8], return_dict=True)) == set(logs)


def test_frozen_layers_stay_as_they_are(make, images):
    gan = make()
    gan.generator.trainable = False
    gan.compile()
    before = gan.generator.get_weights()
    first = gan.discriminator.get_weights()[0]
    fit(gan, images)
    kernel = [w for w in before if w.ndim == 4]
    after = [w for w in gan.generator.get_weights() if w.ndim == 4]
    for old, new in zip(kernel, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.any(gan.discriminator.get_weights()[0] != first)


def test_fitting_before_compiling_is_refused(images):
    discriminator = build_capsule_discriminator(SHAPE, filters=4, kernel_size=3, n_channels=2)
    generator = build_generator(SHAPE, latent_dim=5, filters=(4, 3))
    gan = CapsuleGAN(SHAPE, 5, generator=generator, discriminator=discriminator)
    with pytest.raises(ValueError, match="compile"):
        gan.fit(images, verbose=0)


def test_latents_of_another_size_are_refused_by_name(make):
    gan = make()
    wrong = np.zeros((3, gan.latent_dim + 1), "float32")
    with pytest.raises(ValueError, match=rf"`latents` must have {gan.latent_dim} components"):
        gan.predict(wrong, verbose=0)
    with pytest.raises(ValueError, match=r"Received: shape \(3, "):
        gan(wrong)
