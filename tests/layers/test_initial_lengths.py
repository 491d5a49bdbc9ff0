"""Stacked capsule layers start at middle lengths, and so they learn."""

import keras
import numpy as np
import pytest

from capsgan_keras import load_dataset
from capsgan_keras.layers import CapsuleLayer, Length, PrimaryCap
from capsgan_keras.layers.capsule_layer import length_keeping_variance
from capsgan_keras.losses import MarginLoss
from capsgan_keras.routing import vector_length


def capsules_of_length(length, n, dim):
    vectors = np.random.default_rng(0).normal(size=(8, n, dim))
    return (length * vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype("float32")


def mean_length(capsules):
    return float(np.sqrt(np.mean(np.square(vector_length(capsules)))))


@pytest.mark.parametrize("routings", [1, 3])
@pytest.mark.parametrize("routing", ["dynamic", "leaky"])
@pytest.mark.parametrize(
    ("n_input", "input_dim", "n", "dim"),
    [
        (1152, 8, 10, 16),
        (144, 8, 16, 8),
        (32, 4, 32, 8),
        (8, 16, 8, 4),
        (16, 2, 4, 16),
        (9, 8, 50, 8),
    ],
)
def test_lengths_stay_in_the_middle_at_each_depth(n_input, input_dim, n, dim, routing, routings):
    capsules = capsules_of_length(0.5, n_input, input_dim)
    for _ in range(3):
        capsules = CapsuleLayer(n, dim, routings=routings, routing=routing)(capsules)
        assert 0.2 < mean_length(capsules) < 0.92


@pytest.mark.parametrize(("n", "routing"), [(1, "dynamic"), (5, "dynamic"), (1, "leaky")])
@pytest.mark.parametrize(("n_input", "input_dim"), [(20, 8), (500, 3)])
def test_the_sum_before_squash_has_the_gain_of_the_docstring(n, routing, n_input, input_dim):
    """In one iteration `E |s|^2 = 6 q`; here from the length l = |s|^2 / (1 + |s|^2)."""
    capsules = capsules_of_length(0.5, n_input, input_dim)
    squared = []
    for _ in range(30):
        layer = CapsuleLayer(n, 16, routings=1, routing=routing)
        lengths = np.asarray(vector_length(layer(capsules)))
        squared.append(np.mean(lengths / (1 - lengths)))
    assert np.mean(squared) == pytest.approx(6 * 0.5**2, rel=0.15)


def test_the_variance_follows_its_formula():
    assert length_keeping_variance(36, 3, 4) == pytest.approx(3 * 9 / (36 * 4))
    assert length_keeping_variance(36, 3, 4, routing="leaky") == pytest.approx(3 * 16 / (36 * 4))
    assert length_keeping_variance(36, 1, 4) == pytest.approx(6 / (36 * 4))


@pytest.mark.parametrize("dim_capsule", [2, 8, 16])
def test_primary_capsules_start_at_the_length_of_the_docstring(dim_capsule):
    features = np.random.default_rng(0).normal(size=(8, 12, 12, 6)).astype("float32")
    lengths = np.asarray(vector_length(PrimaryCap(dim_capsule, 20, kernel_size=5)(features)))
    assert np.mean(lengths / (1 - lengths)) == pytest.approx(2.0, rel=0.2)


def test_three_stacked_layers_learn_digits():
    digits = load_dataset("digits", image_size=16)
    images = keras.Input((16, 16, 1))
    capsules = PrimaryCap(8, 4, kernel_size=5, strides=2)(images)
    for n, dim in ((16, 8), (12, 8), (10, 16)):
        capsules = CapsuleLayer(n, dim)(capsules)
    model = keras.Model(images, Length()(capsules))
    model.compile(keras.optimizers.Adam(0.003), MarginLoss())
    targets = keras.utils.to_categorical(digits.y_train, 10)
    model.fit(digits.x_train / 255.0, targets, epochs=12, batch_size=32, verbose=0)
    predicted = model.predict(digits.x_test / 255.0, verbose=0).argmax(axis=-1)
    assert np.mean(predicted == digits.y_test) >= 0.9


@pytest.mark.parametrize(
    "layer", [PrimaryCap(4, 2, 3), CapsuleLayer(2, 4), CapsuleLayer(2, 4, use_bias=True)]
)
def test_configs_of_older_files_keep_their_initializer(layer):
    older = layer.get_config() | {
        "kernel_initializer": keras.initializers.serialize(keras.initializers.GlorotUniform(3))
    }
    older.pop("sublayers", None)
    again = type(layer).from_config(older)
    assert isinstance(again.kernel_initializer, keras.initializers.GlorotUniform)
    assert again.get_config()["kernel_initializer"] == older["kernel_initializer"]
