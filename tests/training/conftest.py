"""GANs on two devices, in processes of their own: devices are set up at a process's start."""

import concurrent.futures
import json
import socket

import numpy as np
import pytest

PREAMBLE = """
import json, os
import keras, numpy as np
if "TF_CONFIG" in os.environ:
    import tensorflow as tf
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    two_devices = strategy.scope
elif "KERAS_DISTRIBUTION_PROCESS_ID" in os.environ:
    keras.distribution.initialize()
    two_devices = keras.distribution.DataParallel().scope
elif keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    two_devices = strategy.scope
else:
    two_devices = keras.distribution.DataParallel(devices=["cpu:0", "cpu:1"]).scope
from capsgan_keras import GAN, CapsuleGAN, ConvolutionalGAN
from capsgan_keras.models import (
    build_capsule_discriminator, build_convolutional_discriminator, build_generator)

SHAPE = (16, 16, 1)
MODELS = {"capsule": CapsuleGAN, "convolutional": ConvolutionalGAN}
images = np.random.default_rng(0).integers(0, 256, (64, *SHAPE), dtype=np.uint8)
results = {}

def make(model, loss=None, dropout=0.0, optimizer=lambda: keras.optimizers.SGD(0.05), **options):
    generator = build_generator(SHAPE, latent_dim=5, filters=(4, 3), seed=1)
    if model == "capsule":
        discriminator = build_capsule_discriminator(
            SHAPE, filters=4, kernel_size=3, n_channels=2, dim_capsule=4, batch_norm=True,
            dropout=dropout, seed=2)
        # Away from zero lengths, where squash is flat.
        discriminator.set_weights([2.0 * weight for weight in discriminator.get_weights()])
    else:
        discriminator = build_convolutional_discriminator(
            SHAPE, filters=(4, 6), dropout=dropout, seed=2)
    gan = MODELS[model](
        SHAPE, 5, generator=generator, discriminator=discriminator, loss=loss, seed=3)
    gan.compile(optimizer(), optimizer(), **options)
    return gan

def fit(gan, data, **options):
    return gan.fit(data, **{"batch_size": 8, "shuffle": False, "verbose": 0} | options)

def keep(key, gan, history=None):
    for index, weight in enumerate(gan.get_weights()):
        results[f"{key}/weight-{index}"] = weight
    for name, values in (history.history if history else {}).items():
        results[f"{key}/{name}"] = np.asarray(values)

def error_of(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "none"
"""


@pytest.fixture(scope="session")
def on_two_devices(run_python, tmp_path_factory):
    """Run a script on two logical CPU devices and return what it put into `results`."""

    def run(script, backend="tensorflow", **environment):
        path = str(tmp_path_factory.mktemp("results") / "results.npz")
        jax = {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        }
        run_python(
            f"{PREAMBLE}\n{script}\nnp.savez({path!r}, **results)",
            timeout=900,
            KERAS_BACKEND=backend,
            **(jax if backend == "jax" else {}) | environment,
        )
        return np.load(path)

    return run


@pytest.fixture(scope="session")
def on_two_workers(on_two_devices):
    """Run a script in two processes that train together; return the results of each."""

    def run(script, backend="tensorflow"):
        with socket.socket() as one, socket.socket() as other:
            for each in (one, other):
                each.bind(("127.0.0.1", 0))
            addresses = ["{}:{}".format(*s.getsockname()) for s in (one, other)]

        def work(index):
            task = {"type": "worker", "index": index}
            environment = {
                "tensorflow": {
                    "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})
                },
                "jax": {
                    "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses[0],
                    "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
                    "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
                    "XLA_FLAGS": "",  # one device each
                },
            }
            return on_two_devices(script, backend, **environment[backend])

        with concurrent.futures.ThreadPoolExecutor() as pool:
            return list(pool.map(work, range(2)))

    return run


@pytest.fixture(scope="session")
def assert_close():
    """Compare what `keep` kept under two keys: equal within `tolerance`."""

    def check(results, key, other, tolerance):
        names = [name for name in results.files if name.startswith(f"{key}/")]
        assert len(names) > 10
        for name in names:
            theirs = results[name.replace(f"{key}/", f"{other}/", 1)]
            np.testing.assert_allclose(results[name], theirs, rtol=0, atol=tolerance, err_msg=name)

    return check
