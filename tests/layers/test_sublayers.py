"""What is frozen stays frozen: through constructors, configs, files, training and loading."""

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN
from capsgan_keras.layers import CapsuleLayer, Length, Mask, PrimaryCap
from capsgan_keras.models import CapsNet, build_capsule_discriminator, build_generator

SHAPE = (16, 16, 1)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (16, *SHAPE), dtype=np.uint8)


def make_capsnet(**options):
    return CapsNet(
        SHAPE, 3, filters=4, n_channels=2, dim_capsule=4, decoder_units=(5,), kernel_size=5,
        **options,
    )  # fmt: skip


def make_gan(**options):
    discriminator = build_capsule_discriminator(
        SHAPE, filters=4, kernel_size=3, n_channels=2, batch_norm=True, seed=2
    )
    generator = build_generator(SHAPE, latent_dim=5, filters=(4, 3), seed=1)
    return CapsuleGAN(SHAPE, 5, generator=generator, discriminator=discriminator, seed=3, **options)


def make_primary(**options):
    layer = PrimaryCap(4, 2, kernel_size=3, **options)
    layer.build((None, *SHAPE))
    return layer


def make_stack():
    images = keras.Input(SHAPE)
    capsules = CapsuleLayer(3, 4)(PrimaryCap(4, 2, kernel_size=3, strides=2)(images))
    return keras.Model(images, Length()(Mask()(capsules)[:, None]))


def all_layers(model):
    return model._flatten_layers()


def state(model):
    """Return whether each layer and each weight is trained, and how each layer computes."""
    return (
        [
            (type(layer), layer.trainable, layer.dtype_policy.name)
            for layer in all_layers(model)
            if layer.weights
        ],
        [weight.trainable for weight in model.weights],
    )


def freeze_from_the_start(make):
    return make(trainable=False)


def freeze_all(make):
    model = make()
    model.trainable = False
    return model


def freeze_every_second(make):
    model = make()
    for layer in all_layers(model)[1::2]:
        layer.trainable = False
    return model


def freeze_all_but_the_innermost(make):
    model = make()
    model.trainable = False
    innermost = all_layers(model)[-1]
    innermost.trainable = True
    return model


FREEZES = [freeze_from_the_start, freeze_all, freeze_every_second, freeze_all_but_the_innermost]


@pytest.mark.parametrize("make", [make_primary, make_capsnet, make_gan, make_stack])
@pytest.mark.parametrize("freeze", FREEZES)
def test_frozen_layers_come_back_from_config_and_file(make, freeze, tmp_path):
    if make is make_stack and freeze is freeze_from_the_start:
        pytest.skip("a model of Keras's own, without such an argument here")
    model = freeze(make)
    again = type(model).from_config(model.get_config())
    if isinstance(model, keras.Model):
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert state(loaded) == state(model)
    else:
        again.build((None, *SHAPE))
    assert state(again) == state(model)


@pytest.mark.parametrize("make", [make_primary, make_capsnet, make_gan])
def test_the_constructor_freezes_every_weight(make):
    frozen = make(trainable=False)
    assert frozen.trainable_weights == []
    assert all(not layer.trainable_weights for layer in all_layers(frozen))
    assert make().trainable_weights != []


@pytest.mark.parametrize("make", [make_primary, make_capsnet])
def test_dtype_policies_inside_come_back_too(make):
    layer = make()
    all_layers(layer)[-1].dtype_policy = "mixed_bfloat16"
    again = type(layer).from_config(layer.get_config())
    again.build((None, *SHAPE))
    assert state(again) == state(layer)


def test_a_primary_capsules_convolution_follows_its_policy():
    layer = make_primary()
    layer.dtype_policy = "mixed_bfloat16"
    assert keras.backend.standardize_dtype(layer(np.zeros((2, *SHAPE))).dtype) == "bfloat16"
    assert layer.convolution.dtype_policy.name == "mixed_bfloat16"


PLAYERS = {
    "the generator": lambda gan: [gan.generator],
    "the discriminator": lambda gan: [gan.discriminator],
    "the primary capsules": lambda gan: [gan.discriminator.get_layer("primary_capsules")],
    "some of both": lambda gan: [*gan.generator.layers[1:4], *gan.discriminator.layers[:2]],
    "both": lambda gan: [gan],
}


@pytest.mark.parametrize("name", PLAYERS)
def test_a_frozen_player_trains_on_after_loading_as_before(name, tmp_path):
    frozen = PLAYERS[name]
    update = "alternating" if name == "some of both" else "simultaneous"

    def fit(gan):
        gan.fit(IMAGES, batch_size=8, shuffle=False, verbose=0)

    gan = make_gan()
    for layer in frozen(gan):
        layer.trainable = False
    gan.compile(update=update)
    kept = [w for layer in frozen(gan) for w in layer.weights if w.ndim > 1]  # no statistics
    before = [keras.ops.convert_to_numpy(weight) for weight in kept]
    fit(gan)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    moments = [keras.ops.convert_to_numpy(v) for v in gan.optimizer.variables]
    for ours, theirs in zip(moments, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for model in (gan, loaded):
        fit(model)
    for ours, theirs in zip(gan.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for weight, value in zip(kept, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)


@pytest.mark.parametrize(
    ("method", "fitted", "start"),
    [("fit", False, True), ("fit", True, False), ("train_on_batch", True, True)],
)
def test_freezing_after_compile_asks_for_another_compile(method, fitted, start):
    """Also where the step was compiled already, so that freezing would have no effect."""
    gan = make_gan()
    player = gan.discriminator if method == "fit" else gan.generator.layers[1]
    player.trainable = start
    gan.compile()
    if fitted:
        gan.train_on_batch(IMAGES)
    player.trainable = not start
    before = gan.get_weights()
    with pytest.raises(ValueError, match=r"`trainable` has changed since .*: compile again"):
        getattr(gan, method)(IMAGES)
    for ours, theirs in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    gan.compile()
    getattr(gan, method)(IMAGES)
