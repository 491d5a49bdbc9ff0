"""Runs of capsule classifiers: files, resume, tests made later, what is refused."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from capsgan_keras.runs import RunError, load_run
from experiments.capsnet import train as training
from experiments.capsnet.__main__ import main
from experiments.capsnet.directory import ClassifierDirectory

ROOT = Path(__file__).parents[3]
REAL_DATA = os.environ.get("CAPSGAN_DATA_DIR")
TINY = [
    *("--dataset", "digits", "--image-size", "16", "--width", "0.1", "--epochs", "2"),
    *("--batch-size", "256", "--precision", "float32", "--verbose", "0", "--learning-rate", "0.01"),
]
RUN, FIRST_EPOCH = "efficient-seed0", "first-epoch"


def run(folder, *arguments):
    return main([*TINY, "--run-dir", str(folder), *arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder with a finished run of two epochs."""
    folder = tmp_path_factory.mktemp("finished")
    write = ClassifierDirectory.write_checkpoint

    def keep(self, network, epoch, history, seconds):
        write(self, network, epoch, history, seconds)
        if epoch == 1:
            shutil.copytree(self.path / "checkpoint", folder / FIRST_EPOCH)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassifierDirectory, "write_checkpoint", keep)
        assert run(folder, "--test", "affine") == 0
    return folder


@pytest.fixture
def no_figures(monkeypatch):
    """Drawing takes the most of a tiny run's time."""
    monkeypatch.setattr(training, "figures", lambda *_: {})


def test_logs_for_tensorboard(no_figures, tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert run(tmp_path, "--tensorboard", "--epochs", "1") == 0
    folder = tmp_path / RUN / "tensorboard"
    tags = {
        part: reading.EventAccumulator(str(folder / part), {"tensors": 0}).Reload().Tags()
        for part in ("train", "settings")
    }
    assert "epoch_loss" in tags["train"]["tensors"]
    assert tags["settings"]["tensors"] == ["settings"]


def records(folder):
    path = folder / RUN
    return [json.loads((path / f"{name}.json").read_text()) for name in ("config", "metrics")]


def test_a_run_leaves_network_figures_and_card(finished):
    path = finished / RUN
    names = {each.name for each in path.iterdir()}
    pictures = {f"{n}.png" for n in ("curves", "reconstructions", "variations", "couplings")}
    assert names == {
        "checkpoint",
        "config.json",
        "history.csv",
        "metrics.json",
        "network.keras",
        "README.md",
        *pictures,
    }
    config, metrics = records(finished)
    assert config["settings"]["model"] == "efficient"
    assert "run_dir" not in config["settings"]
    assert metrics["parameters"].keys() == {"classifier", "decoder"}
    assert metrics["seconds_per_epoch"] == pytest.approx(metrics["seconds"] / 2)
    history = ClassifierDirectory(path).read_history()
    assert history["loss"][1] < history["loss"][0]
    assert metrics["final"]["loss"] == history["loss"][1]
    assert 0.0 <= metrics["test_error"] < 1.0
    assert 0.0 <= metrics["affine_error"] < 1.0
    assert "overlap_exact_match" not in metrics
    _, head, card = (path / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(head)
    assert head["pipeline_tag"] == "image-classification"
    (result,) = head["model-index"][0]["results"]
    values = {each["type"]: each["value"] for each in result["metrics"]}
    assert values["test_error"] == pytest.approx(metrics["test_error"], abs=1e-6)
    assert set(re.findall(r"\]\((\w+\.png)\)", card)) == pictures
    assert f"{metrics['test_error']:.2%}" in card


def test_the_card_shows_how_the_network_is_used(finished):
    card = (finished / RUN / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    names = {"images": np.zeros((3, 16, 16, 1), "uint8")}
    exec(code, names)
    assert names["classes"].shape == (3,)


def test_a_broken_run_ends_as_the_uninterrupted_one(finished, tmp_path, no_figures):
    path = tmp_path / RUN
    shutil.copytree(finished / FIRST_EPOCH, path / "checkpoint")
    for name in ("config.json", "history.csv"):  # the history of the second epoch is written
        shutil.copy(finished / RUN / name, path)
    (path / "checkpoint" / ".writing-epoch-0002").mkdir()  # its checkpoint only begun
    assert run(tmp_path, "--resume") == 0
    assert [each.name for each in (path / "checkpoint").iterdir()] == ["epoch-0002"]
    _assert_same(tmp_path, finished)


def _assert_same(folder, expected):
    """History, weights and moments are the same bit for bit."""
    ours, theirs = (f / RUN / "history.csv" for f in (folder, expected))
    assert ours.read_bytes() == theirs.read_bytes()
    ours, theirs = (
        keras.saving.load_model(each / RUN / "network.keras") for each in (folder, expected)
    )
    pairs = zip(
        [*ours.variables, *ours.optimizer.variables],
        [*theirs.variables, *theirs.optimizer.variables],
        strict=True,
    )
    for mine, other in pairs:
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(other), err_msg=other.path)


def test_a_finished_run_can_be_tested_on_more(finished, tmp_path, capsys, no_figures):
    shutil.copytree(finished / RUN, tmp_path / "again" / RUN)
    before = records(finished)[1]
    assert run(tmp_path / "again", "--resume", "--test", "affine", "overlap") == 0
    after = records(tmp_path / "again")[1]
    assert 0.0 <= after.pop("overlap_exact_match") < 1.0
    assert after == before
    assert "overlap, both found, %" in capsys.readouterr().out


def test_what_stands_is_not_replaced(finished, capsys):
    assert run(finished) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert run(finished, "--resume", "--shift", "1") == 2
    assert "shift: 2 then, 1 now" in capsys.readouterr().err
    assert run(finished, "--resume") == 0
    assert "is finished already" in capsys.readouterr().out
    with pytest.raises(RunError, match="lacks the format 'capsgan_keras run 1'"):
        load_run(finished / RUN)


def test_the_table_has_a_line_for_all_seeds(finished, tmp_path, capsys):
    for seed, error in ((0, 0.1), (1, 0.2)):
        path = tmp_path / f"efficient-seed{seed}"
        shutil.copytree(finished / RUN, path)
        for name, part, key, value in (
            ("config", "settings", "seed", seed),
            ("metrics", None, "test_error", error),
        ):
            content = json.loads((path / f"{name}.json").read_text())
            (content[part] if part else content)[key] = value
            (path / f"{name}.json").write_text(json.dumps(content))
    page = tmp_path / "page.md"
    marks = f"<!-- capsnet: {tmp_path.name} -->\nold\n<!-- end of capsnet -->\nend\n"
    page.write_text(marks)
    assert main(["--report", str(tmp_path), "--readme", str(page)]) == 0
    text = page.read_text()
    assert "old" not in text
    assert text.endswith("<!-- end of capsnet -->\nend\n")
    line = next(line for line in text.splitlines() if "efficient" in line)
    assert line in capsys.readouterr().out
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:7] == ["digits", "efficient", "0.1", "single", "2", "16x16", "2"]
    assert cells[7] == "15.00 ± 7.07"
    assert main(["--report", str(tmp_path / "nothing")]) == 2
    assert "No finished run" in capsys.readouterr().err
    page.write_text("none\n")
    assert main(["--report", str(tmp_path), "--readme", str(page)]) == 2
    assert "lacks the lines" in capsys.readouterr().err


@pytest.mark.long
def test_divergence_ends_with_status_1(tmp_path, capsys):
    assert run(tmp_path, "--model", "plain", "--learning-rate", "1e30") == 1
    assert "training has diverged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--canvas 12", "`canvas` must be at least the images' larger side, 16"),
        ("--canvas 19 --test overlap", "`canvas` larger by an even number"),
        ("--batch-size 5000", "`batch_size` must be at most the number of images, 1437"),
        ("--model capsnet", "no network for these images .*at least 17"),
        ("--data-dir nowhere --dataset nothing", "nothing"),
        ("--width 1e5", "takes at least"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message, tmp_path, capsys):
    assert run(tmp_path / "runs", *arguments.split()) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not list(tmp_path.rglob("*.keras"))


def test_images_without_classes_or_test_images_are_refused(tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16), np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images)
    assert run(tmp_path / "runs", "--dataset", str(tmp_path / "own.npz")) == 2
    assert "needs training and test images with classes" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("model", ["capsnet", "deep", "plain"])
@pytest.mark.parametrize("overlap", [(), ("--overlap",)])
def test_every_network_trains_on_single_images_and_pairs(model, overlap, tmp_path):
    options = ["--model", model, "--image-size", "28", "--epochs", "6", "--batch-size", "64"]
    assert run(tmp_path, *options, *overlap, "--learning-rate", "0.003") == 0
    (path,) = tmp_path.glob("*/metrics.json")
    metrics = json.loads(path.read_text())
    if overlap:  # one of 45 pairs by chance
        assert metrics["overlap_exact_match"] > 0.08
    else:
        assert metrics["test_error"] < 0.7


@pytest.mark.long
def test_a_killed_run_ends_as_the_uninterrupted_one(tmp_path):
    options = ["--epochs", "6", "--width", "0.5"]
    assert run(tmp_path / "whole", *options) == 0
    command = [sys.executable, "-m", "experiments.capsnet", *TINY, *options, "--resume"]
    command += ["--run-dir", str(tmp_path / "killed")]
    checkpoints = tmp_path / "killed" / RUN / "checkpoint"
    for epoch in (2, 4):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        while not (checkpoints / f"epoch-{epoch:04d}").exists():
            assert process.poll() is None
            time.sleep(0.001)
        time.sleep(0.05 * epoch)
        process.kill()
        process.wait()
    assert not (tmp_path / "killed" / RUN / "metrics.json").exists()
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
    _assert_same(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.long
@pytest.mark.data
@pytest.mark.skipif(not REAL_DATA, reason="CAPSGAN_DATA_DIR is not set")
def test_real_mnist_to_the_end(tmp_path):
    options = ["--epochs", "1", "--batch-size", "128", "--test", "affine", "overlap"]
    changed = ["--dataset", "mnist", "--image-size", "28", "--width", "0.25"]
    assert run(tmp_path, *changed, *options, "--learning-rate", "0.002") == 0
    metrics = records(tmp_path)[1]
    assert metrics["test_error"] < 0.1
    assert metrics["test_error"] < metrics["affine_error"] < 0.8


def test_all_runs_are_planned_before_the_first_is_trained(finished, tmp_path, monkeypatch):
    shutil.copytree(finished / RUN, tmp_path / "efficient-seed1")
    monkeypatch.setattr(training, "_train_one", lambda *_: pytest.fail("trained"))
    assert run(tmp_path, "--seeds", "2") == 2
