"""The experiments on JAX, in processes in which TensorFlow cannot be imported."""

import time

import pytest

from capsgan_keras.runs import load_run

BLOCK_TENSORFLOW = """
import sys


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
        return None


sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture
def start_on_jax(start, tmp_path):
    blocker = tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text(BLOCK_TENSORFLOW)
    environment = {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(blocker),
        # The three processes compile the same functions.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }

    def call(*arguments):
        return start(*arguments, environment=environment)

    return call


@pytest.mark.long
def test_digits_trains_and_resumes_on_jax(start_on_jax, tiny, tmp_path):
    options = [*tiny, "--model", "capsule", "--epochs", "4", "--dropout", "0.25"]
    options += ["--precision", "auto", "--generator-ema", "0.9"]
    whole = start_on_jax(*options, "--run-dir", tmp_path / "whole")
    output = whole.communicate()
    assert whole.returncode == 0, output

    runs = tmp_path / "killed"
    killed = start_on_jax(*options, "--run-dir", runs)
    while not list(runs.glob("capsule-seed0/checkpoint/epoch-*")):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.001)
    killed.kill()
    killed.communicate()
    assert not load_run(runs / "capsule-seed0").finished

    resumed = start_on_jax(*options, "--run-dir", runs, "--resume")
    out, err = resumed.communicate()
    assert resumed.returncode == 0, (out, err)
    ours, theirs = (load_run(folder / "capsule-seed0") for folder in (runs, tmp_path / "whole"))
    assert ours.config["versions"]["backend"].startswith("jax ")
    assert ours.config["settings"]["precision"] == "float32"
    assert len(ours.history["d_loss"]) == 4
    assert ours.history == theirs.history
    samples = sorted(path.name for path in theirs.path.glob("samples/*.png"))
    assert len(samples) == 4
    for name in samples:
        grids = [(run.path / "samples" / name).read_bytes() for run in (ours, theirs)]
        assert grids[0] == grids[1], name
