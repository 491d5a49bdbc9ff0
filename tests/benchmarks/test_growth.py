import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import growth
from benchmarks.training.networks import MODELS, TINY, TUNED
from capsgan_keras.layers import PrimaryCap


class FakeGAN:
    """Keeps the shapes of its batches, and holds a MiB for each image while it trains."""

    def __init__(self, settings, model, image_shape=(32, 32, 3)):
        self.settings = settings
        self.image_shape = image_shape
        self.batches = []
        self.discriminator = keras.Sequential([keras.layers.Conv2D(4, 3), PrimaryCap(8, 2, 5)])

    def train_on_batch(self, images):
        self.batches.append(images.shape)
        np.ones(len(images) * 2**20, np.uint8)


@pytest.mark.parametrize("model", MODELS)
def test_the_width_is_that_of_the_discriminator(model):
    settings = replace(TUNED["cifar10"], **TINY, image_size=None)
    gan = growth.new_gan(settings, model)
    wider = growth.new_gan(replace(settings, **growth.widened(gan.discriminator, 2)), model)

    def filters(gan):
        layers = gan.discriminator.layers
        return [layer.filters for layer in layers if isinstance(layer, keras.layers.Conv2D)] + [
            layer.n_channels for layer in layers if isinstance(layer, PrimaryCap)
        ]

    assert filters(wider) == [2 * count for count in filters(gan)]
    assert wider.generator.count_params() == gan.generator.count_params()


def test_one_size_changes_and_the_others_stay(monkeypatch):
    made = []

    def new_gan(*arguments, **options):
        made.append(FakeGAN(*arguments, **options))
        return made[-1]

    def time_in_turn(functions, calls, rounds):
        assert (calls, rounds) == (2, 4)
        for (batch, width, side), function in functions.items():
            function()
            (trained,) = [gan for gan in made if gan.batches]
            assert trained.batches.pop() == (batch, side, side, 3)
            assert trained.settings.capsule_filters == ((8,) if width == 2 else None)
        return {case: [np.prod(case) ** 2, np.prod(case)] for case in functions}

    monkeypatch.setattr(growth, "new_gan", new_gan)
    monkeypatch.setattr(growth, "time_in_turn", time_in_turn)
    sizes = {"batch": (4, 8), "width": (1, 2), "side": (16, 64)}
    result = growth.measure_steps(TUNED["cifar10"], "capsule", sizes, rounds=4)
    usual = TUNED["cifar10"].batch_size * 32
    least = {"batch": [128, 256], "width": [usual, 2 * usual], "side": [1024, 4096]}
    for part, numbers in least.items():
        assert result[part]["sizes"] == list(sizes[part])
        found = [milliseconds["min"] for milliseconds in result[part]["milliseconds"]]
        assert found == [1e3 * number for number in numbers]
        expected = {"median": 1.5, "min": 1.0, "max": 2.0}
        assert result[part]["exponent"] == pytest.approx(expected)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_of_a_step_is_that_of_its_batch(monkeypatch):
    gan = FakeGAN(None, "capsule")
    monkeypatch.setattr(growth, "new_gan", lambda *arguments: gan)
    assert 60 * 2**20 < growth.step_memory(None, "capsule", 64) < 80 * 2**20
    assert gan.batches == [(2, 32, 32, 3), (3, 32, 32, 3), (64, 32, 32, 3)]


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_is_measured_in_processes_of_their_own():
    settings = TUNED["cifar10"]
    memory = growth.measure_memory(settings, "convolutional", [16, 64], quick=False)
    # The real and the generated images' first features, 16 x 16 x 64 floats each, take 8 MiB.
    assert 8 * 2**20 < memory["bytes"][1] < 800 * 2**20
    assert 0.5 < memory["exponent"]["median"] < 2


def test_tables_are_fitted_by_their_points(monkeypatch):
    made = []

    def measure_table(data, points):
        assert data == "synthetic"
        made.append(points)
        return {"seconds": len(made) * points**2, "bytes": 1024 * points}

    monkeypatch.setattr(growth, "measure_table", measure_table)
    result = growth.measure_tables((1_000, 2_000), 2, quick=True)
    assert made == [1_000, 2_000, 1_000, 2_000]
    assert result["bytes"] == [1024_000, 2048_000]
    assert result["bytes_exponent"]["median"] == pytest.approx(1)
    assert result["seconds"][0] == {"median": 2e6, "min": 1e6, "max": 3e6}
    # 2 * 4 / 1 and 4 * 4 / 3 times as long.
    assert result["exponent"]["max"] == pytest.approx(3)
    assert result["exponent"]["min"] == pytest.approx(np.log2(16 / 3))


def test_it_runs_quickly(request):
    tf.config.run_functions_eagerly(True)  # nothing is worth tracing for a few calls
    request.addfinalizer(lambda: tf.config.run_functions_eagerly(False))
    result = growth.run(quick=True)
    for model in MODELS:
        assert list(result["steps"][model]) == ["batch", "width", "side"]
        assert len(result["memory"][model]["bytes"]) == 2
    assert min(seconds["min"] for seconds in result["points"]["seconds"]) > 0
