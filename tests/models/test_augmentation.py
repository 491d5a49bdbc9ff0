"""What a discriminator's images go through in training: seen by D alone, and differentiable."""

import numpy as np
import pytest
from keras import ops

from capsgan_keras.gan.settings import NetworkSettings
from capsgan_keras.layers import DifferentiableAugmentation, RandomColor, RandomCutout
from capsgan_keras.layers.differentiable_augmentation import AUGMENTATIONS
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_joint_discriminator,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1.0, 1.0, (6, 16, 16, 3)).astype("float32")


@pytest.fixture
def same_draws():
    """Call a layer in training with the same draws each time."""

    def call(layer):
        states = [(seed, ops.copy(seed.value)) for seed in layer.variables]

        def again(images):
            for seed, state in states:
                seed.assign(state)
            return layer(images, training=True)

        return again

    return call


def test_names_are_those_of_the_settings():
    assert NetworkSettings.__dataclass_fields__["augmentation"].metadata["choices"] == AUGMENTATIONS


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_change_in_training_alone(name):
    model = DifferentiableAugmentation([name], seed=0)
    np.testing.assert_array_equal(ops.convert_to_numpy(model(IMAGES, training=False)), IMAGES)
    first, second = (ops.convert_to_numpy(model(IMAGES, training=True)) for _ in range(2))
    assert first.shape == IMAGES.shape
    for others in (IMAGES, second):
        assert (np.abs(first - others).max(axis=(1, 2, 3)) > 0.1).mean() > 0.5
    np.testing.assert_array_equal(
        ops.convert_to_numpy(DifferentiableAugmentation([name], seed=0)(IMAGES, training=True)),
        first,
    )


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_gradient_is_that_of_finite_differences(name, same_draws, gradient):
    """Of a smooth function of the changed images, along random directions."""
    call = same_draws(DifferentiableAugmentation([name], seed=0))
    target = RNG.normal(size=IMAGES.shape).astype("float32")

    def loss(images):
        return ops.sum(ops.square(call(images) - target))

    slope = gradient(loss, IMAGES)
    assert np.isfinite(slope).all()
    for _ in range(3):
        direction = RNG.normal(size=IMAGES.shape).astype("float32")
        step = 1e-2
        low, high = (float(loss(IMAGES + sign * step * direction)) for sign in (-1, 1))
        np.testing.assert_allclose((high - low) / (2 * step), (slope * direction).sum(), rtol=5e-3)


def test_colors_are_those_of_their_formula():
    """A layer of one fixed draw each is the formula of `color` in DiffAugment."""
    layer = RandomColor()
    draws = iter((0.25, 1.5, 0.75))
    layer._draws = lambda images, low, high: next(draws)
    changed = IMAGES + 0.25
    changed = (changed - changed.mean(axis=3, keepdims=True)) * 1.5 + changed.mean(
        axis=3, keepdims=True
    )
    middle = changed.mean(axis=(1, 2, 3), keepdims=True)
    expected = (changed - middle) * 0.75 + middle
    np.testing.assert_allclose(layer(IMAGES, training=True), expected, atol=1e-5)


def test_nothing_leaks_on_average():
    """Neither brightness nor place changes on average, which a generator would learn."""
    many = np.repeat(IMAGES[:1], 4000, axis=0)
    for name in ("color", "translation"):
        changed = ops.convert_to_numpy(
            DifferentiableAugmentation([name], seed=0)(many, training=True)
        )
        assert abs(changed.mean() - many.mean()) < 0.02
    point = np.zeros((4000, 16, 16, 3), "float32")
    point[:, 7:9, 7:9] = 1.0
    places = ops.convert_to_numpy(
        DifferentiableAugmentation(["translation"], seed=0)(point, training=True)
    )[..., 0]
    for axis in (1, 2):
        mean = (places.sum(axis=(0, 3 - axis)) * np.arange(16)).sum() / places.sum()
        assert abs(mean - 7.5) < 0.1
        assert places.sum(axis=(0, 3 - axis)).nonzero()[0].tolist() == list(range(5, 11))


@pytest.mark.parametrize("shape", [(16, 16), (7, 10)])
def test_half_of_the_sides_are_cut_out(shape):
    """Around a place drawn from the whole image, so that every pixel is seen and cut at times."""
    cut = ops.convert_to_numpy(
        RandomCutout(seed=0)(np.ones((8000, *shape, 3), "float32"), training=True) == 0.0
    )
    assert (cut == cut[..., :1]).all()  # all channels together
    for axis, side in ((2, shape[0]), (1, shape[1])):
        lengths = cut[..., 0].any(axis=axis).sum(axis=1)
        size = (side + 1) // 2
        assert (lengths.min(), lengths.max()) == ((size + 1) // 2, size)
        shares = cut[..., 0].any(axis=axis).mean(axis=0)
        np.testing.assert_allclose(shares, shares[::-1], atol=0.03)
    assert 0.05 < cut.mean(axis=0).min() < cut.mean(axis=0).max() < 0.3


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_generator_learns_the_images_as_they_are(name, gradient):
    """Against the best critic by means; where real images alone are changed, it learns others."""
    middle = np.exp(-((np.arange(16)[:, None] - 6) ** 2 + (np.arange(16) - 9) ** 2) / 18)
    real = np.stack([middle, middle**2, 1 - middle], axis=-1)[None].astype("float32")

    def learn(both):
        layer, generated, last = DifferentiableAugmentation([name], seed=0), 0 * real, []

        def mean(image, changed=True):
            return ops.mean(layer(ops.repeat(image, 128, axis=0), training=changed), axis=0)

        for step in range(60):
            critic = mean(real) - mean(generated, both)
            generated = generated + gradient(
                lambda image, critic=critic: ops.sum(critic * mean(image, both)), generated
            )
            last += [generated] if step >= 40 else []
        return np.abs(np.mean(last, axis=0) - real)

    errors = learn(both=True)
    assert errors.mean() < 0.03
    assert errors[:, 7:9, 7:9].max() < 0.1
    if name != "color":  # which changes no mean
        assert learn(both=False).mean() > 2 * errors.mean()


@pytest.mark.parametrize("build", [build_capsule_discriminator, build_convolutional_discriminator])
def test_discriminators_score_images_as_they_are(build):
    plain = build((16, 16, 3), filters=(4, 4), seed=0)
    model = build((16, 16, 3), filters=(4, 4), augmentation=AUGMENTATIONS, seed=0)
    model.set_weights(plain.get_weights())
    np.testing.assert_array_equal(model(IMAGES), plain(IMAGES))
    assert np.abs(model(IMAGES, training=True) - plain(IMAGES, training=True)).max() > 0


@pytest.mark.parametrize("wrong", ["color", ("colour",), ("color", "color"), None, (1,), 3])
@pytest.mark.parametrize(
    "build",
    [build_capsule_discriminator, build_convolutional_discriminator, build_joint_discriminator],
)
def test_other_names_are_refused(build, wrong):
    with pytest.raises(ValueError, match="`augmentation` must be a sequence of different names"):
        build((16, 16, 3), augmentation=wrong)


def test_each_kind_has_draws_of_its_own():
    """Brightness and place would go together with one seed for both."""
    layer = DifferentiableAugmentation(AUGMENTATIONS, seed=0)
    states = {str(ops.convert_to_numpy(variable)) for variable in layer.variables}
    assert len(states) == len(AUGMENTATIONS)


@pytest.mark.parametrize(
    "layer",
    [
        RandomColor(),
        RandomCutout(),
        *(DifferentiableAugmentation([name]) for name in AUGMENTATIONS),
    ],
)
def test_integers_are_refused(layer):
    with pytest.raises(ValueError, match="`inputs` must be floating-point numbers"):
        layer(np.ones((2, 16, 16, 3), "uint8"), training=True)


def test_a_joint_discriminator_sees_changed_images_beside_codes_as_they_are():
    pairs = [IMAGES, RNG.normal(size=(6, 4)).astype("float32")]
    options = {"latent_dim": 4, "filters": (4, 4), "seed": 0}
    plain = build_joint_discriminator((16, 16, 3), **options)
    model = build_joint_discriminator((16, 16, 3), **options, augmentation=AUGMENTATIONS)
    model.set_weights(plain.get_weights())
    np.testing.assert_array_equal(model(pairs), plain(pairs))
    assert np.abs(model(pairs, training=True) - plain(pairs, training=True)).max() > 0


@pytest.mark.parametrize(
    "layer", [RandomColor(), RandomCutout(), DifferentiableAugmentation(["cutout"])]
)
def test_images_of_another_rank_are_refused(layer):
    with pytest.raises(ValueError, match=f"{type(layer).__name__} expects images"):
        layer(IMAGES[0])


def test_the_layer_comes_back_from_its_config():
    layer = DifferentiableAugmentation(["cutout", "color"], seed=3)
    again = DifferentiableAugmentation.from_config(layer.get_config())
    assert again.names == ("cutout", "color")
    np.testing.assert_array_equal(again(IMAGES, training=True), layer(IMAGES, training=True))
