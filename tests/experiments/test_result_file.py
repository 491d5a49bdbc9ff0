import pytest

from experiments.errors import EvaluationError
from experiments.result_file import ResultFile


def write(path, settings):
    file = ResultFile(path, "metric", {"settings": settings, "filters": (64, 128)})
    file.results = {"error": 0.5}
    file.write(finished=True)


def read(path, settings):
    return ResultFile(path, "metric", {"settings": settings, "filters": (64, 128)})


def test_results_with_the_same_identity_are_taken_up(tmp_path):
    write(tmp_path / "metric.json", {"rate": 1e-4})
    file = read(tmp_path / "metric.json", {"rate": 1e-4})
    assert file.finished
    assert file.results == {"error": 0.5}


def test_a_setting_that_came_later_makes_no_difference_while_it_is_none(tmp_path):
    path = tmp_path / "metric.json"
    write(path, {"rate": 1e-4})
    assert read(path, {"rate": 1e-4, "dropout": None}).finished
    with pytest.raises(
        EvaluationError, match=r"other runs or settings[^\n]*\n  settings\.dropout: null, 0\.3$"
    ):
        read(path, {"rate": 1e-4, "dropout": 0.3})


def test_a_setting_that_is_no_longer_given_makes_a_difference_unless_it_was_none(tmp_path):
    path = tmp_path / "metric.json"
    write(path, {"rate": 1e-4, "dropout": 0.3, "padding": None})
    assert read(path, {"rate": 1e-4, "dropout": 0.3}).finished
    with pytest.raises(EvaluationError, match=r"settings\.dropout: 0\.3, null"):
        read(path, {"rate": 1e-4})
