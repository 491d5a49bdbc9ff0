"""Two commands on one run or one result file: the second is told who works there."""

import shutil

import pytest

from capsgan_keras import load_run
from capsgan_keras.runs.lock import working
from experiments import gam, report, semi_supervised

METRIC = ["--samples", "40", "--verbose", "0"]


@pytest.fixture
def run_paths(finished_runs):
    return [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]


def refused(status, capsys):
    assert status == 2
    error = capsys.readouterr().err
    assert "is being written by process" in error
    assert "Traceback" not in error


def test_a_run_that_another_process_trains(train, tmp_path, finished_runs, capsys):
    run = tmp_path / "runs" / "capsule-seed0"
    with working(run / ".lock"):
        refused(train("--model", "capsule"), capsys)  # before its first file
        shutil.copytree(finished_runs / "capsule-seed0", run, dirs_exist_ok=True)
        (run / "metrics.json").unlink()
        for arguments in ([], ["--resume"]):
            refused(train("--model", "capsule", *arguments), capsys)
        assert len(load_run(run).history["d_loss"]) == 2  # those that only read go on
        assert train("--model", "convolutional") == 0  # and those on the other model
        assert not (run / "metrics.json").exists()
    assert train("--model", "capsule", "--resume") == 0
    assert not (run / ".lock").exists()


def test_a_run_that_another_process_ended_meanwhile(train, tmp_path, finished_runs, monkeypatch):
    from experiments.training import train as training

    run = tmp_path / "runs" / "capsule-seed0"
    plan = training.plan_run

    def plan_and_be_overtaken(*arguments):
        planned = plan(*arguments)
        shutil.copytree(finished_runs / "capsule-seed0", run)
        return planned

    monkeypatch.setattr(training, "plan_run", plan_and_be_overtaken)
    before = (finished_runs / "capsule-seed0" / "gan.keras").read_bytes()
    assert train("--model", "capsule") == 2
    assert (run / "gan.keras").read_bytes() == before


def test_a_result_file_that_another_process_writes(run_paths, tmp_path, capsys):
    arguments = [*run_paths, *METRIC, "--output", str(tmp_path)]
    with working(tmp_path / ".lock-gam.json"):
        refused(gam.main(arguments), capsys)
        table = ["--n-labelled", "20", "--draws", "1", "--n-unlabelled", "30", "--verbose", "0"]
        assert semi_supervised.main([*run_paths, *table, "--output", str(tmp_path)]) == 0
    assert gam.main(arguments) == 0
    with working(tmp_path / ".lock-gam.json"):
        assert gam.main(arguments) == 0  # reads what is finished
        assert report.main([str(tmp_path)]) == 0
    with working(tmp_path / ".lock-report.md"):
        capsys.readouterr()
        refused(report.main([str(tmp_path)]), capsys)
    assert not list(tmp_path.glob(".*"))
