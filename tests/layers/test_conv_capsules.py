"""Convolutional capsules, and primary capsules of a depthwise convolution."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import load_dataset
from capsgan_keras.layers import (
    CapsuleLayer,
    ConvCapsuleLayer,
    DepthwisePrimaryCap,
    Length,
    PrimaryCap,
)
from capsgan_keras.losses import MarginLoss
from capsgan_keras.routing import vector_length

RNG = np.random.default_rng(0)
GRID = RNG.normal(size=(2, 7, 6, 3, 4)).astype("float32")
ACTIVE = RNG.uniform(size=(2, 7, 6, 3)).astype("float32")
IMAGES = RNG.normal(size=(2, 9, 8, 6)).astype("float32")


def route_each_window(layer, grid, kernel_size, strides, padding):
    """Route the capsules of one window after another, as a fully connected layer would."""
    batch, *sides, types, dim = grid.shape
    counts, pads = [], []
    for side, kernel, step in zip(sides, kernel_size, strides, strict=True):
        count = -(-side // step) if padding == "same" else (side - kernel) // step + 1
        total = max((count - 1) * step + kernel - side, 0) if padding == "same" else 0
        counts.append(count)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(grid, [(0, 0), *pads, (0, 0), (0, 0)])
    single = CapsuleLayer(layer.num_capsule, layer.dim_capsule, routing=layer.routing)
    single.build((batch, kernel_size[0] * kernel_size[1] * types, dim))
    single.set_weights(layer.get_weights())
    result = np.zeros((batch, *counts, layer.num_capsule, layer.dim_capsule))
    for y, x in np.ndindex(*counts):
        top, left = y * strides[0], x * strides[1]
        window = padded[:, top : top + kernel_size[0], left : left + kernel_size[1]]
        result[:, y, x] = single(window.reshape(batch, -1, dim))
    return result


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("routing", "kernel_size", "strides"),
    [
        ("dynamic", (3, 2), (2, 1)),
        ("self_attention", (2, 2), (1, 3)),
        ("inverted_dot_product", (3, 3), (2, 2)),
    ],
)
def test_each_window_is_routed_by_the_shared_weights(routing, kernel_size, strides, padding):
    layer = ConvCapsuleLayer(2, 5, kernel_size, strides, padding, routing=routing)
    layer.build(GRID.shape)
    draws = np.random.default_rng(1)
    layer.set_weights([draws.normal(scale=0.5, size=w.shape) for w in layer.weights])
    result = ops.convert_to_numpy(layer(GRID))
    assert result.shape == layer.compute_output_shape(GRID.shape)
    expected = route_each_window(layer, GRID, kernel_size, strides, padding)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_capsules_beyond_the_border_are_inactive_in_em_routing():
    """So a window has the poses that its capsules inside of the image have alone."""
    layer = ConvCapsuleLayer(2, 5, 2, padding="same", routing="em", routings=1)
    poses, active = layer([GRID, ACTIVE])
    assert (tuple(poses.shape), tuple(active.shape)) == ((2, 7, 6, 2, 5), (2, 7, 6, 2))
    kernel = np.reshape(layer.kernel, (2, 2, 3, 4, 2, 5))[0, 0]
    votes = np.einsum("btd,tdjk->bjtk", GRID[:, -1, -1], kernel)
    weights = ACTIVE[:, -1, -1] / ACTIVE[:, -1, -1].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        poses[:, -1, -1], np.einsum("bt,bjtk->bjk", weights, votes), atol=1e-5
    )


def test_conv_capsules(check_layer):
    arguments = {
        "num_capsule": 2,
        "dim_capsule": 5,
        "kernel_size": (3, 2),
        "strides": 2,
        "padding": "same",
        "use_bias": True,
    }
    check_layer(ConvCapsuleLayer, arguments, GRID, (2, 4, 3, 2, 5), 2)


def test_conv_capsules_with_activations(check_layer):
    arguments = {"num_capsule": 2, "dim_capsule": 4, "kernel_size": 3, "routing": "em"}
    arguments["transform"] = "matrix"
    shapes = [(2, 5, 4, 2, 4), (2, 5, 4, 2)]
    check_layer(ConvCapsuleLayer, arguments, [GRID, ACTIVE], shapes, 3)


@pytest.mark.parametrize(("padding", "strides"), [("valid", 2), ("same", 2), ("same", (1, 3))])
def test_images_of_unknown_size(padding, strides):
    inputs = keras.Input((None, None, 3, 4))
    layer = ConvCapsuleLayer(2, 5, 3, strides, padding)
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, 2, 5)
    for grid in (GRID, GRID[:, :4, 1:]):
        np.testing.assert_allclose(model.predict(grid, verbose=0), layer(grid), atol=1e-6)


def test_gradients_reach_every_capsule_by_finite_differences(gradient):
    layer = ConvCapsuleLayer(2, 5, 2, 2, "same", routings=2)
    layer.build(GRID.shape)

    def loss(grid):
        return ops.sum(ops.square(layer(grid) - 0.3))

    slopes = gradient(loss, GRID)
    assert np.abs(slopes).sum(axis=(0, 3, 4)).min() > 0
    for direction in np.random.default_rng(2).normal(size=(3, *GRID.shape)).astype("float32"):
        numeric = (
            float(loss(GRID + 1e-3 * direction)) - float(loss(GRID - 1e-3 * direction))
        ) / 2e-3
        assert np.sum(slopes * direction) == pytest.approx(numeric, rel=0.02, abs=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvCapsuleLayer(2, 5, 0), r"`kernel_size` must be a positive .*kernel_size=0"),
        (lambda: ConvCapsuleLayer(2, 5, 3, (1, 2, 1)), r"`strides` must .*\(1, 2, 1\)"),
        (lambda: ConvCapsuleLayer(2, 5, 3, padding="full"), r"`padding` must be .*'full'"),
        (lambda: ConvCapsuleLayer(2, 5, 3)(GRID[0]), r"expects capsules of shape.*\(7, 6, 3, 4\)"),
        (lambda: ConvCapsuleLayer(2, 5, 7)(GRID), r"`kernel_size` must not be larger.*\(7, 7\)"),
        (
            lambda: ConvCapsuleLayer(2, 5, 3, routing="em")([GRID, ACTIVE[:, :5]]),
            r"activations must have the shape.*\(2, 5, 6, 3\)",
        ),
        (lambda: DepthwisePrimaryCap(4, 3)(IMAGES), r"`dim_capsule` must divide.*=4, 6 channels"),
        (lambda: DepthwisePrimaryCap(0, 3), r"`dim_capsule` must be a positive integer"),
        (lambda: DepthwisePrimaryCap(2, 3, flatten=1), r"`flatten` must be True or False"),
        (lambda: ConvCapsuleLayer(2, 5, 3)(GRID.astype(int)), "must be floating-point numbers"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("routing", ["dynamic", "leaky", "self_attention", "em"])
def test_stacked_layers_keep_lengths(routing):
    vectors = np.random.default_rng(0).normal(size=(4, 12, 12, 8, 8))
    capsules = (0.5 * vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype("float32")
    for _ in range(3):
        capsules = ConvCapsuleLayer(8, 8, 3, padding="same", routing=routing)(capsules)
        poses = capsules[0] if routing == "em" else capsules
        lengths = np.asarray(vector_length(poses))
        assert 0.2 < np.sqrt(np.mean(np.square(lengths))) < 0.92


def capsules_of_digits(routing):
    """Return a model with three layers of routed capsules after each other."""
    images = keras.Input((16, 16, 1))
    capsules = PrimaryCap(9, 4, kernel_size=5, strides=2, flatten=False)(images)
    if routing == "em":  # with the default of 3 iterations it learns less surely: docs/routings.md
        capsules = ConvCapsuleLayer(6, 9, 3, 2, routings=2, routing="em")(capsules)
        poses, active = ConvCapsuleLayer(8, 9, 2, routings=2, routing="em")(capsules)
        rows = [keras.layers.Reshape((-1, 9))(poses), keras.layers.Reshape((-1,))(active)]
        return keras.Model(images, CapsuleLayer(10, 9, routings=2, routing="em")(rows)[1])
    capsules = ConvCapsuleLayer(6, 8, 3, 2, routing=routing)(capsules)
    capsules = ConvCapsuleLayer(8, 8, 2, routing=routing)(capsules)
    capsules = CapsuleLayer(10, 16, routing=routing)(keras.layers.Reshape((-1, 8))(capsules))
    if routing == "inverted_dot_product":
        read = keras.layers.Dense(1, activation="sigmoid")(capsules)
        return keras.Model(images, keras.layers.Reshape((10,))(read))
    return keras.Model(images, Length()(capsules))


@pytest.mark.parametrize(
    ("routing", "epochs", "batch_size"),
    [
        ("dynamic", 5, 32),
        pytest.param("self_attention", 8, 64, marks=pytest.mark.long),
        pytest.param("inverted_dot_product", 16, 32, marks=pytest.mark.long),
        pytest.param("em", 12, 32, marks=pytest.mark.long),
    ],
)
def test_a_stack_of_three_learns_digits(routing, epochs, batch_size):
    digits = load_dataset("digits", image_size=16)
    model = capsules_of_digits(routing)
    # At a constant rate accuracy swings from epoch to epoch, and its end is a matter of rounding.
    steps = epochs * math.ceil(len(digits.x_train) / batch_size)
    rate = keras.optimizers.schedules.CosineDecay(0.004, steps)
    model.compile(keras.optimizers.Adam(rate), MarginLoss())
    targets = keras.utils.to_categorical(digits.y_train, 10)
    model.fit(digits.x_train / 255.0, targets, epochs=epochs, batch_size=batch_size, verbose=0)
    predicted = model.predict(digits.x_test / 255.0, verbose=0).argmax(axis=-1)
    assert np.mean(predicted == digits.y_test) >= 0.8


@pytest.mark.parametrize(
    ("options", "output_shape"),
    [
        ({"kernel_size": (9, 8)}, (2, 3, 2)),
        ({"kernel_size": 3, "strides": 2, "padding": "same", "flatten": False}, (2, 5, 4, 3, 2)),
    ],
)
def test_depthwise_primary_cap(check_layer, options, output_shape):
    check_layer(DepthwisePrimaryCap, {"dim_capsule": 2} | options, IMAGES, output_shape, 2)


def test_depthwise_primary_capsules_see_one_channel_each():
    """Efficient-CapsNet: kernels as large as the features, and squash (1 - e^-|s|) s / |s|."""
    layer = DepthwisePrimaryCap(3, (9, 8), kernel_regularizer="l2", bias_initializer="ones")
    result = ops.convert_to_numpy(layer(IMAGES))
    kernel = ops.convert_to_numpy(layer.convolution.kernel)[..., 0]
    sums = (np.sum(IMAGES * kernel, axis=(1, 2)) + 1).reshape(2, 2, 3)
    lengths = np.linalg.norm(sums, axis=-1, keepdims=True)
    np.testing.assert_allclose(result, (1 - np.exp(-lengths)) * sums / lengths, atol=1e-5)
    assert float(layer.losses[0]) == pytest.approx(0.01 * np.sum(kernel**2), rel=1e-4)


def test_depthwise_primary_capsules_start_at_the_length_of_the_docstring():
    features = np.random.default_rng(0).normal(size=(8, 9, 9, 240)).astype("float32")
    lengths = np.asarray(vector_length(DepthwisePrimaryCap(8, 9)(features)))
    assert np.mean(np.square(np.log(1 - lengths))) == pytest.approx(1.0, rel=0.1)
