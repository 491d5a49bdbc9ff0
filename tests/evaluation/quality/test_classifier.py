import keras
import numpy as np
import pytest

from capsgan_keras.evaluation import (
    ClassifierSettings,
    ImageClassifier,
    build_classifier,
    train_classifier,
)
from capsgan_keras.evaluation.quality.classifier import _TrainingBatches

QUICK = ClassifierSettings(width=4, epochs=2, batch_size=16, learning_rate=1e-2)


def stripes(n, seed, shape=(12, 12, 1)):
    """Upright (class 0) or level (class 1) stripes in noise, as uint8."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, n)
    wave = 60 * np.sin(np.arange(shape[0]) * 1.5)
    pattern = np.stack([np.tile(wave, (shape[0], 1)), np.tile(wave, (shape[0], 1)).T])
    images = 128 + pattern[classes][..., np.newaxis] + rng.normal(0, 20, (n, *shape))
    return np.clip(images, 0, 255).astype(np.uint8), classes


@pytest.mark.parametrize("shape", [(12, 12, 1), (9, 14, 3), (2, 3, 1)])
def test_shapes(shape):
    model = build_classifier(shape, num_classes=5, width=4)
    classifier = ImageClassifier(model)
    images = np.random.default_rng(0).integers(0, 256, (7, *shape), dtype=np.uint8)
    probabilities, features = classifier(images)
    assert probabilities.shape == (7, 5)
    assert features.shape == (7, 16)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    # The probabilities are those that the last layer makes of the features.
    kernel, bias = model.layers[-1].get_weights()
    logits = features @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)


def test_training_learns_and_repeats_itself():
    x, y = stripes(160, 0)
    x_test, y_test = stripes(60, 1)
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(len(results))  # must not matter
        model = build_classifier((12, 12, 1), 2, QUICK.width, QUICK.seed)
        before = ImageClassifier(model).accuracy(x_test, y_test)
        history = train_classifier(model, x, y, QUICK)
        assert len(history.history["loss"]) == 2
        results.append(ImageClassifier(model)(x_test)[0])
    assert before < 0.8
    assert np.mean(results[0].argmax(axis=1) == y_test) > 0.95
    np.testing.assert_array_equal(results[0], results[1])


def test_progress_is_shown_where_it_is_asked_for(capsys):
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1), np.uint8)
    settings = ClassifierSettings(width=2, epochs=2)
    for verbose, lines in ((0, 0), (2, 2)):
        model = build_classifier((8, 8, 1), num_classes=2, width=2)
        train_classifier(model, images, np.arange(16) % 2, settings, verbose=verbose)
        assert capsys.readouterr().out.count("accuracy: ") == lines


def test_batch_size_changes_features_by_rounding_only():
    x, y = stripes(64, 0)
    model = build_classifier((12, 12, 1), 2, 4)
    train_classifier(model, x, y, QUICK)
    classifier = ImageClassifier(model)
    for one, other in zip(classifier(x, batch_size=64), classifier(x, batch_size=7), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_mixed_precision_does_not_reach_the_features():
    x, _ = stripes(20, 0)
    expected = ImageClassifier(build_classifier((12, 12, 1), 2, 4))(x)
    keras.config.set_dtype_policy("mixed_bfloat16")
    found = ImageClassifier(build_classifier((12, 12, 1), 2, 4))(x)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_batches_show_every_image_once_an_epoch_shifted_and_mirrored():
    # Each image is a ramp from left to right, from a level of its own.
    ramp = np.arange(16, dtype=np.uint8)
    x = np.tile(ramp, (50, 16, 1))[..., np.newaxis] + (np.arange(50, dtype=np.uint8) * 4).reshape(
        -1, 1, 1, 1
    )
    y = np.arange(50)
    batches = _TrainingBatches(
        x, y, ClassifierSettings(width=4, epochs=1, batch_size=16, flip=True)
    )
    assert len(batches) == 4
    epochs = []
    for _ in range(2):
        images, labels = (np.concatenate(part) for part in zip(*batches, strict=True))
        assert sorted(labels) == list(range(50))
        epochs.append(labels)
        slopes = np.diff(images[:, 3, :, 0].astype(int), axis=1)
        middle = slopes[:, 6:9]  # away from the repeated edge
        assert set(middle[:, 0]) == {-1, 1}
        assert 10 < (middle[:, 0] == 1).sum() < 40
        # A shift moves the level of the middle pixel by two at most.
        centre = images[:, 8, 7:9, 0].mean(axis=1) - 7.5 - 4 * labels
        assert set(np.abs(centre)) == {0, 1, 2}
        batches.on_epoch_end()
    assert list(epochs[0]) != list(epochs[1])


def test_without_flip_images_are_shifted_only():
    x = np.tile(np.arange(16, dtype=np.uint8), (40, 16, 1))[..., np.newaxis]
    batches = _TrainingBatches(x, np.zeros(40, int), QUICK)
    images = np.concatenate([batch for batch, _ in batches])
    assert (np.diff(images[:, 0, 6:9, 0], axis=1) == 1).all()


def test_settings_suit_the_images():
    grey = ClassifierSettings.for_images((28, 28, 1), 60_000)
    assert not grey.flip  # a mirrored digit is none
    assert ClassifierSettings.for_images((32, 32, 3), 50_000).flip
    few = ClassifierSettings.for_images((28, 28, 1), 1_000)
    assert few.epochs * 1_000 >= 600 * few.batch_size > grey.epochs * 1_000
    assert ClassifierSettings.for_images((28, 28, 1), 1_000, epochs=7).epochs == 7


def test_bad_input_is_named():
    model = build_classifier((12, 12, 1), 2, 4)
    x, y = stripes(8, 0)
    with pytest.raises(ValueError, match=r"below the number of classes, 2\. Received: a class 2"):
        train_classifier(model, x, y + 1, QUICK)
    with pytest.raises(ValueError, match=r"`x_train` must be uint8"):
        train_classifier(model, x / 255, y, QUICK)
    with pytest.raises(ValueError, match=r"shape, \(12, 12, 1\)\. Received.*\(8, 12, 11, 1\)"):
        ImageClassifier(model)(x[:, :, 1:])


SCRIPT = """
import keras
import numpy as np
from capsgan_keras.evaluation import *
x = np.random.default_rng(0).integers(0, 256, (96, 8, 8, 1), dtype=np.uint8)
y = (x[:, :, :4].mean(axis=(1, 2, 3)) > x[:, :, 4:].mean(axis=(1, 2, 3))).astype(int)
x = np.where(y[:, None, None, None] == 1, x, 255 - x // 4).astype(np.uint8)
settings = ClassifierSettings(width=4, epochs=4, batch_size=16, learning_rate=2e-2)
model = build_classifier((8, 8, 1), 2, settings.width)
loss = train_classifier(model, x, y, settings).history["loss"]
print(keras.backend.backend(), loss[-1] / loss[0], ImageClassifier(model).accuracy(x, y))
"""


def test_jax_trains_the_classifier_too(run_python):
    backend, ratio, accuracy = run_python(SCRIPT, KERAS_BACKEND="jax").split()
    assert backend == "jax"
    assert float(ratio) < 0.7
    assert float(accuracy) > 0.9
