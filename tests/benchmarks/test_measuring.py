import os
import sys

import numpy as np
import pytest

from benchmarks import measuring


def hold(mebibytes):
    np.ones(mebibytes * 2**20, np.uint8)


def test_functions_take_turns():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    seconds = measuring.time_in_turn(functions, calls=3, rounds=2, warm_up=2)
    assert calls == ["a", "a", "b", "b"] + 2 * ["a", "a", "a", "b", "b", "b"]
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}


def test_what_was_called_before_needs_no_warm_up():
    calls = []
    measuring.time_in_turn({"a": lambda: calls.append("a")}, calls=1, rounds=3, warm_up=0)
    assert calls == ["a", "a", "a"]


def test_seconds_are_those_of_one_call(monkeypatch):
    clock = iter([0.0, 3.0, 5.0, 9.5])
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(clock))
    assert measuring.time_in_turn({"a": lambda: None}, 3, rounds=2) == {"a": [1.0, 1.5]}


def test_ratios_are_taken_within_each_round():
    expected = {"median": 3.0, "min": 2.0, "max": 4.0}
    assert measuring.ratios([30.0, 8.0, 20.0], [10.0, 2.0, 10.0]) == expected


def test_exponents_are_fitted_within_rounds():
    fitted = measuring.exponent([1, 2], [[1.0, 1.0, 1.0], [2.0, 4.0, 1.0]])
    assert fitted == pytest.approx({"median": 1, "min": 0, "max": 2}, abs=1e-9)
    sizes = [1, 2, 4, 8]
    squares = measuring.exponent(sizes, [[3 * size**2] for size in sizes])
    assert squares["median"] == pytest.approx(2)
    # The middle of three points that are evenly apart does not tilt a line.
    assert measuring.exponent([1, 10, 100], [[1], [77], [100]])["median"] == pytest.approx(1)
    for missing in (None, 0):
        assert measuring.exponent([1, 2], [[1], [missing]]) is None


def test_costs_are_drawn_on_from_the_largest_size():
    drawn = measuring.draw_on([1, 4], [2.0, 16.0], 400)
    assert drawn.pop("exponent")["median"] == pytest.approx(1.5)
    assert drawn == pytest.approx({"by_power": 16e3, "by_square": 16e4})
    assert set(measuring.draw_on([1, 4], [None, 16.0], 400).values()) == {None}
    # A cost with a fixed part lies between both.
    drawn = measuring.draw_on([1, 2, 4], [50 + size + size**2 for size in (1, 2, 4)], 16)
    assert drawn["by_power"] < 50 + 16 + 256 < drawn["by_square"]


def test_differences_are_shares_of_the_largest_value():
    assert measuring.difference([1.0, 4.5], [1.0, -5.0]) == pytest.approx(9.5 / 5)
    assert measuring.difference([1.0, 2.0], [1.0, 2.0]) == 0.0


@pytest.mark.parametrize("value", [0.02, np.nan])
def test_values_that_differ_are_refused(value):
    measuring.check_values("All", {"one": 0.01}, 0.01)
    with pytest.raises(measuring.DisagreementError, match=r"All must agree .* within 0\.01\."):
        measuring.check_values("All", {"one": 0.0, "other": value}, 0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_peak_memory_counts_what_is_freed_again():
    assert 60 * 2**20 < measuring.peak_memory(lambda: hold(64)) < 80 * 2**20
    assert measuring.peak_memory(lambda: None) < 5 * 2**20


def test_a_process_of_its_own():
    # Functions of the standard library, so that the process need not import Keras.
    assert measuring.in_own_process(pow, 2, 5) == 32
    assert measuring.in_own_process(os.getpid) != os.getpid()
    assert measuring.in_own_process(os.getpid, quick=True) == os.getpid()


def test_the_processors_name(tmp_path):
    listed = tmp_path / "cpuinfo"
    listed.write_text("processor\t: 0\nmodel name\t: A: fast\nmodel name\t: B\n")
    assert measuring.processor(listed) == "A: fast"
    assert measuring.processor(tmp_path / "none")
