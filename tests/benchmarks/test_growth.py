import json
import sys

import keras
import numpy as np
import pytest

from benchmarks import growth
from benchmarks.measuring import memory_of
from capsgan_keras.layers import PrimaryCap


class FakeGAN:
    """Counts images and holds a MiB for each while it trains."""

    def __init__(self):
        self.batches = []

    def train_on_batch(self, images):
        self.batches.append(images.shape)
        np.ones(len(images) * 2**20, np.uint8)


def test_exponents():
    sizes = [1, 2, 4, 8]
    assert growth.exponent(sizes, [3 * size**2 for size in sizes]) == pytest.approx(2)
    assert growth.exponent(sizes, [5.0] * 4) == pytest.approx(0, abs=1e-9)
    # The middle of three points that are evenly apart does not tilt a line.
    assert growth.exponent([1, 10, 100], [1, 77, 100]) == pytest.approx(1)
    assert growth.exponent([1], [1]) is None
    assert growth.exponent([1, 2], [1, None]) is None
    assert growth.exponent([1, 2], [0, 1]) is None


def test_exponents_are_fitted_within_rounds():
    costs = [[1.0, 1.0, 1.0], [2.0, 4.0, 1.0]]
    fitted = growth.exponents([1, 2], costs)
    assert fitted == pytest.approx({"median": 1, "min": 0, "max": 2}, abs=1e-9)
    assert growth.exponents([1], [[1.0]]) is None


@pytest.mark.parametrize("model", growth.MODELS)
def test_width_is_that_of_the_discriminator(model):
    gan = growth.new_gan(model, width=8, side=16)
    assert gan.image_shape == (16, 16, 3)
    assert gan.compiled
    convolutions = [
        layer for layer in gan.discriminator.layers if isinstance(layer, keras.layers.Conv2D)
    ]
    assert [layer.filters for layer in convolutions] == [8, 16]
    capsules = [layer for layer in gan.discriminator.layers if isinstance(layer, PrimaryCap)]
    assert [layer.n_channels for layer in capsules] == ([2] if model == "capsule" else [])
    other = growth.new_gan(model, width=16, side=16)
    assert other.generator.count_params() == gan.generator.count_params()


@pytest.mark.parametrize(
    ("part", "sizes", "cases"),
    [
        ("batch", [4, 8], [(64, 32, 4), (64, 32, 8)]),
        ("width", [16, 32], [(16, 32, 128), (32, 32, 128)]),
        ("side", [16, 64], [(64, 16, 128), (64, 64, 128)]),
    ],
)
def test_one_size_changes_and_the_others_stay(part, sizes, cases, monkeypatch):
    made = []

    def new_gan(model, width, side):
        made.append((width, side, FakeGAN()))
        return made[-1][2]

    def time_in_turn(functions, steps, repeats):
        assert (list(functions), steps, repeats) == (sizes, 3, 2)
        for function in functions.values():
            function()
        return {size: [size / 10, size / 5] for size in sizes}

    monkeypatch.setattr(growth, "new_gan", new_gan)
    monkeypatch.setattr(growth, "time_in_turn", time_in_turn)
    result = growth.measure_steps("capsule", part, sizes, steps=3, repeats=2)
    seen = [(width, side, gan.batches[0][0]) for width, side, gan in made]
    assert seen == cases
    assert [gan.batches[0][1:] for _, _, gan in made] == [(side, side, 3) for _, side, _ in cases]
    for size, (_, _, batch), rates in zip(sizes, cases, result["images_per_second"], strict=True):
        assert rates["rounds"] == [batch / (size / 10), batch / (size / 5)]
    assert result["exponent"] == pytest.approx({"median": 1, "min": 1, "max": 1})


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_of_a_step_is_that_of_its_batch(monkeypatch):
    gan = FakeGAN()
    monkeypatch.setattr(growth, "new_gan", lambda *arguments: gan)
    assert 60 * 2**20 < growth.step_memory("capsule", 64) < 80 * 2**20
    assert [shape[0] for shape in gan.batches] == [2, 3, 64, 64]
    assert gan.batches[0][1:] == (32, 32, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_of_a_table(monkeypatch):
    monkeypatch.setattr(growth, "make_table", lambda *data: np.ones(64 * 2**20, np.uint8).sum())
    measured = growth.measure_table(1_000)
    assert 60 * 2**20 < measured["bytes"] < 80 * 2**20
    assert measured["seconds"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_is_measured_in_processes_of_their_own():
    step = memory_of("benchmarks.growth", ["--memory-of", "convolutional", "--size", 64])
    # The real and the generated images' first features, 16 x 16 x 64 floats each, take 8 MiB.
    assert 8 * 2**20 < step < 800 * 2**20
    table = memory_of("benchmarks.growth", ["--memory-of", "table", "--size", 1_000])
    assert 2**20 < table["bytes"] < 300 * 2**20
    assert table["seconds"] > 0


def test_sizes():
    assert growth.parse([]).batch == list(growth.SIZES["batch"])
    assert growth.parse([]).points == [10_000, 20_000, 40_000, 80_000, 120_000]
    quick = growth.parse(["--quick", "--widths", "32", "8", "8"])
    assert quick.side == list(growth.QUICK_SIZES["side"])
    assert quick.width == [8, 32]


def test_the_command(tmp_path, capsys, monkeypatch):
    def fake_memory(module, arguments):
        assert module == "benchmarks.growth"
        options = growth.parse(list(map(str, arguments)))
        if options.memory_of == "table":
            return {"seconds": options.size**2 / 1e6, "bytes": 2**20 * options.size}
        assert options.memory_of == "convolutional"
        return 2**20 * options.size**3

    monkeypatch.setattr(growth, "memory_of", fake_memory)
    path = tmp_path / "new" / "growth.json"
    arguments = ["--model", "convolutional", "--parts", "batch", "memory", "points"]
    sizes = ["--batch-sizes", "2", "4", "--points", "1000", "2000", "--steps", "1"]
    repeats = ["--repeats", "2", "--table-repeats", "3"]
    assert growth.main([*arguments, *sizes, *repeats, "--output", str(path)]) == 0
    printed = capsys.readouterr().out
    result = json.loads(path.read_text(encoding="utf-8"))
    batch = result["batch"]["convolutional"]
    assert batch["sizes"] == [2, 4]
    seconds = [
        [size / rate for rate in rates["rounds"]]
        for size, rates in zip([2, 4], batch["images_per_second"], strict=True)
    ]
    assert batch["exponent"] == pytest.approx(growth.exponents([2, 4], seconds))
    assert result["memory"]["convolutional"]["peak_bytes"] == [8 * 2**20, 64 * 2**20]
    assert result["memory"]["convolutional"]["exponent"] == pytest.approx(3)
    assert result["points"]["peak_bytes"] == [1_000 * 2**20, 2_000 * 2**20]
    assert result["points"]["seconds"][1]["rounds"] == [4.0, 4.0, 4.0]
    assert result["points"]["seconds_exponent"]["median"] == pytest.approx(2)
    assert result["points"]["bytes_exponent"] == pytest.approx(1)
    assert "side" not in result
    lines = printed.splitlines()
    assert any(line.split() == ["exponent", "3.00"] for line in lines)
    assert any(line.split() == ["2,000", "4.0", "2,000"] for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [["--sides", "12"], ["--sides", "18"], ["--widths", "6"], ["--points", "10"], ["--parts", "x"]],
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        growth.main(arguments)
    assert stop.value.code == 2
    assert f"error: argument {arguments[0]}: " in capsys.readouterr().err
