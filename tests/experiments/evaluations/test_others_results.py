"""An experiment's evaluation never replaces, unasked, what a person has computed."""

import json
import shutil

import pytest

from capsgan_keras import load_run
from experiments.settings.evaluations import GAM, SEMI_SUPERVISED

MODELS = ("capsule", "convolutional")


@pytest.fixture
def evaluated(train, tmp_path, small_evaluation, finished_runs):
    """The evaluation folder of two finished runs, whose experiment was evaluated."""
    shutil.copytree(finished_runs, tmp_path / "runs", ignore=shutil.ignore_patterns("evaluation"))
    assert train("--evaluate", "--resume") == 0
    return tmp_path / "runs" / "evaluation" / "seed0"


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def other_setting(content):
    content["identity"]["settings"]["seed"] = 3


def other_images(content):
    content["identity"]["dataset"]["checksum"] = "0" * 64


def other_networks(content):
    content["identity"]["runs"][0]["gan_checksum"] = "0" * 64


def one_run_more(content):
    content["identity"]["runs"].append(content["identity"]["runs"][0] | {"name": "mine"})


def hours_of_unfinished_work(content):
    other_setting(content)
    content["finished"] = False


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (GAM, other_setting, "settings.seed: 3, 0"),
        (SEMI_SUPERVISED, other_images, "dataset.checksum: "),
        (GAM, other_networks, "runs[0].gan_checksum: "),
        (SEMI_SUPERVISED, one_run_more, "runs: "),
        (SEMI_SUPERVISED, hours_of_unfinished_work, "settings.seed: 3, 0"),
    ],
)
def test_other_results_stay_until_overwrite_is_said(train, evaluated, capsys, name, change, said):
    path = evaluated / f"{name}.json"
    edit(path, change)
    before = path.read_bytes()
    others = {GAM: SEMI_SUPERVISED, SEMI_SUPERVISED: GAM}
    (evaluated / f"{others[name]}.json").unlink()
    capsys.readouterr()
    assert train("--evaluate", "--resume") == 2
    error = capsys.readouterr().err
    assert f"{path}: holds results of other runs or settings" in error
    assert said in error
    assert "Move the file away" in error
    assert "--overwrite" in error
    assert path.read_bytes() == before
    assert (evaluated / f"{others[name]}.json").is_file()  # is done all the same
    assert train("--evaluate", "--resume", "--overwrite") == 0
    assert json.loads(path.read_text())["finished"]
    assert path.read_bytes() != before


def test_a_damaged_file_stays_until_overwrite_is_said(train, evaluated, capsys):
    path = evaluated / "gam.json"
    path.write_text("{")
    assert train("--evaluate", "--resume") == 2
    assert "gam.json: could not be read" in capsys.readouterr().err
    assert path.read_text() == "{"
    assert train("--evaluate", "--resume", "--overwrite") == 0


@pytest.mark.long
@pytest.mark.parametrize("change", [other_setting, one_run_more])
def test_training_anew_makes_nothing_else_stale(train, evaluated, tmp_path, change):
    path = evaluated / "gam.json"
    edit(path, change)
    before = path.read_bytes()
    for model in MODELS:
        shutil.rmtree(tmp_path / "runs" / f"{model}-seed0")
    assert train("--evaluate", "--epochs", "1") == 2
    assert path.read_bytes() == before


@pytest.mark.long
def test_only_the_runs_that_were_trained_anew_are_stale(train, evaluated, tmp_path):
    path = evaluated / "gam.json"
    shutil.rmtree(tmp_path / "runs" / "capsule-seed0")
    old = path.read_bytes()
    edit(path, other_networks)  # of the convolutional run, which stays
    before = path.read_bytes()
    assert train("--evaluate", "--resume") == 2
    assert path.read_bytes() == before
    path.write_bytes(old)
    shutil.rmtree(tmp_path / "runs" / "capsule-seed0")
    (tmp_path / "runs" / "capsule-seed0").mkdir()
    edit(path, lambda content: content["identity"]["runs"][1].update(gan_checksum="0" * 64))
    assert train("--evaluate", "--resume") == 0
    described = json.loads(path.read_text())["identity"]["runs"]
    assert described[1]["gan_checksum"] != "0" * 64
    assert load_run(tmp_path / "runs" / "capsule-seed0").finished
