"""What the tests share: seeds, gradients on either backend, the checks every layer takes."""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import ConvolutionalGAN
from capsgan_keras.datasets.registry import REGISTERED
from capsgan_keras.models import build_convolutional_discriminator, build_generator

ROOT = Path(__file__).parent.parent
_QUICK_START = {"TF_CPP_MIN_LOG_LEVEL": "2", "JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
"""Tests compute little: optimizing what JAX compiles would take longer than it saves."""


@pytest.fixture(autouse=True)
def _same_start():
    """Every test starts from the same seeds, the float32 policy and the package's data sets."""
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float32")
    registered = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(registered)
    keras.config.set_dtype_policy("float32")
    keras.backend.clear_session(free_memory=False)


def _gradient(function, values):
    """Gradient of a scalar function of one array, on the backend in use."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(jax.numpy.asarray(values)))
    import tensorflow as tf

    tensor = tf.convert_to_tensor(values)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        result = function(tensor)
    return tape.gradient(result, tensor).numpy()


@pytest.fixture
def gradient():
    return _gradient


@pytest.fixture
def build_gan():
    """Return a new small compiled GAN of images (16, 16, 1), the same each time."""

    def build(shape=(16, 16, 1), latent_dim=4):
        gan = ConvolutionalGAN(
            shape,
            latent_dim,
            generator=build_generator(shape, latent_dim, filters=(4, 4), seed=0),
            discriminator=build_convolutional_discriminator(shape, filters=(4, 4), seed=0),
            seed=0,
        )
        gan.compile()
        return gan

    return build


@pytest.fixture(scope="session")
def run_python():
    """Run a script in a new interpreter and return its output; a failure shows its errors."""

    def run(script, timeout=300, **environment):
        result = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=os.environ | _QUICK_START | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert result.returncode == 0, result.stderr[-4000:]
        return result.stdout

    return run


@pytest.fixture
def check_layer(tmp_path):
    """Take a layer through configuration, shapes, dtype policies, training and saving.

    A layer of several outputs has a list of shapes.
    """

    def check(layer_class, arguments, inputs, output_shape, n_weights, output_dtype=None):
        layer = layer_class(**arguments)
        config = layer.get_config()
        assert set(arguments) <= set(config)
        again = layer_class.from_config(config)
        assert again.get_config() == config

        outputs = layer(inputs)
        assert _shapes(outputs) == output_shape
        assert len(layer.weights) == n_weights
        shapes = keras.tree.map_structure(lambda x: (None, *x.shape[1:]), inputs)
        assert layer.compute_output_shape(shapes) == _of_any_batch(output_shape)

        _check_policies(layer_class, arguments, inputs, output_dtype)
        model = _check_fit(layer_class, arguments, inputs, output_shape)
        path = tmp_path / "layer.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
        expected = model.predict(inputs, verbose=0)
        keras.tree.map_structure(
            np.testing.assert_array_equal, loaded.predict(inputs, verbose=0), expected
        )

    return check


def _shapes(outputs):
    return keras.tree.map_structure(lambda output: tuple(output.shape), outputs)


def _of_any_batch(shape):
    """Return a shape, or each of a list, with an unknown batch."""
    if isinstance(shape, list):
        return [_of_any_batch(one) for one in shape]
    return (None, *shape[1:])


def _check_policies(layer_class, arguments, inputs, output_dtype):
    double = () if keras.backend.backend() == "jax" else ("float64",)  # JAX: off by default
    for policy in ("mixed_bfloat16", "mixed_float16", *double):
        layer = layer_class(**arguments, dtype=policy)
        outputs = layer(inputs)
        expected = output_dtype or layer.compute_dtype
        if policy == "float64":
            expected = "float64"
        for output in keras.tree.flatten(outputs):
            assert keras.backend.standardize_dtype(output.dtype) == expected, policy
        assert {weight.dtype for weight in layer.weights} <= {layer.variable_dtype}


def _check_fit(layer_class, arguments, inputs, output_shape):
    symbolic = keras.tree.map_structure(lambda x: keras.Input(x.shape[1:]), inputs)
    model = keras.Model(symbolic, layer_class(**arguments)(symbolic))
    assert model.output_shape == _of_any_batch(output_shape)
    if not model.trainable_weights:
        return model
    model.compile("sgd", loss="mse")
    before = [weight.copy() for weight in model.get_weights()]
    targets = keras.tree.map_structure(ops.ones_like, model(inputs))
    model.fit(inputs, targets, verbose=0, batch_size=len(keras.tree.flatten(inputs)[0]))
    for old, new in zip(before, model.get_weights(), strict=True):
        assert np.any(old != new)
    return model
