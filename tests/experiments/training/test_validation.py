"""Runs that hold out training images and are evaluated on these."""

import json

from capsgan_keras import load_dataset
from capsgan_keras.evaluation import ClassifierSettings
from experiments import gam, mnist, report, sample_quality
from experiments.evaluations.finished_runs import load_finished_runs
from experiments.settings.training import Settings

METRIC = ["--samples", "20", "--verbose", "0"]


def test_runs_are_trained_and_evaluated_without_a_test_image(
    train, finished_runs, tmp_path, small_evaluation, capsys
):
    assert train("--validation", "300", "--evaluate") == 0
    printed = capsys.readouterr().out
    whole = load_dataset("digits")
    assert f"{len(whole.x_train) - 300:,} training images" in printed
    assert "Error on the 300 validation images" in printed
    assert "test image" not in printed

    paths = [tmp_path / "runs" / f"{model}-seed0" for model in ("convolutional", "capsule")]
    dataset = load_finished_runs(paths).dataset
    assert len(dataset.x_test) == 300
    seen = {image.tobytes() for image in whole.x_train}
    assert all(image.tobytes() in seen for image in dataset.x_test)
    for run in paths:
        config = json.loads((run / "config.json").read_text())
        assert config["settings"]["validation"] == 300
        assert config["dataset"]["images"] == len(whole.x_train) - 300
    results = json.loads((tmp_path / "runs/evaluation/seed0/gam.json").read_text())
    assert results["identity"]["dataset"]["validation"] == 300
    assert report.main([str(tmp_path / "runs/evaluation")]) == 0
    printed = capsys.readouterr().out
    assert "between validation images and the other model's" in printed
    assert "test image" not in printed
    tested = [str(finished_runs / path.name) for path in paths]
    assert gam.main([*tested, *METRIC, "--output", str(tmp_path / "tested")]) == 0
    assert "validation" not in capsys.readouterr().out


def test_sample_quality_is_that_of_validation_images(train, tmp_path, monkeypatch, capsys):
    assert train("--validation", "300", "--model", "capsule") == 0
    quick = ClassifierSettings(width=8, epochs=1)
    monkeypatch.setattr(ClassifierSettings, "for_images", lambda *_: quick)
    run = tmp_path / "runs" / "capsule-seed0"
    capsys.readouterr()
    assert sample_quality.main([str(run), *METRIC, "--cache-dir", str(tmp_path / "cache")]) == 0
    printed = capsys.readouterr().out
    assert "20 samples against 300 validation images" in printed
    assert "test image" not in printed


def test_they_are_no_runs_of_the_whole(train, finished_runs, capsys):
    assert train("--validation", "300", "--resume", run_dir=finished_runs) == 2
    assert "validation: 0 then, 300 now" in capsys.readouterr().err


def test_more_than_there_are_cannot_be_held_out(train, tmp_path, capsys):
    count = len(load_dataset("digits").x_train)
    assert train("--validation", count) == 2
    error = capsys.readouterr().err
    assert "`count`, of training images to hold out, must be" in error
    assert f"Received: count={count}" in error
    assert f"--validation {count}: " in error
    assert not (tmp_path / "runs").exists()


def test_they_lie_in_a_folder_of_their_own():
    assert Settings(dataset="mnist", validation=9).runs_folder.as_posix() == "runs/mnist/validation"
    arguments = {**vars(mnist.PAPER), "validation": 9}
    assert Settings(**arguments).runs_folder.as_posix() == "runs/mnist/paper/validation"
