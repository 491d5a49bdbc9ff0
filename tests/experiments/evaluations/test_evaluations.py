import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from capsgan_keras import load_dataset, load_run
from capsgan_keras.evaluation import (
    ClassifierSettings,
    generative_adversarial_metric,
    nearest_neighbour_error,
    semi_supervised_error,
)
from experiments import gam, report, sample_quality, semi_supervised
from experiments.evaluations import semi_supervised as error_evaluation
from experiments.evaluations.finished_runs import load_finished_runs
from experiments.evaluations.opponents import opponents
from experiments.settings.training import Settings
from experiments.training.train import load_training_images, train

SMALL = ["--n-labelled", "20"]
METRIC = ["--samples", "40", "--verbose", "0"]
TABLE = ["--n-labelled", "20", "40", "--draws", "2", "--n-unlabelled", "60", "--verbose", "0"]


@pytest.fixture
def run_paths(finished_runs):
    return [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]


def read(path):
    return json.loads(path.read_text())


def test_metric_is_the_librarys(run_paths, tmp_path, capsys):
    assert gam.main([*run_paths, *METRIC, "--seed", "5", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    content = read(tmp_path / "gam.json")
    assert content["finished"]
    capsule, convolutional = (load_run(path).gan for path in run_paths)
    x_test = load_dataset("digits").x_test
    assert [pair["cut"] for pair in content["results"]["pairs"]] == ["paper", "calibrated"]
    for pair in content["results"]["pairs"]:
        assert (pair["a"], pair["b"]) == ("convolutional-seed0", "capsule-seed0")
        expected = generative_adversarial_metric(
            convolutional, capsule, x_test, n_samples=40, cut=pair["cut"], seed=5
        )
        assert pair["accuracies"] == expected.accuracies
        assert pair["r_test"] == expected.r_test
        assert f"{pair['auc']['d_b']:.3f}" in printed
    rows = content["results"]["rows"]["paper"]
    assert [row["name"] for row in rows] == ["capsule-seed0", "convolutional-seed0"]


def test_cuts_may_be_numbers(run_paths, tmp_path):
    arguments = [*run_paths, *METRIC, "--cut", "0.4", "paper", "--output", str(tmp_path)]
    assert gam.main(arguments) == 0
    pairs = read(tmp_path / "gam.json")["results"]["pairs"]
    assert [pair["cuts"] for pair in pairs] == [[0.4, 0.4], [0.5, 0.5]]


def test_a_cut_of_one_half_is_left_out_for_scores(tmp_path, capsys):
    """Discriminators with the hinge loss give scores; all else is evaluated."""
    settings = Settings(
        model="convolutional",
        seeds=2,
        epochs=1,
        batch_size=512,
        loss="hinge",
        convolutional_filters=(4,),
        generator_filters=(4, 4),
        run_dir=str(tmp_path / "runs"),
    )
    paths = train(settings, load_training_images(settings))
    arguments = [*map(str, paths), *METRIC, "--output", str(tmp_path)]
    assert gam.main(arguments) == 0
    assert "cut 0.5 is left out" in capsys.readouterr().out
    (pair,) = read(tmp_path / "gam.json")["results"]["pairs"]
    assert pair["cut"] == "calibrated"
    assert "scores, larger for real images" in (paths[0] / "README.md").read_text()
    assert gam.main([*arguments, "--cut", "0.5", "--overwrite"]) == 2
    assert "between probabilities: take --cut calibrated" in capsys.readouterr().err


def test_opponents():
    models = {"c0": "capsule", "g0": "convolutional", "c1": "capsule"}
    assert opponents(models) == [("g0", "c0"), ("g0", "c1")]
    assert opponents({"c0": "capsule", "c1": "capsule"}) == [("c0", "c1")]


def test_table_is_the_librarys(run_paths, tmp_path, capsys):
    assert semi_supervised.main([*run_paths, *TABLE, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    tables = read(tmp_path / "semi_supervised.json")["results"]["tables"]
    pool, test = load_dataset("digits")
    images = load_run(run_paths[0]).gan.generate(60, seed=0)
    options = {"n_labelled": (20, 40), "draws": 2}
    expected = semi_supervised_error(images, pool, test, **options)
    assert tables["capsule-seed0"]["errors"] == expected.errors.tolist()
    expected = nearest_neighbour_error(pool, test, **options)
    assert tables["nearest_labelled"]["errors"] == expected.errors.tolist()
    for name in ("labels_only", "real_unlabelled", "convolutional-seed0"):
        assert np.shape(tables[name]["errors"]) == (2, 2)
        assert f"{tables[name]['mean'][0]:.4f}" in printed


def test_settings_are_chosen_on_training_images(run_paths, tmp_path, monkeypatch, capsys):
    choose = error_evaluation.choose_settings

    def choose_apart(*arguments, **options):
        first, second = choose(*arguments, **options)
        assert first.candidates_n_neighbors == (5, 7, 10, 15, 20)  # no more than 20 labels
        return first, dataclasses.replace(second, n_neighbors=first.n_neighbors + 2, alpha=0.35)

    monkeypatch.setattr(error_evaluation, "choose_settings", choose_apart)
    arguments = [run_paths[0], *TABLE, "--choose-settings", "--output", str(tmp_path)]
    assert semi_supervised.main(arguments) == 0
    results = read(tmp_path / "semi_supervised.json")["results"]
    assert [choice["n_labelled"] for choice in results["choices"]] == [20, 40]
    chosen = {
        name: [choice[name] for choice in results["choices"]] for name in ("n_neighbors", "alpha")
    }
    for name in ("labels_only", "real_unlabelled", "capsule-seed0"):
        settings = results["tables"][name]["settings"]
        assert {key: settings[key] for key in chosen} == chosen
    neighbours, alphas = (", ".join(f"{value:g}" for value in chosen[key]) for key in chosen)
    text = f"{neighbours} neighbours, alpha {alphas}, chosen on training images for each n"
    assert text in capsys.readouterr().out


def test_gamma_is_chosen_and_told(run_paths, tmp_path, monkeypatch, capsys):
    choose = error_evaluation.choose_settings

    def choose_apart(*arguments, **options):
        first, second = choose(*arguments, **options)
        assert first.candidates_gamma == error_evaluation.GAMMAS
        return first, dataclasses.replace(second, gamma=first.gamma + 0.125)

    monkeypatch.setattr(error_evaluation, "choose_settings", choose_apart)
    rbf = [run_paths[0], *TABLE, "--kernel", "rbf", "--alpha", "0.3", "--output", str(tmp_path)]
    assert semi_supervised.main([*rbf, "--choose-settings"]) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "semi_supervised-rbf-chosen.json"
    results = read(file)["results"]
    gammas = [choice["gamma"] for choice in results["choices"]]
    for name in ("labels_only", "real_unlabelled", "capsule-seed0"):
        settings = results["tables"][name]["settings"]
        assert (settings["kernel"], settings["gamma"], settings["alpha"]) == (
            "rbf",
            gammas,
            [0.3] * 2,
        )
    text = (
        f"kernel rbf, gamma {gammas[0]:g}, {gammas[1]:g}, chosen on training images for each n, "
        "alpha 0.3, at most"
    )
    assert text in printed
    assert f"In {file}" in printed


def test_tables_of_both_kernels_stand_in_one_report(run_paths, tmp_path, capsys):
    table = [run_paths[0], *TABLE, "--output", str(tmp_path)]
    assert semi_supervised.main(table) == 0
    assert semi_supervised.main([*table, "--kernel", "rbf", "--gamma", "0.5"]) == 0
    assert report.main([str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text()
    assert text.count("## Semi-supervised classification") == 1
    assert "kernel knn, 7 neighbours, alpha 0.2, at most" in text
    assert "kernel rbf, gamma 0.5, alpha 0.2, at most" in text
    for name in ("errors.png", "errors-rbf.png"):
        assert f"({name})" in text
        assert (tmp_path / name).exists()
    # A setting that the kernel does not have makes no other results; one that it has does.
    rbf = [*table, "--kernel", "rbf", "--n-neighbors", "3"]
    assert semi_supervised.main([*rbf, "--gamma", "0.5"]) == 0
    told = "warning: --n-neighbors 3 has no effect with the kernel rbf\n"
    assert told in capsys.readouterr().err
    assert semi_supervised.main([*rbf, "--gamma", "0.25"]) == 2
    assert "other runs or settings" in capsys.readouterr().err


@pytest.mark.parametrize("chosen", ["rbf", "knn"])
def test_what_a_choice_replaces_makes_no_other_results(run_paths, tmp_path, monkeypatch, chosen):
    monkeypatch.setattr(error_evaluation, "GAMMAS", (0.1, 0.5))
    monkeypatch.setattr(error_evaluation, "NEIGHBOURS", (3, 5))
    monkeypatch.setattr(error_evaluation, "ALPHAS", (0.2,))
    arguments = [run_paths[0], *TABLE, "--kernel", chosen, "--choose-settings"]
    arguments += ["--output", str(tmp_path)]
    assert semi_supervised.main(arguments) == 0
    replaced = {"rbf": ("--gamma", "0.3"), "knn": ("--alpha", "0.3")}[chosen]
    assert semi_supervised.main([*arguments, *replaced]) == 0
    # What is out of range is refused nevertheless.
    assert semi_supervised.main([*arguments, replaced[0], "-1"]) == 2


def test_a_gamma_that_is_refused_leaves_no_file(run_paths, tmp_path, capsys):
    arguments = [run_paths[0], *TABLE, "--kernel", "rbf", "--output", str(tmp_path)]
    with pytest.warns(UserWarning, match="is large for these images"):
        assert semi_supervised.main([*arguments, "--gamma", "1e5"]) == 2
    assert "`gamma` is too large" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.json"))
    assert semi_supervised.main([*arguments, "--gamma", "0.5"]) == 0


def test_errors_that_have_not_converged_are_counted(run_paths, tmp_path):
    table = [run_paths[0], *TABLE, "--output", str(tmp_path)]
    few = ["--kernel", "rbf", "--alpha", "0.9", "--max-iter", "1"]
    assert semi_supervised.main([*table, *few]) == 0
    assert report.main([str(tmp_path)]) == 0
    tables = read(tmp_path / "semi_supervised-rbf.json")["results"]["tables"].values()
    cells = [cell for each in tables for cell in each["cells"]]
    spread = [cell for cell in cells if cell["iterations"]]
    assert not any(cell["converged"] for cell in spread)
    text = (tmp_path / "report.md").read_text()
    assert f"Not converged: {len(spread)} of {len(cells)} errors." in text


@pytest.mark.parametrize("writes", [1, 3, 9])
def test_an_interrupted_table_goes_on(run_paths, tmp_path, interrupt, monkeypatch, writes):
    whole, path = tmp_path / "whole", tmp_path / "interrupted" / "semi_supervised.json"
    arguments = [*run_paths, *TABLE, "--output"]
    assert semi_supervised.main([*arguments, str(whole)]) == 0
    interrupt(writes)
    assert semi_supervised.main([*arguments, str(path.parent)]) == 130
    monkeypatch.undo()
    content = read(path)
    assert not content["finished"]
    cells = content["results"]["cells"]
    assert sum(map(len, cells.values())) == writes
    cells["nearest_labelled"][0]["error"] = 0.987  # shows that it is not computed again
    path.write_text(json.dumps(content))
    assert semi_supervised.main([*arguments, str(path.parent)]) == 0
    results = read(path)["results"]
    assert results["tables"]["nearest_labelled"]["errors"][0][0] == 0.987
    for name, table in read(whole / "semi_supervised.json")["results"]["tables"].items():
        errors = results["tables"][name]["errors"]
        assert errors[1] == table["errors"][1]


@pytest.mark.parametrize(
    ("kernel", "name", "tried", "file"),
    [
        ("rbf", "gamma", (0.02, 0.1, 0.5), "semi_supervised-rbf-chosen.json"),
        ("knn", "n_neighbors", (3, 5, 9), "semi_supervised.json"),
    ],
)
def test_an_interrupted_choice_goes_on(
    run_paths, tmp_path, interrupt, monkeypatch, capsys, kernel, name, tried, file
):
    def try_these():
        monkeypatch.setattr(error_evaluation, "GAMMAS", tried)
        monkeypatch.setattr(error_evaluation, "NEIGHBOURS", tried)
        monkeypatch.setattr(error_evaluation, "ALPHAS", (0.2,))

    path = tmp_path / file
    arguments = [run_paths[0], *TABLE, "--kernel", kernel, "--choose-settings", "--verbose", "2"]
    arguments += ["--output", str(tmp_path)]
    try_these()
    interrupt(2)
    assert semi_supervised.main(arguments) == 130
    monkeypatch.undo()
    try_these()
    content = read(path)
    candidates = content["results"]["candidates"]
    assert [each[name] for each in candidates] == list(tried[:2])
    for broken in (None, [{}], [candidates[0] | {"errors": [2.0, 0.5]}]):
        content["results"]["candidates"] = broken
        path.write_text(json.dumps(content))
        assert semi_supervised.main(arguments) == 2
    content["results"]["candidates"] = candidates
    candidates[1]["errors"] = [0.0, 0.0]  # shows that they are not computed again
    path.write_text(json.dumps(content))
    capsys.readouterr()
    assert semi_supervised.main(arguments) == 0
    assert "3/3" in capsys.readouterr().out
    results = read(path)["results"]
    assert [choice[name] for choice in results["choices"]] == [tried[1]] * 2
    assert results["choices"][0]["errors"][1] == [0.0]
    assert "candidates" not in results


@pytest.mark.parametrize("writes", [1, 3, 5])
def test_an_interrupted_metric_goes_on(run_paths, tmp_path, interrupt, monkeypatch, writes):
    arguments = [*run_paths, *METRIC, "--output"]
    assert gam.main([*arguments, str(tmp_path / "whole")]) == 0
    interrupt(writes)
    path = tmp_path / "interrupted"
    assert gam.main([*arguments, str(path)]) == 130
    monkeypatch.undo()
    assert gam.main([*arguments, str(path)]) == 0
    ours, whole = (read(folder / "gam.json")["results"] for folder in (path, tmp_path / "whole"))
    assert ours == whole


def test_results_are_not_computed_twice(run_paths, tmp_path, capsys):
    arguments = [*run_paths, *METRIC, "--output", str(tmp_path)]
    assert gam.main(arguments) == 0
    first, before = capsys.readouterr().out, (tmp_path / "gam.json").stat().st_mtime_ns
    assert gam.main(arguments) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "gam.json").stat().st_mtime_ns == before


def test_other_results_are_kept_unless_told(run_paths, tmp_path, capsys):
    arguments = [*run_paths, *METRIC, "--output", str(tmp_path)]
    assert gam.main(arguments) == 0
    before = (tmp_path / "gam.json").read_bytes()
    assert gam.main([*arguments, "--seed", "3"]) == 2
    assert "settings.seed: 0, 3" in capsys.readouterr().err
    assert (tmp_path / "gam.json").read_bytes() == before
    assert gam.main([*arguments, "--seed", "3", "--overwrite"]) == 0
    assert read(tmp_path / "gam.json")["identity"]["settings"]["seed"] == 3


def test_sample_quality(run_paths, tmp_path, monkeypatch, capsys):
    quick = ClassifierSettings(width=8, epochs=1)
    monkeypatch.setattr(ClassifierSettings, "for_images", lambda *_: quick)
    arguments = ["--samples", "50", "--cache-dir", str(tmp_path / "cache"), "--verbose", "0"]
    assert sample_quality.main([*run_paths, *arguments, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    measured = read(tmp_path / "sample_quality.json")["results"]["quality"]
    assert list(measured) == ["capsule-seed0", "convolutional-seed0"]
    for quality in measured.values():
        assert sum(quality["class_shares"]) == pytest.approx(1.0)
        assert f"{quality['frechet_distance']:.2f}" in printed
    assert f"{quality['classifier']['test_accuracy']:.2%} of the test images" in printed


@pytest.fixture
def other_run(run_paths, tmp_path):
    """A copy of a finished run, with its config.json changed by a function."""

    def copy(change=None, without=()):
        path = tmp_path / "copies" / "capsule-seed0"
        shutil.copytree(run_paths[0], path)
        config = read(path / "config.json")
        if change:
            change(config)
        (path / "config.json").write_text(json.dumps(config))
        for name in without:
            (path / name).unlink()
        return str(path)

    return copy


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (gam, ["{first}"], "needs two runs or more. Received: capsule-seed0"),
        (gam, ["{first}", "{first}"], "Each run must be given once"),
        (gam, ["{first}", "{first}/none"], "is no run: the folder does not exist"),
        (gam, ["{first}", "{second}", "--samples", "0"], "`n_samples`"),
        (gam, ["{first}", "{second}", "--cut", "paper", "paper"], "each once"),
        (gam, ["{first}", "{second}", "--cut", "0.5", "0.5"], "each once. Received: --cut 0.5 0.5"),
        (gam, ["{first}", "{second}", "--cut", "nan"], "`cuts` must be"),
        (gam, ["{first}", "{second}", "--cut", "2"], "numbers from 0 to 1"),
        (gam, ["{first}", "{second}", "--cut", "half"], "or a number from 0 to 1. Received: half"),
        (gam, ["{first}", "{second}", "--tolerance", "nan"], "`tolerance` must be"),
        (gam, ["{first}", "{second}", "--seed", "-1"], "`seed` must be"),
        (gam, ["{first}", "{second}", "--output", "{first}/README.md"], "README.md"),
        (semi_supervised, ["{first}", "--n-labelled", "100000"], "pool"),
        (semi_supervised, ["{first}", "--n-labelled", "0"], "`n_labelled` must be a positive"),
        (
            semi_supervised,
            ["{first}", "--n-labelled", "1", "--n-neighbors", "1"],
            "all of class",
        ),
        (semi_supervised, ["{first}", *SMALL, "--alpha", "1.5"], "`alpha` must lie in (0, 1)"),
        (semi_supervised, ["{first}", *SMALL, "--draws", "0"], "`draws`"),
        (semi_supervised, ["{first}", *SMALL, "--draws", "99999999"], "from 1 to 10000"),
        (semi_supervised, ["{first}", *SMALL, "--seed", "-1"], "`seed` must be"),
        (semi_supervised, ["{first}", *SMALL, "--n-unlabelled", "0"], "`n_unlabelled` must be"),
        (semi_supervised, ["{first}", *SMALL, "--n-neighbors", "21"], "`n_neighbors` must not"),
        (semi_supervised, ["{first}", *SMALL, "--gamma", "0"], "`gamma` must be above 0"),
        (
            semi_supervised,
            ["{first}", *SMALL, "--kernel", "rbf", "--n-unlabelled", "1000000"],
            "`kernel` rbf for 1,000,020 images takes at least 2,00",
        ),
        (
            semi_supervised,
            ["{first}", "--choose-settings", "--n-labelled", "20", "1300"],
            "pool of 1,150 training images without those that settings are chosen on",
        ),
        (sample_quality, ["{first}", "--samples", "0"], "`n_samples`"),
        (sample_quality, ["{first}", "--samples", "1"], "`n_samples` must be"),
    ],
)
def test_bad_arguments(run_paths, tmp_path, capsys, module, arguments, message):
    names = dict(zip(("first", "second"), run_paths, strict=True))
    filled = [argument.format(**names) for argument in arguments]
    output = [] if "--output" in filled else ["--output", str(tmp_path)]
    assert module.main([*filled, *output, "--verbose", "0"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())  # nothing that the corrected command would stumble over


def test_runs_of_other_images_are_refused(run_paths, other_run, tmp_path, capsys):
    other = other_run(lambda config: config["dataset"].update(checksum="0" * 64, name="other"))
    assert gam.main([other, run_paths[1], "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "must be of the same data set" in error
    assert "other, [28, 28, 1], checksum 000000000000" in error
    assert gam.main([other, "--output", str(tmp_path)]) == 2
    assert "not the images that the runs were trained on" in capsys.readouterr().err


def test_a_run_that_has_not_ended_is_refused(other_run, tmp_path, capsys):
    path = other_run(without=["metrics.json"])
    assert semi_supervised.main([path, "--output", str(tmp_path)]) == 2
    assert "the run has not ended" in capsys.readouterr().err


def test_a_run_without_its_networks_is_refused(other_run, tmp_path, capsys):
    path = other_run(without=["gan.keras"])
    assert semi_supervised.main([path, "--output", str(tmp_path)]) == 2
    assert "holds the records of a run without its networks" in capsys.readouterr().err


def test_a_config_that_lacks_a_part_is_refused(other_run, tmp_path, capsys):
    path = other_run(lambda config: config.pop("settings"))
    assert semi_supervised.main([path, "--output", str(tmp_path)]) == 2
    assert "config.json: is damaged: it lacks 'settings'" in capsys.readouterr().err


@pytest.mark.parametrize("metrics", ["{}", "null"])
def test_metrics_that_lack_a_part_are_refused(other_run, tmp_path, capsys, metrics):
    path = other_run()
    (Path(path) / "metrics.json").write_text(metrics)
    assert semi_supervised.main([path, "--output", str(tmp_path)]) == 2
    assert "metrics.json: is damaged: it lacks 'epochs'" in capsys.readouterr().err


def test_damaged_results_are_named(run_paths, tmp_path, capsys):
    (tmp_path / "gam.json").write_text("{")
    assert gam.main([*run_paths, *METRIC, "--output", str(tmp_path)]) == 2
    assert "gam.json: could not be read" in capsys.readouterr().err
    (tmp_path / "gam.json").write_text("{}")
    assert gam.main([*run_paths, *METRIC, "--output", str(tmp_path)]) == 2
    assert "gam.json: holds no results" in capsys.readouterr().err


def test_runs_of_one_name_are_told_apart_by_their_folder(run_paths, other_run):
    runs = load_finished_runs([run_paths[0], other_run()])
    assert list(runs.runs) == ["runs/capsule-seed0", "copies/capsule-seed0"]


def test_an_experiment_ends_with_the_evaluation(train, tmp_path, small_evaluation, capsys):
    assert train("--evaluate") == 0
    printed = capsys.readouterr().out
    assert "convolutional-seed0 against capsule-seed0" in printed
    assert "no images: nearest labelled image" in printed
    folder = tmp_path / "runs" / "evaluation" / "seed0"
    assert read(folder / "gam.json")["finished"]
    assert read(folder / "semi_supervised.json")["finished"]
    assert train("--evaluate", "--resume") == 0
    assert "no images: nearest labelled image" in capsys.readouterr().out


@pytest.mark.long
def test_runs_trained_anew_are_evaluated_anew(train, tmp_path, small_evaluation):
    runs = tmp_path / "runs"
    assert train("--evaluate") == 0
    for model in ("capsule", "convolutional"):
        shutil.rmtree(runs / f"{model}-seed0")
    assert train("--evaluate", "--epochs", "1") == 0
    described = read(runs / "evaluation" / "seed0" / "gam.json")["identity"]["runs"]
    assert [run["epochs"] for run in described] == [1, 1]


def test_one_model_alone_is_not_evaluated(train, tmp_path, small_evaluation, capsys):
    assert train("--evaluate", "--model", "capsule") == 0
    assert "Not evaluated, for that takes both models" in capsys.readouterr().out
    assert not (tmp_path / "runs" / "evaluation").exists()
    assert train("--evaluate", "--model", "convolutional") == 0
    assert (tmp_path / "runs" / "evaluation" / "seed0" / "gam.json").is_file()


@pytest.fixture
def own_images(tmp_path):
    def write(name, **arrays):
        pool, _ = load_dataset("digits")
        path = tmp_path / name
        np.savez(path, x_train=pool[0][:300], **arrays)
        return path

    return write


def test_own_images_are_evaluated_on_request_only(train, tmp_path, own_images, capsys):
    path = own_images("own.npz")
    assert train("--dataset", path, "--model", "capsule") == 0
    assert "valuated, " not in capsys.readouterr().out
    assert not (tmp_path / "runs" / "evaluation").exists()
    run_dir = tmp_path / "second"
    assert train("--dataset", path, "--evaluate", run_dir=run_dir) == 2
    assert "cannot be evaluated, for it lacks labels" in capsys.readouterr().err
    assert not run_dir.exists()


def test_own_images_are_found_from_any_folder(train, tmp_path, own_images, monkeypatch):
    monkeypatch.chdir(own_images("own.npz").parent)
    assert train("--dataset", "own.npz") == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    runs = load_finished_runs([tmp_path / "runs" / "capsule-seed0"])
    assert len(runs.dataset.x_train) == 300


def test_too_few_images_are_refused_before_training(train, tmp_path, own_images, capsys):
    _, (x_test, y_test) = load_dataset("digits")
    y_train = load_dataset("digits").y_train[:300]
    path = own_images("few.npz", y_train=y_train, x_test=x_test, y_test=y_test)
    assert train("--dataset", path, "--evaluate") == 2
    message = capsys.readouterr().err
    assert "lacks 500 training images to label, having 300" in message
    assert "experiments.semi_supervised --n-labelled" in message
    path = own_images("no-test.npz", y_train=y_train)
    assert train("--dataset", path, "--evaluate") == 2
    message = capsys.readouterr().err
    assert "lacks labelled test images" in message
    assert "--validation" in message
    assert not (tmp_path / "runs").exists()
