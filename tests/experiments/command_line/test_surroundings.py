"""Streams, warnings and clocks that a command must not end by."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest

from benchmarks import measuring
from capsgan_keras.runs import load_run
from experiments.training.surroundings import check_surroundings

ROOT = Path(__file__).parents[3]
FILES = {"README.md", "config.json", "curves.png", "gan.keras", "history.csv", "metrics.json"}
WORK = """
import os, sys
from experiments.command_line.running import run

def work():
    print("first line")
    sys.stdout.flush()
    for _ in range(1000):
        print("\\u00b1", 100 * "-", "\\udcff")  # more than a pipe holds
    sys.stdout.flush()
    open(sys.argv[1], "w", encoding="utf-8").write("whole")

sys.exit(run("program", work, "Kept."))
"""


def start(code, path, redirection, **environment):
    """Run a command's work as `python -m` does, through a shell's redirection."""
    prepared = 'import sys; sys.argv[0] = "-m"; import experiments\n' + code
    command = shlex.join([sys.executable, "-c", prepared, str(path)])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="redirections of a POSIX shell")
@pytest.mark.parametrize("redirection", ["", ">&-", ">&- 2>&-", "<&- >&- 2>&-", "| head -1"])
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PYTHONUTF8": "0", "LC_ALL": "C"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1:strict"},
    ],
)
def test_what_is_printed_never_ends_the_work(tmp_path, redirection, environment):
    done = start(WORK, tmp_path / "file", redirection, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert (tmp_path / "file").read_text(encoding="utf-8") == "whole"
    if not redirection:
        assert done.stdout.startswith(b"first line\n")
        assert done.stdout.count(b"\\udcff\n") == 1000


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_under_the_output_never_ends_the_work(tmp_path):
    done = start(WORK, tmp_path / "file", "> /dev/full")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "whole"


def test_files_do_not_get_the_number_of_a_closed_stream(tmp_path):
    code = "import sys; f = open(sys.argv[1], 'w'); print(f.fileno(), file=f)"
    start(code, tmp_path / "file", "<&- >&- 2>&-")
    assert int((tmp_path / "file").read_text(encoding="utf-8")) > 2


def test_warnings_as_errors_end_neither_a_command_nor_its_processes():
    code = """
import subprocess, sys, warnings
warnings.warn("of a library", DeprecationWarning)
child = [sys.executable, *subprocess._args_from_interpreter_flags(), "-c"]
subprocess.run([*child, "import warnings; warnings.warn('of a child')"], check=True)
"""
    done = start(code, "-", "", PYTHONWARNINGS="error")
    assert done.returncode == 0, done.stderr


def test_a_warning_to_users_is_one_line_without_its_place():
    code = "import warnings; warnings.warn('too far'); warnings.warn('old', FutureWarning)"
    done = start(code, "-", "")
    first, second, *_ = done.stderr.decode().splitlines()
    assert first == "warning: too far"
    assert second.endswith("FutureWarning: old")


def test_a_figure_needs_no_display_and_no_backend():
    code = "import matplotlib.figure; print(matplotlib.get_backend())"
    done = start(code, "-", "", MPLBACKEND="bogus")
    assert (done.returncode, done.stdout.lower()) == (0, b"agg\n"), done.stderr


@pytest.mark.parametrize("module", ["gam", "publish", "study", "digits", "images"])
@pytest.mark.parametrize("by_file", [False, True])
def test_a_backend_that_is_not_installed(tmp_path, module, by_file):
    (tmp_path / "keras.json").write_text('{"backend": "bogus"}', encoding="utf-8")
    arguments = {"gam": ["x"], "publish": ["x"], "study": ["--only", "routings"], "images": ["x"]}
    code = f"""
from experiments{".study" if module == "study" else ""} import {
        "__main__ as command" if module == "study" else f"{module} as command"
    }
sys.exit(command.main({arguments.get(module, [])}))
"""
    where = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": ""}
    done = start(code, "-", "", **where if by_file else {"KERAS_BACKEND": "bogus"})
    assert done.returncode == 2
    lines = done.stderr.decode().splitlines()
    assert "must name an installed backend of Keras" in lines[0]
    assert lines[0].startswith(f"python -m experiments.{module}: error: ")
    assert not any(line.startswith("Traceback") for line in lines)


def test_benchmarks_on_a_backend_that_is_not_installed():
    code = "from benchmarks.__main__ import main; sys.exit(main(['--quick', 'capsules']))"
    done = start(code, "-", "", KERAS_BACKEND="bogus")
    assert done.returncode == 2
    assert b"error: The environment variable KERAS_BACKEND must name" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("floatx", "float16"), ("epsilon", 1e-3), ("image_data_format", "channels_first")],
)
def test_another_configuration_of_keras_is_refused(
    train, tmp_path, monkeypatch, capsys, name, value
):
    monkeypatch.setattr(keras.config, name, lambda: value)
    assert train("--model", "capsule") == 2
    error = capsys.readouterr().err
    assert f"Keras's own `{name}`" in error
    assert f"Received: {name}={value!r}" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("year", [1970, 1979, 2108])
def test_a_clock_that_no_archive_can_hold_is_refused(monkeypatch, year):
    now = time.struct_time((year, 1, 1, 0, 0, 0, 3, 1, 0))
    monkeypatch.setattr("experiments.training.surroundings.time.localtime", lambda: now)
    with pytest.raises(ValueError, match=f"year from 1980 to 2107.*Received: {year}"):
        check_surroundings()


def test_a_timer_that_stands_still(train, tmp_path, monkeypatch):
    monkeypatch.setattr("capsgan_keras.runs.callbacks.time.perf_counter", lambda: 5.0)
    assert train("--model", "capsule", "--epochs", "1") == 0
    run = load_run(tmp_path / "runs" / "capsule-seed0")
    assert run.metrics["seconds"] == run.metrics["images_per_second"] == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems want UTF-8 in names of files")
def test_names_that_are_no_utf8_go_through_a_run(tmp_path, train):
    name = os.fsdecode(b"r\xff\xe9")
    assert train("--epochs", "1", run_dir=tmp_path / name) == 0
    folder = tmp_path / name / "capsule-seed0"
    assert {path.name for path in folder.iterdir()} >= FILES
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert r"r\udcff\udce9/capsule-seed0" in card
    assert load_run(folder).gan.generate(1).shape == (1, 28, 28, 1)


def test_a_timer_that_stands_still_divides_by_nothing(monkeypatch):
    monkeypatch.setattr("benchmarks.measuring.time.perf_counter", lambda: 5.0)
    seconds = measuring.time_in_turn({"a": int, "b": int}, calls=2, rounds=2)
    assert measuring.ratios(seconds["a"], seconds["b"]) == {"median": 1.0, "min": 1.0, "max": 1.0}
