"""Keras's callbacks that touch weights or watch for NaN, with a GAN whose weights are averaged."""

import keras
import numpy as np
import pytest

from capsgan_keras import ConvolutionalGAN
from capsgan_keras.models import build_convolutional_discriminator, build_generator
from capsgan_keras.training.averages import averaged, use_averages
from capsgan_keras.training.callbacks import NonFiniteError

SHAPE = (16, 16, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, *SHAPE), "uint8")


def build_gan(averages=("generator",), rate=1e-2):
    gan = ConvolutionalGAN(
        SHAPE,
        4,
        generator=build_generator(SHAPE, 4, filters=(4, 4), seed=0),
        discriminator=build_convolutional_discriminator(SHAPE, filters=4, seed=0),
        seed=0,
    )
    optimizers = {
        f"{player}_optimizer": keras.optimizers.Adam(
            rate, use_ema=player in averages, ema_momentum=0.75
        )
        for player in ("generator", "discriminator")
    }
    gan.compile(**optimizers)
    return gan


def fit(gan, *callbacks, epochs=3, images=IMAGES, **options):
    options = {"batch_size": 4, "shuffle": False, "verbose": 0} | options
    return gan.fit(images, epochs=epochs, callbacks=list(callbacks), **options)


class Epochs(keras.callbacks.Callback):
    """Keeps the weights of both players after each epoch, and the generator with averages."""

    def __init__(self):
        super().__init__()
        self.raw, self.averaged = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.raw.append(self.model.get_weights())
        with averaged(self.model):
            self.averaged.append(self.model.generator.get_weights())


def assert_same(ours, expected, tolerance=0.0):
    assert len(ours) == len(expected)
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def stop_after_first(**options):
    return keras.callbacks.EarlyStopping("d_loss", min_delta=1e9, patience=1, mode="min", **options)


def test_early_stopping_restores_both_players():
    gan, epochs = build_gan(), Epochs()
    history = fit(gan, epochs, stop_after_first(restore_best_weights=True))
    assert len(history.epoch) == 2
    assert_same(gan.get_weights(), epochs.raw[0])


def test_early_stopping_alone_ends_with_the_averages():
    gan, epochs = build_gan(), Epochs()
    fit(gan, epochs, stop_after_first())
    assert_same(gan.generator.get_weights(), epochs.averaged[1], 1e-6)


@pytest.mark.parametrize("kind", [list, tuple, keras.callbacks.CallbackList, "single"])
def test_callbacks_in_every_form(kind):
    gan, epochs = build_gan(), Epochs()
    callbacks = epochs if kind == "single" else kind([epochs])
    gan.fit(IMAGES, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
    assert_same(gan.generator.get_weights(), epochs.averaged[0], 1e-6)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
@pytest.mark.parametrize("stop", [False, True])
def test_swapping_ends_with_the_averages(swap_on_epoch, stop):
    plain, gan, epochs = build_gan(), build_gan(), Epochs()
    fit(plain, epochs, epochs=2)
    callbacks = [keras.callbacks.SwapEMAWeights(swap_on_epoch), *[stop_after_first()] * stop]
    fit(gan, *callbacks, epochs=3 if stop else 2, validation_data=IMAGES)
    assert_same(gan.generator.get_weights(), plain.generator.get_weights(), 1e-4)
    moved = [np.abs(a - b).max() for a, b in zip(epochs.raw[1], plain.get_weights(), strict=True)]
    assert max(moved) > 1e-3


def test_a_checkpoint_has_both_players_of_its_epoch_and_their_averages(tmp_path):
    gan, epochs = build_gan(), Epochs()
    saving = keras.callbacks.ModelCheckpoint(tmp_path / "epoch-{epoch}.keras")
    fit(gan, epochs, saving, epochs=2)
    loaded = keras.saving.load_model(tmp_path / "epoch-1.keras")
    assert_same(loaded.get_weights(), epochs.raw[0])
    use_averages(loaded)
    assert_same(loaded.generator.get_weights(), epochs.averaged[0], 1e-6)
    again = keras.saving.load_model(tmp_path / "epoch-1.keras")
    fit(again, epochs=1)
    assert_same(again.get_weights(), gan.get_weights(), 1e-6)


def test_a_backup_goes_on_to_the_same_averages(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    whole, cut, again = build_gan(), build_gan(), build_gan()
    fit(whole)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        fit(cut, backup, Interrupt())
    fit(again, keras.callbacks.BackupAndRestore(tmp_path / "backup"))
    assert_same(again.get_weights(), whole.get_weights(), 1e-6)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_training_without_a_step_keeps_the_weights(player):
    gan = build_gan([player])
    before = gan.get_weights()
    fit(gan, epochs=1, initial_epoch=1)
    assert_same(gan.get_weights(), before)


def test_a_discriminator_with_averages_can_be_used_and_trained_on():
    gan = build_gan(["discriminator", "generator"])
    fit(gan, epochs=1)
    first = gan.discriminate(IMAGES)
    gan.generate(2)
    fit(gan, epochs=1)
    assert np.any(gan.discriminate(IMAGES) != first)


# ---- values that are not finite


def broken(gan, player="generator"):
    weights = getattr(gan, player).get_weights()
    getattr(gan, player).set_weights([np.full_like(weights[0], np.nan), *weights[1:]])
    return gan


def test_fit_raises_where_training_diverges():
    gan = broken(build_gan())
    with pytest.raises(NonFiniteError, match="is nan in epoch 1, step 1"):
        fit(gan)


def test_terminate_on_nan_stops_in_its_own_way():
    batches = []

    def note(batch, logs):
        batches.append(batch)

    count = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    history = fit(broken(build_gan()), keras.callbacks.TerminateOnNaN(), count)
    assert len(history.epoch) == 1
    assert batches == [0]
    with pytest.raises(RuntimeError, match="NaN or Inf loss"):
        fit(broken(build_gan()), keras.callbacks.TerminateOnNaN(raise_error=True))


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_said(player, value, tmp_path):
    gan = build_gan()
    variable = getattr(gan, player).weights[0]
    variable.assign(np.full(variable.shape, value, "float32"))
    uses = {"save": lambda: gan.save(tmp_path / "gan.keras")}
    if player == "generator":
        uses["generate"] = lambda: gan.generate(2)
    else:
        uses["discriminate"] = lambda: gan.discriminate(IMAGES)
    for name, use in uses.items():
        with pytest.raises(NonFiniteError, match=f"`{name}` needs finite weights.*kernel"):
            use()
    assert not list(tmp_path.iterdir())


def test_a_frozen_generator_has_no_averages():
    gan = build_gan()
    gan.generator.trainable = False
    gan.compile(keras.optimizers.SGD(0.1, use_ema=True), keras.optimizers.SGD(0.1))
    before = gan.generator.get_weights()[0]
    fit(gan, epochs=1)
    np.testing.assert_array_equal(gan.generator.get_weights()[0], before)
