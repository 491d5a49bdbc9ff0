import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.gan.optimizers import learning_rate
from capsgan_keras.layers import CapsuleLayer, PrimaryCap
from experiments.errors import SettingsError
from experiments.settings.training import Settings
from experiments.training.networks import build_gan

GREY, COLOURED = (28, 28, 1), (32, 32, 3)


def only(model, kind):
    (layer,) = [layer for layer in model.layers if isinstance(layer, kind)]
    return layer


@pytest.mark.parametrize("image_shape", [GREY, COLOURED])
@pytest.mark.parametrize(
    ("model", "kind"), [("capsule", CapsuleGAN), ("convolutional", ConvolutionalGAN)]
)
def test_default_settings_are_the_packages_defaults(model, kind, image_shape):
    keras.backend.clear_session()
    gan = build_gan(Settings(seed=3), model, image_shape)
    keras.backend.clear_session()
    expected = kind(image_shape, seed=3)
    expected.compile()
    assert type(gan) is kind
    for ours, theirs in zip(gan.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert gan.update == expected.update
    for player in ("generator_optimizer", "discriminator_optimizer"):
        ours, theirs = (getattr(g, player).get_config() | {"name": ""} for g in (gan, expected))
        assert ours == theirs
    assert gan.generator.get_config() == expected.generator.get_config()
    assert gan.discriminator.get_config() == expected.discriminator.get_config()


def test_settings_reach_the_capsule_gan():
    settings = Settings(
        seed=1,
        update="alternating",
        beta_1=0.25,
        beta_2=0.75,
        generator_learning_rate=3e-4,
        capsule_learning_rate=7e-5,
        latent_dim=12,
        latent_categories=7,
        generator_filters=(16, 8),
        generator_kernel_size=3,
        upsampling="nearest",
        dropout=0.125,
        capsule_filters=(8, 16),
        capsule_kernel_size=3,
        capsule_strides=2,
        capsule_padding="same",
        capsule_batch_norm=False,
        n_channels=2,
        primary_dim_capsule=4,
        num_capsule=2,
        dim_capsule=6,
        routing="leaky",
        routings=2,
    )
    gan = build_gan(settings, "capsule", GREY)
    assert gan.seed == 1
    assert gan.update == "alternating"
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert (optimizer.beta_1, optimizer.beta_2) == (0.25, 0.75)
    assert learning_rate(gan.generator_optimizer) == 3e-4
    assert learning_rate(gan.discriminator_optimizer) == 7e-5
    assert gan.latent_dim == 12
    assert [step.num_classes for step in gan.generator.operations if step.name == "one_hot"] == [7]
    kernels = [w.shape for w in gan.generator.trainable_weights if len(w.shape) == 4]
    assert kernels == [(3, 3, 16, 8), (3, 3, 8, 1)]
    assert only(gan.generator, keras.layers.Dense).units == 7 * 7 * 16
    kernels = [w.shape for w in gan.discriminator.trainable_weights if len(w.shape) == 4]
    assert kernels[:2] == [(3, 3, 1, 8), (3, 3, 8, 16)]
    primary = only(gan.discriminator, PrimaryCap)
    assert (primary.n_channels, primary.dim_capsule) == (2, 4)
    assert primary.output.shape == (None, 4 * 4 * 2, 4)  # 28 / 2 / 2 / 2, padded
    final = only(gan.discriminator, CapsuleLayer)
    assert (final.num_capsule, final.dim_capsule) == (2, 6)
    assert (final.routing, final.routings) == ("leaky", 2)
    assert only(gan.discriminator, keras.layers.Dropout).rate == 0.125
    assert not [
        layer
        for layer in gan.discriminator.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def test_settings_reach_the_convolutional_gan():
    settings = Settings(
        convolutional_filters=(8, 4),
        convolutional_learning_rate=1e-3,
        convolutional_batch_norm=False,
        dropout=0.25,
    )
    gan = build_gan(settings, "convolutional", GREY)
    kernels = [w.shape for w in gan.discriminator.trainable_weights if len(w.shape) == 4]
    assert [shape[-1] for shape in kernels] == [8, 4]
    assert learning_rate(gan.discriminator_optimizer) == 1e-3
    assert learning_rate(gan.generator_optimizer) == 2e-4
    assert only(gan.discriminator, keras.layers.Dropout).rate == 0.25
    kinds = [type(layer) for layer in gan.discriminator.layers]
    assert keras.layers.BatchNormalization not in kinds


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_the_convolutional_discriminator_may_have_a_dropout_of_its_own(rate):
    settings = Settings(dropout=0.25, convolutional_dropout=rate)
    rates = {
        model: [
            layer.rate
            for layer in build_gan(settings, model, GREY).discriminator.layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        for model in ("capsule", "convolutional")
    }
    assert rates == {"capsule": [0.25], "convolutional": [rate] if rate else []}


@pytest.mark.parametrize("model", ["capsule", "convolutional"])
def test_learning_rates_stay_and_then_fall(model):
    settings = Settings(decay=0.25, generator_learning_rate=4e-4)
    gan = build_gan(settings, model, GREY, steps=100)
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        schedule = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
        rates = [float(schedule._learning_rate(step)) for step in (0, 74, 88, 100)]
        assert rates[0] == pytest.approx(rates[1])
        assert rates[1] > rates[2] > rates[3]
        assert rates[3] == pytest.approx(0.05 * rates[0])
        assert learning_rate(optimizer) == pytest.approx(rates[0])
    assert learning_rate(gan.generator_optimizer) == 4e-4


@pytest.mark.parametrize("model", ["capsule", "convolutional"])
def test_only_the_generators_weights_are_averaged(model):
    gan = build_gan(Settings(generator_ema=0.995), model, GREY)
    assert gan.generator_optimizer.use_ema
    assert gan.generator_optimizer.ema_momentum == 0.995
    assert not gan.discriminator_optimizer.use_ema
    assert not build_gan(Settings(), model, GREY).generator_optimizer.use_ema


@pytest.mark.parametrize("model", ["capsule", "convolutional"])
@pytest.mark.parametrize(
    ("name", "on_real", "on_generated"),
    [
        ("margin", 0.4**2, 0.5 * 0.4**2),
        ("cross-entropy", np.log(2.0), np.log(2.0)),
        ("least-squares", 0.25, 0.25),
    ],
)
def test_either_model_takes_every_loss(model, name, on_real, on_generated):
    gan = build_gan(Settings(loss=name), model, GREY)
    halves = np.full((3, 1), 0.5, "float32")
    assert float(gan.loss(np.ones((3, 1)), halves)) == pytest.approx(on_real)
    assert float(gan.loss(np.zeros((3, 1)), halves)) == pytest.approx(on_generated)


@pytest.mark.parametrize(
    ("image_shape", "settings", "message"),
    [
        ((30, 28, 1), {}, "multiples of 4"),
        (GREY, {"capsule_kernel_size": 27}, "27"),
    ],
)
def test_what_fits_no_network_is_a_settings_error(image_shape, settings, message):
    with pytest.raises(SettingsError, match=f"^capsule: no network for these images.*{message}"):
        build_gan(Settings(**settings), "capsule", image_shape)
