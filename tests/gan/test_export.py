"""A model that is built counts as called: `input`, `output` and `export`."""

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.gan import exporting

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


def test_nothing_else_is_replaced(tmp_path, monkeypatch):
    gan = make()
    run = tmp_path / "run"
    run.mkdir()
    (run / "gan.keras").write_text("mine")
    (run / "saved_model.pb").write_text("mine")
    monkeypatch.chdir(run)
    for path, format, reason in (
        (run, "tf_saved_model", "the folder holds gan.keras, and no SavedModel alone"),
        (".", "tf_saved_model", "the folder holds gan.keras"),
        ("..", "tf_saved_model", "the folder holds run"),
        (run / "gan.keras", "tf_saved_model", "is a file"),
        (run / "gan.keras" / "new", "tf_saved_model", "gan.keras is a file"),
        (run, "onnx", "it is a folder, and not a file"),
        (run / "gan.keras" / "new", "onnx", "gan.keras is a file"),
    ):
        monkeypatch.setattr(exporting, "BACKENDS", {format: (keras.backend.backend(),)})
        monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: name)
        with pytest.raises(ValueError, match=f"`filepath` must be a new place.*{reason}"):
            gan.export(path, format=format)
    assert {path.name: path.read_text() for path in run.iterdir()} == {
        "gan.keras": "mine",
        "saved_model.pb": "mine",
    }


def test_what_was_exported_is_replaced_and_folders_are_made(tmp_path):
    pytest.importorskip("tensorflow")
    path = tmp_path / "new" / "exported"
    for seed in (0, 1):
        gan = CapsuleGAN(SHAPE, 4, seed=seed, generator_options={"filters": (4, 3)})
        check(gan, LATENTS, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["exported"]
