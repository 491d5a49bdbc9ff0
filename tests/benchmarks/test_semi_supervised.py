import json
import sys

import numpy as np
import pytest

from benchmarks import semi_supervised
from benchmarks.measuring import DisagreementError, memory_of


@pytest.fixture(scope="module")
def data():
    return semi_supervised.load("synthetic", 1_000)


@pytest.fixture
def no_timing(monkeypatch):
    monkeypatch.setattr(semi_supervised, "time_in_turn", lambda *a, **k: pytest.fail("timed"))


def test_the_command_compares_labels_and_writes_its_ratio(tmp_path, capsys, monkeypatch):
    def fake_memory(module, arguments):
        options = semi_supervised.parse(list(map(str, arguments)))
        assert (module, options.points) == ("benchmarks.semi_supervised", [1_000])
        return {"package": 3 * 2**20, "scikit-learn": 7 * 2**20}[options.memory_of]

    monkeypatch.setattr(semi_supervised, "memory_of", fake_memory)
    output = tmp_path / "new" / "ratio.json"
    arguments = ["--points", "1000", "--repeats", "2", "--output", str(output)]
    assert semi_supervised.main(arguments) == 0
    (result,) = json.loads(output.read_text())["results"]
    assert result["points"] == 1_000
    assert result["agreement"] == 1
    assert result["differing_labels"] == [0, 0, 0]
    assert result["n_labelled"] == [2, 20, 200]
    assert result["n_test"] == 200
    # Two models on one side; two models and five draws of each cell on the other.
    ours = [2 * seconds for seconds in result["package_one_model_seconds"]]
    naive = [10 * sum(cells) for cells in zip(*result["scikit_learn_cell_seconds"], strict=True)]
    ratios = sorted(one / other for one, other in zip(naive, ours, strict=True))
    assert len(ratios) == 2
    assert result["ratio"]["min"] == pytest.approx(ratios[0])
    assert result["ratio"]["max"] == pytest.approx(ratios[1])
    assert result["peak_bytes"] == {"package": 3 * 2**20, "scikit-learn": 7 * 2**20}
    printed = capsys.readouterr().out
    assert f"{result['ratio']['median']:.1f}" in printed
    assert "100.000% of the labels are the same" in printed


def test_nothing_is_timed_where_labels_differ(tmp_path, capsys, monkeypatch, no_timing):
    right = semi_supervised.scikit_learn

    def wrong(unlabelled, x_labelled, y_labelled, x_test):
        labels = right(unlabelled, x_labelled, y_labelled, x_test)
        labels[0] = (labels[0] + 1) % 10
        return labels

    monkeypatch.setattr(semi_supervised, "scikit_learn", wrong)
    path = tmp_path / "ratio.json"
    assert semi_supervised.main(["--points", "1000", "--output", str(path)]) == 1
    printed = capsys.readouterr().err
    assert "error: Of the labels predicted, 99.9% must be scikit-learn's" in printed
    assert "differing: [1, 1, 1]" in printed
    assert not path.exists()


def test_the_timed_table_is_the_compared_one(data):
    table = semi_supervised.make_table(*data)
    errors = [cell.error for cell in table.cells if cell.draw == 0]
    assert len(errors) == 3
    assert len(table.cells) == 15
    _, expected = semi_supervised.compare(*data, semi_supervised.numbers_of_labels(1_000))
    assert errors == expected
    semi_supervised.check_errors([table], expected, [0.0, 0.0, 0.0])
    wrong = [errors[0], errors[1] + 0.005, errors[2]]
    with pytest.raises(DisagreementError, match="errors in the first draw"):
        semi_supervised.check_errors([table], wrong, [0.0, 0.0, 0.0])
    semi_supervised.check_errors([table], wrong, [0.0, 0.005, 0.0])


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_of_each_way(data, monkeypatch):
    def hold(mebibytes):
        np.ones(mebibytes * 2**20, np.uint8)

    monkeypatch.setattr(semi_supervised, "make_table", lambda *arguments: hold(64))
    monkeypatch.setattr(semi_supervised, "scikit_learn", lambda *arguments: hold(128))
    assert 60 * 2**20 < semi_supervised.memory("package", *data) < 80 * 2**20
    assert 120 * 2**20 < semi_supervised.memory("scikit-learn", *data) < 150 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_is_measured_in_a_process_of_its_own():
    arguments = ["--memory-of", "scikit-learn", "--points", "2000"]
    # float64 features of 2,400 points take 14 MiB.
    assert 14 * 2**20 < memory_of("benchmarks.semi_supervised", arguments) < 100 * 2**20


def test_data_that_cannot_be_had(tmp_path, capsys, monkeypatch, no_timing):
    monkeypatch.setenv("CAPSGAN_DATA_DIR", str(tmp_path / "none"))
    output = ["--output", str(tmp_path / "ratio.json")]
    assert semi_supervised.main(["--data", "mnist", "--points", "1000", *output]) == 2
    assert "error: " in capsys.readouterr().err
    small = [(np.zeros((1_100, 2, 2, 1), np.uint8), np.zeros(1_100, int))] * 2
    monkeypatch.setattr("capsgan_keras.datasets.load_dataset", lambda name: small)
    assert semi_supervised.main(["--data", "mnist", "--points", "1000", *output]) == 2
    assert "1000 points need 1200 and 200" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--points", "999"], ["--repeats", "0"], ["--data", "x"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        semi_supervised.main(arguments)
    assert stop.value.code == 2
    assert f"error: argument {arguments[0]}: " in capsys.readouterr().err
