"""Exported networks run in processes without this package, and give the same values."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops

from capsgan_keras import GAN, CapsuleGAN, load_pretrained
from capsgan_keras.gan import exporting
from capsgan_keras.models import build_generator
from capsgan_keras.models.generator import category_offsets

# Keras gives `jax2tf.convert` an argument that JAX has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The `native_serialization`:DeprecationWarning")

SUFFIXES = {"tf_saved_model": "", "onnx": ".onnx", "litert": ".tflite"}
RUNTIMES = {"tf_saved_model": "tensorflow", "onnx": "onnxruntime", "litert": "ai_edge_litert"}
READERS = {
    "tf_saved_model": """
import tensorflow
loaded = tensorflow.saved_model.load(path)
run = loaded.serve
""",
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(path)
run = lambda x: session.run(None, {session.get_inputs()[0].name: x})[0]
""",
    "litert": """
from ai_edge_litert.interpreter import Interpreter
runner = Interpreter(path).get_signature_runner()
name, = runner.get_input_details()
run = lambda x: next(iter(runner(**{name: x}).values()))
""",
}
ALONE = """
import sys
import numpy as np
sys.modules["capsgan_keras"] = sys.modules["keras"] = None  # an import would fail
path, inputs, outputs = sys.argv[1:]
{reader}
np.save(outputs, np.asarray(run(np.load(inputs))))
"""


def make(**options):
    options = {"filters": (4, 3), "latent_categories": 3} | options
    discriminator = {"filters": 4, "kernel_size": 3}
    return CapsuleGAN(
        (16, 16, 1), 5, generator_options=options, discriminator_options=discriminator, seed=0
    )


def inputs_of(gan, part, n):
    draws = np.random.default_rng(0)
    if part == "generator":
        return draws.standard_normal((n, gan.latent_dim), "float32")
    return draws.uniform(-1, 1, (n, *gan.image_shape)).astype("float32")


def exported(gan, part, format, inputs, folder):
    """Export a network and return its outputs, computed in a process without this package."""
    pytest.importorskip("tensorflow")
    pytest.importorskip(RUNTIMES[format])
    if format == "onnx":
        pytest.importorskip("tf2onnx")
    path = folder / f"network{SUFFIXES[format]}"
    gan.export(path, format=format, part=part, verbose=False)
    assert list(folder.iterdir()) == [path]  # nothing is left beside it
    np.save(folder / "inputs.npy", inputs)
    code = ALONE.format(reader=READERS[format])
    files = [path, folder / "inputs.npy", folder / "outputs.npy"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "outputs.npy")


@pytest.mark.parametrize("format", ["onnx", "litert"])  # test_export.py has SavedModels
def test_a_generator_runs_without_the_package(format, tmp_path):
    if keras.backend.backend() not in exporting.BACKENDS[format]:
        pytest.skip("the backend does not export to this format")
    gan = make(upsampling="nearest", learn_category_shares=True)
    category_offsets(gan.generator).set_weights([np.ones(3), np.array([0.5, -0.7, 0.2])])
    latents = inputs_of(gan, "generator", 7)
    images = exported(gan, "generator", format, latents, tmp_path)
    np.testing.assert_allclose(images, gan.predict(latents, verbose=0), atol=1e-5)


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_a_discriminator_with_self_attention_runs_too(format, tmp_path):
    if keras.backend.backend() not in exporting.BACKENDS[format]:
        pytest.skip("the backend does not export to this format")
    options = {"filters": 4, "kernel_size": 3, "num_capsule": 2, "routing": "self_attention"}
    gan = CapsuleGAN((16, 16, 1), 5, discriminator_options=options, seed=0)
    images = inputs_of(gan, "discriminator", 7)
    scores = exported(gan, "discriminator", format, images, tmp_path / "new")
    np.testing.assert_allclose(scores, gan.discriminator.predict(images, verbose=0), atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
@pytest.mark.parametrize("model", ["capsule", "convolutional"])
@pytest.mark.parametrize("part", exporting.PARTS)
@pytest.mark.parametrize("format", SUFFIXES)
def test_the_published_networks_run_without_the_package(format, part, model, dataset, tmp_path):
    gan = load_pretrained(model, dataset)
    inputs = inputs_of(gan, part, 300)
    outputs = exported(gan, part, format, inputs, tmp_path)
    if part == "generator":  # the latents that `generate` draws from seed 0
        levels = np.rint(np.clip((outputs + 1.0) * 127.5, 0.0, 255.0))
        assert np.abs(levels - gan.generate(300, seed=0)).max() <= 1
    else:
        scores = gan.discriminator.predict(inputs, verbose=0)
        np.testing.assert_allclose(outputs, scores, atol=1e-5)


def test_convertible_networks_have_the_same_values():
    generator = make(upsampling="nearest").generator
    copy = exporting.convertible(generator)
    kinds = {type(step).__name__ for step in copy.operations}
    assert not kinds & {"Argmax", "UpSampling2D"}
    latents = np.random.default_rng(0).standard_normal((50, 5), "float32")
    latents[:5, 2:] = 0.5  # of equal components the first chooses
    expected = generator.predict(latents, verbose=0)
    np.testing.assert_array_equal(copy.predict(latents, verbose=0), expected)


def test_pixels_are_repeated():
    images = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype("float32")
    repeated = ops.convert_to_numpy(exporting._RepeatPixels((2, 3))(images))
    np.testing.assert_array_equal(repeated, images.repeat(2, axis=1).repeat(3, axis=2))


def test_a_network_within_a_sequential_one_is_convertible_too():
    upsampled = keras.Sequential([keras.Input((2, 2, 1)), layers.UpSampling2D(2)])
    network = keras.Sequential([keras.Input((2, 2, 1)), upsampled, layers.UpSampling2D((1, 2))])
    images = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    copy = exporting.convertible(network)
    expected = images.repeat(2, axis=1).repeat(4, axis=2)
    np.testing.assert_array_equal(copy.predict(images, verbose=0), expected)
    assert "UpSampling2D" not in {type(layer).__name__ for layer in copy._flatten_layers()}


@pytest.mark.parametrize("part", exporting.PARTS)
def test_other_precisions_are_exported_in_float32(part, tmp_path, monkeypatch, capsys):
    networks = []
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(exporting, "BACKENDS", {"onnx": (keras.backend.backend(),)})
    monkeypatch.setattr(keras.Model, "export", lambda self, path, **_: networks.append(self))
    monkeypatch.setattr(exporting, "_check_onnx", lambda path: open(path, "w").close())
    with_policy = {"dtype": "mixed_bfloat16"}
    gan = CapsuleGAN((16, 16, 1), 5, seed=0, generator_options={"filters": (4, 3)}, **with_policy)
    gan.export(tmp_path / "network.onnx", format="onnx", part=part)
    assert capsys.readouterr().out == f"Saved artifact at '{tmp_path / 'network.onnx'}'.\n"
    policies = {layer.compute_dtype for layer in networks[0]._flatten_layers()}
    assert policies == {"float32"}
    weights = getattr(gan, part).get_weights()
    for weight, expected in zip(networks[0].get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "h5"}, "`format` must be one of 'tf_saved_model', 'onnx', 'litert'"),
        ({"part": "both"}, "`part` must be one of 'generator', 'discriminator'"),
        ({"format": "litert"}, "`filepath` must end with .tflite"),
    ],
)
def test_what_is_refused(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make().export(tmp_path / "network", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_converter_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(ImportError, match=r'pip install "capsgan_keras\[export\]"'):
        make().export(tmp_path / "network.onnx", format="onnx")


def test_a_backend_that_does_not_export(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(NotImplementedError, match="needs the Keras backend tensorflow"):
        make().export(tmp_path / "network.tflite", format="litert")


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_an_operation_that_a_format_lacks(format, tmp_path):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow exports to this format")
    pytest.importorskip({"onnx": "tf2onnx", "litert": "tensorflow"}[format])
    inputs = keras.Input((4,))
    images = layers.Reshape((16, 16, 1))(layers.Dense(256)(ops.erfinv(inputs)))
    discriminator = make().discriminator
    gan = GAN(keras.Model(inputs, images), discriminator, "mse")
    path = tmp_path / f"network{SUFFIXES[format]}"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="could not be converted to"):
        gan.export(path, format=format)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_default_generators_convert_without_resizing():
    generator = build_generator((16, 16, 3), 5, filters=(4, 3))
    names = [type(step).__name__ for step in exporting.convertible(generator).operations]
    assert names.count("_RepeatPixels") == 2
