import argparse
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import measuring


def test_functions_take_turns():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = measuring.time_in_turn(functions, calls=3, repeats=2)
    warm_up = ["a"] * measuring.WARM_UP + ["b"] * measuring.WARM_UP
    assert calls == warm_up + 2 * ["a", "a", "a", "b", "b", "b"]
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}


def test_what_was_called_before_needs_no_warm_up():
    calls = []
    measuring.time_in_turn({"a": lambda: calls.append("a")}, calls=1, repeats=3, warm_up=0)
    assert calls == ["a", "a", "a"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (measuring.DisagreementError("other values"), 1),
        (measuring.CannotMeasureError("no data"), 2),
        (subprocess.CalledProcessError(3, ["python"]), 2),
        (NotImplementedError("no backend"), 2),
        (OSError("no space"), 2),
    ],
)
def test_what_stops_a_benchmark_is_told_in_a_line(error, status, capsys):
    def run(options):
        assert options == "options"
        raise error

    assert measuring.run_command("name", run, "options") == status
    assert capsys.readouterr().err == f"python -m benchmarks.name: error: {error}\n"
    assert measuring.run_command("name", lambda options: None, "options") == 0


def test_seconds_are_those_of_one_call(monkeypatch):
    clock = iter([0.0, 3.0, 5.0, 9.5])
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(clock))
    assert measuring.time_in_turn({"a": lambda: None}, 3, repeats=2) == {"a": [1.0, 1.5]}


def test_ratios_are_taken_within_each_round():
    assert measuring.ratios([30.0, 8.0, 20.0], [10.0, 2.0, 10.0]) == {
        "median": 3.0,
        "min": 2.0,
        "max": 4.0,
    }


def test_cells():
    assert measuring.cell({"median": 2.0, "min": 1.25, "max": 3.0}, ".1f") == "2.0 (1.2-3.0)"
    assert measuring.cell({"median": 2.0, "min": 2.0, "max": 2.0}, ".1f") == "2.0"
    assert measuring.cell(3, ".1f") == "3.0"
    assert measuring.cell(None, ".1f") == "-"
    assert measuring.mebibytes(1536 * 2**20) == "1,536"
    assert measuring.mebibytes(None) == "-"


def test_the_file_to_write_is_made_sure_of(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "FOLDER", tmp_path / "results")
    path = measuring.output_file(None, "speed.json")
    assert path == tmp_path / "results" / "speed.json"
    assert path.parent.is_dir()
    assert not path.exists()
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        measuring.output_file(tmp_path, "speed.json")
    path.write_text("{}")
    assert measuring.output_file(path, "other.json") == path
    with pytest.raises(FileExistsError):
        measuring.output_file(path / "speed.json", "other.json")


@pytest.mark.parametrize("text", ["0", "-3"])
def test_positive_numbers(text):
    assert measuring.positive("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match=f"Received: {text}"):
        measuring.positive(text)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_peak_memory_counts_what_is_freed_again():
    def hold(mebibytes):
        np.ones(mebibytes * 2**20, np.uint8)

    assert 60 * 2**20 < measuring.peak_memory(lambda: hold(64)) < 80 * 2**20
    assert measuring.peak_memory(lambda: None) < 5 * 2**20
