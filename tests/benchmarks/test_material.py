import numpy as np

from benchmarks import material
from benchmarks.training import new_gan


def test_synthetic_images_have_ten_classes_with_noise():
    images, classes = material.synthetic_images(2_000, (6, 6, 3))
    assert (images.shape, images.dtype) == ((2_000, 6, 6, 3), np.uint8)
    assert np.bincount(classes).shape == (10,)
    pixels = images.reshape(len(images), -1).astype(float)
    means = np.stack([pixels[classes == c].mean(axis=0) for c in range(10)])
    spreads = [pixels[classes == c].std(axis=0).mean() for c in range(10)]
    assert min(spreads) > 60
    assert max(spreads) < 120  # 150, cut off at 0 and 255
    distances = np.linalg.norm(means[:, None] - means, axis=-1)
    assert distances[~np.eye(10, dtype=bool)].min() > 200


def test_many_images_are_made_in_parts(monkeypatch):
    expected, classes = material.synthetic_images(25, (4, 4, 1), seed=3)
    monkeypatch.setattr(material, "_CHUNK", 10)
    again, same = material.synthetic_images(25, (4, 4, 1), seed=3)
    np.testing.assert_array_equal(classes, same)
    np.testing.assert_array_equal(again, expected)
    assert np.any(material.synthetic_images(25, (4, 4, 1), seed=4)[0] != expected)


def test_after_a_few_steps_images_and_scores_vary():
    shape = (28, 28, 1)
    images, _ = material.synthetic_images(50, shape, seed=1)
    images[::2] = 128
    start, trained = (
        new_gan("capsule", shape, "float32"),
        material.trained_gan("capsule", shape, 20),
    )
    assert np.ptp(start.discriminate(images)) < 0.1
    assert np.ptp(trained.discriminate(images)) > 0.2
    assert start.generate(20, seed=0).std() < 2
    assert trained.generate(20, seed=0).std() > 5
