import csv
import errno
import json
import os
import shlex
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from capsgan_keras.gan.base import GAN
from capsgan_keras.runs import RunDirectory, load_run
from capsgan_keras.training.callbacks import FollowEpoch
from experiments.training import precision

MODELS = ("capsule", "convolutional")


@pytest.mark.parametrize("model", MODELS)
def test_a_run_leaves_all_its_files(finished_runs, model):
    run = load_run(finished_runs / f"{model}-seed0")
    found = {p.relative_to(run.path).as_posix() for p in run.path.rglob("*") if p.is_file()}
    assert found == {
        "config.json",
        "history.csv",
        "samples/epoch-0001.png",
        "samples/epoch-0002.png",
        "checkpoint/epoch-0002/gan.keras",
        "checkpoint/epoch-0002/state.json",
        "curves.png",
        "gan.keras",
        "generator.keras",
        "metrics.json",
        "README.md",
    }
    assert run.finished
    assert run.config["settings"]["model"] == model
    assert run.config["settings"]["precision"] == "float32"
    assert run.config["dataset"]["name"] == "digits"
    assert run.config["dataset"]["images"] == 1437
    assert run.config["learning_rates"] == {
        "generator_learning_rate": 1e-3,
        f"{model}_learning_rate": 4e-4,
    }


@pytest.mark.parametrize("model", MODELS)
def test_the_records_agree_with_each_other(finished_runs, model):
    run = load_run(finished_runs / f"{model}-seed0")
    with (run.path / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for name in ("d_loss", "g_loss", "d_real", "d_fake", "d_accuracy"):
        assert run.history[name] == [float(row[name]) for row in rows]
        assert run.metrics["final"][name] == run.history[name][-1]
    assert run.metrics["epochs"] == 2
    seen = 2 * (1437 // 256) * 256
    assert run.metrics["images_per_second"] == pytest.approx(seen / run.metrics["seconds"])
    sizes = {"generator": run.gan.generator, "discriminator": run.gan.discriminator}
    assert run.metrics["parameters"] == {n: m.count_params() for n, m in sizes.items()}
    card = (run.path / "README.md").read_text()
    assert f"| d_loss | {run.history['d_loss'][-1]:.4f} |" in card
    assert f"{sizes['generator'].count_params():,}" in card


@pytest.mark.parametrize("model", MODELS)
def test_the_last_grid_shows_the_saved_generator(finished_runs, model):
    run = load_run(finished_runs / f"{model}-seed0")
    grids = [np.asarray(Image.open(run.path / f"samples/epoch-000{n}.png")) for n in (1, 2)]
    assert grids[1].shape == (298, 298)
    tile = run.gan.generate(100, seed=0)[37, ..., 0]  # row 3, column 7
    np.testing.assert_array_equal(grids[1][3 * 30 :, 7 * 30 :][:28, :28], tile)
    assert np.any(grids[0] != grids[1])


def test_both_models_start_from_the_same_generator_seed_but_differ(finished_runs):
    capsule, convolutional = (load_run(finished_runs / f"{m}-seed0") for m in MODELS)
    assert capsule.gan.generator.count_params() == convolutional.gan.generator.count_params()
    assert capsule.history != convolutional.history


def test_what_was_trained_before_does_not_matter(finished_runs, train, tmp_path):
    assert train("--model", "convolutional") == 0
    for name in ("history.csv", "samples/epoch-0001.png", "samples/epoch-0002.png"):
        alone = tmp_path / "runs" / "convolutional-seed0" / name
        after_capsule = finished_runs / "convolutional-seed0" / name
        assert alone.read_bytes() == after_capsule.read_bytes(), name


def test_the_end_says_where_everything_lies(train, tmp_path, capsys):
    assert train("--model", "capsule", "--epochs", "1") == 0
    output = capsys.readouterr()
    assert str(tmp_path / "runs" / "capsule-seed0") in output.out
    for name in ("samples/epoch-0001.png", "gan.keras", "curves.png", "README.md"):
        assert name in output.out
    assert output.err == ""


# ---- refused, with status 2


def refused(train, capsys, *arguments, **options):
    assert train(*arguments, **options) == 2
    message = capsys.readouterr().err
    assert "python -m experiments.digits: error: " in message
    assert "Traceback" not in message
    return message


def test_a_batch_larger_than_the_data(train, tmp_path, capsys):
    message = refused(train, capsys, "--batch-size", "1438")
    assert "`batch_size` must be at most the number of images, 1437" in message
    assert not (tmp_path / "runs").exists()


def test_missing_data(train, tmp_path, capsys):
    message = refused(train, capsys, "--dataset", "mnist", "--data-dir", tmp_path)
    assert "does not hold mnist" in message
    message = refused(train, capsys, "--dataset", tmp_path / "nothing.npz")
    assert "nothing.npz" in message
    assert "--dataset" in message
    message = refused(train, capsys, "--validation", "1437")
    assert "from 1 to 1436" in message
    assert "--validation" in message
    assert not (tmp_path / "runs").exists()


def test_settings_that_fit_no_network(train, tmp_path, capsys):
    message = refused(
        train,
        capsys,
        "--model",
        "capsule",
        "--capsule-kernel-size",
        "29",
        "--capsule-padding",
        "valid",
    )
    assert "capsule: no network for these images" in message
    assert not (tmp_path / "runs").exists()


def test_a_file_where_a_folder_should_be(train, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    message = refused(train, capsys, run_dir=tmp_path / "file")
    assert f"is not the folder of a run: {tmp_path / 'file'} is a file" in message
    assert "--resume" not in message
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "capsule-seed0").write_text("mine")
    assert "capsule-seed0 is a file" in refused(train, capsys)
    assert (tmp_path / "runs" / "capsule-seed0").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs Linux")
def test_a_folder_that_cannot_be_written(train, capsys):
    assert "/proc/runs" in refused(train, capsys, run_dir="/proc/runs")


def test_a_folder_of_other_things(train, tmp_path, capsys):
    foreign = tmp_path / "runs" / "convolutional-seed0" / "thesis.tex"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine")
    assert "thesis.tex" in refused(train, capsys)
    # The convolutional run comes second, but nothing was trained before it was looked at.
    assert os.listdir(tmp_path / "runs") == ["convolutional-seed0"]


def test_an_existing_run_without_resume(train, finished_runs, capsys):
    before = (finished_runs / "capsule-seed0" / "metrics.json").stat().st_mtime_ns
    message = refused(train, capsys, run_dir=finished_runs)
    assert "holds a run already" in message
    assert "--resume" in message
    assert (finished_runs / "capsule-seed0" / "metrics.json").stat().st_mtime_ns == before


def test_resuming_with_other_settings_shows_the_difference(train, finished_runs, capsys):
    message = refused(train, capsys, "--resume", "--epochs", "3", run_dir=finished_runs)
    assert "epochs: 2 then, 3 now" in message
    message = refused(
        train, capsys, "--resume", "--precision", "mixed_bfloat16", run_dir=finished_runs
    )
    assert "precision: float32 then, mixed_bfloat16 now" in message


def test_no_space_left(train, tmp_path, finished_runs, monkeypatch, capsys):
    save = GAN.save

    def save_on_a_full_disk(gan, path, *args, **kwargs):
        save(gan, path, *args, **kwargs)
        if "epoch-0002" in str(path):
            os.truncate(path, 1000)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(GAN, "save", save_on_a_full_disk)
    message = refused(train, capsys, "--model", "capsule")
    assert os.strerror(errno.ENOSPC) in message
    assert "--resume" in message
    run = tmp_path / "runs" / "capsule-seed0"
    assert os.listdir(run / "checkpoint") == ["epoch-0001"]
    assert not list(run.rglob(".writing-*"))
    assert len(load_run(run).history["d_loss"]) == 1

    monkeypatch.undo()
    assert train("--model", "capsule", "--resume") == 0
    expected = finished_runs / "capsule-seed0"
    for name in ("history.csv", "samples/epoch-0001.png", "samples/epoch-0002.png"):
        assert (run / name).read_bytes() == (expected / name).read_bytes(), name


# ---- diverged, with status 1


def test_a_loss_that_is_not_finite(train, tmp_path, capsys):
    status = train("--model", "capsule", "--generator-learning-rate", "1e38")
    assert status == 1
    message = capsys.readouterr().err
    assert "training has diverged" in message
    assert "in epoch 1, step" in message
    assert "No epoch was finished" in message
    assert "Traceback" not in message
    run = tmp_path / "runs" / "capsule-seed0"
    assert os.listdir(run) == ["config.json"]


def test_divergence_later_leaves_the_checkpoint_before(train, tmp_path, monkeypatch, capsys):
    def break_in_epoch_2(callback, batch, logs=None):
        if (callback.batches.epoch, batch) == (1, 3):
            kernel = callback.model.discriminator.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.nan))

    monkeypatch.setattr(FollowEpoch, "on_train_batch_begin", break_in_epoch_2)
    assert train("--model", "convolutional") == 1
    message = capsys.readouterr().err
    run = tmp_path / "runs" / "convolutional-seed0"
    assert "is nan in epoch 2, step 4" in message
    assert f"The checkpoint {run / 'checkpoint' / 'epoch-0001'} stands" in message
    assert os.listdir(run / "checkpoint") == ["epoch-0001"]
    assert os.listdir(run / "samples") == ["epoch-0001.png"]


# ---- resume (the order of kills is in test_resume.py)


def test_a_finished_run_says_so(train, finished_runs, capsys):
    before = {p: p.stat().st_mtime_ns for p in finished_runs.rglob("*")}
    assert train("--resume", run_dir=finished_runs) == 0
    output = capsys.readouterr()
    assert output.out.count("is finished already") == 2
    assert {p: p.stat().st_mtime_ns for p in finished_runs.rglob("*")} == before


def test_with_nothing_to_resume_a_run_starts(train, tmp_path, capsys):
    assert train("--model", "capsule", "--resume", "--epochs", "1") == 0
    assert "there is no run to resume: it starts" in capsys.readouterr().err
    assert load_run(tmp_path / "runs" / "capsule-seed0").finished


def unfinished_copy(finished_runs, tmp_path, **changes):
    """A run that was killed after its last checkpoint, its config changed."""
    run = tmp_path / "runs" / "capsule-seed0"
    shutil.copytree(finished_runs / "capsule-seed0", run)
    for name in ("metrics.json", "gan.keras", "generator.keras", "README.md"):
        (run / name).unlink()
    config = json.loads((run / "config.json").read_text())
    for part, values in changes.items():
        config[part] |= values
    (run / "config.json").write_text(json.dumps(config))
    return run


@pytest.mark.parametrize(
    "options",
    [
        "--precision mixed_float16 --generator-ema 0.9",
        pytest.param(
            "--precision mixed_bfloat16 --update alternating --dropout 0.25", marks=pytest.mark.long
        ),
        pytest.param("--num-capsule 2 --routing leaky", marks=pytest.mark.long),
        pytest.param(
            "--spectral-normalization --augmentation color translation cutout --flips "
            "--gradient-penalty 1 --penalty-every 2",
            marks=pytest.mark.long,
        ),
    ],
)
def test_every_kind_of_run_goes_on_as_if_uninterrupted(train, tmp_path, monkeypatch, options):
    arguments = ["--model", "capsule", "--epochs", "3", *shlex.split(options)]
    assert train(*arguments, run_dir=tmp_path / "whole") == 0

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "write_history", interrupt_in_epoch_3)
        assert train(*arguments) == 130
    assert len(load_run(tmp_path / "runs" / "capsule-seed0").history["d_loss"]) == 2
    assert train(*arguments, "--resume") == 0

    gans = [load_run(tmp_path / f / "capsule-seed0").gan for f in ("runs", "whole")]
    variables = [[*gan.variables, *gan.optimizer.variables] for gan in gans]
    for ours, theirs in zip(*variables, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs), err_msg=theirs.path)


def test_averaged_weights_are_what_is_saved_and_shown(train, finished_runs, tmp_path, capsys):
    options = ["--model", "capsule", "--generator-ema", "0.9"]
    assert train(*options) == 0
    folder = tmp_path / "runs" / "capsule-seed0"
    run, without = load_run(folder), load_run(finished_runs / "capsule-seed0")
    assert run.history == without.history  # the players train as they do without averages
    images = run.gan.generate(100, seed=0)
    assert np.any(images != without.gan.generate(100, seed=0))
    grid = np.asarray(Image.open(folder / "samples" / "epoch-0002.png"))
    np.testing.assert_array_equal(grid[3 * 30 :, 7 * 30 :][:28, :28], images[37, ..., 0])
    alone = keras.saving.load_model(folder / "generator.keras")
    for ours, theirs in zip(alone.get_weights(), run.gan.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)

    # Killed between the last checkpoint and the end: the checkpoint has the trained weights.
    for name in ("metrics.json", "gan.keras", "generator.keras", "README.md"):
        (folder / name).unlink()
    samples = (folder / "samples" / "epoch-0002.png").read_bytes()
    (folder / "samples" / "epoch-0002.png").unlink()
    np.testing.assert_array_equal(load_run(folder).gan.generate(100, seed=0), images)
    assert train(*options, "--resume") == 0
    np.testing.assert_array_equal(load_run(folder).gan.generate(100, seed=0), images)
    assert (folder / "samples" / "epoch-0002.png").read_bytes() == samples


def interrupt_in_epoch_3(directory, history):
    if len(history["d_loss"]) == 3:
        raise KeyboardInterrupt


def test_another_version_warns_and_goes_on(train, finished_runs, tmp_path, capsys):
    run = unfinished_copy(finished_runs, tmp_path, versions={"keras": "3.0.0"})
    (run / "samples" / "epoch-0002.png").unlink()
    (run / "samples" / ".writing-epoch-0002.png").write_bytes(b"half")
    (run / "samples" / "epoch-0003.png").write_bytes(b"of an epoch that is not in the checkpoint")
    (run / "history.csv").write_text("epoch,d_loss\n1,0.5\n")
    assert train("--model", "capsule", "--resume") == 0
    assert "warning: " in (message := capsys.readouterr().err)
    assert "keras: 3.0.0 then, " in message
    for path in (finished_runs / "capsule-seed0").rglob("*.png"):
        assert (run / path.relative_to(finished_runs / "capsule-seed0")).exists()
    for name in ("history.csv", "samples/epoch-0002.png"):
        expected = finished_runs / "capsule-seed0" / name
        assert (run / name).read_bytes() == expected.read_bytes(), name
    assert sorted(os.listdir(run / "samples")) == ["epoch-0001.png", "epoch-0002.png"]


def test_auto_takes_the_precision_of_the_run(train, finished_runs, tmp_path, monkeypatch, capsys):
    unfinished_copy(finished_runs, tmp_path)
    monkeypatch.setattr(precision, "cpu_flags", lambda: ["avx512_bf16"])
    assert precision.resolve_precision("auto")[0] == "mixed_bfloat16"
    assert train("--model", "capsule", "--resume", "--precision", "auto") == 0
    assert "float32 (as the run was started)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "simultaneous updates; one capsule, without routing"),
        ("--update alternating --num-capsule 2", "alternating updates; dynamic routing, 3 times"),
        ("--routing leaky --routings 2", "simultaneous updates; leaky routing, 2 times"),
        ("--routing self_attention", "simultaneous updates; self-attention routing"),
    ],
)
def test_what_decides_on_speed_is_said(train, capsys, options, said):
    arguments = ("--epochs", 1, "--batch-size", 1024, *options.split())
    assert train(*arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"capsule: float32 (as asked for); {said}" in lines
    assert f"convolutional: float32 (as asked for); {said.partition(';')[0]}" in lines


def test_images_of_ones_own(train, tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 20, 24, 3), "uint8")
    np.savez(tmp_path / "mine.npz", x=pixels)
    options = shlex.split("--model convolutional --epochs 1 --batch-size 16 --image-size 16")
    assert train("--dataset", tmp_path / "mine.npz", *options) == 0
    run = load_run(tmp_path / "runs" / "convolutional-seed0")
    assert run.config["dataset"]["image_shape"] == [16, 16, 3]
    assert run.gan.generate(2).shape == (2, 16, 16, 3)
    assert "A data set of your own" in (run.path / "README.md").read_text()
