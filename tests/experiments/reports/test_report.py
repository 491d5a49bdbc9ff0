import copy
import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from capsgan_keras import load_run
from capsgan_keras.plotting import image_grid
from capsgan_keras.runs import sample_images
from experiments import gam, report, sample_quality, semi_supervised
from experiments.errors import EvaluationError
from experiments.evaluations.result_file import read_content
from experiments.evaluations.results import RunRecord, results_from
from experiments.reports.error_tables import error_table, joint_error_table
from experiments.reports.figures import error_curves, metric_intervals
from experiments.reports.folders import Evaluations, read_folders
from experiments.reports.front_page import error_lines, metric_lines, quality_lines, scores
from experiments.reports.metric_tables import metric_tables
from experiments.reports.pages import fill
from experiments.reports.pages import report as report_of
from experiments.reports.quality_tables import quality_table
from experiments.reports.text import NETWORKS, difference, parameters, table
from experiments.settings.evaluations import result_format

README = "# Title\n\n<!-- report: digits -->\nold\n<!-- end of report -->\n\nThe rest.\n"


@pytest.fixture(scope="module")
def evaluated(finished_runs, tmp_path_factory):
    """A folder of results, in digits/ below it."""
    folder = tmp_path_factory.mktemp("results")
    runs = [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]
    common = [*runs, "--verbose", "0", "--output", str(folder / "digits")]
    assert gam.main([*common, "--samples", "40"]) == 0
    sizes = ["--n-labelled", "20", "40", "--draws", "2", "--n-unlabelled", "60"]
    assert semi_supervised.main([*common, *sizes]) == 0
    return folder


@pytest.fixture
def results(evaluated, tmp_path):
    """A copy of it to write in."""
    return shutil.copytree(evaluated, tmp_path / "results")


def read(folder, name):
    """Return the content of a result file in digits/ below a folder."""
    return read_content(folder / "digits" / f"{name}.json", name)


def restored(folder, name, content):
    """Return the results that a file of this content holds."""
    return results_from(folder / f"{name}.json", name, content)


def picture(path):
    return np.asarray(Image.open(io.BytesIO(path.read_bytes())))


def test_tables_and_figures(results, finished_runs, capsys):
    assert report.main([str(results)]) == 0
    printed = capsys.readouterr().out
    folder = results / "digits"
    text = (folder / "report.md").read_text()
    for name in ("gam.png", "gam-matrix.png", "errors.png"):
        assert f"({name})" in text
        assert picture(folder / name).shape[1] > 300
    # The balance of the margin loss is 1.9 / 3, found to about 1e-4.
    assert "| 0.5 |" in text
    assert "| calibrated (0.5, 0.633) |" in text
    content = read(results, "semi_supervised")
    errors = np.array(content["results"]["tables"]["capsule-seed0"]["errors"])
    cells = [f"{row.mean():.4f} ± {row.std(ddof=1):.4f}" for row in errors]
    sizes = [f"{run_of(content, 'capsule-seed0')['parameters'][part]:,}" for part in NETWORKS]
    assert f"| CapsuleGAN, ours | {' | '.join([*cells, *sizes])} |" in text
    assert f"| CapsuleGAN, ours | {' | '.join([*cells, *sizes])} |" in printed
    grid = picture(folder / "samples-capsule-seed0.png")
    expected = image_grid(sample_images(load_run(finished_runs / "capsule-seed0").gan, 0), 10, 10)
    assert (grid == expected[..., 0]).all()


def test_json_files_of_other_kinds_are_left_alone(results):
    other = results / "benchmarks" / "semi_supervised.json"
    other.parent.mkdir()
    other.write_text('{"ratio": 2}')
    assert report.main([str(results)]) == 0
    assert [p.name for p in other.parent.iterdir()] == [other.name]


def test_only_json_is_read(results, finished_runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in results.rglob("*.png"):
        path.unlink()
    assert report.main([str(results)]) == 0
    first = (results / "digits" / "report.md").read_text()
    assert report.main([str(results)]) == 0
    assert (results / "digits" / "report.md").read_text() == first


def test_readme_is_filled(results, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README)
    assert report.main([str(results), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert "old" not in text
    assert text.startswith("# Title\n\n<!-- report: digits -->\n### digits\n")
    assert text.endswith("<!-- end of report -->\n\nThe rest.\n")
    assert "(results/digits/errors.png)" in text
    assert fill(readme, results, read_folders(results)) == text


def test_readme_has_parts_of_folders_within_folders(results, tmp_path):
    inner = results / "digits" / "few-labels"
    inner.mkdir()
    shutil.copy(results / "digits" / "semi_supervised.json", inner)
    readme = tmp_path / "README.md"
    readme.write_text(README.replace("report: digits", "report: digits/few-labels"))
    assert report.main([str(results), "--readme", str(readme)]) == 0
    assert "\n### digits, few labels\n" in readme.read_text()
    assert "(results/digits/few-labels/errors.png)" in readme.read_text()
    assert (inner / "report.md").read_text().startswith("# digits, few labels\n")
    assert (inner.parent / "report.md").read_text().startswith("# digits\n")


def test_papers_figures_stand_beside(evaluated):
    content = read(evaluated, "gam")
    content["identity"]["dataset"]["name"] = "mnist"
    text = metric_tables(restored(evaluated, "gam", content))
    assert "| paper | not stated | 0.79 | 1.00 |  |  |  | not stated |" in text
    content = read(evaluated, "semi_supervised")
    content["identity"]["dataset"]["name"] = "cifar10"
    content["identity"]["settings"]["n_labelled"] = [100, 1_000]
    text = error_table(restored(evaluated, "semi_supervised", content))
    assert "| CapsuleGAN, paper | 0.7983 | 0.7496 | not stated | not stated |" in text
    assert "| convolutional GAN, paper | 0.8305 | 0.7587 | not stated | not stated |" in text


def test_seeds_are_summed_up(evaluated):
    content = read(evaluated, "semi_supervised")
    runs, tables = content["identity"]["runs"], content["results"]["tables"]
    first = next(run for run in runs if run["model"] == "capsule")
    runs.append(first | {"name": "capsule-seed1"})
    tables["capsule-seed1"] = with_means(tables["capsule-seed0"], [0.1, 0.2])
    means = np.array([tables["capsule-seed0"]["mean"], [0.1, 0.2]])
    mean, deviation = means.mean(axis=0)[0], means.std(axis=0, ddof=1)[0]
    text = error_table(restored(evaluated, "semi_supervised", content))
    assert f"| CapsuleGAN, ours, 2 seeds | {mean:.4f} ± {deviation:.4f} |" in text


def with_means(stored, means):
    """Return a stored table whose draws all have these errors."""
    means = dict(zip(stored["settings"]["n_labelled"], means, strict=True))
    cells = [cell | {"error": means[cell["n_labelled"]]} for cell in stored["cells"]]
    return stored | {"cells": cells}


def test_differences_have_welchs_interval():
    a, b = [0.21, 0.24, 0.19], [0.3, 0.25, 0.38, 0.33]
    interval = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    expected = f"{np.mean(b) - np.mean(a):+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
    assert difference(a, b, ".4f") == expected
    assert difference([0.5, 0.5], [0.25, 0.25], ".2f") == "-0.25"


def test_errors_of_several_seeds_of_both_models_are_compared(evaluated):
    content = read(evaluated, "semi_supervised")
    identity, tables = content["identity"], content["results"]["tables"]
    assert "minus" not in error_table(restored(evaluated, "semi_supervised", content))
    identity["runs"] += [
        run | {"name": run["name"].replace("seed0", "seed1")} for run in identity["runs"]
    ]
    errors = {"capsule": ([0.5, 0.4], [0.6, 0.4]), "convolutional": ([0.2, 0.1], [0.4, 0.1])}
    for model, means in errors.items():
        for seed, mean in enumerate(means):
            tables[f"{model}-seed{seed}"] = with_means(tables[f"{model}-seed0"], mean)
    text = error_table(restored(evaluated, "semi_supervised", content))
    first = difference([0.2, 0.4], [0.5, 0.6], ".4f")
    assert first.startswith("+0.2500 [-")
    row = f"| CapsuleGAN minus convolutional GAN, 95 % interval | {first} | +0.3000 |  |  |"
    assert row in text.splitlines()
    assert "Welch" in text


def test_qualities_of_several_seeds_of_both_models_are_compared():
    names = {"capsule-seed0": 0.5, "capsule-seed1": 0.7}
    names |= {"convolutional-seed0": 0.9, "convolutional-seed1": 0.8}
    text = quality_table(qualities(names), brief=True)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert lines[0].endswith("| CapsuleGAN minus convolutional GAN, 95 % interval |")
    assert lines[2].endswith(f"| {difference([0.9, 0.8], [0.5, 0.7], '.3f')} |")
    assert any(line.endswith("| +0.000 / +0.000 |") for line in lines)  # precision / recall
    assert any(line.endswith("| undefined |") for line in lines)
    assert "Welch" in text


def qualities(names):
    """Return the results of runs with some shares of recognised images."""
    runs = [record(name) for name in names]
    identity = {"dataset": {"name": "digits", "checksum": ""}, "runs": runs, "settings": {}}
    measured = {"quality": {name: quality(share) for name, share in names.items()}}
    content = {"identity": identity, "results": measured}
    return results_from("sample_quality.json", "sample_quality", content)


def record(name):
    """What a result file says of a run."""
    training = {"epochs": 2, "batch_size": 256, "precision": "float32", "gan_checksum": name}
    networks = {"generator": 1, "discriminator": 2}
    seed = int(name[-1])
    named = {"name": name, "model": name.split("-")[0], "seed": seed, "parameters": networks}
    return training | named


def quality(confident):
    """What `sample_quality.json` says of a run with a share of recognised images."""
    manifold = {"precision": 0.5, "recall": 0.25, "density": 0.5, "coverage": 0.25}
    numbers = {"class_entropy": 2.0, "classifier_score": 7.0, "frechet_distance": 1.0}
    shares = {"threshold": 0.9, "classes": [0.25, 0.75], "classes_of_confident": None}
    distances = {"generated_median": 1.0, "held_out_median": 0.0, "closer_than_held_out": 0.0}
    return numbers | {
        "confident": shares | {"confident": confident},
        "class_shares": [0.25, 0.75],
        "kernel_distance": 0.125,
        "manifold": manifold | {"n_neighbors": 5},
        "memorising": distances | {"ratio": None, "copies": 0},
        "classifier": {"test_accuracy": 0.99},
        "n_samples": 10,
        "n_real": 10,
    }


def test_a_brief_table_has_the_means_of_seeds_alone():
    """One model with two seeds, one with one: means stand for the first, a run for the other."""
    names = {"capsule-seed0": 0.5, "capsule-seed1": 0.7, "convolutional-seed0": 0.9}
    results = qualities(names)
    text = quality_table(results, brief=True)
    lines = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert lines["| "] == "|  | convolutional-seed0 | CapsuleGAN, 2 seeds |"
    expected = "| recognised with confidence > 0.9 | 0.900 | 0.600 ± 0.141 |"
    assert lines["| recognised with confidence > 0.9"] == expected
    assert lines["| precision / recall"].endswith("| 0.500 ± 0.000 / 0.250 ± 0.000 |")
    assert text.count("undefined") == 2
    assert "over the seeds" in text
    whole = quality_table(results)
    assert whole.splitlines()[0].endswith("| CapsuleGAN, 2 seeds | capsule-seed0 | capsule-seed1 |")


@pytest.fixture
def two_seeds(evaluated):
    """The metric and the errors as if capsule-seed0 had a twin, on MNIST."""
    files = {}
    for name in ("gam", "semi_supervised"):
        content = read(evaluated, name)
        identity, found = content["identity"], content["results"]
        first = next(run for run in identity["runs"] if run["name"] == "capsule-seed0")
        identity["runs"].append(first | {"name": "capsule-seed1", "seed": 1})
        identity["dataset"]["name"] = "mnist"
        if name == "gam":
            found["pairs"] += [pair | {"b": "capsule-seed1"} for pair in found["pairs"]]
            found["grids"]["capsule-seed1"] = found["grids"]["capsule-seed0"]
            for rows in found["rows"].values():
                twin = next(row for row in rows if row["name"] == "capsule-seed0")
                rows.append(copy.deepcopy(twin) | {"name": "capsule-seed1"})
                for row in rows:
                    row["on_samples"]["capsule-seed1"] = row["on_samples"]["capsule-seed0"]
        else:
            found["tables"]["capsule-seed1"] = found["tables"]["capsule-seed0"]
        files[name] = restored(evaluated, name, content)
    return Evaluations(folder=evaluated, **files)


def test_pairs_of_seeds_are_summed_up(two_seeds):
    results = two_seeds.gam
    text = metric_tables(results, brief=True)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| the paper, cut not stated",
        "| ours, cut 0.5",
        "| ours, cut calibrated",
    ]
    pair = next(pair.result for pair in results.pairs if pair.cut == "paper")
    ratio = f"{pair.r_samples:.3f}"
    assert f"| ours, cut 0.5 | {ratio} ± 0.000 ({ratio} to {ratio}) | " in text
    assert f"| {pair.auc['d_a']:.3f} | {pair.auc['d_b']:.3f} | " in text
    assert "in brackets" not in text
    whole = metric_tables(results)
    assert whole.startswith(text)
    assert "convolutional-seed0 against capsule-seed1" in whole


def test_a_brief_report_shows_one_run_of_each_model(two_seeds):
    text = report_of(two_seeds, "digits", brief=True)
    images = [line for line in text.splitlines() if "![Images of" in line]
    assert [line.count("![Images of") for line in images] == [2]
    assert "capsule-seed1" not in images[0]
    caption = next(line for line in text.splitlines() if line.startswith("The first 100 images"))
    grids = two_seeds.gam.grids
    for name in ("convolutional-seed0", "capsule-seed0"):
        assert f"{name} (latents of seed {grids[name].seed})" in caption
    assert caption.count("latents") == 2
    assert "[report.md](report.md)" in text
    assert report_of(two_seeds, "digits").count("![Images of") == 3


def test_the_short_table_names_the_better_model():
    better = {"capsule-seed0": 0.9, "capsule-seed1": 0.91, "capsule-seed2": 0.92}
    worse = {"convolutional-seed0": 0.5, "convolutional-seed1": 0.52, "convolutional-seed2": 0.51}
    alike = {name: share for name, share in zip(worse, (0.8, 0.95, 0.99), strict=True)}
    for others, winner in ((worse, "CapsuleGAN"), (alike, "neither")):
        line = quality_lines(qualities(better | others))[0]
        shares = [100 * np.array(list(group.values())) for group in (others, better)]
        assert line[-1] == f"{winner}: {difference(*shares, '.1f')}"
        assert line[4] == "91.0 ± 1.0"


def test_the_short_table_has_the_papers_figures_and_the_control(two_seeds):
    lines = error_lines(two_seeds.semi_supervised, {})
    assert [line[0] for line in lines] == ["error, 20 labels", "error, 40 labels"]
    controls = two_seeds.semi_supervised.tables["nearest_labelled"].mean
    assert [line[5] for line in lines] == [f"{error:.3f}" for error in controls]
    lines = metric_lines(two_seeds.gam, {"r_samples": 0.79, "r_test": 1.0})
    assert [line[2] for line in lines] == ["0.79", "1.00"]
    assert all("of 2 pairs" in line[-1] for line in lines)


def test_the_short_table_has_the_errors_of_other_settings(two_seeds):
    names = dict.fromkeys(("convolutional-seed0", "capsule-seed0", "capsule-seed1"), 0.5)
    whole = dataclasses.replace(two_seeds, sample_quality=qualities(names))
    knn = two_seeds.semi_supervised
    rbf = dataclasses.replace(knn, settings=knn.settings | {"kernel": "rbf"})
    alike = {name: knn.tables["nearest_labelled"] for name in knn.tables}
    chosen = dataclasses.replace(rbf, choices=({"gamma": 1.0},), tables=alike)
    folder = Path("results", "some-settings")
    other = Evaluations(folder=folder, semi_supervised=knn, more_errors=(chosen, rbf))
    lines = scores(whole, [other]).splitlines()
    added = [line.split(" | ") for line in lines if "RBF" in line]
    assert [line[0] for line in added] == [
        f"| some settings, RBF: error, {n} labels" for n in (20, 40)
    ]
    assert all(line[4].split(" ± ")[0] == line[5] for line in added)  # those of the control
    assert [line for line in lines if "RBF" not in line] == scores(whole).splitlines()
    own = scores(dataclasses.replace(whole, more_errors=(rbf, chosen))).splitlines()
    its = [line.removeprefix("| some settings, ") for line in lines if "RBF" in line]
    assert [line.removeprefix("| ") for line in own if "RBF" in line] == its
    capsule = {name: each for name, each in rbf.tables.items() if "convolutional" not in name}
    alone = dataclasses.replace(rbf, runs=rbf.runs_of("capsule"), tables=capsule)
    assert "RBF" not in scores(dataclasses.replace(whole, more_errors=(alone,)))
    with pytest.raises(EvaluationError, match="with --kernel rbf, of both models"):
        scores(whole, [dataclasses.replace(other, more_errors=(alone,))])
    without = dataclasses.replace(other, more_errors=())
    with pytest.raises(EvaluationError, match="must hold errors on mnist with --kernel rbf"):
        scores(whole, [without])
    held_out = dataclasses.replace(rbf, dataset=dataclasses.replace(rbf.dataset, validation=9))
    with pytest.raises(EvaluationError, match="must be of the same images as"):
        scores(whole, [dataclasses.replace(other, more_errors=(held_out,))])


@pytest.fixture
def rbf_errors(two_seeds):
    """A table with the RBF kernel, of two seeds of CapsuleGAN and one of the other model."""
    knn = two_seeds.semi_supervised
    return dataclasses.replace(knn, settings=knn.settings | {"kernel": "rbf", "gamma": 0.25})


def test_errors_of_several_settings_are_one_table(rbf_errors):
    alike = {name: rbf_errors.tables["nearest_labelled"] for name in rbf_errors.tables}
    other = dataclasses.replace(rbf_errors, tables=rbf_errors.tables | alike)
    text = joint_error_table({"ours": rbf_errors, "other": other})
    lines = {line.split(" | ")[0]: line.split(" | ")[1:3] for line in text.splitlines()}
    alone = error_table(rbf_errors).splitlines()
    assert [line for line in text.splitlines() if "other" not in line] == alone
    control = lines["| no images: nearest labelled image"]
    means = [cell.split(" ± ")[0] for cell in control]
    assert [cell.split(" ± ")[0] for cell in lines["| CapsuleGAN, other, 2 seeds"]] == means
    assert lines["| convolutional GAN, other"] == control
    assert lines["| CapsuleGAN, ours, 2 seeds"] != lines["| CapsuleGAN, other, 2 seeds"]


def test_points_that_no_label_reached_are_told_of_each_setting(rbf_errors):
    tables = rbf_errors.tables
    cells = [dataclasses.replace(cell, unreached=3) for cell in tables["capsule-seed0"].cells]
    part = dataclasses.replace(tables["capsule-seed0"], cells=tuple(cells))
    other = dataclasses.replace(rbf_errors, tables=tables | {"capsule-seed0": part})
    text = joint_error_table({"ours": rbf_errors, "other": other})
    assert text.endswith(f"in all draws together: capsule-seed0 (other) {3 * len(cells)}.")
    assert error_table(other).endswith(f"in all draws together: capsule-seed0 {3 * len(cells)}.")


CHOSEN = {"gamma": 9.0, "alpha": 0.2, "candidates_alpha": [0.2]}


@pytest.mark.parametrize(
    ("part", "changed", "message"),
    [
        ("settings", {"draws": 9}, r"Received: \{'draws': 9\} and \{'draws': 2\}"),
        ("settings", {"gamma": 9.0}, r"Received: \{'gamma': 9.0\} and \{'gamma': 0.25\}"),
        ("choices", (CHOSEN,), r"'gamma': \[9.0\].* and .*'gamma': 0.25"),
        ("dataset", {"validation": 9}, r"Received: \{'images': \{.*'validation': 9\}\} and"),
        ("dataset", {"checksum": "other"}, r"'checksum': 'other'"),
    ],
)
def test_errors_that_were_computed_otherwise_are_no_table(rbf_errors, part, changed, message):
    if part == "settings":
        changed = rbf_errors.settings | changed
    if part == "dataset":
        changed = dataclasses.replace(rbf_errors.dataset, **changed)
    other = dataclasses.replace(rbf_errors, **{part: changed})
    with pytest.raises(EvaluationError, match=rf"was computed otherwise than .*{message}"):
        joint_error_table({"ours": rbf_errors, "other": other})


def test_how_settings_were_found_is_no_other_computation(rbf_errors):
    chosen = dataclasses.replace(rbf_errors, choices=(CHOSEN,))
    for settings in ({"candidates": [1]}, {"gamma": 0.5}):
        other = dataclasses.replace(chosen, settings=chosen.settings | settings)
        assert joint_error_table({"ours": chosen, "other": other})


def test_a_page_has_the_errors_of_the_rbf_kernel(results, finished_runs, tmp_path, capsys):
    readme = tmp_path / "README.md"
    marked = README.replace("report: digits", "errors: digits digits/once-more")
    readme.write_text(marked.replace("end of report", "end of errors"))
    inner = results / "digits" / "once-more"
    inner.mkdir()
    shutil.copy(results / "digits" / "semi_supervised.json", inner)
    assert report.main([str(results), "--readme", str(readme)]) == 2
    message = "must hold errors on digits with --kernel rbf, of both models"
    assert message in capsys.readouterr().err
    assert "old" in readme.read_text()
    runs = [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]
    sizes = ["--n-labelled", "20", "40", "--draws", "2", "--n-unlabelled", "60"]
    options = ["--kernel", "rbf", "--output", str(inner.parent), "--verbose", "0"]
    assert semi_supervised.main([*runs, *sizes, *options]) == 0
    shutil.copy(inner.parent / "semi_supervised-rbf.json", inner)
    assert report.main([str(results), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert text.count("| CapsuleGAN, ours | ") == text.count("| CapsuleGAN, once more | ") == 1
    assert ("kernel rbf" in text, "errors.png" in text) == (True, False)
    assert fill(readme, results, read_folders(results)) == text
    readme.write_text(text.replace("digits digits/once-more", "digits digits"))
    assert report.main([str(results), "--readme", str(readme)]) == 2
    assert "must name folders of different names" in capsys.readouterr().err


def test_figures_name_each_model_once(two_seeds):
    for name, draw in (("gam", metric_intervals), ("semi_supervised", error_curves)):
        drawn = draw(getattr(two_seeds, name))
        labels = [text.get_text() for text in drawn.legends[0].get_texts()]
        assert len(labels) == len(set(labels))
        assert any("paper" in label for label in labels)
    ours = [line for line in drawn.axes[0].get_lines() if line.get_linestyle() == "-"]
    assert len(ours) == 3


def run_of(content, name):
    return next(run for run in content["identity"]["runs"] if run["name"] == name)


def test_parameters_stand_beside_each_row(evaluated):
    """Of G, and of both discriminators: those of the runs' own records."""
    content = read(evaluated, "gam")
    capsule, convolutional = (
        run_of(content, f"{model}-seed0")["parameters"] for model in ("capsule", "convolutional")
    )
    assert capsule["generator"] == convolutional["generator"]
    assert capsule["discriminator"] != convolutional["discriminator"]
    g, d_caps = (f"{capsule[part]:,}" for part in NETWORKS)
    d_conv = f"{convolutional['discriminator']:,}"
    text = metric_tables(restored(evaluated, "gam", content))
    rows = [line for line in text.splitlines() if line.startswith("| convolutional-seed0 against")]
    assert len(rows) == 2
    assert all(row.endswith(f"| {g} | {d_conv} | {d_caps} |") for row in rows)
    for name, size in (("capsule", d_caps), ("convolutional", d_conv)):
        rows = [line for line in text.splitlines() if line.startswith(f"| D of {name}-seed0 |")]
        assert len(rows) == 2
        assert all(row.endswith(f"| {g} | {size} |") for row in rows)

    text = error_table(read_folders(evaluated)[evaluated / "digits"].semi_supervised)
    rows = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert rows["| convolutional GAN, ours"].endswith(f"| {g} | {d_conv} |")
    assert rows["| real images"].endswith("| none | none |")


def test_parameters_that_were_not_recorded_are_said(evaluated):
    for name, make in (("gam", metric_tables), ("semi_supervised", error_table)):
        content = read(evaluated, name)
        del run_of(content, "capsule-seed0")["parameters"]
        results = restored(evaluated, name, content)
        assert "not recorded" in make(results)
        evaluations = Evaluations(folder=evaluated, **{name: results})
        assert "not recorded" in report_of(evaluations, "digits")
    one, other, without = (
        RunRecord(**record("capsule-seed0") | {"parameters": parameters})
        for parameters in ({"generator": 1_000}, {"generator": 20}, None)
    )
    assert parameters([one, one], "generator") == "1,000"
    assert parameters([one, other, without], "generator") == "1,000 / 20 / not recorded"


def test_undefined_ratios_are_said(evaluated):
    content = read(evaluated, "gam")
    pair = content["results"]["pairs"][0]
    pair |= {"r_samples": None, "r_samples_interval": [None, None]}
    results = restored(evaluated, "gam", content)
    assert "undefined (denominator 0)" in metric_tables(results)
    assert "undefined" in report_of(Evaluations(folder=evaluated, gam=results), "digits")


def test_sample_quality_is_reported(results, finished_runs, tmp_path, monkeypatch, capsys):
    from capsgan_keras.evaluation import ClassifierSettings

    quick = ClassifierSettings(width=8, epochs=1)
    monkeypatch.setattr(ClassifierSettings, "for_images", lambda *_: quick)
    arguments = ["--samples", "50", "--cache-dir", str(tmp_path / "cache"), "--verbose", "0"]
    run, output = str(finished_runs / "capsule-seed0"), str(results / "digits")
    assert sample_quality.main([run, *arguments, "--output", output]) == 0
    assert report.main([str(results)]) == 0
    printed = capsys.readouterr().out
    assert "| recognised with confidence > 0.9 | " in printed
    size = load_run(run).metrics["parameters"]["discriminator"]
    assert f"| parameters of D | {size:,} |" in printed
    for name in ("gam", "semi_supervised"):
        (results / "digits" / f"{name}.json").unlink()
    readme = tmp_path / "elsewhere" / "README.md"
    readme.parent.mkdir()
    readme.write_text(README)
    assert report.main([str(results), "--readme", str(readme)]) == 0
    assert "| recognised with confidence > 0.9 | " in readme.read_text()


def test_table():
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_figures_can_be_drawn_of_undefined_ratios(results):
    path = results / "digits" / "gam.json"
    content = json.loads(path.read_text())
    for pair in content["results"]["pairs"]:
        pair |= {"r_samples": None, "r_samples_interval": [None, None]}
    path.write_text(json.dumps(content))
    assert report.main([str(results)]) == 0
    assert picture(results / "digits" / "gam.png").shape[1] > 300


def test_errors(results, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert report.main([str(empty)]) == 2
    assert "holds no results" in capsys.readouterr().err
    assert report.main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere: is not a folder that exists" in capsys.readouterr().err
    readme = tmp_path / "README.md"
    readme.write_text(README.replace("digits", "mnist"))
    assert report.main([str(results), "--readme", str(readme)]) == 2
    assert "names 'mnist'" in capsys.readouterr().err
    for names, words in (("digits mnist", "names 'mnist'"), ("digits digits", "is of one folder")):
        readme.write_text(README.replace("report: digits", f"report: {names}"))
        assert report.main([str(results), "--readme", str(readme)]) == 2
        assert words in capsys.readouterr().err
    assert report.main([str(results), "--readme", str(tmp_path / "none.md")]) == 2
    assert "--readme must name Markdown files" in capsys.readouterr().err
    readme.write_bytes(b"\xff")
    assert report.main([str(results), "--readme", str(readme)]) == 2
    assert f"--readme must name UTF-8 files. {readme}:" in capsys.readouterr().err
    (empty / "gam.json").write_text("[]")
    assert report.main([str(empty)]) == 2
    assert f"Not such results: {empty / 'gam.json'}" in capsys.readouterr().err
    readme.write_text("nothing")
    assert report.main([str(results), "--readme", str(readme)]) == 2
    assert "has no part" in capsys.readouterr().err
    path = results / "digits" / "gam.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"finished": False}))
    assert report.main([str(results)]) == 2
    assert "gam.json: is not finished" in capsys.readouterr().err
    path.write_text(json.dumps(content | {"format": result_format("semi_supervised")}))
    assert report.main([str(results)]) == 2
    assert "holds results of capsgan_keras semi_supervised 1" in capsys.readouterr().err
    path.write_text("{")
    assert report.main([str(results)]) == 2
    assert "gam.json: could not be read" in capsys.readouterr().err
