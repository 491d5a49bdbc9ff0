"""A model that is built counts as called: `input`, `output` and `export`."""

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN, ConvolutionalGAN

# Keras gives `jax2tf.convert` an argument that JAX has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The `native_serialization`:DeprecationWarning")

SHAPE = (16, 16, 1)
LATENTS = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")


def make(model=CapsuleGAN, **options):
    discriminator = {"filters": 4, "kernel_size": 3}
    return model(
        SHAPE,
        4,
        generator_options={"filters": (4, 3)},
        discriminator_options=discriminator,
        seed=0,
        **options,
    )


def served(path, inputs):
    """Outputs of a SavedModel, from TensorFlow alone."""
    tf = pytest.importorskip("tensorflow")
    loaded = tf.saved_model.load(str(path))
    return loaded.serve(tf.constant(inputs)).numpy()


def check(model, inputs, path):
    assert tuple(model.input.shape[1:]) == inputs.shape[1:]
    expected = model.predict(inputs, verbose=0)
    assert tuple(model.output.shape[1:]) == expected.shape[1:]
    assert model.output.dtype == expected.dtype == "float32"
    model.export(path, verbose=False)
    np.testing.assert_allclose(served(path, inputs), expected, atol=1e-5)


@pytest.mark.parametrize("state", ["new", "trained", "loaded", "mixed_bfloat16"])
def test_a_gan_is_exported(state, tmp_path):
    gan = make(dtype=state if state == "mixed_bfloat16" else None)
    if state == "trained":
        gan.compile()
        gan.fit(np.zeros((2, *SHAPE), "uint8"), verbose=0)
    if state == "loaded":
        gan.save(tmp_path / "gan.keras")
        gan = keras.saving.load_model(tmp_path / "gan.keras")
    check(gan, LATENTS, tmp_path / "exported")


@pytest.mark.parametrize("model", [CapsuleGAN, ConvolutionalGAN])
def test_its_networks_are_exported(model, tmp_path):
    gan = make(model)
    gan.save(tmp_path / "gan.keras")
    gan = keras.saving.load_model(tmp_path / "gan.keras")
    check(gan.generator, LATENTS, tmp_path / "generator")
    images = np.random.default_rng(0).uniform(-1, 1, (3, *SHAPE)).astype("float32")
    check(gan.discriminator, images, tmp_path / "discriminator")
