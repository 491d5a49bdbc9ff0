import json
import sys

import numpy as np
import pytest

from benchmarks import generation
from benchmarks.material import synthetic_images, trained_gan
from benchmarks.measuring import DisagreementError, memory_of

SHAPE = (16, 16, 1)
TINY = ["--images", "40", "--plain-images", "30", "--repeats", "2"]


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(generation, "TRAINING_STEPS", 2)


@pytest.fixture
def no_timing(monkeypatch):
    monkeypatch.setattr(generation, "time_in_turn", lambda *a, **k: pytest.fail("timed"))


@pytest.mark.parametrize("model", generation.MODELS)
def test_plain_predictions_are_what_the_package_computes(model):
    gan = trained_gan(model, SHAPE, 8, 16)
    expected = gan.generate(70, seed=5)
    plain = generation.plain_generate(gan, 70, seed=5)
    assert (plain.shape, plain.dtype) == ((70, *SHAPE), np.uint8)
    assert np.ptp(expected) > 10
    assert np.abs(expected.astype(int) - plain).max() <= 1
    images, _ = synthetic_images(70, SHAPE)
    scores = generation.plain_discriminate(gan, images)
    assert np.ptp(scores) > 0.01
    np.testing.assert_allclose(gan.discriminate(images), scores, atol=1e-6)


def test_half_of_the_images_to_score_are_generated():
    gan = trained_gan("convolutional", SHAPE, 1, 16)
    images = generation.images_to_score(gan, 7)
    assert images.shape == (7, *SHAPE)
    np.testing.assert_array_equal(images[::2], gan.generate(4, seed=generation.SEED))
    assert images[::2].std() < 10 < images[1::2].std()


def values(pixels=0, score=0.0):
    """What both ways computed: 3 images and scores, of which the plain way has 2."""
    images = np.full((3, 2, 2, 1), 100, np.uint8)
    scores = np.array([0.2, 0.4, 0.6], np.float32)
    plain = images[:2].copy()
    plain[1, 0, 0] -= np.uint8(pixels)
    return {
        ("generate", "package"): images,
        ("generate", "plain"): plain,
        ("discriminate", "package"): scores,
        ("discriminate", "plain"): scores[:2] + np.float32(score),
    }


def test_one_grey_level_is_rounding():
    assert generation.compare(values()) == {"grey_levels": 0, "share_of_pixels": 0, "scores": 0}
    differences = generation.compare(values(pixels=1, score=5e-5))
    assert differences["grey_levels"] == 1
    assert differences["share_of_pixels"] == 1 / 8
    assert differences["scores"] == pytest.approx(5e-5, rel=1e-2)


@pytest.mark.parametrize("wrong", [{"pixels": 2}, {"score": 2e-4}, {"score": np.nan}])
def test_more_is_a_disagreement(wrong):
    with pytest.raises(DisagreementError, match="Received: "):
        generation.compare(values(**wrong))


def test_nothing_is_timed_where_scores_differ(tmp_path, capsys, monkeypatch, few_steps, no_timing):
    monkeypatch.setattr(
        generation, "plain_discriminate", lambda gan, images: gan.discriminate(images) + 0.01
    )
    path = tmp_path / "speed.json"
    arguments = [*TINY, "--model", "convolutional", "--output", str(path)]
    assert generation.main(arguments) == 1
    assert "error: Images differ by more than 1 grey level" in capsys.readouterr().err
    assert not path.exists()


def test_rates_are_those_of_an_image(monkeypatch, few_steps):
    seconds = {
        ("generate", "package"): [3.0, 6.0],
        ("generate", "plain"): [2.0, 2.0],
        ("discriminate", "package"): [1.0, 1.0],
        ("discriminate", "plain"): [1.0, 0.5],
    }
    monkeypatch.setattr(generation, "time_in_turn", lambda *a, **k: seconds)
    tasks = generation.measure("convolutional", SHAPE, 30, 10, repeats=2)["tasks"]
    assert tasks["generate"]["package"]["images_per_second"]["rounds"] == [10.0, 5.0]
    assert tasks["generate"]["plain"]["images_per_second"]["rounds"] == [5.0, 5.0]
    assert tasks["generate"]["times_plain"] == {"median": 1.5, "min": 1.0, "max": 2.0}
    assert tasks["discriminate"]["times_plain"] == {"median": 2.25, "min": 1.5, "max": 3.0}


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_is_what_all_images_take_beyond_one(monkeypatch):
    def job(task, way, gan, images, count):
        assert (task, way) == ("generate", "plain")
        return lambda: np.ones(count * 2**20, np.uint8)

    monkeypatch.setattr(generation, "job", job)
    peak = generation.memory("convolutional", "generate", "plain", SHAPE, 64)
    assert 60 * 2**20 < peak < 80 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_is_measured_in_a_process_of_its_own():
    arguments = ["--memory-of", "convolutional:discriminate:plain", "--images", "20000"]
    # The floats that all 20,000 images are turned into at once take 60 MiB.
    assert 55 * 2**20 < memory_of("benchmarks.generation", arguments) < 600 * 2**20


def test_the_command(tmp_path, capsys, monkeypatch, few_steps):
    def fake_memory(module, arguments):
        options = generation.parse(list(map(str, arguments)))
        assert (module, options.images) == ("benchmarks.generation", 40)
        assert options.dataset_shape == "mnist"
        model, task, way = options.memory_of.split(":")
        assert model == "convolutional"
        return 2**20 * (1 + generation.TASKS.index(task) + 10 * generation.WAYS.index(way))

    monkeypatch.setattr(generation, "memory_of", fake_memory)
    path = tmp_path / "new" / "speed.json"
    arguments = [*TINY, "--model", "convolutional", "--output", str(path)]
    assert generation.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "convolutional, 28x28x1; medians" in printed
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["settings"]["images"] == 40
    assert result["settings"]["plain_images_timed"] == 30
    assert result["machine"]["cores"] >= 1
    measured = result["models"]["convolutional"]
    assert measured["differences"]["grey_levels"] <= 1
    peaks = {"generate": (1, 11), "discriminate": (2, 12)}
    for task, ways in measured["tasks"].items():
        rounds = [ways[way]["images_per_second"]["rounds"] for way in generation.WAYS]
        ratios = sorted(one / other for one, other in zip(*rounds, strict=True))
        assert len(ratios) == 2
        assert ways["times_plain"]["min"] == pytest.approx(ratios[0])
        assert ways["times_plain"]["max"] == pytest.approx(ratios[1])
        assert (
            ways["package"]["peak_bytes"] / 2**20,
            ways["plain"]["peak_bytes"] / 2**20,
        ) == peaks[task]
    assert [file.name for file in path.parent.iterdir()] == ["speed.json"]


def test_a_file_that_cannot_be_written_shows_first(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(generation, "measure", lambda *arguments: pytest.fail("timed"))
    (tmp_path / "file").write_text("")
    assert generation.main(["--output", str(tmp_path / "file" / "speed.json")]) == 2
    assert "error: [Errno 17] File exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--images", "0"], ["--repeats", "x"], ["--model", "a"], ["--dataset-shape", ""]]
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        generation.main(arguments)
    assert stop.value.code == 2
    assert f"error: argument {arguments[0]}: " in capsys.readouterr().err
