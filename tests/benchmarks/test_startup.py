import json
import sys

import pytest

from benchmarks import startup
from benchmarks.measuring import CannotMeasureError

PRINTS = """
import sys, time
print("alpha", flush=True)
time.sleep(0.3)
print("beta ", end="", flush=True)
time.sleep(0.3)
print("gamma delta", flush=True)
time.sleep(60)
open("END", "w").close()
"""


def test_marks_are_seen_as_they_are_printed_and_the_last_ends_it(tmp_path):
    marks = {"one": b"al.ha", "two": b"bet", "three": b"gamma", "four": b"delta"}
    seconds = startup.watch(["-c", PRINTS.replace("END", str(tmp_path / "end"))], marks)
    assert not (tmp_path / "end").exists()  # it was ended before it came so far
    assert list(seconds) == list(marks)
    assert 0 < seconds["one"] < seconds["two"] < seconds["three"]
    assert seconds["three"] == seconds["four"]  # in one piece


def test_marks_come_in_their_order():
    script = "print('beta'); print('alpha'); print('beta again')"
    seconds = startup.watch(["-c", script], {"one": b"alpha", "two": b"beta"})
    assert list(seconds) == ["one", "two"]
    with pytest.raises(CannotMeasureError, match="ended before its two"):
        startup.watch(["-c", "print('beta'); print('alpha')"], {"one": b"alpha", "two": b"beta"})


def test_what_stopped_it_is_told():
    script = "print('alpha'); raise OSError('no space')"
    with pytest.raises(CannotMeasureError, match=r"ended before its two: OSError: no space$"):
        startup.watch(["-c", script], {"one": b"alpha", "two": b"beta"})


def test_much_on_standard_error_stops_nothing():
    script = "import sys; sys.stderr.write(200_000 * 'x'); print('alpha')"
    assert startup.watch(["-c", script], {"one": b"alpha"})["one"] > 0


def test_parts_are_differences():
    rounds = [
        {"import": 2.0, "data": 2.5, "building": 3.0, "first step": 5.0},
        {"import": 3.0, "data": 3.25, "building": 4.0, "first step": 5.0},
    ]
    parts = startup.summarize(rounds)
    assert list(parts) == list(startup.PARTS)
    assert [each["rounds"] for each in parts.values()] == [
        [2.0, 3.0],
        [0.5, 0.25],
        [0.5, 0.75],
        [2.0, 1.0],
    ]
    assert parts["first step"]["median"] == 1.5


def test_rounds_are_counted_after_the_first(monkeypatch):
    calls = []

    def watch(words, marks):
        calls.append(words)
        last = len(calls)
        return {part: last + index for index, part in enumerate(marks)}

    monkeypatch.setattr(startup, "watch", watch)
    starts = startup.measure_start(("capsule", "convolutional"), repeats=2)
    assert [words[:2] for words in calls] == 3 * [
        startup.IMPORT,
        ["-m", "experiments.digits"],
        ["-m", "experiments.digits"],
    ]
    assert [words[3] for words in calls if words[0] == "-m"] == 3 * ["capsule", "convolutional"]
    # Calls 4 and 7 import, 5 and 8 start the CapsuleGAN.
    assert starts["capsule"]["parts"]["import"]["rounds"] == [4, 7]
    assert starts["capsule"]["parts"]["data"]["rounds"] == [1, 1]
    assert starts["capsule"]["total"] == {"median": 8.5, "min": 7, "max": 10}
    assert starts["convolutional"]["total"]["max"] == 11


def test_the_marks_are_what_the_experiment_prints(tmp_path):
    assert list(startup.MARKS) == list(startup.PARTS[1:])
    # The smallest networks, which say the same.
    small = ["--capsule-filters", "4", "--generator-filters", "4", "4", "--n-channels", "1"]
    words = ["-m", startup.EXPERIMENT, "--model", "capsule", "--run-dir", str(tmp_path), *small]
    seconds = startup.watch(words, startup.MARKS)
    assert 0 < seconds["data"] < seconds["building"] < seconds["first step"]
    (run,) = tmp_path.iterdir()
    assert not list(run.glob("checkpoint*"))  # it was ended in its first epoch


def test_importing_is_told():
    command = [part.replace("experiments.training.train", "json") for part in startup.IMPORT]
    assert startup.watch(command, {"import": startup.IMPORTED.encode()})["import"] > 0


def test_help_is_timed(monkeypatch):
    answers = startup.measure_help(repeats=2)
    assert len(answers["seconds"]["rounds"]) == 2
    assert answers["python_alone_seconds"]["min"] > 0
    pairs = zip(
        answers["seconds"]["rounds"], answers["python_alone_seconds"]["rounds"], strict=True
    )
    ratios = sorted(one / other for one, other in pairs)
    assert answers["times_python"]["max"] == pytest.approx(ratios[1])


def test_the_command(tmp_path, capsys, monkeypatch):
    times = {"import": 2.0, "data": 2.5, "building": 3.0, "first step": 5.0}

    def watch(words, marks):
        return {part: times[part] for part in marks}

    monkeypatch.setattr(startup, "watch", watch)
    path = tmp_path / "new" / "startup.json"
    arguments = ["--model", "capsule", "--repeats", "2", "--help-repeats", "1"]
    assert startup.main([*arguments, "--output", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "5.00" in printed
    result = json.loads(path.read_text(encoding="utf-8"))
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    assert list(result["first_step"]) == ["capsule"]
    assert result["first_step"]["capsule"]["parts"]["building"]["rounds"] == [0.5, 0.5]
    assert result["help"]["seconds"]["median"] > 0


def test_a_command_that_fails_is_told(tmp_path, capsys, monkeypatch):
    output = ["--output", str(tmp_path / "startup.json")]
    monkeypatch.setattr(startup, "EXPERIMENT", "experiments.none")
    assert startup.main(output) == 2
    assert "returned non-zero exit status 1" in capsys.readouterr().err
    monkeypatch.setattr(startup, "measure_help", lambda repeats: {})
    monkeypatch.setattr(startup, "IMPORT", ["-c", f"print({startup.IMPORTED!r})"])
    assert startup.main(output) == 2
    assert "ended before its data: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--repeats", "0"], ["--help-repeats", "x"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        startup.main(arguments)
    assert stop.value.code == 2
    assert f"error: argument {arguments[0]}: " in capsys.readouterr().err


def test_python_is_this_one(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(FileNotFoundError):
        startup.watch(["-c", "pass"], {"one": b"alpha"})
