"""BiGAN and BiCoGAN on two replicas, and on JAX, train as on one device of TensorFlow."""

import numpy as np
import pytest

NETWORKS = """
import keras, numpy as np
from keras import ops
from capsgan_keras import BiCoGAN, BiGAN
from capsgan_keras.datasets import to_uint8
from capsgan_keras.models import (
    build_capsule_encoder, build_convolutional_encoder, build_generator,
    build_joint_discriminator)

SHAPE, LATENT_DIM, CLASSES = (16, 16, 1), 7, 3
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (24, *SHAPE), dtype=np.uint8)
labels = rng.integers(-1, CLASSES, 24).astype("int32")
labels[:3] = -1  # of the first replica's part hardly one is known

def make(kind, update, **options):
    networks = (
        build_generator(SHAPE, LATENT_DIM, (4, 3), seed=1,
                        latent_categories=CLASSES if kind == "bicogan" else 0),
        build_capsule_encoder(SHAPE, LATENT_DIM, 4, n_channels=2, num_capsule=3, seed=2)
        if "run_eagerly" in options else  # routing takes long to compile
        build_convolutional_encoder(SHAPE, LATENT_DIM, (4, 4), units=8, seed=2),
        build_joint_discriminator(SHAPE, LATENT_DIM, filters=4, code_units=6, units=8, seed=3),
    )
    if kind == "bicogan":
        gan = BiCoGAN(*networks, CLASSES, seed=4, label_weight=2.0, gradient_penalty=0.1)
    else:
        gan = BiGAN(*networks, seed=4)
    gan.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05), update=update, **options)
    return gan

def train(gan, kind, n=24):
    data = (images[:n], labels[:n]) if kind == "bicogan" else (images[:n],)
    return gan.fit(*data, batch_size=6, shuffle=False, verbose=0, validation_data=data)
"""

REPLICAS = (
    NETWORKS
    + """
for kind, update in (("bigan", "alternating"), ("bicogan", "simultaneous")):
    one = make(kind, update, jit_compile=False)
    keep(f"{kind}/start", one)
    with two_devices():
        two = make(kind, update)
    for name, gan in (("one", one), ("two", two)):
        keep(f"{kind}/{name}", gan, train(gan, kind, n=21))
"""
)

BACKEND = (
    NETWORKS
    + """
noise = np.random.default_rng(1).normal(size=(100, 6, LATENT_DIM)).astype("float32")
results = {{}}
for kind, update in (("bigan", "alternating"), ("bicogan", "simultaneous")):
    gan = make(kind, update, run_eagerly=True)
    weights = np.random.default_rng(2)
    gan.set_weights([weights.uniform(0.5, 1.5, w.shape) if w.ndim < 2
                     else weights.normal(0, 0.3, w.shape) for w in gan.get_weights()])
    draws = iter(noise)
    gan.sample_latents = lambda n, evaluation=False: ops.convert_to_tensor(next(draws))
    for name, values in train(gan, kind, 12).history.items():
        results[f"{{kind}}-{{name}}"] = np.asarray(values)
    for index, weight in enumerate(gan.get_weights()):
        results[f"{{kind}}-weight-{{index}}"] = weight
    results[f"{{kind}}-codes"] = codes = gan.encode(images)
    results[f"{{kind}}-scores"] = gan.discriminate(images)
    # Before they are rounded to grey levels, where the smallest difference may be a whole one.
    again = ops.convert_to_numpy(gan.generator(codes, training=False))
    results[f"{{kind}}-images"] = again
    levels = gan.reconstruct(images).astype("int32") - to_uint8(again)
    assert np.abs(levels).max() <= 1
np.savez({path!r}, **results)

# The compiled step, saved and loaded, goes on as the unsaved model does; with averages.
gan = make("bicogan", "alternating")
gan.compile(keras.optimizers.Adam(1e-3, use_ema=True), keras.optimizers.Adam(1e-3),
            update="alternating")
train(gan, "bicogan")
gan.save({path!r} + ".keras")
again = keras.saving.load_model({path!r} + ".keras")
for model in (gan, again):
    train(model, "bicogan")
for a, b in zip(gan.get_weights(), again.get_weights(), strict=True):
    np.testing.assert_array_equal(a, b)
"""
)


@pytest.mark.long
def test_two_replicas_train_as_one_device(on_two_devices, assert_close):
    results = on_two_devices(REPLICAS)
    for kind in ("bigan", "bicogan"):
        moved = [
            np.abs(results[name] - results[name.replace("/one/", "/start/")]).max()
            for name in results.files
            if name.startswith(f"{kind}/one/weight")
        ]
        assert max(moved) > 1e-3
        assert {f"{kind}/one/g_loss", f"{kind}/one/val_g_loss"} <= set(results.files)
        assert_close(results, f"{kind}/one", f"{kind}/two", 5e-6)


@pytest.mark.long
def test_tensorflow_and_jax_give_the_same_numbers(run_python, tmp_path):
    found = {}
    for backend in ("tensorflow", "jax"):
        path = str(tmp_path / f"{backend}.npz")
        script = BACKEND.format(path=path)
        run_python(script, timeout=900, KERAS_BACKEND=backend, JAX_PLATFORMS="cpu")
        found[backend] = np.load(path)
    ours, theirs = found["tensorflow"], found["jax"]
    assert set(ours) == set(theirs)
    assert len(ours.files) > 60
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=2e-4, rtol=1e-3, err_msg=name)
