"""Layers that the paper's own software has, beside DCGAN's."""

import keras
import numpy as np
import pytest

from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)

SHAPE = (16, 16, 1)


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_each_convolution_of_the_generator_has_its_scale():
    generator = build_generator(
        (32, 32, 3), 4, filters=(8, 7, 6, 5), scales=(1, 2, 2, 2), kernel_size=5, last_kernel_size=1
    )
    convolutions = [layer for layer in generator.layers if isinstance(layer, keras.layers.Conv2D)]
    sides = [(*layer.output.shape[1:3], layer.filters) for layer in convolutions]
    assert sides == [(4, 4, 7), (8, 8, 6), (16, 16, 5), (32, 32, 3)]
    assert [layer.kernel_size[0] for layer in convolutions] == [5, 5, 5, 1]
    grey = build_generator(SHAPE, 4, filters=(8, 4, 4), scales=(2, 1, 1), upsampling="transposed")
    assert kinds(grey).count("Conv2DTranspose") == 1
    assert grey.get_layer(index=2).output.shape[1:] == (8, 8, 8)


def test_the_default_scales_are_two_doublings():
    given = build_generator(SHAPE, 4, filters=(8, 4), scales=(2, 2), seed=3)
    default = build_generator(SHAPE, 4, filters=(8, 4), seed=3)
    for ours, theirs in zip(given.get_weights(), default.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_sigmoid_is_mapped_to_the_range_of_images():
    latents = 30 * np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    options = {"filters": (8, 4), "initializer": "he", "batch_norm": False, "seed": 1}
    sigmoid = build_generator(SHAPE, 4, output="sigmoid", **options)
    images = keras.ops.convert_to_numpy(sigmoid(latents))
    before = keras.Model(sigmoid.input, sigmoid.layers[-2].input)
    logits = keras.ops.convert_to_numpy(before(latents))
    np.testing.assert_allclose(images, np.tanh(logits / 2), atol=1e-5)
    assert images.min() < -0.9
    assert images.max() > 0.9


def test_batch_statistics_are_those_of_the_generated_batch():
    options = {"filters": (8, 4), "initializer": "he", "seed": 0}
    generator = build_generator(SHAPE, 4, batch_statistics=True, **options)
    latents = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    layer = next(layer for layer in generator.layers if type(layer).__name__ == "EinsumDense")
    layer.bias.assign(np.arange(8.0))
    before = generator.get_weights()
    normalized = keras.ops.convert_to_numpy(keras.Model(generator.input, layer.output)(latents))
    np.testing.assert_allclose(normalized.mean(axis=(0, 1, 2)), np.arange(8.0), atol=1e-4)
    np.testing.assert_allclose(normalized.std(axis=(0, 1, 2)), 1, atol=0.01)
    predicted = generator.predict(latents, verbose=0)
    trained = keras.ops.convert_to_numpy(generator(latents, training=True))
    np.testing.assert_allclose(predicted, trained, atol=1e-5)
    alone = generator.predict(latents[:2], verbose=0)
    assert np.abs(alone - predicted[:2]).max() > 1e-3
    for old, new in zip(before, generator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("build", [build_capsule_discriminator, build_convolutional_discriminator])
def test_hidden_activations(build):
    assert "ReLU" not in kinds(build(SHAPE, filters=4))
    relu = kinds(build(SHAPE, filters=4, hidden_activation="relu"))
    assert "ReLU" in relu
    assert "LeakyReLU" not in relu


def test_the_convolutional_discriminator_of_keras_adversarial():
    model = build_convolutional_discriminator(
        (28, 28, 1),
        filters=(4, 8),
        batch_norm=False,
        hidden_activation="relu",
        convolution_dropout=0.5,
        dropout=0.5,
        units=6,
        seed=0,
    )
    assert kinds(model) == [
        *("InputLayer", "Conv2D", "ReLU", "Dropout", "Conv2D", "ReLU", "Dropout", "Flatten"),
        *("Dense", "LeakyReLU", "Dropout", "Dense", "Activation"),
    ]
    seeds = [layer.seed for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(set(seeds)) == 3


def test_max_pooling_and_an_average_of_places():
    model = build_convolutional_discriminator(
        SHAPE, filters=(4, 8), batch_norm=False, downsampling="max_pooling", head="average", seed=0
    )
    assert kinds(model) == [
        "InputLayer",
        *("Conv2D", "MaxPooling2D", "LeakyReLU") * 2,
        *("Conv2D", "GlobalAveragePooling2D", "Activation"),
    ]
    assert model.layers[1].strides == (1, 1)
    images = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")
    scores = keras.ops.convert_to_numpy(model(images))
    places = keras.Model(model.input, model.layers[-3].output)(images)
    means = keras.ops.convert_to_numpy(places).mean(axis=(1, 2))
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-means)), atol=1e-5)


@pytest.mark.parametrize("kind", ["normal", "he", "glorot"])
@pytest.mark.parametrize(
    "build", [build_generator, build_capsule_discriminator, build_convolutional_discriminator]
)
def test_the_initializer_is_of_the_kind_that_was_asked_for(build, kind):
    model = build(SHAPE, initializer=kind, seed=0)
    layers = keras.layers.Conv2D, keras.layers.Conv2DTranspose
    (first, *_) = (layer for layer in model.layers if isinstance(layer, layers))
    names = {"normal": "RandomNormal", "he": "HeNormal", "glorot": "GlorotUniform"}
    assert type(first.kernel_initializer).__name__ == names[kind]


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (build_generator, {"scales": (2, 3)}, r"`scales` must be 2 numbers, each 1 or 2"),
        (build_generator, {"scales": (2, True)}, r"`scales` must be 2 numbers, each 1 or 2"),
        (build_generator, {"scales": (2,)}, r"`scales` must be 2 numbers"),
        (build_generator, {"filters": (4, 4, 4)}, r"`filters` must be 2 positive integers"),
        (
            build_generator,
            {"filters": (4,) * 5, "scales": (2,) * 5},
            r"`scales` must divide the image's sides, 16 and 16\..*in all 32",
        ),
        (build_generator, {"activation": "gelu"}, r"`activation` must be one of 'relu', 'leaky_re"),
        (build_generator, {"output": "linear"}, r"`output` must be one of"),
        (build_generator, {"initializer": "zeros"}, r"`initializer` must be one of"),
        (build_generator, {"last_kernel_size": 17}, r"`last_kernel_size` must be an integer from"),
        (build_generator, {"batch_statistics": 1}, r"`batch_statistics` must be True or False"),
        (build_capsule_discriminator, {"hidden_activation": "tanh"}, r"`hidden_activation` must"),
        (build_capsule_discriminator, {"initializer": "zeros"}, r"`initializer` must be one of"),
        (build_convolutional_discriminator, {"downsampling": "none"}, r"`downsampling` must be"),
        (build_convolutional_discriminator, {"head": "sum"}, r"`head` must be one of 'dense', 'av"),
        (build_convolutional_discriminator, {"units": 0}, r"`units` must be a positive integer"),
        (
            build_convolutional_discriminator,
            {"units": 3, "head": "average"},
            r"`units` is for the head 'dense'\. Received: units=3",
        ),
        (
            build_convolutional_discriminator,
            {"convolution_dropout": 1.0},
            r"`convolution_dropout` must be a number in",
        ),
    ],
)
def test_refusals(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(SHAPE, **options)
