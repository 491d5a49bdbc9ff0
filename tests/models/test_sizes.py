"""Networks larger than the memory are refused before they are built."""

import math

import pytest

from capsgan_keras import CapsuleGAN, ConvolutionalGAN, machine
from capsgan_keras.models import (
    CapsNet,
    CapsuleClassifier,
    DeepCapsNet,
    EfficientCapsNet,
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
    sizes,
)

SHAPE = (28, 28, 1)
HUGE = (100_000, 100_000, 1)


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: build_generator(HUGE), "image_shape"),
        (lambda: build_generator((100_000, 100_000, 3)), "image_shape"),
        (lambda: build_generator(SHAPE, latent_dim=10**9), "latent_dim"),
        (lambda: build_generator(SHAPE, filters=(10**7, 64)), "filters"),
        (lambda: build_generator(SHAPE, filters=(64, 10**8)), "filters"),
        (lambda: build_generator((500, 500, 1), filters=(1024, 1024), kernel_size=500), "kernel"),
        (lambda: build_capsule_discriminator(HUGE), "image_shape"),
        (lambda: build_capsule_discriminator(SHAPE, filters=10**9), "filters"),
        (lambda: build_capsule_discriminator(SHAPE, n_channels=10**7), "n_channels"),
        (lambda: build_capsule_discriminator(SHAPE, dim_capsule=10**8), "`dim_capsule"),
        (lambda: build_capsule_discriminator(SHAPE, primary_dim_capsule=10**8), "primary_dim"),
        (lambda: build_convolutional_discriminator(HUGE), "image_shape"),
        (lambda: build_convolutional_discriminator(SHAPE, filters=10**9), "filters"),
        (lambda: build_convolutional_discriminator((500, 500, 1), 10**5, 500), "kernel_size"),
        (lambda: CapsuleGAN(HUGE), "image_shape"),
        (lambda: ConvolutionalGAN(SHAPE, 10**9), "latent_dim"),
        (lambda: ConvolutionalGAN(discriminator_options={"filters": 10**9}), "filters"),
        (lambda: CapsNet(HUGE, 10), "image_shape"),
        (lambda: CapsNet(SHAPE, 10**9), "num_classes"),
        (lambda: CapsNet(SHAPE, 10, filters=10**9), "filters"),
        (lambda: CapsNet(SHAPE, 10, decoder_units=(10**9, 10**9)), "decoder_units"),
        (lambda: EfficientCapsNet(SHAPE, 10, filters=(32, 10**6, 10**6, 8)), "filters"),
        (lambda: DeepCapsNet(SHAPE, 10, n_channels=(10**5, 10**5)), "n_channels"),
    ],
)
def test_networks_larger_than_the_memory_are_refused(build, argument):
    with pytest.raises(ValueError, match=rf"{argument}.* takes at least .* This process can have"):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_generator((32, 32, 3), 16, (8, 4)),
        lambda: build_generator(SHAPE, 16, (8, 4), batch_norm=False),
        lambda: build_capsule_discriminator(SHAPE),
        lambda: build_capsule_discriminator((32, 36, 3), num_capsule=2, n_channels=3),
        lambda: build_convolutional_discriminator((32, 36, 3), filters=(4, 8, 16)),
        lambda: build_convolutional_discriminator((32, 36, 3), 8, downsampling="max_pooling"),
        lambda: build_convolutional_discriminator((32, 36, 3), (4, 8), head="average"),
        lambda: CapsNet((20, 24, 3), 10, 8, 2, decoder_units=(12, 10)),
        lambda: EfficientCapsNet((20, 24, 3), 10, (4, 6, 6, 16), decoder_units=(12, 10)),
        lambda: DeepCapsNet((20, 24, 3), 10, (4, 6), (2, 3, 5), decoder_units=(12, 10)),
    ],
)
def test_the_estimate_is_of_the_network_that_is_built(build, monkeypatch):
    estimates = []
    monkeypatch.setattr(sizes, "check_memory", lambda what, n_bytes: estimates.append(n_bytes))
    network = build()
    parts = (
        [network.encoder, network.decoder] if isinstance(network, CapsuleClassifier) else [network]
    )
    # Batch normalization and biases beside it are left out, or counted though they are not there.
    small = ("gamma", "beta", "moving_mean", "moving_variance", "bias")
    weights = sum(math.prod(weight.shape) for weight in network.weights if weight.name not in small)
    layers = [layer for part in parts for layer in part.layers]
    outputs = sum(
        math.prod(layer.output.shape[1:])
        for layer in layers
        if any(weight.name == "kernel" or "kernel" in weight.path for weight in layer.weights)
    )
    expected = 4 * (5 * weights + outputs)
    assert expected <= estimates[0] <= 1.1 * expected


def test_a_limit_of_the_process_is_what_counts(monkeypatch):
    build_generator(SHAPE)
    monkeypatch.setattr(machine, "memory_bytes", lambda: 1_000_000)
    with pytest.raises(ValueError, match=r"This process can have 0\.0 GB"):
        build_generator(SHAPE)
