"""What commands write: progress that fits the place, and no chatter of TensorFlow's libraries."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from capsgan_keras.terminal import progress

ROOT = Path(__file__).parents[1]
TENSORFLOW = """
import os, sys
for line in (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795740876.851399    4272 port.cc:153] oneDNN custom operations are on.",
    "W0000 00:00:1795740876.851399    4272 port.cc:153] slow",
    "E0000 00:00:1795740876.851399    4272 port.cc:153] an error",
    "F0000 00:00:1795740876.851399    4272 port.cc:153] the end",
    "I say this in Python",
):
    os.write(2, line.encode() + b"\\n")
print("a line of Python", file=sys.stderr, flush=True)
"""
IMPORT = """
import importlib.util, sys
from runpy import run_path

quiet_tensorflow = run_path("capsgan_keras/terminal.py")["quiet_tensorflow"]
quiet_tensorflow()
quiet_tensorflow()
assert importlib.util.find_spec("tensorflow").origin == sys.argv[1]  # a look is no import
import tensorflow
import os
os.write(2, b"I0000 00:00:1795740876 later lines are TensorFlow's own affair\\n")
assert not [finder for finder in sys.meta_path if "Quiet" in type(finder).__name__]
"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal_alone(monkeypatch):
    for stream, expected in ((Terminal(), 1), (io.StringIO(), 2), (None, 2)):
        monkeypatch.setattr(sys, "stdout", stream)
        assert progress() == expected
        assert [progress(verbose) for verbose in (0, 1, 2)] == [0, 1, 2]


def lines_of_an_import(folder, text, **environment):
    """The status and the lines on standard error of a process that imports a TensorFlow."""
    package = folder / "tensorflow" / "__init__.py"
    package.parent.mkdir()
    package.write_text(text)
    without = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(package)],
        cwd=ROOT,
        env=without | {"PYTHONPATH": str(folder)} | environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, [line.split(" ")[0] for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "left"),
    [
        (None, "F0000 I a I0000"),
        ("2", "E0000 F0000 I a I0000"),
        ("1", "W0000 E0000 F0000 I a I0000"),
        ("0", "WARNING: I0000 W0000 E0000 F0000 I a I0000"),
        ("loud", "WARNING: I0000 W0000 E0000 F0000 I a I0000"),
    ],
)
def test_chatter_of_an_import_follows_the_log_level(tmp_path, level, left):
    environment = {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    assert lines_of_an_import(tmp_path, TENSORFLOW, **environment) == (0, left.split())


def test_nothing_is_lost_where_the_import_ends_the_process(tmp_path):
    status, lines = lines_of_an_import(tmp_path, TENSORFLOW + "os.abort()\n")
    assert status != 0
    assert lines == ["F0000", "I", "a"]


def test_an_import_that_fails_fails(tmp_path):
    status, lines = lines_of_an_import(tmp_path, TENSORFLOW + "raise ImportError('no such CPU')\n")
    assert status == 1
    assert lines[:3] == ["F0000", "I", "a"]
    assert lines[-1] == "ImportError:"
