"""The same numbers on every backend, and a clear word from those that cannot train."""

import numpy as np
import pytest

TRAIN = """
import os, sys
if {blocked}:
    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == "tensorflow":
                raise ImportError("TensorFlow is not installed here")
    sys.meta_path.insert(0, Blocker())
import keras, numpy as np
from keras import ops
from capsgan_keras import CapsuleGAN, ConvolutionalGAN, load_dataset
from capsgan_keras.losses import HingeLoss
from capsgan_keras.models import (
    build_capsule_discriminator, build_convolutional_discriminator, build_generator)

assert keras.backend.backend() == {backend!r}
shape = (16, 16, 1)
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (24, *shape), dtype=np.uint8)
noise = rng.normal(size=(100, 8, 5)).astype("float32")
results = {{}}
heads = {{
    "capsule": lambda: build_capsule_discriminator(
        shape, filters=4, kernel_size=5, n_channels=2, dim_capsule=4),
    "leaky": lambda: build_capsule_discriminator(
        shape, filters=4, kernel_size=5, n_channels=2, dim_capsule=4, num_capsule=2,
        routing="leaky"),
    "convolutional": lambda: build_convolutional_discriminator(shape, filters=(4, 6)),
    "class-capsules": lambda: build_capsule_discriminator(
        shape, filters=4, kernel_size=5, n_channels=2, dim_capsule=4, num_classes=3),
    "projection": lambda: build_convolutional_discriminator(shape, filters=4, num_classes=3),
    "spectral": lambda: build_capsule_discriminator(
        shape, filters=4, kernel_size=5, n_channels=2, dim_capsule=4, spectral_normalization=True),
    "hinge": lambda: build_convolutional_discriminator(
        shape, filters=(4, 6), activation="linear"),
    # Batch-normalized: the penalty is of its moving averages, which each step moves.
    "penalty": lambda: build_convolutional_discriminator(shape, filters=(4, 6)),
    "spectral-penalty": lambda: build_convolutional_discriminator(
        shape, filters=(4, 6), spectral_normalization=True),
}}
options = {{
    "hinge": {{"loss": HingeLoss()}},
    "penalty": {{"gradient_penalty": 0.5}},
    "spectral-penalty": {{"gradient_penalty": 0.5, "penalty_every": 2}},
}}
labels = rng.integers(0, 3, 24)
for head, update in [("capsule", "simultaneous"), ("capsule", "alternating"),
                     ("leaky", "simultaneous"), ("convolutional", "simultaneous"),
                     ("convolutional", "alternating"), ("class-capsules", "simultaneous"),
                     ("projection", "alternating"),
                     ("spectral", "simultaneous"), ("spectral", "alternating"),
                     ("hinge", "simultaneous"), ("hinge", "alternating"),
                     ("penalty", "simultaneous"), ("penalty", "alternating"),
                     ("spectral-penalty", "simultaneous")]:
    classes = head in ("class-capsules", "projection")
    of_classes = {{"labels": labels}} if classes else {{}}
    y = labels if classes else None
    capsules = head in ("capsule", "leaky", "class-capsules", "spectral")
    gan = (CapsuleGAN if capsules else ConvolutionalGAN)(
        shape, 5, num_classes=3 if classes else None,
        generator=build_generator(shape, 5, filters=(4, 3), latent_categories=3),
        discriminator=heads[head](), seed=0, **options.get(head, {{}}))
    weights = np.random.default_rng(1)
    gan.set_weights([weights.uniform(0.5, 1.5, w.shape) if w.ndim < 2
                     else weights.normal(0, 0.3, w.shape) for w in gan.get_weights()])
    gan.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05), update=update,
                run_eagerly=True)
    # Eagerly, so that each pass of each step takes the next noise.
    draws = iter(noise)
    gan.sample_latents = lambda n, evaluation=False: ops.convert_to_tensor(next(draws))
    history = gan.fit(images, y, batch_size=8, shuffle=False, verbose=0).history
    key = head + "-" + update
    for name, values in history.items():
        results[f"{{key}}-{{name}}"] = np.asarray(values)
    logs = gan.evaluate(images, y, batch_size=8, verbose=0, return_dict=True)
    for name, value in logs.items():
        results[f"{{key}}-evaluate-{{name}}"] = np.asarray(value)
    for index, weight in enumerate(gan.get_weights()):
        results[f"{{key}}-weight-{{index}}"] = weight
    results[f"{{key}}-scores"] = gan.discriminate(images, **of_classes)
    results[f"{{key}}-images"] = gan.generate(3, seed=0).astype("float32") / 255
np.savez({path!r}, **results)

# The compiled step, on real data, saved and loaded, goes on as the unsaved model does.
from capsgan_keras.losses import MarginLoss
digits = load_dataset("digits")
gan = CapsuleGAN(
    shape, 5, generator=build_generator(shape, 5, filters=(4, 3), latent_categories=3, seed=0),
    discriminator=build_capsule_discriminator(
        shape, filters=4, kernel_size=5, n_channels=2, dropout=0.2, spectral_normalization=True,
        augmentation=("color", "translation", "cutout"), seed=0),
    gradient_penalty=0.1, penalty_every=2, seed=0)
gan.compile()
small = digits.x_train[:16, 6:22, 6:22]
gan.fit(small, batch_size=8, shuffle=False, verbose=0)
gan.save({path!r} + ".keras")
again = keras.saving.load_model({path!r} + ".keras")
for model in (gan, again):
    model.fit(small, batch_size=8, shuffle=False, verbose=0, validation_data=small)
for a, b in zip(gan.get_weights(), again.get_weights(), strict=True):
    np.testing.assert_array_equal(a, b)

# Losses are scaled under float16, and the scale is part of the state.
keras.config.set_dtype_policy("mixed_float16")
gan = CapsuleGAN(
    shape, 5, generator=build_generator(shape, 5, filters=(4, 3), latent_categories=3, seed=0),
    discriminator=build_capsule_discriminator(
        shape, filters=4, kernel_size=5, n_channels=2, seed=0), seed=0)
gan.compile()
before = gan.get_weights()
scale = float(gan.optimizer.dynamic_scale)
gan.optimizer.dynamic_growth_steps = 2
history = gan.fit(small, batch_size=4, shuffle=False, verbose=0).history
assert np.isfinite([history["d_loss"], history["g_loss"]]).all()
assert any((a != b).any() for a, b in zip(before, gan.get_weights(), strict=True))
assert float(gan.optimizer.dynamic_scale) > scale
assert ("tensorflow" in sys.modules) == ({backend!r} == "tensorflow")
"""


@pytest.mark.long
def test_tensorflow_and_jax_give_the_same_numbers(tmp_path, run_python):
    """Losses, logs, weights and images agree; on JAX where TensorFlow is not installed."""
    results = {}
    for backend in ("tensorflow", "jax"):
        path = str(tmp_path / f"{backend}.npz")
        script = TRAIN.format(backend=backend, path=path, blocked=backend == "jax")
        run_python(script, KERAS_BACKEND=backend, JAX_PLATFORMS="cpu")
        results[backend] = np.load(path)
    ours, theirs = results["tensorflow"], results["jax"]
    assert set(ours) == set(theirs)
    assert len(ours.files) > 100
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=2e-4, rtol=1e-3, err_msg=name)


ON_JAX = {
    "layers": [
        "layers/test_layers",
        "layers/test_initial_lengths",
        "layers/test_sublayers",
        "routing/test_agreement",
        "routing/test_blockwise",
        "test_losses",
    ],
    "routings": [
        "layers/test_routing_choice",
        "layers/test_conv_capsules",
        "routing/test_routings",
    ],
    "regularization": [
        "layers/test_spectral_normalization",
        "gan/test_penalty",
        "models/test_augmentation",
    ],
}


@pytest.mark.long
@pytest.mark.parametrize("part", ON_JAX)
def test_layers_and_losses_on_jax(part, run_python):
    files = [f"tests/{name}.py" for name in ON_JAX[part]]
    run_python(
        f"""
import sys, pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-m", "not long",
    "-k", "not check and not capsule_layer[", *{files}]))
""",
        timeout=600,
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
    )


def test_a_failing_prediction_leaves_the_weights_on_jax(run_python):
    printed = run_python(
        """
import keras, numpy as np
from capsgan_keras import ConvolutionalGAN
options = {"generator_options": {"filters": (4, 4)}, "discriminator_options": {"filters": (4, 4)}}
gan = ConvolutionalGAN((16, 16, 1), 4, seed=0, **options)
gan.compile()
before, images = gan.get_weights(), gan.generate(4, seed=0)

class Broken(keras.utils.PyDataset):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch
    def __len__(self):
        return 3
    def __getitem__(self, index):
        if index == 2:
            raise OSError("the disk is gone")
        return self.batch

for call in (
    lambda: gan.predict(Broken(np.zeros((2, 4), "float32")), verbose=0),
    lambda: gan.evaluate(Broken(images), verbose=0),
    lambda: gan.predict(np.zeros((0, 4), "float32"), verbose=0),
):
    try:
        call()
    except Exception as error:
        print(type(error).__name__)
    for old, new in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(gan.generate(4, seed=0), images)
gan.fit(images, batch_size=4, verbose=0)
print("trains on")
""",
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
    )
    assert printed.count("Error") == 3
    assert "trains on" in printed


def test_other_backends_say_that_they_cannot_train(run_python):
    printed = run_python(
        """
import numpy as np
from capsgan_keras import CapsuleGAN
gan = CapsuleGAN((16, 16, 1))
print(gan(np.zeros((1, 100), "float32")).shape)
images = np.zeros((2, 16, 16, 1), "uint8")
for method in (gan.fit, gan.evaluate, gan.train_on_batch, gan.test_on_batch):
    try:
        method(images)
    except NotImplementedError as error:
        print(error)
""",
        KERAS_BACKEND="numpy",
    )
    assert "(1, 16, 16, 1)" in printed
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        assert f"`CapsuleGAN.{method}` works on the Keras backends 'tensorflow' and" in printed
    assert printed.count("Received: backend 'numpy'") == 4
