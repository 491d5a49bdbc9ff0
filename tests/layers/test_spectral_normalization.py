"""Spectral normalization of every layer with a kernel, and what it does in a GAN's training."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.layers import (
    CapsuleLayer,
    DepthwisePrimaryCap,
    PrimaryCap,
    SpectralNormalization,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(4, 8, 8, 3)).astype("float32")
CAPSULES = RNG.normal(size=(4, 6, 5)).astype("float32")
LAYERS = {
    "dense": (lambda **options: keras.layers.Dense(4, **options), IMAGES[:, 0, 0]),
    "convolution": (lambda **options: keras.layers.Conv2D(4, 3, **options), IMAGES),
    "primary": (lambda **options: PrimaryCap(4, 2, 3, **options), IMAGES),
    "capsules": (lambda **options: CapsuleLayer(3, 7, **options), CAPSULES),
}


def largest_singular_value(kernel):
    matrix = np.asarray(kernel, "float64").reshape(-1, kernel.shape[-1])
    return np.linalg.svd(matrix, compute_uv=False)[0]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", LAYERS)
def test_the_largest_singular_value_becomes_1(name, policy):
    build, inputs = LAYERS[name]
    plain = build(dtype=policy)
    plain.build(inputs.shape)
    before = ops.convert_to_numpy(plain.kernel)
    layer = SpectralNormalization(plain)
    for _ in range(80):
        layer(inputs, training=True)
    after = ops.convert_to_numpy(plain.kernel)
    np.testing.assert_allclose(largest_singular_value(after), 1.0, atol=2e-3)
    np.testing.assert_allclose(after, before / largest_singular_value(before), rtol=2e-3)
    assert plain.kernel.dtype == "float32"
    assert layer(inputs).dtype == plain(inputs).dtype
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(inputs)), plain(inputs))


def test_a_kernel_of_zeros_stays():
    layer = SpectralNormalization(keras.layers.Dense(4, kernel_initializer="zeros"))
    assert not ops.convert_to_numpy(layer(CAPSULES[:, 0], training=True)).any()


def test_the_gradient_passes_as_if_nothing_was_divided():
    """That of `sum(x W / s)` with respect to W is `sum(x)`, as with W / s as the variable."""
    layer = SpectralNormalization(keras.layers.Dense(2, use_bias=False))
    inputs = CAPSULES[:, 0]
    layer.build(inputs.shape)
    if keras.backend.backend() == "jax":
        import jax

        def loss(kernel):
            with keras.StatelessScope([(layer.layer.kernel, kernel)]):
                return ops.sum(layer(inputs, training=True))

        gradient = jax.grad(loss)(layer.layer.kernel.value)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = ops.sum(layer(inputs, training=True))
        gradient = tape.gradient(loss, layer.layer.kernel.value)
    expected = np.repeat(inputs.sum(axis=0)[:, None], 2, axis=1)
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), expected, rtol=1e-5)


@pytest.mark.parametrize("inner", [False, True])
def test_a_frozen_kernel_stays(inner):
    plain = keras.layers.Dense(4)
    layer = SpectralNormalization(plain)
    layer.build(CAPSULES[:, 0].shape)
    (plain if inner else layer).trainable = False
    before = ops.convert_to_numpy(plain.kernel)
    layer(CAPSULES[:, 0], training=True)
    np.testing.assert_array_equal(ops.convert_to_numpy(plain.kernel), before)


@pytest.mark.parametrize("wrong", [0, 1.5, True])
def test_other_power_iterations_are_refused(wrong):
    with pytest.raises(ValueError, match="`power_iterations` must be a positive integer"):
        SpectralNormalization(keras.layers.Dense(4), wrong)


@pytest.mark.parametrize("layer", [DepthwisePrimaryCap(4, 3), keras.layers.DepthwiseConv2D(3)])
def test_a_kernel_for_each_channel_is_refused(layer):
    with pytest.raises(ValueError, match="`layer` must have one matrix as its kernel"):
        SpectralNormalization(layer)


@pytest.mark.parametrize("wrong", [None, "dense", 3])
def test_something_else_than_a_layer_is_refused(wrong):
    with pytest.raises(ValueError, match="`layer` must be a Keras layer"):
        SpectralNormalization(wrong)


@pytest.mark.parametrize(
    "gan_class", [CapsuleGAN, pytest.param(ConvolutionalGAN, marks=pytest.mark.long)]
)
def test_a_gan_keeps_it_in_training_and_in_its_file(gan_class, tmp_path):
    options = {
        "filters": (4, 6),
        "spectral_normalization": True,
        "augmentation": ("color", "translation", "cutout"),
    }
    gan = gan_class(
        (16, 16, 3),
        4,
        seed=0,
        generator_options={"filters": (4, 4)},
        discriminator_options=options,
        gradient_penalty=0.1,
        penalty_every=2,
    )
    gan.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3))
    images = RNG.integers(0, 256, (16, 16, 16, 3), dtype=np.uint8)
    gan.fit(images, batch_size=4, epochs=4, verbose=0)
    wrapped = [x for x in gan.discriminator.layers if isinstance(x, SpectralNormalization)]
    with_kernel = [x for x in gan.discriminator._flatten_layers() if hasattr(x, "kernel")]
    assert len(wrapped) == (4 if gan_class is CapsuleGAN else 3)
    for layer in with_kernel:
        assert abs(largest_singular_value(ops.convert_to_numpy(layer.kernel)) - 1.0) < 0.05
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(loaded.discriminate(images), gan.discriminate(images))
    for model in (gan, loaded):  # the power iteration goes on from the file
        model.fit(images, batch_size=4, verbose=0, shuffle=False)
    for ours, theirs in zip(gan.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
