import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import digits
from experiments.evaluations.result_file import ResultFile
from experiments.settings.evaluations import Evaluation, MetricSettings, TableSettings

ROOT = Path(__file__).parents[2]

HEEDING_INTERRUPTS = """
import os, signal, sys
# A shell lets its background jobs ignore it, and so would the tests started there.
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

TINY = shlex.split(
    "--epochs 2 --batch-size 256 --latent-dim 8 --latent-categories 4 --generator-filters 8 8 "
    "--capsule-filters 8 --n-channels 1 --convolutional-filters 8 8 --precision float32 "
    "--verbose 0 --no-evaluate"
)


@pytest.fixture(scope="session")
def tiny():
    """Arguments of a run that takes a second or two."""
    return TINY


@pytest.fixture
def train(tmp_path):
    """Run the digits experiment in this process on tiny networks and return the exit status."""

    def call(*arguments, run_dir=tmp_path / "runs"):
        return digits.main([*TINY, "--run-dir", str(run_dir), *map(str, arguments)])

    return call


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory):
    """The folder with a finished run of each model, of two epochs."""
    folder = tmp_path_factory.mktemp("finished") / "runs"
    assert digits.main([*TINY, "--run-dir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def start():
    """Start the digits experiment in a process of its own, as a shell would."""

    def call(*arguments, environment=None):
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                HEEDING_INTERRUPTS,
                "-m",
                "experiments.digits",
                *map(str, arguments),
            ],
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return call


@pytest.fixture
def small_evaluation(monkeypatch):
    """Let the digits experiment end with a small evaluation."""
    evaluation = Evaluation(
        metric=MetricSettings(n_samples=20),
        table=TableSettings(n_labelled=(20,), draws=2, n_unlabelled=30),
    )
    monkeypatch.setattr(digits, "EVALUATION", evaluation)
    return evaluation


@pytest.fixture
def interrupt(monkeypatch):
    """Let the result file's writing be interrupted after some times."""
    write = ResultFile.write

    def after(times):
        calls = iter(range(times))

        def interrupted(self, finished=False):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            write(self, finished)

        monkeypatch.setattr(ResultFile, "write", interrupted)

    return after
