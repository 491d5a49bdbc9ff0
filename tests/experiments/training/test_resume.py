"""Runs that are killed and resumed, each in processes of its own."""

import random
import signal
import time

import numpy as np
import pytest

from capsgan_keras.runs import load_run
from experiments import digits

MODELS = ("capsule", "convolutional")
WRITING, ANYWHERE = "while a checkpoint is written", "anywhere"


def wait_for(process, happened, timeout=300.0):
    """Wait until something happened, looking every millisecond; fail where the process ends."""
    deadline = time.monotonic() + timeout
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)


def newer(folder, pattern, started):
    def happened():
        for path in folder.glob(pattern):
            try:
                if path.stat().st_mtime >= started:
                    return True
            except FileNotFoundError:  # renamed or removed meanwhile
                continue
        return False

    return happened


def kill_once(start, arguments, run, moment, delay):
    """Start or resume a run, and kill it `delay` seconds after the moment has come."""
    started = time.time()
    process = start(*arguments, "--resume")
    pattern = ".writing-epoch-*" if moment == WRITING else "epoch-*"
    wait_for(process, newer(run / "checkpoint", pattern, started))
    time.sleep(delay)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return bool(list((run / "checkpoint").glob(".writing-epoch-*")))


def assert_same_run(run, expected):
    """Weights, moments, seeds, history and samples are the same bit for bit."""
    ours, theirs = load_run(run).gan, load_run(expected).gan
    variables = [[*gan.variables, *gan.optimizer.variables] for gan in (ours, theirs)]
    assert any(variable.path.startswith("adam") for variable in variables[1])
    assert any("seed" in variable.path for variable in variables[1])
    for ours, theirs in zip(*variables, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs), err_msg=theirs.path)
    for path in [expected / "history.csv", *expected.glob("samples/*")]:
        assert (run / path.relative_to(expected)).read_bytes() == path.read_bytes(), path


def kill_and_compare(start, tmp_path, model, options, epochs, moments):
    """Kill a run at the given moments; it must end as an uninterrupted one."""
    options = ["--model", model, *options, "--epochs", str(epochs)]
    started = time.monotonic()
    assert digits.main([*options, "--run-dir", str(tmp_path / "whole")]) == 0
    epoch_seconds = (time.monotonic() - started) / epochs
    run = tmp_path / "killed" / f"{model}-seed0"
    arguments = [*options, "--run-dir", tmp_path / "killed"]
    draws = random.Random(model)
    left_half_a_checkpoint = 0
    for moment in moments:
        delay = draws.uniform(0.0, 0.02 if moment == WRITING else epoch_seconds)
        left_half_a_checkpoint += kill_once(start, arguments, run, moment, delay)
        state = load_run(run)
        assert not state.finished
        done = max((int(p.name[-4:]) for p in run.glob("checkpoint/epoch-*")), default=0)
        assert len(state.history.get("d_loss", [])) == done
    assert left_half_a_checkpoint >= 1

    last = start(*arguments, "--resume")
    output = last.communicate()
    assert last.returncode == 0, output
    assert not list(run.rglob(".writing-*"))
    assert_same_run(run, tmp_path / "whole" / f"{model}-seed0")


@pytest.mark.parametrize(
    "model", ["capsule", pytest.param("convolutional", marks=pytest.mark.long)]
)
def test_a_killed_run_ends_as_the_uninterrupted_one(start, tiny, tmp_path, model):
    options = [*tiny, "--dropout", "0.25", "--precision", "auto"]
    kill_and_compare(start, tmp_path, model, options, 14, [WRITING, ANYWHERE, WRITING])


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
def test_a_killed_run_of_full_size_ends_as_the_uninterrupted_one(start, tmp_path, model):
    options = ["--dropout", "0.25", "--verbose", "0"]
    kill_and_compare(start, tmp_path, model, options, 30, [WRITING, ANYWHERE] * 6)


def test_an_interrupt_from_the_keyboard_says_how_to_go_on(start, tiny, tmp_path):
    run_dir = tmp_path / "my runs"
    started = time.time()
    process = start(*tiny, "--epochs", "100000", "--run-dir", run_dir)
    wait_for(process, newer(run_dir / "capsule-seed0" / "checkpoint", "epoch-*", started))
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in message
    command = message.strip().splitlines()[-1].strip()
    assert command.startswith("python -m experiments.digits --epochs 2 ")
    assert command.endswith(f"--epochs 100000 --run-dir '{run_dir}' --resume")
    assert len(load_run(run_dir / "capsule-seed0").history["d_loss"]) >= 1
