import json

import numpy as np
import pytest

from capsgan_keras.evaluation import memorising, nearest_training_distances


def photographs(n, seed):
    return np.random.default_rng(seed).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8)


def test_distances_are_those_of_pixels_in_0_to_1():
    x_train = photographs(30, 0)
    images = photographs(6, 1)
    distances, indices = nearest_training_distances(images, x_train)
    all_distances = np.linalg.norm(
        images.reshape(6, 1, -1) / 255 - x_train.reshape(1, 30, -1) / 255, axis=-1
    )
    np.testing.assert_allclose(distances, all_distances.min(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(indices, all_distances.argmin(axis=1))
    # Floats off the grid of 8 bits are compared as they are.
    as_floats = images / 255 * 0.999
    distances, _ = nearest_training_distances(as_floats, x_train)
    all_distances = np.linalg.norm(
        as_floats.reshape(6, 1, -1) - x_train.reshape(1, 30, -1) / 255, axis=-1
    )
    np.testing.assert_allclose(distances, all_distances.min(axis=1), rtol=1e-9)


def test_copies_and_near_copies_are_found():
    x_train, held_out = photographs(200, 0), photographs(100, 1)
    held_out_distances, _ = nearest_training_distances(held_out, x_train)
    near = x_train[:40].copy()
    near[:30, 0, 0, 0] ^= 1  # thirty differ by one grey level in one pixel
    distances, indices = nearest_training_distances(near, x_train)
    np.testing.assert_array_equal(indices, np.arange(40))
    np.testing.assert_allclose(distances[:30], 1 / 255)
    figures = memorising(distances, held_out_distances)
    assert figures.copies == 10
    assert figures.closer_than_held_out == 1
    assert figures.ratio == pytest.approx(1 / 255 / np.median(held_out_distances))
    assert json.loads(json.dumps(figures.to_dict()))["copies"] == 10


def test_new_images_are_as_far_as_held_out_ones():
    x_train = photographs(300, 0)
    distances = [nearest_training_distances(photographs(400, s), x_train)[0] for s in (1, 2)]
    figures = memorising(*distances)
    assert figures.ratio == pytest.approx(1, abs=0.02)
    assert figures.closer_than_held_out == pytest.approx(0.05, abs=0.03)
    assert figures.copies == 0


def test_held_out_copies_leave_the_ratio_open():
    assert memorising(np.ones(3), np.zeros(4)).ratio is None


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"`held_out_distances`.*Received: shape \(0,\)"):
        memorising(np.ones(3), [])
    with pytest.raises(ValueError, match=r"`images` must have images of shape \(5, 4, 3\)"):
        nearest_training_distances(photographs(2, 0)[:, :4], photographs(2, 0))
