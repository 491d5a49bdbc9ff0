"""What a discriminator's outputs are: probabilities, logits or scores."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import GAN
from capsgan_keras.evaluation import (
    Remembered,
    calibrated_cut,
    generative_adversarial_metric,
)
from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import build_capsule_discriminator, build_generator

SHAPE = (16, 16, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, *SHAPE), "uint8")


def discriminator(activation="linear", units=1, scale=1.0):
    weights = keras.initializers.RandomNormal(0.0, scale, seed=0)
    layers = [
        keras.Input(SHAPE),
        keras.layers.Flatten(),
        keras.layers.Dense(units, activation, kernel_initializer=weights, use_bias=False),
    ]
    return keras.Sequential(layers)


def make(loss, outputs=None, network=None, **options):
    generator = build_generator(SHAPE, 4, filters=(4, 3), seed=0)
    network = discriminator(**options) if network is None else network
    return GAN(generator, network, loss, seed=0, discriminator_outputs=outputs)


@keras.saving.register_keras_serializable(package="test")
def on_logits(y_true, y_pred):
    return keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True)


@keras.saving.register_keras_serializable(package="test")
def wasserstein(y_true, y_pred):
    return (1.0 - 2.0 * y_true) * y_pred


@pytest.mark.parametrize(
    ("loss", "options", "expected"),
    [
        (keras.losses.BinaryCrossentropy(from_logits=True), {}, "logit"),
        (keras.losses.BinaryCrossentropy(), {}, "probability"),
        ("binary_crossentropy", {}, "probability"),
        (MarginLoss(), {}, "probability"),
        ("mse", {"activation": "sigmoid"}, "probability"),
        ("mse", {"activation": "softmax", "units": 2}, "probability"),
        (on_logits, {"activation": "sigmoid"}, "probability"),
        ("mse", {"network": build_capsule_discriminator(SHAPE, 4, 3, n_channels=1)}, "probability"),
    ],
)
def test_what_is_certain_is_inferred(loss, options, expected):
    assert make(loss, **options).discriminator_outputs == expected


@pytest.mark.parametrize("loss", [on_logits, keras.losses.Hinge(), "mse", "hinge", wasserstein])
def test_a_doubt_is_refused(loss):
    with pytest.raises(ValueError, match="`discriminator_outputs` must say what"):
        make(loss)
    with pytest.raises(ValueError, match="`discriminator_outputs` must be one of 'probability'"):
        make(loss, "logits")


def test_a_function_on_logits_gives_the_probabilities_of_its_class():
    by_class = make(keras.losses.BinaryCrossentropy(from_logits=True), scale=0.1)
    by_function = make(on_logits, "logit", scale=0.1)
    scores = by_function.discriminate(IMAGES)
    np.testing.assert_array_equal(scores, by_class.discriminate(IMAGES))
    assert 0 < scores.min() < 0.5 < scores.max() < 1
    logs = []
    for gan in (by_class, by_function):
        gan.compile()
        logs.append(gan.evaluate(IMAGES, verbose=0, return_dict=True))
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)
    assert logs[0]["d_real"] == pytest.approx(scores.mean(), rel=1e-4)


def test_two_logits_of_one_softmax_share_it():
    outputs = ops.convert_to_tensor(np.array([[2.0, 1.0]], "float32"))
    shared = make(keras.losses.CategoricalCrossentropy(from_logits=True), units=2)
    single = make(keras.losses.BinaryCrossentropy(from_logits=True), units=2)
    assert float(shared.probabilities(outputs)[0]) == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-5)
    assert float(single.probabilities(outputs)[0]) == pytest.approx(1 / (1 + np.exp(-2)), rel=1e-5)


def test_outputs_that_are_no_probabilities_are_refused():
    gan = make("binary_crossentropy", scale=10.0)
    with pytest.raises(ValueError, match=r"must give probabilities, in \[0, 1\].*outputs in \[-"):
        gan.discriminate(IMAGES)


@pytest.mark.parametrize(
    ("loss", "cut"), [(keras.losses.Hinge(), 0.0), ("mse", 0.5), (wasserstein, 0.0)]
)
def test_scores_are_cut_where_their_loss_is_balanced(loss, cut):
    gan = make(loss, "score", scale=1.0)
    assert calibrated_cut(gan.loss, "score") == pytest.approx(cut, abs=1e-3)
    scores = gan.discriminate(IMAGES)
    assert scores.min() < 0
    assert scores.max() > 1
    on_real = ops.convert_to_tensor(np.array([[cut + 0.1], [cut - 0.1]], "float32"))
    on_fake = ops.convert_to_tensor(np.array([[cut - 0.1], [cut - 0.2]], "float32"))
    logs = gan.update_metrics(1.0, 1.0, on_real, on_fake)
    assert float(logs["d_accuracy"]) == pytest.approx((1 / 2 + 1) / 2)


def test_the_metric_follows():
    scores, probabilities = make("hinge", "score"), make("mse", activation="sigmoid")
    pair = Remembered(scores), probabilities
    result = generative_adversarial_metric(*pair, IMAGES, n_samples=8, cut="calibrated")
    assert result.cuts == (pytest.approx(0.0, abs=1e-3), pytest.approx(0.5))
    expected = float((scores.discriminate(IMAGES) >= result.cuts[0]).mean())
    assert result.accuracies["d_a_on_test"] == expected
    with pytest.raises(ValueError, match='"calibrated" or a number'):
        generative_adversarial_metric(*pair, IMAGES, n_samples=8)
    given = generative_adversarial_metric(*pair, IMAGES, n_samples=8, cut=(-2.0, 0.5))
    assert given.cuts == (-2.0, 0.5)
    for cut in (2, -1, (-2.0, 1.5)):
        with pytest.raises(ValueError, match=r"`cut` must be a probability, in \[0, 1\]"):
            generative_adversarial_metric(
                probabilities if np.ndim(cut) == 0 else scores,
                probabilities,
                IMAGES,
                n_samples=8,
                cut=cut,
            )


def test_it_is_saved_and_old_files_load(tmp_path):
    gan = make("hinge", "score")
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert again.discriminator_outputs == "score"
    np.testing.assert_array_equal(again.discriminate(IMAGES), gan.discriminate(IMAGES))
    for loss, expected in {on_logits: "probability", "hinge": "probability"}.items():
        config = make(loss, "score").get_config()
        del config["discriminator_outputs"]
        assert GAN.from_config(config).discriminator_outputs == expected
    config = make(keras.losses.BinaryCrossentropy(from_logits=True)).get_config()
    del config["discriminator_outputs"]
    assert GAN.from_config(config).discriminator_outputs == "logit"
