"""What takes more memory than there is, is refused by every command before its work."""

import shlex

import pytest

from capsgan_keras import machine
from capsgan_keras.evaluation.label_spreading.rbf import kernel_bytes
from experiments import gam, images, publish, sample_quality, semi_supervised
from experiments.study import __main__ as study


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--image-size 100000", "`image_size`=(100000, 100000)"),
        ("--latent-dim 1000000000", "`latent_dim`=1000000000"),
        ("--generator-filters 10000000 64", "`filters`=(10000000, 64)"),
        ("--model capsule --n-channels 1000000000", "`n_channels`=1000000000"),
        ("--convolutional-filters 1000000000", "`filters`=(1000000000,)"),
        ("--capsule-kernel-size 500", "`kernel_size` must be"),
        ("--generator-kernel-size 500", "`kernel_size` must be"),
        ("--seeds 4000000000", "`seeds` must be"),
        ("--image-size 128 --generator-filters 9 9999 --batch-size 999", "`batch_size`=999"),
    ],
)
def test_training(train, tmp_path, capsys, arguments, words):
    assert train(*shlex.split(arguments)) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err
    assert not (tmp_path / "runs").exists()


def test_own_images(tmp_path, capsys):
    arguments = ["digits", "--run-dir", str(tmp_path / "runs"), "--image-size"]
    assert images.main([*arguments, "100000"]) == 2
    assert "`image_size`=(100000, 100000)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option", "name"),
    [
        (gam, "--samples", "n_samples"),
        (sample_quality, "--samples", "n_samples"),
        (semi_supervised, "--n-unlabelled", "n_unlabelled"),
    ],
)
def test_evaluations(finished_runs, tmp_path, capsys, command, option, name):
    runs = [str(finished_runs / f"{model}-seed0") for model in ("convolutional", "capsule")]
    output = tmp_path / "output"
    assert command.main([*runs, "--output", str(output), option, "1000000000000"]) == 2
    assert f"`{name}`=1000000000000 takes at least" in capsys.readouterr().err
    assert not output.exists()


def test_a_choice_of_gamma_that_the_table_has_no_room_for(
    finished_runs, tmp_path, capsys, monkeypatch
):
    """Its control with real images has the whole pool here, and the choice but a part of it."""
    monkeypatch.setattr(machine, "memory_bytes", lambda: kernel_bytes(1_437, 360) - 1)
    arguments = [str(finished_runs / "capsule-seed0"), "--kernel", "rbf", "--choose-settings"]
    arguments += ["--n-labelled", "20", "--n-unlabelled", "1400"]
    output = tmp_path / "output"
    assert semi_supervised.main([*arguments, "--output", str(output)]) == 2
    assert "`kernel` rbf for 1,437 images takes at least" in capsys.readouterr().err
    assert not output.exists()


def test_a_choice_of_gamma_that_itself_has_no_room(finished_runs, tmp_path, capsys, monkeypatch):
    """It has three draws, and so more real images than a table of one draw."""
    monkeypatch.setattr(machine, "memory_bytes", lambda: kernel_bytes(960, 287) - 1)
    arguments = [str(finished_runs / "capsule-seed0"), "--kernel", "rbf", "--choose-settings"]
    arguments += ["--n-labelled", "20", "--n-unlabelled", "300", "--draws", "1"]
    output = tmp_path / "output"
    assert semi_supervised.main([*arguments, "--output", str(output)]) == 2
    assert "`kernel` rbf for 960 images takes at least" in capsys.readouterr().err
    assert not output.exists()


def test_publishing(finished_runs, tmp_path, capsys):
    run, output = finished_runs / "capsule-seed0", tmp_path / "output"
    assert publish.main([str(run), "--output", str(output), "--images", "1000000000000"]) == 2
    assert "`images`=1000000000000 takes at least" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [("--n-samples", "`n_samples`=4000000000000 takes at least"), ("--seeds", "`seeds` must be")],
)
def test_the_study(tmp_path, capsys, option, words):
    output = tmp_path / "output"
    only = ["--only", "capsule-margin", "--cache-dir", str(tmp_path), "--output", str(output)]
    assert study.main([*only, option, "4000000000000"]) == 2
    assert words in capsys.readouterr().err
    assert not output.exists()
