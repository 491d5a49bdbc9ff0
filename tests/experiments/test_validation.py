"""Runs that hold out training images and are evaluated on these."""

import json

from capsgan_keras import load_dataset
from experiments import gam, mnist
from experiments.finished_runs import load_finished_runs
from experiments.settings import Settings


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
    results = json.loads((tmp_path / "runs/evaluation/seed0/gam.json").read_text())
    assert results["identity"]["dataset"]["validation"] == 300
    # On its own images the metric is another than on test images.
    arguments = ["--samples", "20", "--output", str(tmp_path / "tested"), "--verbose", "0"]
    tested = [finished_runs / path.name for path in paths]
    assert gam.main([*map(str, tested), *arguments]) == 0
    assert "validation" not in capsys.readouterr().out
    for run in paths:
        config = json.loads((run / "config.json").read_text())
        assert config["settings"]["validation"] == 300
        assert config["dataset"]["images"] == len(whole.x_train) - 300


def test_they_are_no_runs_of_the_whole(train, finished_runs, capsys):
    assert train("--validation", "300", "--resume", run_dir=finished_runs) == 2
    assert "validation: 0 then, 300 now" in capsys.readouterr().err


def test_more_than_there_are_cannot_be_held_out(train, tmp_path, capsys):
    count = len(load_dataset("digits").x_train)
    assert train("--validation", count) == 2
    error = capsys.readouterr().err
    assert "images to hold out must be" in error
    assert f"Received: {count:,}" in error
    assert not (tmp_path / "runs").exists()


def test_they_lie_in_a_folder_of_their_own():
    assert Settings(dataset="mnist", validation=9).runs_folder.as_posix() == "runs/mnist/validation"
    arguments = {**vars(mnist.PAPER), "validation": 9}
    assert Settings(**arguments).runs_folder.as_posix() == "runs/mnist/paper/validation"
