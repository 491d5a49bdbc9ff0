import json

import numpy as np
import pytest

from benchmarks import gam
from benchmarks.material import synthetic_images, trained_gan
from benchmarks.measuring import CannotMeasureError, DisagreementError
from capsgan_keras.losses import MarginLoss

SHAPE = (16, 16, 1)


class Judge:
    """A model whose images are grey and whose scores are known, and that counts its passes."""

    def __init__(self, grey, scores, loss):
        self.grey = grey
        self.scores = scores
        self.loss = loss
        self.generated = self.scored = 0

    def generate(self, n, seed=None):
        assert seed == gam.SEED
        self.generated += 1
        return np.full((n, *SHAPE), self.grey, np.uint8)

    def discriminate(self, images):
        self.scored += 1
        return np.resize(np.array(self.scores[int(images[0, 0, 0, 0])]), len(images))


@pytest.fixture
def judges(monkeypatch):
    """Generated images of a are 1, those of b 2, test images 3."""
    monkeypatch.setattr(gam, "plain_generate", lambda model, n, seed: model.generate(n, seed))
    monkeypatch.setattr(gam, "plain_discriminate", lambda model, images: model.discriminate(images))
    return {
        "a": Judge(1, {2: [0.1, 0.2, 0.3, 0.55], 3: [0.2, 0.56, 0.7, 0.8]}, "binary_crossentropy"),
        # Its calibrated cut is 0.6333.
        "b": Judge(2, {1: [0.1, 0.6, 0.7, 0.9], 3: [0.4, 0.5, 0.64, 0.9]}, MarginLoss()),
    }


EXPECTED = {
    "auc": {"d_a": 13.5 / 16, "d_b": 7.5 / 16},  # of 16 pairs; a tie counts half
    "paper": {
        "d_a_on_g_b": 0.75,
        "d_b_on_g_a": 0.25,
        "d_a_on_test": 0.75,
        "d_b_on_test": 0.75,
        "r_samples": 3.0,
        "r_test": 1.0,
    },
    "calibrated": {
        "d_a_on_g_b": 0.75,
        "d_b_on_g_a": 0.5,
        "d_a_on_test": 0.75,
        "d_b_on_test": 0.5,
        "r_samples": 1.5,
        "r_test": 1.5,
    },
}


@pytest.mark.parametrize(
    ("way", "generated", "scored"), [("package", 2, 4), ("one_pass", 2, 4), ("naive", 6, 12)]
)
def test_all_ways_compute_the_metric_in_so_many_passes(judges, way, generated, scored):
    x_test = np.full((4, *SHAPE), 3, np.uint8)
    assert getattr(gam, way)(judges, x_test, 4) == EXPECTED
    assert sum(judge.generated for judge in judges.values()) == generated
    assert sum(judge.scored for judge in judges.values()) == scored


def test_ratios_without_a_denominator(judges):
    judges["b"].scores[1] = [0.9]
    x_test = np.full((4, *SHAPE), 3, np.uint8)
    for way in (gam.package, gam.one_pass, gam.naive):
        assert way(judges, x_test, 4)["paper"]["r_samples"] is None


def test_values_are_compared():
    same = {"paper": {"r_samples": 1.0, "r_test": None}}
    assert gam.check("naive", same, same) == 0.0
    near = {"paper": {"r_samples": 1.0005, "r_test": None}}
    assert gam.check("naive", near, same) == pytest.approx(5e-4)
    for wrong in (
        {"r_samples": 1.002, "r_test": None},
        {"r_samples": np.nan, "r_test": None},
        {"r_samples": None, "r_test": None},
        {"r_samples": 1.0, "r_test": 1.0},
    ):
        with pytest.raises(DisagreementError, match="naive, differs from the package's"):
            gam.check("naive", {"paper": wrong}, same)


@pytest.mark.parametrize("value", [0.0, 0.05, 0.96, 1.0])
def test_saturated_values_are_refused(value):
    gam.check_saturation(EXPECTED)
    saturated = EXPECTED | {"calibrated": EXPECTED["calibrated"] | {"d_b_on_test": value}}
    with pytest.raises(
        CannotMeasureError, match=rf"Received: d_b_on_test \(calibrated\) = {value}"
    ):
        gam.check_saturation(saturated)


@pytest.fixture
def any_accuracy(monkeypatch):
    """Networks that have hardly been trained tell all or nothing."""
    monkeypatch.setattr(gam, "ACCURACIES", (-0.1, 1.1))


@pytest.fixture(scope="module")
def gans():
    return {
        name: trained_gan(model, SHAPE, 4, 16)
        for name, model in (("a", "convolutional"), ("b", "capsule"))
    }


def test_ways_agree_on_networks_and_ratios_are_taken_within_rounds(gans, monkeypatch, any_accuracy):
    seconds = {"package": [1.0, 2.0], "one pass": [2.0, 3.0], "naive": [5.0, 6.0]}
    monkeypatch.setattr(gam, "time_in_turn", lambda *a, **k: seconds)
    result = gam.measure(gans, synthetic_images(60, SHAPE, seed=1)[0], 50, repeats=2)
    assert result["times_package"]["naive"] == {"median": 4.0, "min": 3.0, "max": 5.0}
    assert result["times_package"]["one pass"] == {"median": 1.75, "min": 1.5, "max": 2.0}
    assert max(result["differences"]["values"].values()) <= gam.TOLERANCE
    assert {"d_a", "d_b"} == set(result["values"]["auc"])
    accuracies = [result["values"]["paper"][key] for key in ("d_a_on_test", "d_b_on_test")]
    assert result["values"]["paper"]["r_test"] == pytest.approx(accuracies[0] / accuracies[1])


def test_nothing_is_timed_where_a_way_is_wrong(gans, monkeypatch, any_accuracy):
    monkeypatch.setattr(gam, "time_in_turn", lambda *a, **k: pytest.fail("timed"))
    x_test = synthetic_images(60, SHAPE, seed=1)[0]

    def wrong(*arguments):
        values = gam.one_pass(*arguments)
        values["calibrated"]["d_b_on_test"] += 0.05
        return values

    monkeypatch.setattr(gam, "naive", wrong)
    with pytest.raises(DisagreementError, match=r"d_b_on_test \(calibrated\), naive"):
        gam.measure(gans, x_test, 50, repeats=2)


def test_scores_of_each_others_images_are_compared(gans, monkeypatch):
    monkeypatch.setattr(gam, "time_in_turn", lambda *a, **k: pytest.fail("timed"))
    plain = gam.plain_discriminate

    def wrong(gan, images):
        scores = plain(gan, images)
        scores[60:] += 0.01  # those of the test images, which come first, are right
        return scores

    monkeypatch.setattr(gam, "plain_discriminate", wrong)
    with pytest.raises(DisagreementError, match="from plain predictions"):
        gam.measure(gans, synthetic_images(60, SHAPE, seed=1)[0], 50, repeats=2)


def test_more_test_images_than_there_are(tmp_path, capsys, monkeypatch):
    given = (None, None), (np.zeros((30, 28, 28, 1), np.uint8), None)
    monkeypatch.setattr("capsgan_keras.datasets.load_dataset", lambda name: given)
    sizes = ["--test-images", "31", "--output", str(tmp_path / "gam.json")]
    assert gam.main(sizes) == 2
    assert "must be at most 30, those of MNIST. Received: 31" in capsys.readouterr().err


def test_the_command(tmp_path, capsys, monkeypatch, any_accuracy):
    x_test = (np.random.default_rng(0).random((30, 28, 28, 1)) * 256).astype(np.uint8)
    given = (None, None), (x_test, None)
    monkeypatch.setattr("capsgan_keras.datasets.load_dataset", lambda name: given)
    path = tmp_path / "new" / "gam.json"
    sizes = ["--images", "40", "--test-images", "30", "--repeats", "1"]
    assert gam.main([*sizes, "--output", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "40 images of each model, 30 test images" in printed
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["settings"]["cuts"] == ["paper", "calibrated"]
    for way in gam.WAYS:
        assert result["seconds"][way]["median"] > 0
        assert f"{result['seconds'][way]['median']:.2f}" in printed
    ratio = result["seconds"]["naive"]["median"] / result["seconds"]["package"]["median"]
    assert result["times_package"]["naive"]["median"] == pytest.approx(ratio)
    for differences in result["differences"]["predictions"].values():
        assert differences["grey_levels"] <= 1
        assert differences["scores"] <= 1e-4


@pytest.mark.parametrize("arguments", [["--images", "0"], ["--test-images", "-1"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        gam.main(arguments)
    assert stop.value.code == 2
    assert f"error: argument {arguments[0]}: " in capsys.readouterr().err
