import json

import numpy as np
import pytest

from capsgan_keras.evaluation import (
    ImageClassifier,
    build_classifier,
    frechet_distance,
    kernel_distance,
    manifold_scores,
    sample_quality,
)
from capsgan_keras.evaluation.quality.sample_quality import RealImages

SHAPE = (6, 6, 1)


class GreyClassifier:
    """Two classes, dark and light; the features are four pixels in [0, 1]."""

    info = {"test_accuracy": 0.99}  # noqa: RUF012

    def __call__(self, images, batch_size):
        grey = images.mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - grey, grey], axis=1), images[:, 0, :4, 0] / 255


def images(n, seed, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (n, *SHAPE), dtype=np.uint8)


def test_every_measure_is_of_its_own_sets():
    x_train = images(100, 0)
    held_out = np.concatenate([images(54, 1), images(6, 4, 240, 256)])
    samples = np.concatenate([images(50, 2, 0, 30), images(20, 3, 240, 256), x_train[:10]])
    quality = sample_quality(samples, x_train, held_out, GreyClassifier(), n_neighbors=3)
    dark, light = quality.class_shares
    assert dark >= 50 / 80
    assert light >= 20 / 80
    assert quality.class_entropy == pytest.approx(-dark * np.log(dark) - light * np.log(light))
    assert quality.confident.confident == 70 / 80
    assert quality.confident.classes == (50 / 80, 20 / 80)
    assert quality.real_confident == 6 / 60
    assert 1 < quality.classifier_score < 2
    assert quality.memorising.copies == 10
    features, real = (x[:60, 0, :4, 0] / 255 for x in (samples, held_out))
    assert quality.frechet_distance == frechet_distance(real, features)
    assert quality.kernel_distance == kernel_distance(real, features)
    assert quality.manifold == manifold_scores(real, features, 3)
    assert (quality.n_samples, quality.n_real) == (80, 60)
    saved = json.loads(json.dumps(quality.to_dict(), allow_nan=False))
    assert saved["classifier"] == {"test_accuracy": 0.99}
    assert saved["manifold"]["n_neighbors"] == 3
    assert saved["memorising"]["copies"] == 10


def test_real_images_are_classified_once_for_many_generators():
    seen = []

    def classifier(x, batch_size):
        seen.append(len(x))
        return GreyClassifier()(x, batch_size)

    real = RealImages(images(30, 0), images(20, 1), classifier)
    several = [images(10, 2), images(15, 3)]
    found = [real.compare(each, n_neighbors=3) for each in several]
    assert sorted(seen) == [10, 15, 20]
    alone = [
        sample_quality(each, images(30, 0), images(20, 1), classifier, n_neighbors=3)
        for each in several
    ]
    assert found == alone


def test_batch_size_changes_nothing_but_rounding():
    classifier = ImageClassifier(build_classifier(SHAPE, 3, 4))
    sets = images(40, 0), images(80, 1), images(40, 2)
    whole = sample_quality(*sets, classifier)
    parts = sample_quality(*sets, classifier, batch_size=7)
    assert parts.manifold == whole.manifold
    assert parts.class_shares == whole.class_shares
    assert parts.frechet_distance == pytest.approx(whole.frechet_distance, rel=1e-3)
    assert parts.classifier_score == pytest.approx(whole.classifier_score, rel=1e-4)


def test_images_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"`samples` must be uint8"):
        sample_quality(images(9, 0) / 255, images(9, 1), images(9, 2), GreyClassifier())
    with pytest.raises(ValueError, match=r"`x_held_out` must have images of shape \(6, 6, 1\)"):
        sample_quality(images(9, 0), images(9, 1), images(9, 2)[:, 1:], GreyClassifier())
