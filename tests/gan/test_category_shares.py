"""Learned shares of categories, against real images whose shares of kinds are known."""

import keras
import numpy as np
import pytest

from capsgan_keras import BiCoGAN, BiGAN, ConvolutionalGAN
from capsgan_keras.datasets import to_uint8
from capsgan_keras.gan import category_shares
from capsgan_keras.gan.category_shares import offsets_for
from capsgan_keras.gan.latents import Latents
from capsgan_keras.gan.settings import NetworkSettings
from capsgan_keras.losses import HingeLoss
from capsgan_keras.models import (
    build_capsule_encoder,
    build_generator,
    build_joint_discriminator,
)
from capsgan_keras.models.generator import category_offsets, choose_categories

SHAPE = (16, 16, 1)
COUNT = 4
LEARNED = {"latent_categories": COUNT, "learn_category_shares": True}
IMAGES = np.random.default_rng(0).integers(0, 256, (32, *SHAPE), "uint8")
REAL = np.array([0.1, 0.2, 0.3, 0.4])
"""Shares of four kinds among real images."""
GREYS = np.array([-0.9, -0.3, 0.3, 0.9])
"""The colours of the kinds."""


@pytest.fixture(autouse=True)
def few_images(monkeypatch):
    monkeypatch.setattr(category_shares, "_GENERATED", 2000)


def build_gan(**options):
    generator = {"filters": (8, 4)} | LEARNED
    gan = ConvolutionalGAN(SHAPE, latent_dim=6, seed=0, generator_options=generator, **options)
    gan.compile()
    return gan


def with_shares():
    return build_generator(SHAPE, 6, filters=(8, 4), seed=0, **LEARNED)


def offsets_of(gan):
    return category_offsets(gan.generator).get_weights()[1]


def shares_of(offsets, n=100_000):
    """Return how often each category is chosen, by other draws than training's."""
    draws = np.random.default_rng(99).standard_normal((n, len(offsets)))
    return np.bincount(np.argmax(draws + offsets, axis=1), minlength=len(offsets)) / n


def of_kinds(shown=range(COUNT)):
    """Return a GAN each of whose categories makes images of one grey, with a little noise."""
    latents = keras.Input((6,))
    chosen = choose_categories(latents, COUNT, learn_shares=True)
    grey = keras.layers.Dense(1, use_bias=False, name="grey")(chosen)
    images = keras.layers.UpSampling2D(16)(keras.layers.Reshape((1, 1, 1))(grey))
    gan = ConvolutionalGAN(SHAPE, latent_dim=6, seed=0, generator=keras.Model(latents, images))
    # The one-hot vectors have the height 2, the other two latents are noise.
    greys = np.concatenate([[0.0, 0.03], GREYS[list(shown)] / 2])
    gan.generator.get_layer("grey").set_weights([greys[:, np.newaxis]])
    return gan


def real_kinds(n=4000, shares=REAL):
    draws = np.random.default_rng(1)
    greys = GREYS[draws.choice(COUNT, n, p=shares)] + 0.03 * draws.standard_normal(n)
    return np.broadcast_to(greys.clip(-1.0, 1.0).reshape(-1, 1, 1, 1), (n, *SHAPE))


@pytest.mark.parametrize("images", [real_kinds(), to_uint8(real_kinds())], ids=["floats", "uint8"])
def test_one_call_finds_the_real_shares(images):
    gan = of_kinds()

    shares = gan.learn_category_shares(images)

    assert shares == pytest.approx(REAL, abs=0.02)
    assert shares.sum() == pytest.approx(1.0)
    assert shares_of(offsets_of(gan)) == pytest.approx(REAL, abs=0.02)


def test_a_second_call_keeps_them():
    gan = of_kinds()
    gan.learn_category_shares(real_kinds())

    shares = gan.learn_category_shares(real_kinds(), seed=1)

    assert shares == pytest.approx(REAL, abs=0.02)
    assert shares_of(offsets_of(gan)) == pytest.approx(REAL, abs=0.02)


def test_two_categories_of_a_kind_share_what_it_has():
    gan = of_kinds(shown=(0, 1, 3, 3))

    shares = gan.learn_category_shares(real_kinds(shares=[0.1, 0.2, 0.0, 0.7]))

    assert shares[:2] == pytest.approx([0.1, 0.2], abs=0.02)
    assert shares[2:].sum() == pytest.approx(0.7, abs=0.02)
    assert shares[2:].min() > 0.1  # greys of 8 bits: many images of both are the same


def test_no_category_is_lost_for_good():
    gan = of_kinds()
    of_one_kind = to_uint8(real_kinds()[:1]).repeat(1000, axis=0)

    shares = gan.learn_category_shares(of_one_kind)

    assert shares.min() == pytest.approx(1 / 1004)
    again = gan.learn_category_shares(real_kinds())
    assert again.min() > 0.05


def test_of_many_images_a_seeded_choice_takes_part(monkeypatch):
    monkeypatch.setattr(category_shares, "_REAL", 50)
    images = real_kinds()
    first, again, other = (
        of_kinds().learn_category_shares(images, seed=seed) for seed in (0, 0, 1)
    )

    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    assert (first * 54 - 1) % 1 == pytest.approx(0, abs=1e-6)  # counts of 50 images


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
    with_offsets = with_shares()
    without = build_generator(SHAPE, 6, filters=(8, 4), seed=0, latent_categories=COUNT)
    latents = np.random.default_rng(0).standard_normal((16, 6)).astype("float32")

    np.testing.assert_array_equal(
        with_offsets.predict(latents, verbose=0), without.predict(latents, verbose=0)
    )


def test_training_leaves_learned_shares():
    gan = build_gan()
    gan.learn_category_shares(IMAGES)
    learned = offsets_of(gan)

    gan.fit(IMAGES, epochs=1, batch_size=16, verbose=0)  # no gradient and no decay reaches them

    assert np.any(learned)
    np.testing.assert_array_equal(offsets_of(gan), learned)


def test_a_saved_gan_keeps_them(tmp_path):
    gan = build_gan()
    gan.learn_category_shares(IMAGES)

    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")

    np.testing.assert_array_equal(offsets_of(loaded), offsets_of(gan))
    np.testing.assert_array_equal(loaded.generate(8, seed=0), gan.generate(8, seed=0))


def test_only_the_shares_change():
    gan = build_gan()
    before = gan.get_weights()

    gan.learn_category_shares(IMAGES)

    after = gan.get_weights()
    changed = [not np.array_equal(old, new) for old, new in zip(before, after, strict=True)]
    assert sum(changed) == 1


def test_thawing_everything_does_not_train_them():
    gan = build_gan()
    gan.trainable = False
    gan.trainable = True

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


def test_tuned_settings_with_classes_learn_no_shares():
    settings = NetworkSettings(latent_dim=12, **LEARNED)
    one = ConvolutionalGAN.from_settings(settings, SHAPE)
    of_classes = ConvolutionalGAN.from_settings(settings, SHAPE, num_classes=COUNT)

    assert category_offsets(one.generator) is not None
    assert category_offsets(of_classes.generator) is None


def test_tuned_settings_without_categories_have_no_shares():
    settings = NetworkSettings(latent_dim=12, latent_categories=0, learn_category_shares=True)

    assert category_offsets(ConvolutionalGAN.from_settings(settings, SHAPE).generator) is None


def test_a_bigan_learns_them():
    gan = BiGAN(with_shares(), build_capsule_encoder(SHAPE, 6), build_joint_discriminator(SHAPE, 6))

    gan.learn_category_shares(IMAGES)

    assert np.any(offsets_of(gan))


def test_discriminators_of_scores_and_optimizers_do_not_matter():
    gan = build_gan(loss=HingeLoss(), discriminator_options={"activation": "linear"})

    gan.learn_category_shares(IMAGES)

    assert np.any(offsets_of(gan))


def refusals():
    plain = ConvolutionalGAN(SHAPE, latent_dim=6, generator_options={"filters": (8, 4)})
    return [
        (plain, IMAGES, "built with learn_category_shares=True. Received: a generator without"),
        (build_gan(), iter([IMAGES]), r"`images` must .*, not a dataset\. .* list_iterator"),
        (build_gan(), IMAGES[:, :8], r"`images` must .*\(n, 16, 16, 1\)"),
        (build_gan(), IMAGES.astype("float32"), "`images`"),
        (build_gan(), np.full((2, *SHAPE), np.nan), "`images`"),
        (build_gan(), IMAGES[:0], "`images`"),
    ]


@pytest.mark.parametrize("case", range(6))
def test_what_cannot_be_learned_is_refused(case):
    gan, images, message = refusals()[case]
    before = gan.generator.get_weights()

    with pytest.raises(ValueError, match=message):
        gan.learn_category_shares(images)

    for old, new in zip(before, gan.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_they_take_no_more_memory_than_there_is(monkeypatch):
    gan = build_gan()
    monkeypatch.setattr("capsgan_keras.machine.memory_bytes", lambda: 2_000 * 256)

    with pytest.raises(ValueError, match=r"`images` of shape \(16, 16, 1\) .* GB"):
        gan.learn_category_shares(IMAGES)


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_gan(num_classes=COUNT),
        lambda: ConvolutionalGAN(SHAPE, generator=with_shares(), latent_dim=6, num_classes=COUNT),
        lambda: BiCoGAN(
            with_shares(),
            build_capsule_encoder(SHAPE, 6),
            build_joint_discriminator(SHAPE, 6),
            num_classes=COUNT,
        ),
    ],
    ids=["options", "generator", "BiCoGAN"],
)
def test_classes_have_no_learned_shares(build):
    """The class would be chosen by other numbers than those that training and `generate` read."""
    with pytest.raises(ValueError, match=r"`num_classes` needs a `generator` .* num_classes=4, a"):
        build()


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
