"""The metric and sample quality over the epochs whose networks runs have kept."""

import json
import shutil

import numpy as np
import pytest

from capsgan_keras import load_dataset, load_run
from capsgan_keras.evaluation import ClassifierSettings, tournament
from experiments import digits, gam, report, sample_quality
from experiments.evaluations.result_file import read_results
from experiments.reports.folders import read_folders
from experiments.reports.metric_tables import epoch_table
from experiments.reports.pages import page
from experiments.reports.quality_tables import quality_epoch_table
from experiments.settings.evaluations import GAM_EPOCHS, QUALITY_EPOCHS

pytestmark = pytest.mark.long
OPTIONS = ["--samples", "40", "--verbose", "0", "--over-epochs"]
TRAINING = "--epochs 5 --keep-every 2 --batch-size 512 --latent-dim 4 --latent-categories 0 "
TRAINING += "--generator-filters 4 4 --capsule-filters 4 --n-channels 1 --convolutional-filters 4 "
TRAINING += "--precision float32 --generator-ema 0.5 --decay 0 --no-evaluate --verbose 0 --run-dir"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of a run of each model, with the networks of epochs 2 and 4."""
    folder = tmp_path_factory.mktemp("kept")
    assert digits.main([*TRAINING.split(), str(folder)]) == 0
    return folder


@pytest.fixture
def paths(runs):
    return [str(runs / f"{model}-seed0") for model in ("convolutional", "capsule")]


def test_kept_networks_are_those_of_their_epochs(runs, paths, tmp_path):
    run = load_run(paths[1])
    assert run.kept_epochs == (2, 4)
    images = {epoch: run.load_kept(epoch).generate(8, seed=0) for epoch in run.kept_epochs}
    assert (images[2] != images[4]).any()
    assert not run.load_kept(4).compiled
    # The averages are kept, as a run that ends there has them.
    shorter = TRAINING.replace("--epochs 5", "--epochs 4").split()
    assert digits.main([*shorter, str(tmp_path), "--model", "capsule"]) == 0
    ended = load_run(tmp_path / "capsule-seed0").gan
    np.testing.assert_array_equal(ended.generate(8, seed=0), images[4])
    with pytest.raises(ValueError, match=r"keeps epochs \[2, 4\]\. Received: epoch=3"):
        run.load_kept(3)


def test_each_epoch_has_its_tournament(paths, tmp_path, capsys):
    assert gam.main([*paths, *OPTIONS, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    results = read_results(tmp_path / "gam_epochs.json", GAM_EPOCHS)
    assert list(results.epochs) == ["2", "4"]
    loaded = [load_run(path) for path in paths]
    test_images = load_dataset("digits").x_test
    for epoch in (2, 4):
        models = {run.path.name: run.load_kept(epoch) for run in loaded}
        for cut in ("paper", "calibrated"):
            expected = tournament(models, test_images, 40, cut)
            found = results.epochs[str(epoch)][cut]
            np.testing.assert_array_equal(found.accuracies, expected.accuracies)
            np.testing.assert_array_equal(found.test_accuracies, expected.test_accuracies)
    assert epoch_table(results) in printed
    assert "| 2 | 0.5 |" in printed
    assert "| 4 | calibrated |" in printed


@pytest.mark.parametrize("cuts", [("paper", "calibrated"), ("calibrated", "0.4"), ("0.25",)])
def test_the_report_shows_the_epochs(paths, tmp_path, cuts):
    options = [*OPTIONS, "--cut", *cuts, "--output", str(tmp_path)]
    assert gam.main([*paths, *options]) == 0
    assert report.main([str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text()
    assert "## The metric over the epochs" in text
    for cut in cuts:
        assert f"| 4 | {'0.5' if cut == 'paper' else cut} |" in text
    assert "(gam-epochs.png)" in text
    assert (tmp_path / "gam-epochs.png").stat().st_size > 10_000
    (evaluations,) = read_folders(tmp_path).values()
    assert page(evaluations) == text


def test_pairs_near_the_papers_ratios_are_counted(paths, tmp_path):
    assert gam.main([*paths, *OPTIONS, "--output", str(tmp_path)]) == 0
    file = tmp_path / "gam_epochs.json"
    content = json.loads(file.read_text())
    content["identity"]["dataset"]["name"] = "mnist"
    for tournaments in content["results"]["epochs"].values():
        for each in tournaments.values():
            a, b = each["rows"]
            a["on_samples"], b["on_samples"] = ({row["name"]: 0.5 for row in (a, b)} for _ in "ab")
            a["on_test"] = b["on_test"] = 0.9
    second = content["results"]["epochs"]["4"]["paper"]["rows"]
    second[0]["on_samples"] = dict.fromkeys(second[0]["on_samples"], 0.4)  # r_samples is 0.8
    file.write_text(json.dumps(content))
    lines = epoch_table(read_results(file, GAM_EPOCHS)).splitlines()
    assert [line.split("|")[-2].strip() for line in lines[2:6]] == ["0 of 1", "1 of 1"] + [
        "0 of 1"
    ] * 2
    assert "The paper has r_samples 0.79, r_test 1.00; near is within 0.1 of both." in lines[-1]


def test_an_interrupted_evaluation_goes_on(paths, tmp_path, interrupt, monkeypatch):
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert gam.main([*paths, *OPTIONS, "--output", str(whole)]) == 0
    interrupt(1)
    assert gam.main([*paths, *OPTIONS, "--output", str(part)]) == 130
    monkeypatch.undo()
    content = json.loads((part / "gam_epochs.json").read_text())
    assert (content["finished"], list(content["results"]["epochs"])) == (False, ["2"])
    assert gam.main([*paths, *OPTIONS, "--output", str(part)]) == 0
    assert (part / "gam_epochs.json").read_bytes() == (whole / "gam_epochs.json").read_bytes()


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    """Arguments that keep a classifier of digits, which learns for one epoch, for all tests."""
    quick = ClassifierSettings(width=8, epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassifierSettings, "for_images", lambda *_: quick)
        yield ["--cache-dir", str(tmp_path_factory.mktemp("classifiers"))]


def test_each_epoch_has_its_quality(paths, classifiers, tmp_path, capsys):
    arguments = [*OPTIONS, *classifiers, "--output", str(tmp_path)]
    assert sample_quality.main([*paths, *arguments]) == 0
    printed = capsys.readouterr().out
    results = read_results(tmp_path / "quality_epochs.json", QUALITY_EPOCHS)
    assert list(results.quality_after) == ["2", "4"]
    # As `experiments.sample_quality` has it of a run that ends with the epoch.
    run = tmp_path / "runs" / "capsule-seed0"
    shorter = TRAINING.replace("--epochs 5", "--epochs 4").split()
    assert digits.main([*shorter, str(run.parent), "--model", "capsule"]) == 0
    whole = [str(run), "--samples", "40", "--verbose", "0", *classifiers]
    assert sample_quality.main([*whole, "--output", str(tmp_path)]) == 0
    alone = json.loads((tmp_path / "sample_quality.json").read_text())["results"]["quality"]
    after = json.loads((tmp_path / "quality_epochs.json").read_text())["results"]["quality_after"]
    assert after["4"]["capsule-seed0"] == alone["capsule-seed0"]
    assert quality_epoch_table(results) in printed
    distance = results.quality_after["2"]["convolutional-seed0"].frechet_distance
    assert f"| 2 | convolutional GAN | {distance:.2f} | " in printed
    assert report.main([str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text()
    assert "## Sample quality over the epochs" in text
    assert (tmp_path / "quality-epochs.png").stat().st_size > 10_000


def test_an_interrupted_curve_of_quality_goes_on(
    paths, classifiers, tmp_path, interrupt, monkeypatch
):
    whole, part = tmp_path / "whole", tmp_path / "part"
    arguments = [*paths, *OPTIONS, *classifiers, "--output"]
    assert sample_quality.main([*arguments, str(whole)]) == 0
    interrupt(3)
    assert sample_quality.main([*arguments, str(part)]) == 130
    monkeypatch.undo()
    content = json.loads((part / "quality_epochs.json").read_text())
    done = content["results"]["quality_after"]
    assert not content["finished"]
    assert {epoch: len(measured) for epoch, measured in done.items()} == {"2": 2, "4": 1}
    assert sample_quality.main([*arguments, str(part)]) == 0
    files = [folder / "quality_epochs.json" for folder in (part, whole)]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("command", [gam, sample_quality])
def test_runs_without_kept_networks_are_refused(command, paths, tmp_path, capsys):
    other = tmp_path / "capsule-seed0"
    shutil.copytree(paths[1], other)
    shutil.rmtree(other / "kept")
    assert command.main([paths[0], str(other), *OPTIONS, "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "convolutional-seed0: [2, 4]; capsule-seed0: none" in error
    assert not list(tmp_path.glob("*_epochs.json"))


def test_a_resumed_run_drops_what_it_repeats(runs, paths, tmp_path):
    copy = tmp_path / "runs" / "capsule-seed0"
    shutil.copytree(paths[1], copy)
    for name in ("metrics.json", "gan.keras", "generator.keras"):
        (copy / name).unlink()
    before = load_run(copy).load_kept(4).generate(4, seed=0)
    shutil.copy(copy / "kept" / "epoch-0004.keras", copy / "kept" / "epoch-0006.keras")
    words = [*TRAINING.split(), str(copy.parent), "--model", "capsule", "--resume"]
    assert digits.main(words) == 0
    run = load_run(copy)
    assert run.kept_epochs == (2, 4)
    np.testing.assert_array_equal(run.load_kept(4).generate(4, seed=0), before)
