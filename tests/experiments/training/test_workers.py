"""Runs on two workers, two processes of one machine that train as one device would."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from capsgan_keras.runs import load_run

ROOT = Path(__file__).parents[3]
COMMAND = "import sys; from experiments import digits; sys.exit(digits.main(sys.argv[1:]))"
# It does what the others do, and ends where all see that its first epoch is done.
DIES = """
import os, pathlib, signal, time
from capsgan_keras.runs import RunDirectory

write, shared = RunDirectory.write_checkpoint, pathlib.Path({folder!r})

def write_and_die(self, gan, epoch, *rest):
    write(self, gan, epoch, *rest)
    while not (shared / "capsule-seed0" / "checkpoint" / "epoch-0001").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

RunDirectory.write_checkpoint = write_and_die
"""

pytestmark = pytest.mark.long


ON_JAX = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
}
DEVICES = {"tensorflow": "worker:0/0, worker:1/0", "jax": "cpu:0, cpu:2048"}


def environment(backend, addresses, index):
    """What introduces two workers to each other."""
    if backend == "tensorflow":
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        return {"TF_CONFIG": json.dumps(task)}
    return ON_JAX | {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": ",".join(addresses),
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
        "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
    }


@pytest.fixture
def train_on_workers(tiny):
    """Give two workers their arguments, and code to run before; return them, started."""

    def call(*arguments, before=("", ""), backend="tensorflow"):
        with socket.socket() as one, socket.socket() as other:
            for each in (one, other):
                each.bind(("127.0.0.1", 0))
            addresses = ["{}:{}".format(*s.getsockname()) for s in (one, other)]
        started = []
        for index in range(2):
            own = [*tiny, "--model", "capsule", "--distribute", *arguments[index % len(arguments)]]
            process = subprocess.Popen(
                [sys.executable, "-c", before[index] + COMMAND, *map(str, own)],
                cwd=ROOT,
                env=os.environ | environment(backend, addresses, index),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.append(process)
        return started

    return call


@pytest.fixture
def alone(finished_runs, tiny, tmp_path):
    """The folder of the same run on one device of a backend."""

    def call(backend):
        if backend == "tensorflow":
            return finished_runs / "capsule-seed0"
        folder = tmp_path / "alone"
        subprocess.run(
            [sys.executable, "-c", COMMAND, *tiny, "--model", "capsule", "--run-dir", folder],
            cwd=ROOT,
            env=os.environ | ON_JAX,
            check=True,
            capture_output=True,
        )
        return folder / "capsule-seed0"

    return call


def ends(processes):
    """The statuses, outputs and errors of all."""
    outputs = [process.communicate(timeout=600) for process in processes]
    return [(p.returncode, *output) for p, output in zip(processes, outputs, strict=True)]


def assert_like_one_device(run, alone):
    run, alone = load_run(run), load_run(alone)
    assert run.finished
    assert (run.config["devices"], alone.config["devices"]) == (2, 1)
    assert run.config["settings"] == alone.config["settings"]
    for name, values in alone.history.items():
        assert run.history[name] == pytest.approx(values, abs=2e-3), name
    images = run.gan.generate(50, seed=1).astype(int)
    assert np.abs(images - alone.gan.generate(50, seed=1)).mean() < 1.0


@pytest.mark.parametrize("backend", DEVICES)
def test_a_run_is_that_of_one_device_also_after_a_worker_was_killed(
    backend, train_on_workers, alone, tmp_path
):
    folder = tmp_path / "runs"
    arguments = ["--run-dir", folder]
    before = ("", DIES.format(folder=str(folder)))
    chief, other = train_on_workers(arguments, before=before, backend=backend)
    other.communicate(timeout=600)
    assert other.returncode == -signal.SIGKILL
    ((status, _, errors),) = ends([chief])
    assert status == 2, errors
    assert "error: another worker has ended: end all, and go on." in errors
    assert f"--run-dir {folder} --resume" in errors
    assert not load_run(folder / "capsule-seed0").finished

    (status, said, errors), (other_status, other_said, other_errors) = ends(
        train_on_workers([*arguments, "--resume"], backend=backend)
    )
    assert (status, other_status) == (0, 0), errors + other_errors
    assert f"--distribute: 2 devices, {DEVICES[backend]}: 128 images of each" in said
    assert "capsule: epochs 2 to 2 in" in said
    assert f"In {folder / 'capsule-seed0'}:" in said
    assert f"trains along with the worker that keeps {folder / 'capsule-seed0'}" in other_said
    assert "Pictures to open" not in other_said
    assert [path.name for path in folder.iterdir()] == ["capsule-seed0"]
    assert_like_one_device(folder / "capsule-seed0", alone(backend))


@pytest.mark.parametrize("backend", DEVICES)
def test_workers_with_other_commands_are_refused(backend, train_on_workers, tmp_path):
    folder = tmp_path / "runs"
    commands = [["--run-dir", folder, "--seed", seed] for seed in ("1", "2")]
    found = ends(train_on_workers(*commands, backend=backend))
    for status, _, errors in found:
        assert status == 2, errors
        assert "All workers must be given the same command" in errors
    assert not folder.exists()
