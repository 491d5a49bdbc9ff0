"""Runs of several seeds: trained one after the other, evaluated together."""

import dataclasses
import json

import pytest

from capsgan_keras import load_run
from capsgan_keras.datasets.registry import DIGITS, REGISTERED
from capsgan_keras.evaluation import ClassifierSettings
from capsgan_keras.runs.directory import RunDirectory
from experiments import digits
from experiments.evaluations.finished_runs import load_finished_runs
from experiments.settings.evaluations import QualitySettings


def read(path):
    return json.loads(path.read_text())


def test_seeds_are_trained_and_evaluated_together(
    train, finished_runs, tmp_path, small_evaluation, monkeypatch, capsys
):
    runs = tmp_path / "runs"
    arguments = ["--evaluate", "--seeds", "2"]
    write = RunDirectory.write_history

    def interrupted(directory, history):
        if directory.path.name == "convolutional-seed1" and len(history["d_loss"]) == 2:
            raise KeyboardInterrupt
        write(directory, history)

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "write_history", interrupted)
        assert train(*arguments) == 130
    assert "--evaluate --seeds 2 --resume" in capsys.readouterr().err
    assert not load_run(runs / "convolutional-seed1").finished
    first = runs / "capsule-seed0" / "metrics.json"
    before = first.stat().st_mtime_ns
    assert train(*arguments, "--resume") == 0
    printed = capsys.readouterr().out
    assert first.stat().st_mtime_ns == before
    assert printed.count("is finished already") == 3

    # The runs of one seed are those that are trained without the other, bit for bit.
    for model in ("capsule", "convolutional"):
        alone = (finished_runs / f"{model}-seed0" / "history.csv").read_bytes()
        assert (runs / f"{model}-seed0" / "history.csv").read_bytes() == alone
        assert (runs / f"{model}-seed1" / "history.csv").read_bytes() != alone

    folder = runs / "evaluation" / "seeds0-1"
    content = read(folder / "gam.json")
    names = [f"{model}-seed{k}" for model in ("convolutional", "capsule") for k in (0, 1)]
    assert [run["name"] for run in content["identity"]["runs"]] == names
    pairs = [(pair["a"], pair["b"], pair["cut"]) for pair in content["results"]["pairs"]]
    expected = [
        (a, b, cut) for cut in ("paper", "calibrated") for a in names[:2] for b in names[2:]
    ]
    assert pairs == expected
    assert "over 4 pairs of seeds" in printed
    d_caps = load_run(runs / "capsule-seed1").metrics["parameters"]["discriminator"]
    summary = printed.partition("pairs won by")[2].partition("Mean, standard deviation")[0]
    assert summary.count(f"| {d_caps:,} |") == 2  # a row for each cut
    tables = read(folder / "semi_supervised.json")["results"]["tables"]
    assert set(names) < set(tables)
    assert "CapsuleGAN, ours, 2 seeds" in printed
    assert not (folder / "sample_quality.json").exists()  # for it is not asked for


def test_the_evaluation_of_several_seeds_has_a_folder_of_its_own(finished_runs):
    runs = load_finished_runs([finished_runs / f"{m}-seed0" for m in ("capsule", "convolutional")])

    def folder(*seeds):
        of_seeds = {
            str(seed): dataclasses.replace(
                runs.runs["capsule-seed0"], config={"settings": {"seed": seed}}
            )
            for seed in seeds
        }
        return dataclasses.replace(runs, runs=of_seeds).evaluation_folder

    assert runs.evaluation_folder == finished_runs / "evaluation" / "seed0"
    names = [folder(2, 0, 1), folder(0, 1, 2, 3, 4), folder(0, 1), folder(0, 2), folder(12)]
    assert [name.name for name in names] == [
        "seeds0-2",
        "seeds0-4",
        "seeds0-1",
        "seeds0+2",
        "seed12",
    ]


@pytest.mark.long
def test_the_evaluation_ends_with_sample_quality_where_it_is_asked_for(
    train, tmp_path, small_evaluation, monkeypatch, capsys
):
    quick = ClassifierSettings(width=8, epochs=1)
    monkeypatch.setattr(ClassifierSettings, "for_images", lambda *_: quick)
    monkeypatch.chdir(tmp_path)  # the classifier goes to runs/classifiers
    quality = QualitySettings(n_samples=30, seed=4)
    evaluation = dataclasses.replace(small_evaluation, quality=quality)
    monkeypatch.setattr(digits, "EVALUATION", evaluation)
    with monkeypatch.context() as patch:
        patch.setitem(REGISTERED, "digits", dataclasses.replace(DIGITS, minimum_accuracy=1.0))
        assert train("--evaluate", "--epochs", "1") == 2
    error = capsys.readouterr().err
    assert "error: The classifier of digits must reach a test accuracy of 100.00%" in error

    assert train("--evaluate", "--epochs", "1", "--resume") == 0
    assert "recognised with confidence > 0.9" in capsys.readouterr().out
    content = read(tmp_path / "runs" / "evaluation" / "seed0" / "sample_quality.json")
    assert content["identity"]["settings"] == {"n_samples": 30, "seed": 4}
    assert list(tmp_path.glob("runs/classifiers/classifier-digits-*.keras"))
