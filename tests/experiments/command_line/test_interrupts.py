"""Ctrl-C at each moment of a command: one message, status 130, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from capsgan_keras.training.callbacks import FollowEpoch
from experiments.command_line.interrupts import INTERRUPTS
from experiments.command_line.running import run

ROOT = Path(__file__).parents[3]
START = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "-m"  # as while Python looks for the module of a command
import experiments
from experiments.command_line.running import run

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

def importing():
    import interrupted

def turned_into_another_error():
    try:
        interrupt()
    except KeyboardInterrupt:
        raise RuntimeError("initialization failed")

def twice():
    try:
        interrupt()
    except KeyboardInterrupt:
        interrupt()
"""
MODULE = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
except BaseException:
    raise ImportError("numpy.core.multiarray failed to import")
"""


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        ("interrupt()", "Interrupted."),
        ("sys.exit(run('program', interrupt, 'Kept.'))", "Interrupted. Kept."),
        ("sys.exit(run('program', importing, 'Kept.'))", "Interrupted. Kept."),
        ("sys.exit(run('program', turned_into_another_error, 'Kept.'))", "Interrupted. Kept."),
        ("sys.exit(run('program', twice, 'Kept.'))", "Interrupted. Kept."),
        ("run('program', print, 'Kept.'); interrupt()", "Interrupted."),
    ],
)
def test_an_interrupt_ends_with_one_message(tmp_path, moment, message):
    (tmp_path / "interrupted.py").write_text(MODULE)
    result = subprocess.run(
        [sys.executable, "-c", START + moment],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 130, result.stderr
    assert result.stderr == f"\n{message}\n"


def test_other_errors_are_not_taken_for_an_interrupt():
    def fail():
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError, match="a fault of ours"):
        run("program", fail, "Kept.")


def test_one_that_keras_has_swallowed_ends_the_training(train, monkeypatch, tmp_path, capsys):
    def swallow(callback, epoch, logs=None):
        INTERRUPTS.received = True  # as after the handler's exception, which Keras passes over

    monkeypatch.setattr(FollowEpoch, "on_epoch_begin", swallow)
    assert train("--model", "capsule") == 130
    assert "Interrupted. Whole epochs are kept" in capsys.readouterr().err
    assert not (tmp_path / "runs" / "capsule-seed0" / "history.csv").exists()
