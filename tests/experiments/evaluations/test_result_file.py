import pytest

from experiments.errors import EvaluationError
from experiments.evaluations.result_file import ResultFile


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


@pytest.mark.parametrize("text", ['{"format":', "rubbish"])
def test_a_damaged_file_is_replaced_on_request_only(tmp_path, text):
    path = tmp_path / "metric.json"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=r"metric\.json: could not be read.*\n.*--overwrite"):
        ResultFile(path, "metric", {})
    assert path.read_text() == text
    ResultFile(path, "metric", {}, overwrite=True).write(finished=True)
    assert ResultFile(path, "metric", {}).finished


def test_what_is_no_result_file_is_never_replaced(tmp_path):
    path = tmp_path / "metric.json"
    path.write_text('{"format": "capsgan_keras metric 1", "identity": {}, "results": {}}')
    with pytest.raises(EvaluationError, match=r"holds no results: it lacks finished$"):
        ResultFile(path, "metric", {}, overwrite=True)


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(EvaluationError, match=r"--output must be a folder.*/file, a file"):
        ResultFile(tmp_path / "file" / "inner" / "metric.json", "metric", {})
