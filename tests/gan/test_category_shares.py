"""Learned shares of categories, against mixtures whose shares are known."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import BiGAN, ConvolutionalGAN
from capsgan_keras.balance import balanced_output, density_ratio
from capsgan_keras.gan import base, category_shares
from capsgan_keras.gan.category_shares import LearnCategoryShares, offsets_for
from capsgan_keras.gan.latents import Latents
from capsgan_keras.gan.settings import NetworkSettings
from capsgan_keras.losses import HingeLoss, MarginLoss
from capsgan_keras.models import (
    build_capsule_encoder,
    build_generator,
    build_joint_discriminator,
)
from capsgan_keras.models.generator import category_offsets

SHAPE = (16, 16, 1)
COUNT = 4
LEARNED = {"latent_categories": COUNT, "learn_category_shares": True}
IMAGES = np.random.default_rng(0).integers(0, 256, (32, *SHAPE), "uint8")
REAL = np.array([0.1, 0.2, 0.3, 0.4])
"""Shares of four kinds among real images."""
LOSSES = [MarginLoss(), keras.losses.BinaryCrossentropy(), keras.losses.MeanSquaredError()]


@pytest.fixture
def few_images(monkeypatch):
    monkeypatch.setattr(category_shares, "_IMAGES", 1000)


def build_gan():
    generator = {"filters": (8, 4)} | LEARNED
    gan = ConvolutionalGAN(SHAPE, latent_dim=6, seed=0, generator_options=generator)
    gan.compile()
    return gan


def offsets_of(gan):
    return category_offsets(gan.generator).get_weights()[1]


def shares_of(offsets, n=100_000):
    """Return how often each category is chosen, by other draws than training's."""
    draws = np.random.default_rng(99).standard_normal((n, len(offsets)))
    return np.bincount(np.argmax(draws + offsets, axis=1), minlength=len(offsets)) / n


class ShownKinds:
    """In a generator's place: gives the kind of each latent vector's category."""

    def __init__(self, shown, offsets):
        self.shown, self.offsets = shown, offsets

    def __call__(self, latents, training):
        chosen = np.argmax(latents[:, -COUNT:] + self.offsets.get_weights()[1], axis=1)
        return self.shown[chosen]


class Kinds:
    """A GAN whose images are the numbers of kinds, with the best discriminator of its loss."""

    latent_dim = 6
    discriminator_outputs = "probability"

    def __init__(self, loss, shown=range(COUNT), ahead=1.0):
        self.ahead = ahead
        self.generator = build_generator(SHAPE, 6, filters=(8, 4), seed=0, **LEARNED)
        self.loss, self.shown = loss, np.array(shown)
        self.offsets = category_offsets(self.generator)

    def probabilities(self, outputs):
        return outputs

    def discriminator(self, kinds, training):
        generated = shares_of(self.offsets.get_weights()[1])
        made = np.bincount(self.shown, generated, COUNT)
        ratio = self.ahead * REAL / np.maximum(made, 1e-9)
        best = ratio / (1 + ratio)
        if isinstance(self.loss, MarginLoss):
            best = (0.9 * ratio + 0.05) / (ratio + 0.5)
        return ops.convert_to_tensor(best[kinds])

    def learn(self):
        """Learn for an epoch with the kinds that the categories make, in the generator's place."""
        self.generator = ShownKinds(self.shown, self.offsets)
        learning = LearnCategoryShares(self.offsets)
        learning.set_model(self)
        learning.on_epoch_end(0)
        return shares_of(self.offsets.get_weights()[1])


@pytest.mark.parametrize("loss", LOSSES)
def test_one_epoch_finds_the_real_shares(loss):
    assert Kinds(loss).learn() == pytest.approx(REAL, abs=0.02)


@pytest.mark.parametrize("ahead", [0.01, 5.0])
def test_a_discriminator_that_is_ahead_or_behind_gives_the_same(ahead):
    loss = keras.losses.BinaryCrossentropy()
    assert Kinds(loss, ahead=ahead).learn() == pytest.approx(REAL, abs=0.02)


@pytest.mark.parametrize("ahead", [0.0, np.nan])
def test_without_a_ratio_the_shares_stay(ahead):
    kinds = Kinds(MarginLoss(), ahead=ahead)
    before = [np.ones(COUNT), np.array([0.4, -0.1, -0.1, -0.2], "float32")]
    kinds.offsets.set_weights(before)
    assert kinds.learn() == pytest.approx(shares_of(before[1]), abs=0.01)


def test_two_categories_of_a_kind_share_what_it_has():
    learned = Kinds(MarginLoss(), shown=(0, 1, 3, 3)).learn()

    # Kind 2 is made by none, so the others share its images as they share theirs.
    assert learned[:2] == pytest.approx(REAL[:2] / 0.7, abs=0.02)
    assert learned[2:].sum() == pytest.approx(REAL[3] / 0.7, abs=0.02)


@pytest.mark.parametrize(
    "loss",
    [
        *LOSSES,
        keras.losses.BinaryCrossentropy(label_smoothing=0.1),
        keras.losses.BinaryFocalCrossentropy(),
        keras.losses.Huber(),
    ],
)
def test_the_ratio_is_that_at_which_an_output_costs_least(loss):
    outputs = np.linspace(0, 1, 2001)[:, np.newaxis]
    ones = np.ones_like(outputs)
    on_real, on_generated = (
        np.asarray(loss.call(ops.convert_to_tensor(t), ops.convert_to_tensor(outputs))).ravel()
        for t in (ones, 0 * ones)
    )
    for ratio in (0.1, 0.5, 1.0, 3.0):
        best = outputs[np.argmin(ratio * on_real + on_generated)]
        assert density_ratio(loss, best) == pytest.approx(ratio, rel=0.02)
    balance = np.array([balanced_output(loss)])
    assert density_ratio(loss, balance) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_ratios_are_finite_and_not_negative(loss):
    ratios = density_ratio(loss, np.array([0.0, 0.05, 0.95, 1.0], "float32"))

    assert np.isfinite(ratios).all()
    assert (ratios >= 0).all()
    assert ratios[0] < 1e-3
    assert ratios[-1] > 500


@pytest.mark.parametrize("shares", [REAL, [0.94, 0.02, 0.02, 0.02], np.full(100, 0.01)])
def test_offsets_give_the_shares(shares):
    shares = np.asarray(shares)
    draws = np.random.default_rng(0).standard_normal((10_000, len(shares)))

    offsets = offsets_for(shares, draws, np.zeros(len(shares)))

    assert offsets.mean() == pytest.approx(0, abs=1e-6)
    found = np.bincount(np.argmax(draws + offsets, axis=1), minlength=len(shares)) / 10_000
    assert found == pytest.approx(shares, rel=0.05, abs=0.002)
    assert shares_of(offsets) == pytest.approx(shares, rel=0.2, abs=0.01)


def test_offsets_of_nothing_change_no_image():
    with_offsets = build_generator(SHAPE, 6, filters=(8, 4), seed=0, **LEARNED)
    without = build_generator(SHAPE, 6, filters=(8, 4), seed=0, latent_categories=COUNT)
    latents = np.random.default_rng(0).standard_normal((16, 6)).astype("float32")

    np.testing.assert_array_equal(
        with_offsets.predict(latents, verbose=0), without.predict(latents, verbose=0)
    )


@pytest.mark.usefixtures("few_images")
def test_fit_learns_after_each_epoch_and_before_callbacks_that_save():
    gan, seen = build_gan(), []
    save = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(offsets_of(gan)))

    gan.fit(IMAGES, epochs=2, batch_size=16, verbose=0, callbacks=[save])

    assert np.any(seen[0])
    assert np.any(seen[1] != seen[0])
    np.testing.assert_array_equal(offsets_of(gan), seen[1])
    gan.train_on_batch(IMAGES[:16])  # no gradient and no decay reaches them
    np.testing.assert_array_equal(offsets_of(gan), seen[1])


@pytest.mark.usefixtures("few_images")
def test_an_interrupted_training_goes_on_as_it_would_have(tmp_path):
    whole, parts = (build_gan() for _ in range(2))
    keep = {"batch_size": 16, "verbose": 0, "shuffle": False}
    whole.fit(IMAGES, epochs=2, **keep)

    parts.fit(IMAGES, epochs=1, **keep)
    parts.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    loaded.fit(IMAGES, epochs=2, initial_epoch=1, **keep)

    np.testing.assert_allclose(offsets_of(loaded), offsets_of(whole), atol=1e-5)


@pytest.mark.usefixtures("few_images")
def test_unfreezing_everything_lets_training_go_on():
    gan = build_gan()
    gan.trainable = False
    gan.trainable = True

    gan.fit(IMAGES, epochs=1, batch_size=16, verbose=0)

    assert np.any(offsets_of(gan))


def test_a_frozen_generator_keeps_its_shares():
    gan = build_gan()
    gan.generator.trainable = False
    gan.compile()

    gan.fit(IMAGES, epochs=1, batch_size=16, verbose=0)

    assert not np.any(offsets_of(gan))


def test_truncation_leaves_learned_shares():
    gan = build_gan()
    rare = np.array([1.5, 0.5, -0.5, -1.5])
    category_offsets(gan.generator).set_weights([np.ones(COUNT), rare])

    latents = Latents.of(gan.generator, seed=3, truncation=0.5).draw(20_000)

    chosen = np.argmax(latents[:, -COUNT:] + rare, axis=1)
    shares = np.bincount(chosen, minlength=COUNT) / len(chosen)
    assert shares == pytest.approx(shares_of(rare), abs=0.01)
    assert np.abs(latents[:, :-COUNT]).max() <= 0.5
    images = gan.generate(4, seed=3, truncation=0.5)
    expected = gan.predict(latents[:4], verbose=0)
    np.testing.assert_array_equal(images, np.rint((expected + 1.0) * 127.5).astype("uint8"))


def test_other_generators_have_no_such_callback(monkeypatch):
    made = []
    monkeypatch.setattr(base, "LearnCategoryShares", made.append)
    plain = ConvolutionalGAN(SHAPE, latent_dim=6, seed=0, generator_options={"filters": (8, 4)})
    plain.compile()

    plain.fit(IMAGES, epochs=1, batch_size=16, verbose=0)

    assert category_offsets(plain.generator) is None
    assert not made


def test_tuned_settings_with_classes_learn_no_shares():
    settings = NetworkSettings(latent_dim=12, **LEARNED)
    one = ConvolutionalGAN.from_settings(settings, SHAPE)
    of_classes = ConvolutionalGAN.from_settings(settings, SHAPE, num_classes=COUNT)

    assert category_offsets(one.generator) is not None
    assert category_offsets(of_classes.generator) is None


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"num_classes": COUNT}, "images with classes"),
        (
            {"loss": HingeLoss(), "discriminator_options": {"activation": "linear"}},
            "discriminator_outputs='score'",
        ),
    ],
)
def test_discriminators_that_say_no_ratio_are_refused(options, received):
    with pytest.raises(ValueError, match=f"`generator` with `learn_category_shares`.*{received}"):
        ConvolutionalGAN(SHAPE, latent_dim=6, generator_options=LEARNED, **options)


def test_a_bigan_is_refused():
    generator = build_generator(SHAPE, 6, **LEARNED)
    with pytest.raises(ValueError, match=r"`generator` with `learn_category_shares`.*codes"):
        BiGAN(generator, build_capsule_encoder(SHAPE, 6), build_joint_discriminator(SHAPE, 6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learn_category_shares": True}, "needs `latent_categories`"),
        ({"learn_category_shares": 1, "latent_categories": 2}, "learn_category_shares"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build_generator(SHAPE, 6, **options)
