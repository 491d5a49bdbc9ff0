"""Which model each measure prefers."""

from types import SimpleNamespace

import numpy as np
import pytest

from capsgan_keras.evaluation import TournamentResult, TournamentRow
from experiments.reports.metric_tables import _mean_and_range, _measures_table
from experiments.reports.text import difference, mean_and_deviation

NAMES = ("convolutional-seed0", "convolutional-seed1", "capsule-seed0", "capsule-seed1")
GROUPS = [list(NAMES[:2]), list(NAMES[2:])]
CLEAR = np.array(
    # Discriminators of the convolutional GAN hardly know CapsuleGAN's images, its own know all.
    [[0.5, 0.5, 0.1, 0.12], [0.5, 0.5, 0.11, 0.13], [0.9, 0.92, 0.5, 0.5], [0.91, 0.93, 0.5, 0.5]]
)


def results_of(accuracies, logs=True):
    rows = tuple(
        TournamentRow(
            name,
            0.5,
            0.9,
            dict(zip(NAMES, map(float, row), strict=True)),
            dict.fromkeys(NAMES, 0.5),
            -0.1 if logs else None,
            dict(zip(NAMES, map(float, np.log(0.01 + row)), strict=True)) if logs else None,
        )
        for name, row in zip(NAMES, accuracies, strict=True)
    )
    whole = TournamentResult(rows, 0.1, 1_000, 10, 0)
    return SimpleNamespace(tournaments={"paper": whole, "calibrated": whole})


def cells(text, name):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name}")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_all_measures_prefer_the_model_that_is_ahead():
    results = results_of(CLEAR)
    text = _measures_table(results, GROUPS)
    rates = results.tournaments["paper"].error_rates(GROUPS)
    for name, key in (("GAM-II, average error", "average"), ("GAM-II, worst error", "worst")):
        convolutional, capsule = rates[key][:2], rates[key][2:]
        assert cells(text, f"{name}, cut 0.5") == [
            mean_and_deviation(convolutional, ".3f"),
            mean_and_deviation(capsule, ".3f"),
            difference(convolutional, capsule, ".3f"),
            "CapsuleGAN",
        ]
    for rule in ("the paper's rule", "battle.py's rule"):
        expected = ["0", "4", "", "CapsuleGAN"]
        assert cells(text, f"pairs won by {rule}, cut calibrated") == expected
    assert cells(text, "rating of the generator, cut 0.5")[-1] == "CapsuleGAN"
    assert cells(text, "log ratio")[-1] == "CapsuleGAN"
    swapped = _measures_table(results_of(CLEAR[::-1, ::-1]), GROUPS)
    for line in swapped.splitlines()[2:]:
        if line.startswith("|"):
            assert line.endswith("| convolutional GAN |")


@pytest.mark.parametrize(
    ("change", "name"),
    [((2, 0), "battle.py's rule, cut 0.5"), ((2, 1), "the paper's rule, cut 0.5")],
)
def test_pairs_that_disagree_prefer_nobody(change, name):
    accuracies = CLEAR.copy()
    accuracies[change] = 0.05  # that discriminator of CapsuleGAN misses these images
    text = _measures_table(results_of(accuracies), GROUPS)
    assert cells(text, f"pairs won by {name}") == ["1", "3", "", "nobody"]


def test_an_interval_around_zero_prefers_nobody():
    accuracies = CLEAR.copy()
    accuracies[:2, 3] = 0.95
    text = _measures_table(results_of(accuracies), GROUPS)
    assert cells(text, "GAM-II, average error, cut 0.5")[-1] == "nobody"


def test_the_log_ratio_has_an_interval_over_the_seeds_of_both_models(monkeypatch):
    """Where what the runs do to it adds up, it is Welch's interval of these effects."""
    a, b = np.array([0.2, -0.1]), np.array([1.3, 1.9])
    effects = dict(zip(NAMES, [*a, *b], strict=True))
    monkeypatch.setattr(
        TournamentResult, "log_ratio", lambda self, a, b: float(effects[b] - effects[a])
    )
    line = cells(_measures_table(results_of(CLEAR), GROUPS), "log ratio")
    assert line == ["", "", difference(a, b, ".3f"), "nobody"]
    assert line[2].startswith("+1.550 [-")


def test_older_results_have_no_log_ratio():
    assert "| log ratio" in _measures_table(results_of(CLEAR), GROUPS)
    assert "| log ratio" not in _measures_table(results_of(CLEAR, logs=False), GROUPS)


def test_ratios_without_a_value_are_counted():
    """A ratio is undefined where a discriminator is never right."""
    assert _mean_and_range([1.0, 2.0]) == "1.500 ± 0.707 (1.000 to 2.000)"
    text = _mean_and_range([1.0, None, 2.0])
    assert text == "1.500 ± 0.707 (1.000 to 2.000; undefined in 1 of 3)"
    assert _mean_and_range([None]) == "undefined"
