"""Encoders and the joint discriminator of a BiGAN."""

import keras
import numpy as np
import pytest

from capsgan_keras.layers import CapsuleLayer
from capsgan_keras.models import (
    build_capsule_encoder,
    build_convolutional_encoder,
    build_joint_discriminator,
)

SHAPES = [(28, 28, 1), (32, 32, 3), (16, 20, 4)]
ENCODERS = [build_capsule_encoder, build_convolutional_encoder]
BUILDERS = [*ENCODERS, build_joint_discriminator]
SHAPE = (16, 16, 1)


def images_of(shape, n=4):
    return np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype("float32")


@pytest.mark.parametrize("shape", SHAPES)
def test_both_encoders_have_about_as_many_weights(shape):
    capsule, convolutional = (build(shape).count_params() for build in ENCODERS)
    assert capsule == pytest.approx(convolutional, rel=0.1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("build", ENCODERS)
def test_codes_of_any_allowed_shape_differ_from_image_to_image(build, shape):
    encoder = build(shape, latent_dim=7, seed=0)
    codes = encoder.predict(images_of(shape), verbose=0)
    assert codes.shape == (4, 7)
    assert codes.dtype == np.float32
    # Neither nearly zero, where squash would be flat, nor far beyond what latents are.
    assert 0.02 < codes.std() < 2.0
    assert np.ptp(codes, axis=0).min() > 0.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("head", ["capsule", "dense"])
def test_pairs_of_any_allowed_shape_are_judged_by_image_and_code(head, shape):
    discriminator = build_joint_discriminator(shape, 7, head, seed=0)
    images, codes = images_of(shape), np.random.default_rng(1).normal(size=(4, 7))
    scores = discriminator.predict([images, codes], verbose=0)
    assert scores.shape == (4, 1)
    assert scores.dtype == np.float32
    assert 0.0 < scores.min() < scores.max() < 1.0
    for changed in ([images, -codes], [-images, codes]):
        assert np.abs(discriminator.predict(changed, verbose=0) - scores).max() > 1e-4


def test_routing_acts_in_the_capsule_encoder():
    one, three = (build_capsule_encoder(SHAPE, 7, routings=n, seed=0) for n in (1, 3))
    (capsules,) = (layer for layer in three.layers if isinstance(layer, CapsuleLayer))
    assert capsules.num_capsule > 1
    three.set_weights(one.get_weights())
    codes = [model.predict(images_of(SHAPE), verbose=0) for model in (one, three)]
    assert np.abs(codes[0] - codes[1]).max() > 1e-3


@pytest.mark.parametrize("build", ENCODERS)
def test_codes_are_linear_in_the_last_features(build):
    encoder = build(SHAPE, 7, seed=0)
    features = keras.Model(encoder.input, encoder.get_layer("codes").input)
    kernel, bias = encoder.get_layer("codes").get_weights()
    expected = features.predict(images_of(SHAPE), verbose=0) @ kernel + bias
    np.testing.assert_allclose(encoder.predict(images_of(SHAPE), verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("build", BUILDERS)
def test_a_seed_sets_the_weights(build):
    one, same, other = (build(SHAPE, 7, seed=seed).get_weights() for seed in (3, 3, 4))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(a != b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("build", ENCODERS)
def test_what_the_code_is_made_of_is_normalized_by_batches(build):
    encoder = build(SHAPE, 7, momentum=0.6, seed=0)
    (layer,) = (x for x in encoder.layers if isinstance(x, keras.layers.BatchNormalization))
    assert layer.momentum == 0.6
    assert layer.output is encoder.get_layer("codes").input
    features = keras.Model(encoder.input, layer.output)(images_of(SHAPE, 64), training=True)
    features = keras.ops.convert_to_numpy(features)
    np.testing.assert_allclose(features.mean(0), 0.0, atol=1e-5)
    assert np.median(features.std(0)) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("build", BUILDERS)
def test_nothing_else_is_normalized_by_batches(build):
    options = {"batch_norm": False} if build in ENCODERS else {}
    layers = build(SHAPE, 7, **options).layers
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)


@pytest.mark.parametrize("build", BUILDERS)
def test_codes_and_scores_stay_in_float32_under_a_mixed_policy(build, tmp_path):
    model = build(SHAPE, 7, dtype="mixed_bfloat16", seed=0)
    assert any(layer.compute_dtype == "bfloat16" for layer in model.layers)
    inputs = images_of(SHAPE)
    if build is build_joint_discriminator:
        inputs = [inputs, np.ones((4, 7), "float32")]
    outputs = model.predict(inputs, verbose=0)
    assert outputs.dtype == np.float32
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(inputs, verbose=0), outputs)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (12, 12, 1)}, "`image_shape` must be"),
        ({"latent_dim": 0}, "`latent_dim` must be a positive integer"),
        ({"filters": ()}, "`filters` must be one or more positive integers"),
        ({"kernel_size": 17}, "`kernel_size` must be an integer from 1"),
        ({"hidden_activation": "tanh"}, "`hidden_activation` must be one of"),
        ({"initializer": "zeros"}, "`initializer` must be one of"),
        ({"filters": 10**7}, "memory"),
        ({"latent_dim": 10**10}, "memory"),
    ],
)
def test_arguments_out_of_range_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**{"image_shape": SHAPE} | options)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (build_capsule_encoder, {"routing": "em"}, "`routing` must be one of 'dynamic', 'leaky'"),
        (build_capsule_encoder, {"routings": 0}, "`routings` must be"),
        (build_capsule_encoder, {"num_capsule": 0}, "`num_capsule` must be a positive integer"),
        (build_capsule_encoder, {"momentum": 1.0}, "`momentum` must be"),
        (build_capsule_encoder, {"batch_norm": 1}, "`batch_norm` must be True or False"),
        (build_convolutional_encoder, {"momentum": -0.1}, "`momentum` must be"),
        (build_convolutional_encoder, {"units": 1.5}, "`units` must be a positive integer"),
        (build_joint_discriminator, {"head": "convolution"}, "`head` must be one of"),
        (build_joint_discriminator, {"dropout": 1.0}, "`dropout` must be"),
        (build_joint_discriminator, {"activation": "linear"}, "`activation` is for the head"),
        (build_joint_discriminator, {"code_units": 0}, "`code_units` must be"),
    ],
)
def test_options_of_one_builder_are_checked(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(SHAPE, **options)


def test_every_option_of_the_joint_discriminator_is_used():
    model = build_joint_discriminator(
        SHAPE,
        latent_dim=5,
        filters=(4, 6),
        kernel_size=3,
        code_units=7,
        units=9,
        n_channels=2,
        primary_dim_capsule=3,
        dim_capsule=4,
        dropout=0.25,
        hidden_activation="relu",
        initializer="glorot",
    )
    shapes = [tuple(weight.shape) for weight in model.weights]
    trunk = [(3, 3, 1, 4), (4,), (3, 3, 4, 6), (6,), (5, 7), (7,), (4 * 4 * 6 + 7, 9), (9,)]
    assert sorted(shapes) == sorted([*trunk, (1, 1, 9, 6), (6,), (6, 4)])
    kinds = {type(layer) for layer in model.layers}
    assert keras.layers.ReLU in kinds
    assert keras.layers.LeakyReLU not in kinds
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [
        0.25
    ]
