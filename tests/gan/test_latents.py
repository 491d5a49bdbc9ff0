import numpy as np
import pytest

from capsgan_keras import CapsuleGAN
from capsgan_keras.gan.latents import Latents


@pytest.mark.parametrize("untouched", [0, 3, 7])
@pytest.mark.parametrize("truncation", [None, 0.01, 0.7, 10])
def test_a_vector_does_not_depend_on_how_many_are_drawn_at_once(truncation, untouched):
    whole = Latents(7, 3, truncation, untouched).draw(40)
    stream = Latents(7, 3, truncation, untouched)
    parts = [stream.draw(n) for n in (1, 2, 20, 3, 14)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.dtype == "float32"
    assert whole.shape == (40, 7)


def test_without_truncation_they_are_numpys():
    expected = np.random.default_rng(5).standard_normal((6, 3), "float32")
    np.testing.assert_array_equal(Latents(3, 5).draw(6), expected)


def test_truncated_latents_are_the_normal_draws_within_the_truncation():
    drawn = np.random.default_rng(0).standard_normal(1000, "float32")
    kept = drawn[np.abs(drawn) <= 0.5]
    np.testing.assert_array_equal(Latents(10, 0, 0.5).draw(20).ravel(), kept[:200])


def test_the_deviation_is_that_of_a_truncated_normal_distribution():
    values = Latents(100, 0, 0.7).draw(2000)
    density = np.exp(-(0.7**2) / 2) / np.sqrt(2 * np.pi)
    share = 0.5160727  # of a normal distribution within 0.7 of its mean
    expected = np.sqrt(1 - 2 * 0.7 * density / share)
    assert values.std() == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("truncation", [0, -1.0, 0.009, float("nan"), float("inf"), "0.7", True])
def test_other_truncations_are_refused(truncation):
    with pytest.raises(ValueError, match="`truncation` must be"):
        Latents(3, 0, truncation)


def test_generate_with_truncation():
    options = {"generator_options": {"filters": (4, 3)}, "discriminator_options": {"filters": 4}}
    gan = CapsuleGAN((16, 16, 1), 5, seed=0, **options)
    images = gan.generate(6, seed=1, truncation=0.5)
    expected = gan.predict(Latents(5, 1, 0.5).draw(6), verbose=0)
    np.testing.assert_array_equal(images, np.rint((expected + 1.0) * 127.5).astype("uint8"))
    np.testing.assert_array_equal(gan.generate(3, seed=1, truncation=0.5), images[:3])
    assert np.any(images != gan.generate(6, seed=1))
    with pytest.raises(ValueError, match="`truncation` must be at least"):
        gan.generate(1, truncation=0.0)
