"""The textbook layers and steps compute what the package does, and broken ones are found."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.measuring import DisagreementError
from benchmarks.reference import capsules
from benchmarks.reference import gan as reference
from benchmarks.reference.capsules import EinsumCapsules, MapFnCapsules, textbook_layer
from benchmarks.reference.gan import TextbookGAN
from benchmarks.training.comparison import TOLERANCES, check_step
from capsgan_keras import GAN, CapsuleGAN, ConvolutionalGAN
from capsgan_keras.layers import CapsuleLayer, PrimaryCap
from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)

SHAPE = (16, 16, 1)
KINDS = ("one capsule", "three capsules", "convolutional")


def routed_discriminator():
    """One output on top of three routed capsules."""
    images = keras.Input(SHAPE)
    features = PrimaryCap(dim_capsule=3, n_channels=2, kernel_size=5, strides=4)(images)
    features = CapsuleLayer(3, 4, name="final_capsules")(features)
    features = keras.layers.Flatten()(features)
    return keras.Model(images, keras.layers.Dense(1, "sigmoid")(features))


def new_gan(kind, dtype=None):
    """A tiny GAN with weights so large that differences between the ways would show."""
    generator = build_generator(SHAPE, 5, filters=(4, 3), dtype=dtype)
    if kind == "three capsules":
        gan = GAN(generator, routed_discriminator(), MarginLoss(), seed=1)
    elif kind == "one capsule":
        discriminator = build_capsule_discriminator(
            SHAPE, filters=4, kernel_size=5, n_channels=2, dim_capsule=4, dtype=dtype
        )
        gan = CapsuleGAN(SHAPE, 5, generator=generator, discriminator=discriminator, seed=1)
    else:
        discriminator = build_convolutional_discriminator(SHAPE, filters=(4, 6))
        gan = ConvolutionalGAN(SHAPE, 5, generator=generator, discriminator=discriminator, seed=1)
    rng = np.random.default_rng(2)
    gan.set_weights(
        [
            rng.uniform(0.5, 1.5, weight.shape)
            if weight.ndim < 2
            else rng.normal(0, 0.3, weight.shape)
            for weight in gan.get_weights()
        ]
    )
    return gan


def images(seed=3):
    return np.random.default_rng(seed).integers(0, 256, (8, *SHAPE), dtype=np.uint8)


def built_layer(**options):
    # Short vectors: routing carries rounding on, the more the longer they are.
    layer = CapsuleLayer(kernel_initializer="glorot_uniform", **options)
    layer(keras.Input((6, 3)))
    return layer


def test_a_kernel_in_the_textbook_layout():
    kernel = np.arange(6 * 3 * 2 * 4).reshape(6 * 3, 2 * 4)
    moved = capsules.textbook_kernel(kernel, num_capsule=2, input_dim=3)
    assert moved.shape == (2, 6, 4, 3)
    # Output capsule 1, input capsule 5, component 3 out of component 2.
    assert moved[1, 5, 3, 2] == kernel[5 * 3 + 2, 1 * 4 + 3]


@pytest.mark.parametrize("kind", [MapFnCapsules, EinsumCapsules])
@pytest.mark.parametrize("routings", [1, 3])
@pytest.mark.parametrize("num_capsule", [1, 3])
def test_the_textbook_layers_compute_what_the_package_does(num_capsule, routings, kind):
    inputs = tf.random.stateless_normal((5, 6, 3), (0, 0))
    ours = built_layer(num_capsule=num_capsule, dim_capsule=4, routings=routings)
    theirs = textbook_layer(ours, kind)
    theirs.build(inputs.shape)
    theirs.set_weights(capsules.textbook_weights(ours))
    results = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = layer(inputs)
            total = tf.reduce_sum(value * tf.range(4.0))
        results.append([value, *tape.gradient(total, [inputs, layer.kernel.value])])
    results[0][2] = capsules.textbook_kernel(results[0][2].numpy(), num_capsule, 3)
    assert results[0][0].shape == (5, num_capsule, 4)
    for one, other in zip(*results, strict=True):
        assert np.abs(other).max() > 0.01
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"routing": "leaky"}, {"use_bias": True}, {"stop_gradients": True}]
)
def test_the_textbook_layer_refuses_what_it_has_not(options):
    with pytest.raises(ValueError, match=f"Received: .*{next(iter(options))}="):
        textbook_layer(CapsuleLayer(2, 4, **options))


def test_a_textbook_copy_keeps_the_other_layers_and_their_precision():
    gan = new_gan("one capsule", "mixed_bfloat16")
    gan.compile()
    network, copy = gan.discriminator, TextbookGAN(gan).discriminator
    for ours, theirs in zip(network.layers, copy.layers, strict=True):
        replaced = isinstance(ours, CapsuleLayer)
        assert type(theirs) is (MapFnCapsules if replaced else type(ours))
        assert theirs.dtype_policy.name == ours.dtype_policy.name
    batch = images().astype("float32") / 127.5 - 1
    before = network(batch).numpy()
    np.testing.assert_allclose(copy(batch), before, rtol=1e-5)
    copy.set_weights([np.zeros(weight.shape) for weight in copy.get_weights()])
    assert np.any(copy(batch).numpy() != before)
    np.testing.assert_array_equal(network(batch), before)  # has weights of its own


@pytest.mark.parametrize("update", ["alternating", "simultaneous"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_textbook_step_does_what_the_package_does(kind, update):
    gan = new_gan(kind)
    start = [weight.copy() for weight in gan.get_weights()]
    gan.compile(*map(keras.optimizers.SGD, (0.2, 0.05)), update=update)
    theirs = TextbookGAN(gan)
    for step in range(3):
        logs = gan.train_on_batch(images(step), return_dict=True)
        losses = getattr(theirs, update)(images(step))
        np.testing.assert_allclose([logs["d_loss"], logs["g_loss"]], losses, rtol=1e-4)
    assert all(np.any(old != new) for old, new in zip(start, gan.get_weights(), strict=True))
    for player in ("generator", "discriminator"):
        ours, other = getattr(gan, player).layers, getattr(theirs, player).layers
        for one, two in zip(ours, other, strict=True):
            for mine, its in zip(capsules.textbook_weights(one), two.get_weights(), strict=True):
                np.testing.assert_allclose(mine, its, rtol=1e-3, atol=1e-5, err_msg=one.name)


@pytest.mark.parametrize(
    ("kind", "update", "dtype"),
    [(kind, update, "float32") for kind in KINDS for update in ("alternating", "simultaneous")]
    + [("one capsule", "alternating", "mixed_bfloat16")],
)
def test_steps_are_compared(kind, update, dtype):
    found = check_step(new_gan(kind, dtype), images(), update, dtype)
    assert list(found) == ["losses", "generator_weights", "discriminator_weights"]
    assert max(found.values()) < TOLERANCES[dtype]
    assert dtype == "float32" or max(found.values()) > 0
    gan = new_gan(kind, dtype)
    gan.sample_latents(1)  # its noise is one draw ahead
    with pytest.raises(DisagreementError, match=f"The {update} step in {dtype}"):
        check_step(gan, images(), update, dtype)


def test_a_broken_capsule_layer_shows_in_the_step(monkeypatch):
    monkeypatch.setattr(capsules, "_squash", lambda vectors: vectors)
    with pytest.raises(DisagreementError, match="The simultaneous step in float32"):
        check_step(new_gan("one capsule"), images(), "simultaneous", "float32")


def test_another_number_of_routings_shows_in_the_step(monkeypatch):
    def fewer(layer):
        return MapFnCapsules(layer.num_capsule, layer.dim_capsule, 2, name=layer.name)

    monkeypatch.setattr(reference, "textbook_layer", fewer)
    with pytest.raises(DisagreementError):
        check_step(new_gan("three capsules"), images(), "alternating", "float32")
