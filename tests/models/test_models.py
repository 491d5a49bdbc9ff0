import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN
from capsgan_keras.layers import CapsuleLayer, PrimaryCap
from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    CapsNet,
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)

SHAPES = [(16, 16, 1), (16, 20, 3), (28, 28, 1), (32, 32, 3), (64, 48, 4), (24, 24, 2)]
GREY = (28, 28, 1)
BUILDERS = [build_generator, build_capsule_discriminator, build_convolutional_discriminator]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_generators_make_images_of_any_allowed_shape(shape, upsampling):
    generator = build_generator(shape, latent_dim=7, filters=(4, 3), upsampling=upsampling)
    images = generator.predict(np.random.normal(size=(2, 7)) * 30, verbose=0)
    assert images.shape == (2, *shape)
    assert images.dtype == np.float32
    assert -1.0 <= images.min() < images.max() <= 1.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("num_capsule", [1, 2])
def test_capsule_discriminators_score_any_allowed_shape(shape, num_capsule):
    discriminator = build_capsule_discriminator(shape, num_capsule=num_capsule)
    lengths = discriminator.predict(np.random.uniform(-1, 1, size=(2, *shape)), verbose=0)
    assert lengths.shape == (2, num_capsule)
    assert lengths.dtype == np.float32
    assert 0.0 < lengths.min() < lengths.max() < 1.0


@pytest.mark.parametrize("shape", SHAPES)
def test_convolutional_discriminators_score_any_allowed_shape(shape):
    discriminator = build_convolutional_discriminator(shape)
    scores = discriminator.predict(np.random.uniform(-1, 1, size=(2, *shape)), verbose=0)
    assert scores.shape == (2, 1)
    assert 0.0 < scores.min() < scores.max() < 1.0


def generator_with_categories():
    return build_generator(GREY, latent_dim=5, filters=(4, 3), latent_categories=3, seed=0)


def test_the_largest_of_the_last_latents_chooses_a_category():
    with_them = generator_with_categories()
    without = build_generator(GREY, latent_dim=5, filters=(4, 3))
    without.set_weights(with_them.get_weights())
    latents = np.random.default_rng(0).standard_normal((50, 5)).astype("float32")
    chosen = np.eye(3)[latents[:, 2:].argmax(axis=1)] * np.sqrt(3.0)
    expected = without.predict(np.concatenate([latents[:, :2], chosen], axis=1), verbose=0)
    np.testing.assert_allclose(with_them.predict(latents, verbose=0), expected, atol=1e-6)
    assert len(np.unique(chosen, axis=0)) == 3


def test_categories_are_chosen_in_float32_under_a_mixed_policy():
    latents = np.zeros((2, 5), "float32")
    latents[:, 2:] = [[1.0, 1.0 + 1e-4, 0.0], [1.0 + 1e-4, 1.0, 0.0]]  # alike in bfloat16
    generator = build_generator(
        GREY, latent_dim=5, latent_categories=3, dtype="mixed_bfloat16", seed=0
    )
    gan = CapsuleGAN(GREY, latent_dim=5, generator=generator, dtype="mixed_bfloat16")
    for model in (generator, gan):
        images = model.predict(latents, verbose=0)
        assert np.abs(images[0] - images[1]).max() > 0.0


def test_a_generator_with_categories_loads_without_this_package(tmp_path):
    generator = generator_with_categories()
    latents = np.random.default_rng(0).standard_normal((4, 5)).astype("float32")
    generator.save(tmp_path / "generator.keras")
    np.savez(tmp_path / "expected", latents=latents, images=generator.predict(latents, verbose=0))
    code = """
import sys, keras, numpy as np
kept = np.load("expected.npz")
images = keras.models.load_model("generator.keras").predict(kept["latents"], verbose=0)
np.testing.assert_allclose(images, kept["images"], atol=1e-6)
assert "capsgan_keras" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize("categories", [1, -2, 6, 2.0, True])
def test_impossible_numbers_of_categories_are_refused(categories):
    with pytest.raises(ValueError, match=r"`latent_categories` must be .*latent_dim=5"):
        build_generator(GREY, latent_dim=5, latent_categories=categories)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("shape", [(12, 12, 1), (18, 16, 1), (28, 28, 5), (28, 28), (28.0, 28, 1)])
def test_impossible_shapes_are_refused(build, shape):
    with pytest.raises(ValueError, match=r"`image_shape` must be .*Received: image_shape="):
        build(shape)


def test_grey_images_get_the_papers_layout_and_others_strided_convolutions():
    def layout(shape):
        layers = build_capsule_discriminator(shape).layers
        return [
            (layer.kernel_size, layer.strides, layer.padding)
            for layer in layers
            if isinstance(layer, keras.layers.Conv2D | PrimaryCap)
        ]

    assert layout((28, 28, 1)) == [((9, 9), (1, 1), "valid"), ((9, 9), (2, 2), "valid")]

    def normalized(shape):
        layers = build_capsule_discriminator(shape).layers
        return any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)

    assert normalized((28, 28, 1))
    assert not normalized((32, 32, 3))
    strided = [((5, 5), (2, 2), "same")] * 3
    assert layout((32, 32, 3)) == strided
    assert layout((16, 16, 1)) == strided


def test_the_papers_full_width_can_be_built():
    model = build_capsule_discriminator(
        (28, 28, 1), filters=256, n_channels=32, batch_norm=False, dim_capsule=16
    )
    shapes = {layer.name: layer.output.shape for layer in model.layers}
    assert shapes["primary_capsules"] == (None, 1152, 8)
    assert shapes["final_capsules"] == (None, 1, 16)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


def test_every_option_of_the_capsule_discriminator_is_used():
    model = build_capsule_discriminator(
        (20, 20, 3),
        filters=(6, 7),
        kernel_size=3,
        strides=1,
        padding="valid",
        batch_norm=False,
        n_channels=2,
        primary_dim_capsule=5,
        num_capsule=2,
        dim_capsule=9,
        routing="leaky",
        routings=4,
        dropout=0.3,
    )
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [6, 7]
    final = model.get_layer("final_capsules")
    assert isinstance(final, CapsuleLayer)
    assert (final.routing, final.routings) == ("leaky", 4)
    assert final.output.shape == (None, 2, 9)
    assert model.get_layer("primary_capsules").output.shape == (None, 7 * 7 * 2, 5)
    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in dropouts] == [0.3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_capsule": 3}, r"`num_capsule` must be one of 1, 2.*num_capsule=3"),
        ({"routing": "em"}, r"`routing` must be one of"),
        ({"routing": "inverted_dot_product"}, r"probability: .*routing='inverted_dot_product'"),
        ({"dropout": 1.0}, r"`dropout` must be a number in \[0, 1\).*dropout=1.0"),
        ({"filters": 0}, r"`filters` must be one or more positive integers.*filters=0"),
    ],
)
def test_capsule_discriminators_name_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_capsule_discriminator((28, 28, 1), **arguments)


@pytest.mark.parametrize("build", BUILDERS)
def test_a_seed_sets_the_initial_weights(build):
    def weights(seed):
        return [w for w in build((16, 16, 1), seed=seed).get_weights() if w.ndim > 1]

    for one, same, other in zip(weights(1), weights(1), weights(2), strict=True):
        np.testing.assert_array_equal(one, same)
        assert np.any(one != other)


@pytest.mark.parametrize("build", BUILDERS)
def test_dtype_policies_reach_all_layers_but_the_last(build):
    model = build((16, 16, 1), dtype="mixed_bfloat16")
    computing = [layer.compute_dtype for layer in model.layers if layer.weights]
    last_capsules = build is build_capsule_discriminator
    expected = ["bfloat16"] * (len(computing) - last_capsules) + ["float32"] * last_capsules
    assert computing == expected
    assert model.output.dtype == "float32"


@pytest.fixture
def capsnet():
    return CapsNet(
        (20, 20, 1), 3, filters=8, n_channels=2, dim_capsule=6, decoder_units=(16,), kernel_size=5
    )


def bars(n):
    """Images with a bar in one of three places, and their classes."""
    classes = np.arange(n) % 3
    images = np.zeros((n, 20, 20, 1), "float32")
    for image, place in zip(images, classes, strict=True):
        image[:, 3 + 6 * place : 6 + 6 * place] = 1.0
    return images, keras.utils.to_categorical(classes, 3).astype("float32")


def test_capsnet_learns_by_plain_compile_and_fit(capsnet, tmp_path):
    images, labels = bars(48)
    capsnet.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss={"lengths": MarginLoss(), "reconstruction": "mse"},
        loss_weights={"lengths": 1.0, "reconstruction": 0.392},
        metrics={"lengths": "categorical_accuracy"},
    )
    targets = {"lengths": labels, "reconstruction": images}
    capsnet.fit((images, labels), targets, epochs=20, batch_size=16, verbose=0)
    predictions = capsnet.predict(images, verbose=0)
    np.testing.assert_array_equal(predictions["lengths"].argmax(-1), labels.argmax(-1))
    assert predictions["reconstruction"].shape == images.shape
    assert np.mean((predictions["reconstruction"] - images) ** 2) < 0.5 * images.var()

    capsnet.save(tmp_path / "capsnet.keras")
    again = keras.saving.load_model(tmp_path / "capsnet.keras")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0)["lengths"], predictions["lengths"]
    )
    assert again.get_config() == capsnet.get_config()


def test_capsnet_redraws_the_class_it_is_told(capsnet):
    images, labels = bars(3)
    told = capsnet((images, np.roll(labels, 1, axis=0)))["reconstruction"]
    free = capsnet(images)
    longest = keras.utils.to_categorical(np.argmax(free["lengths"], axis=-1), 3)
    np.testing.assert_allclose(
        capsnet((images, longest))["reconstruction"], free["reconstruction"], atol=1e-6
    )
    assert float(np.max(np.abs(told - free["reconstruction"]))) > 0.0


def test_capsnet_has_the_papers_size():
    """Sabour et al. give 8.2 million parameters with the reconstruction network."""
    assert CapsNet((28, 28, 1), 10).count_params() == 8_215_568


def test_capsnet_scales_uint8_as_input_and_as_target(capsnet):
    images = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 1), dtype=np.uint8)
    labels = np.eye(3)[np.arange(6) % 3]
    capsnet.compile(
        "sgd",
        {"lengths": MarginLoss(), "reconstruction": "mse"},
        metrics={"reconstruction": "mae"},
    )

    def logs(images, run):
        return run((images, labels), {"lengths": labels, "reconstruction": images})

    evaluate = partial(capsnet.evaluate, return_dict=True, verbose=0)
    ours, theirs = logs(images, evaluate), logs(images / 255.0, evaluate)
    assert ours["loss"] < 2.0
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, rel=1e-4)
    np.testing.assert_allclose(
        capsnet.predict(images, verbose=0)["lengths"],
        capsnet.predict(images / 255.0, verbose=0)["lengths"],
        rtol=1e-4,
    )


@pytest.mark.parametrize("labels", [np.array([1, 2]), np.array([[1], [2]]), np.eye(2)])
def test_capsnet_refuses_labels_that_are_not_one_hot(capsnet, labels):
    images = np.zeros((2, 20, 20, 1), "float32")
    targets = {"lengths": np.eye(3)[:2], "reconstruction": images}
    capsnet.compile("sgd", {"lengths": MarginLoss(), "reconstruction": "mse"})
    for call in (capsnet, capsnet.predict, lambda x: capsnet.fit(x, targets, verbose=0)):
        with pytest.raises(ValueError, match=r"one-hot"):
            call((images, labels))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"image_shape": (16, 16, 1)}, r"sides of at least 17.*`kernel_size=9`.*\(16, 16, 1\)"),
        ({"image_shape": (28, 28)}, r"`image_shape` must be .*\(28, 28\)"),
        ({"image_shape": (28, 28, 0)}, r"`image_shape` must be .*\(28, 28, 0\)"),
        ({"kernel_size": 0}, "`kernel_size` .*kernel_size=0"),
        ({"n_channels": 2.5}, "`n_channels` .*n_channels=2.5"),
        ({"decoder_units": (0,)}, "`decoder_units` .*0"),
    ],
)
def test_capsnet_names_the_argument_that_does_not_fit(options, named):
    with pytest.raises(ValueError, match=named):
        CapsNet(**{"image_shape": (28, 28, 1), "num_classes": 3} | options)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("value", ["yes", 1.5, []])
def test_batch_norm_must_be_true_or_false(build, value):
    with pytest.raises(ValueError, match=r"`batch_norm` must be True or False.*Received"):
        build((16, 16, 1), batch_norm=value)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("kernel_size", [0, -1, 2.5, True, 99])
def test_kernels_must_fit_the_images(build, kernel_size):
    with pytest.raises(ValueError, match=rf"`kernel_size` must be .*kernel_size={kernel_size}"):
        build((16, 16, 1), kernel_size=kernel_size)


def test_valid_kernels_must_leave_something():
    with pytest.raises(ValueError, match=r"`kernel_size` .* valid .*kernel_size=9"):
        build_capsule_discriminator((16, 16, 1), kernel_size=9, padding="valid", strides=1)
