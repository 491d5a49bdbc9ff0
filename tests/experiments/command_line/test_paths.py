"""Paths that mean nothing, on every option and every command: one line, exit status 2, no hang."""

import json
import os
import re
import shutil

import pytest

from benchmarks import __main__ as benchmarks
from capsgan_keras import load_dataset, load_pretrained, load_run
from capsgan_keras.files import usable_path
from capsgan_keras.runs import RunDirectory
from experiments import digits, gam, images, publish, report, sample_quality, semi_supervised
from experiments.sample import __main__ as sample
from experiments.study import __main__ as study

COMMANDS = [
    (digits, "--run-dir {}"),
    (digits, "--data-dir {}"),
    (digits, "--dataset {}"),
    (images, "{}"),
    (images, "digits --run-dir {}"),
    (gam, "{}"),
    (gam, "run --output {}"),
    (gam, "run --data-dir {}"),
    (semi_supervised, "{}"),
    (semi_supervised, "run --output {}"),
    (sample_quality, "{}"),
    (sample_quality, "run --output {}"),
    (sample_quality, "run --cache-dir {}"),
    (report, "{}"),
    (report, "folder --readme {}"),
    (publish, "{}"),
    (publish, "run --results {}"),
    (publish, "run --output {}"),
    (sample, "{} --output images"),
    (sample, "mnist/capsule --output {}"),
    (study, "--output {}"),
    (study, "--readme {}"),
    (study, "--data-dir {}"),
    (study, "--cache-dir {}"),
    (benchmarks, "--quick --output {}"),
]


@pytest.fixture
def useless(tmp_path):
    """Paths that no command can use, by what they are."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    return {
        "nobody": "~nosuchuser/x",
        "loop": str(tmp_path / "loop"),
        "pipe": str(tmp_path / "pipe"),
        "device": "/dev/zero",
        "empty": "",
        "long": "x" * 5000,
        "null": "a\0b",
    }


KINDS = ["nobody", "loop", "pipe", "device", "empty", "long", "null"]


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("command", "arguments"), COMMANDS)
def test_paths_that_nothing_can_be_at(
    useless, capsys, command, arguments, kind, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    words = [useless[kind] if word == "{}" else word for word in arguments.split()]
    try:
        status = command.main(words)
    except SystemExit as stop:  # argparse, in benchmarks
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2
    assert re.search("must lead to a file or a folder|must be a text that is not empty", error)
    assert "Traceback" not in error
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "read",
    [load_dataset, load_run, lambda path: load_dataset("mnist", data_dir=path)],
    ids=["load_dataset", "load_run", "data_dir"],
)
def test_paths_from_python(useless, kind, read):
    with pytest.raises(ValueError, match=r"must lead to a file|must name a folder"):
        read(useless[kind])


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("name", ["config.json", "history.csv", "gan.keras"])
def test_a_pipe_in_the_place_of_a_file_of_a_run(finished_runs, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(finished_runs / "capsule-seed0", run)
    (run / name).unlink()
    os.mkfifo(run / name)
    with pytest.raises(ValueError, match=re.escape(str(run))):
        print(load_run(run).gan)


def test_pretrained_networks_of_nobody():
    with pytest.raises(ValueError, match="must lead to a file or a folder"):
        load_pretrained("capsule", "mnist", folder="~nosuchuser/x")


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_saving_where_nothing_can_be(useless, tmp_path):
    os.mkfifo(tmp_path / "gan.keras")
    gan = load_pretrained("capsule", "mnist")
    for path in (tmp_path / "gan.keras", "~nosuchuser/gan.keras"):
        with pytest.raises(ValueError, match="`filepath` must lead to a file or a folder"):
            gan.save(path)


def test_the_home_folder_is_expanded_by_the_type_of_all_options(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert usable_path("~/x") == tmp_path / "x"


def test_no_run_within_a_run(train, finished_runs, tmp_path, capsys):
    outer = tmp_path / "capsule-seed0"
    shutil.copytree(finished_runs / "capsule-seed0", outer)
    before = sorted(outer.rglob("*"))
    for inner in (outer, outer / "samples", outer / "new" / "deeper"):
        assert train(run_dir=inner) == 2
        error = capsys.readouterr().err
        assert f"lies in {outer}, the folder of a run that has ended" in error
        assert error.count("\n") <= 4  # and how to go on
    assert sorted(outer.rglob("*")) == before
    # One that was made so before can be read.
    shutil.copytree(finished_runs / "capsule-seed0", outer / "inner")
    assert load_run(outer / "inner").finished
    assert RunDirectory(outer / "inner").exists
    assert json.loads((outer / "config.json").read_text(encoding="utf-8"))
