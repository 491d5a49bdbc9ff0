"""Efficient-CapsNet, convolutional capsules, and the control without capsules."""

import math

import keras
import numpy as np
import pytest

from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    CapsNet,
    DeepCapsNet,
    EfficientCapsNet,
    build_plain_classifier,
)
from capsgan_keras.routing import EMRouting, InvertedDotProductRouting, SelfAttentionRouting
from capsgan_keras.routing.choice import NAMES

SHAPE = (20, 20, 1)
SMALL = {"decoder_units": (16,), "dim_capsule": 6}


def capsnet(**options):
    options = {"filters": 8, "n_channels": 2, "kernel_size": 5} | SMALL | options
    return CapsNet(SHAPE, 3, **options)


def efficient(**options):
    return EfficientCapsNet(SHAPE, 3, **{"filters": (8, 8, 8, 16)} | SMALL | options)


def deep(**options):
    return DeepCapsNet(SHAPE, 3, **{"filters": (8, 8), "n_channels": (2, 3)} | SMALL | options)


NETWORKS = (capsnet, efficient, deep)


def bars(n):
    """Images with a bar in one of three places, and their classes."""
    classes = np.arange(n) % 3
    images = np.zeros((n, *SHAPE), "uint8")
    for image, place in zip(images, classes, strict=True):
        image[:, 3 + 6 * place : 6 + 6 * place] = 255
    return images, keras.utils.to_categorical(classes, 3)


def trainable(network):
    return sum(math.prod(weight.shape) for weight in network.trainable_weights)


def test_efficient_capsnet_has_the_papers_size():
    """Mazzia et al. give 161,824 trainable parameters on MNIST, without the decoder."""
    assert trainable(EfficientCapsNet((28, 28, 1), 10).encoder) == 161_824


@pytest.mark.parametrize(
    ("build", "shape"),
    [(CapsNet, (28, 28, 1)), (EfficientCapsNet, (28, 28, 1)), (DeepCapsNet, (32, 32, 3))],
)
def test_the_control_has_about_as_many_parameters(build, shape):
    network = build(shape, 10)
    control = build_plain_classifier(network)
    assert 1.0 < trainable(control) / trainable(network.encoder) < 1.02
    assert not [layer for layer in control.layers if "caps" in type(layer).__name__.lower()]
    assert control(np.zeros((2, *shape), "uint8")).shape == (2, 10)


@pytest.mark.long
@pytest.mark.parametrize("build", [efficient, deep])
def test_networks_learn_and_load(build, tmp_path):
    images, labels = bars(48)
    network = build()
    network.compile(
        keras.optimizers.Adam(0.02),
        {"lengths": MarginLoss(), "reconstruction": "mse"},
        metrics={"lengths": "categorical_accuracy"},
    )
    targets = {"lengths": labels, "reconstruction": images}
    network.fit((images, labels), targets, epochs=25, batch_size=48, verbose=0)
    outputs = network.predict(images, verbose=0)
    np.testing.assert_array_equal(outputs["lengths"].argmax(-1), labels.argmax(-1))
    assert outputs["reconstruction"].shape == images.shape
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(again.predict(images, verbose=0)["lengths"], outputs["lengths"])
    assert again.get_config() == network.get_config()


@pytest.mark.long
def test_the_control_learns():
    images, labels = bars(48)
    control = build_plain_classifier(efficient())
    control.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy")
    control.fit(images, labels, epochs=25, batch_size=48, verbose=0)
    outputs = control.predict(images, verbose=0)
    np.testing.assert_array_equal(outputs.argmax(-1), labels.argmax(-1))
    np.testing.assert_allclose(outputs.sum(axis=1), 1.0, atol=1e-5)
    several = build_plain_classifier(efficient(), "sigmoid")(images)
    assert np.abs(np.asarray(several).sum(axis=1) - 1.0).max() > 0.01


@keras.saving.register_keras_serializable(package="tests")
def mean_vote(votes, activations):
    return keras.ops.mean(votes, axis=2)


CASES = [(deep, name) for name in NAMES]
CASES += [(capsnet, mean_vote), (capsnet, InvertedDotProductRouting(2)), (capsnet, "em")]
CASES += [(efficient, EMRouting(routings=2)), (efficient, SelfAttentionRouting())]


@pytest.mark.parametrize(("build", "routing"), CASES)
def test_every_routing_works(build, routing):
    images, labels = bars(4)
    network = build(routing=routing)
    outputs = network((images, labels))
    lengths = np.asarray(outputs["lengths"])
    assert lengths.shape == (4, 3)
    assert lengths.dtype == np.float32
    if routing is not mean_vote:
        assert 0.0 < lengths.min() <= lengths.max() < 1.0
    again = type(network).from_config(network.get_config())
    assert again.get_config() == network.get_config()
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again(images)["lengths"], lengths)


def test_each_layer_has_a_routing_of_its_own():
    network = deep(routing=SelfAttentionRouting())
    priors = [weight for weight in network.weights if weight.name == "prior"]
    assert len(priors) == 2
    assert {tuple(prior.shape) for prior in priors} == {(3, 9 * 2, 1), (3, 2 * 2 * 3 + 15, 1)}


@pytest.mark.parametrize("build", NETWORKS)
def test_couplings_have_places_and_types(build):
    images, _ = bars(2)
    network = build()
    grid = {"capsnet": (6, 6, 2), "efficient": (1, 1, 2), "deep": (3, 3, 3)}[build.__name__]
    couplings = network.couplings(images)
    assert couplings.shape == (2, 3, *grid)
    np.testing.assert_allclose(couplings.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(network.couplings(images / np.float32(255)), couplings)


def test_variations_change_one_component():
    images, _ = bars(3)
    network = capsnet()
    varied = network.variations(images[0], offsets=(-0.5, 0.0, 0.5))
    assert varied.shape == (6, 3, *SHAPE)
    assert varied.dtype == np.uint8
    redrawn = np.rint(255 * np.asarray(network(images[:1])["reconstruction"][0]))
    for component in varied:  # without an offset: the reconstruction
        assert np.abs(component[1].astype(int) - redrawn).max() <= 1
    capsules = np.array(network.encoder(images[:1] / np.float32(255)))
    longest = np.linalg.norm(capsules[0], axis=-1).argmax()
    capsules[0, longest, 2] += 0.5
    one_hot = np.eye(3)[[longest]]
    told = network.decoder(np.asarray(network.mask([capsules, one_hot])))[0]
    assert np.abs(varied[2, 2] - np.rint(255 * np.asarray(told))).max() <= 1
    other = (longest + 1) % 3
    assert (network.variations(images[0], (0.0,), capsule=other)[0, 0] != varied[0, 1]).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: efficient(filters=(8, 8, 8, 12)), r"multiple of `primary_dim_capsule`.*12"),
        (lambda: efficient(filters=(8, 8, 8)), r"`filters` must be 4"),
        (lambda: EfficientCapsNet((12, 20, 1), 3), r"sides of at least 13.*\(12, 20, 1\)"),
        (lambda: deep(n_channels=(2, 0)), "`n_channels`"),
        (lambda: deep(routing="agreement"), "`routing` must be one of .*'agreement'"),
        (lambda: capsnet(routings=0), "`routings` .*routings=0"),
        (lambda: capsnet().variations(np.zeros((20, 20))), r"`image` .*\(20, 20, 1\)"),
        (lambda: capsnet().variations(np.zeros(SHAPE, "uint8"), capsule=3), "`capsule` .*3"),
        (lambda: build_plain_classifier(capsnet().decoder), "`network` must be a capsule"),
        (lambda: build_plain_classifier(capsnet(), "relu"), "`activation` must be one of"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
