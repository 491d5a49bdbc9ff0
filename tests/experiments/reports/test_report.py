import copy
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from capsgan_keras import load_run
from capsgan_keras.plotting import image_grid
from capsgan_keras.runs.directory import sample_images
from experiments import gam, report, sample_quality, semi_supervised
from experiments.evaluations.result_file import read_results
from experiments.reports.figures import error_curves, metric_intervals
from experiments.reports.tables import (
    NETWORKS,
    difference,
    error_table,
    metric_tables,
    parameters,
    quality_table,
    table,
)

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
    assert "| paper (0.5) |" in text
    assert "| calibrated (0.5, 0.633) |" in text
    content = read_results(folder / "semi_supervised.json", semi_supervised.KIND)
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
    assert report.fill(readme, results, report.read_folders(results)) == text


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
    content = read_results(evaluated / "digits" / "gam.json")
    identity = content["identity"] | {"dataset": {"name": "mnist"}}
    text = metric_tables(identity, content["results"])
    assert "| paper | not stated | 0.79 | 1.00 |  |  |  | not stated |" in text
    content = read_results(evaluated / "digits" / "semi_supervised.json")
    settings = content["identity"]["settings"] | {"n_labelled": [100, 1_000]}
    identity = content["identity"] | {"dataset": {"name": "cifar10"}, "settings": settings}
    text = error_table(identity, content["results"])
    assert "| CapsuleGAN, paper | 0.7983 | 0.7496 | not stated | not stated |" in text
    assert "| convolutional GAN, paper | 0.8305 | 0.7587 | not stated | not stated |" in text


def test_seeds_are_summed_up(evaluated):
    content = read_results(evaluated / "digits" / "semi_supervised.json")
    identity, results = content["identity"], content["results"]
    first = next(run for run in identity["runs"] if run["model"] == "capsule")
    identity = identity | {"runs": [*identity["runs"], first | {"name": "capsule-seed1"}]}
    better = results["tables"]["capsule-seed0"] | {"mean": [0.1, 0.2]}
    tables = results["tables"] | {"capsule-seed1": better}
    means = np.array([tables[f"capsule-seed{k}"]["mean"] for k in (0, 1)])
    mean, deviation = means.mean(axis=0)[0], means.std(axis=0, ddof=1)[0]
    text = error_table(identity, results | {"tables": tables})
    assert f"| CapsuleGAN, ours, 2 seeds | {mean:.4f} ± {deviation:.4f} |" in text


def test_differences_have_welchs_interval():
    a, b = [0.21, 0.24, 0.19], [0.3, 0.25, 0.38, 0.33]
    interval = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    expected = f"{np.mean(b) - np.mean(a):+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
    assert difference(a, b, ".4f") == expected
    assert difference([0.5, 0.5], [0.25, 0.25], ".2f") == "-0.25"


def test_errors_of_several_seeds_of_both_models_are_compared(evaluated):
    content = read_results(evaluated / "digits" / "semi_supervised.json")
    identity, tables = content["identity"], content["results"]["tables"]
    assert "less" not in error_table(identity, content["results"])
    more = [run | {"name": run["name"].replace("seed0", "seed1")} for run in identity["runs"]]
    identity = identity | {"runs": [*identity["runs"], *more]}
    errors = {"capsule": ([0.5, 0.4], [0.6, 0.4]), "convolutional": ([0.2, 0.1], [0.4, 0.1])}
    for model, means in errors.items():
        for seed, mean in enumerate(means):
            tables = tables | {f"{model}-seed{seed}": tables[f"{model}-seed0"] | {"mean": mean}}
    text = error_table(identity, content["results"] | {"tables": tables})
    first = difference([0.2, 0.4], [0.5, 0.6], ".4f")
    assert first.startswith("+0.2500 [-")
    row = f"| CapsuleGAN less convolutional GAN, 95 % interval | {first} | +0.3000 |  |  |"
    assert row in text.splitlines()
    assert "Welch" in text


def test_qualities_of_several_seeds_of_both_models_are_compared():
    names = {"capsule-seed0": 0.5, "capsule-seed1": 0.7}
    names |= {"convolutional-seed0": 0.9, "convolutional-seed1": 0.8}
    runs = [{"name": n, "model": n.split("-")[0], "parameters": {}} for n in names]
    measured = {"quality": {name: quality(share) for name, share in names.items()}}
    text = quality_table({"runs": runs, "dataset": {"name": "digits"}}, measured, brief=True)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert lines[0].endswith("| CapsuleGAN less convolutional GAN, 95 % interval |")
    assert lines[2].endswith(f"| {difference([0.9, 0.8], [0.5, 0.7], '.3f')} |")
    assert any(line.endswith("| +0.000 / +0.000 |") for line in lines)  # precision / recall
    assert any(line.endswith("| undefined |") for line in lines)
    assert "Welch" in text


def quality(confident):
    """What `sample_quality.json` says of a run with a share of recognised images."""
    manifold = {"precision": 0.5, "recall": 0.25, "density": 0.5, "coverage": 0.25}
    numbers = {"class_entropy": 2.0, "classifier_score": 7.0, "frechet_distance": 1.0}
    return numbers | {
        "confident": {"confident": confident},
        "class_shares": [0.25, 0.75],
        "kernel_distance": 0.125,
        "manifold": manifold,
        "memorising": {"ratio": None},
        "classifier": {"test_accuracy": 0.99},
        "n_samples": 10,
        "n_real": 10,
    }


def test_a_brief_table_has_the_means_of_seeds_alone():
    """One model with two seeds, one with one: means stand for the first, a run for the other."""
    networks = {"generator": 1, "discriminator": 2}
    names = {"capsule-seed0": 0.5, "capsule-seed1": 0.7, "convolutional-seed0": 0.9}
    runs = [{"name": n, "model": n.split("-")[0], "parameters": networks} for n in names]
    measured = {"quality": {name: quality(share) for name, share in names.items()}}
    identity = {"runs": runs, "dataset": {"name": "digits"}}
    text = quality_table(identity, measured, brief=True)
    lines = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert lines["| "] == "|  | convolutional-seed0 | CapsuleGAN, 2 seeds |"
    expected = "| recognised with confidence > 0.9 | 0.900 | 0.600 ± 0.141 |"
    assert lines["| recognised with confidence > 0.9"] == expected
    assert lines["| precision / recall"].endswith("| 0.500 ± 0.000 / 0.250 ± 0.000 |")
    assert text.count("undefined") == 2
    assert "over the seeds" in text
    whole = quality_table(identity, measured)
    assert whole.splitlines()[0].endswith("| CapsuleGAN, 2 seeds | capsule-seed0 | capsule-seed1 |")


@pytest.fixture
def two_seeds(evaluated):
    """The metric and the errors as if capsule-seed0 had a twin, on MNIST."""
    files = {}
    for name in ("gam", "semi_supervised"):
        files[name] = read_results(evaluated / "digits" / f"{name}.json")
        identity, found = files[name]["identity"], files[name]["results"]
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
    return files


def test_pairs_of_seeds_are_summed_up(two_seeds):
    identity, found = two_seeds["gam"]["identity"], two_seeds["gam"]["results"]
    text = metric_tables(identity, found, brief=True)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| the paper, cut not stated",
        "| ours, cut 0.5",
        "| ours, cut calibrated",
    ]
    pair = next(pair for pair in found["pairs"] if pair["cut"] == "paper")
    ratio = f"{pair['r_samples']:.3f}"
    assert f"| ours, cut 0.5 | {ratio} ± 0.000 ({ratio} to {ratio}) | " in text
    assert f"| {pair['auc']['d_a']:.3f} | {pair['auc']['d_b']:.3f} | " in text
    assert "in brackets" not in text
    whole = metric_tables(identity, found)
    assert whole.startswith(text)
    assert "convolutional-seed0 against capsule-seed1" in whole


def test_a_brief_report_shows_one_run_of_each_model(two_seeds):
    text = report.markdown(two_seeds, "digits", brief=True)
    images = [line for line in text.splitlines() if "![Images of" in line]
    assert [line.count("![Images of") for line in images] == [2]
    assert "capsule-seed1" not in images[0]
    caption = next(line for line in text.splitlines() if line.startswith("The first 100 images"))
    grids = two_seeds["gam"]["results"]["grids"]
    for name in ("convolutional-seed0", "capsule-seed0"):
        assert f"{name} (latents of seed {grids[name]['seed']})" in caption
    assert caption.count("latents") == 2
    assert "[report.md](report.md)" in text
    assert report.markdown(two_seeds, "digits").count("![Images of") == 3


def test_figures_name_each_model_once(two_seeds):
    for name, draw in (("gam", metric_intervals), ("semi_supervised", error_curves)):
        drawn = draw(two_seeds[name]["identity"], two_seeds[name]["results"])
        labels = [text.get_text() for text in drawn.legends[0].get_texts()]
        assert len(labels) == len(set(labels))
        assert any("paper" in label for label in labels)
    ours = [line for line in drawn.axes[0].get_lines() if line.get_linestyle() == "-"]
    assert len(ours) == 3


def run_of(content, name):
    return next(run for run in content["identity"]["runs"] if run["name"] == name)


def test_parameters_stand_beside_each_row(evaluated):
    """Of G, and of both discriminators: those of the runs' own records."""
    content = read_results(evaluated / "digits" / "gam.json")
    capsule, convolutional = (
        run_of(content, f"{model}-seed0")["parameters"] for model in ("capsule", "convolutional")
    )
    assert capsule["generator"] == convolutional["generator"]
    assert capsule["discriminator"] != convolutional["discriminator"]
    g, d_caps = (f"{capsule[part]:,}" for part in NETWORKS)
    d_conv = f"{convolutional['discriminator']:,}"
    text = metric_tables(content["identity"], content["results"])
    rows = [line for line in text.splitlines() if line.startswith("| convolutional-seed0 against")]
    assert len(rows) == 2
    assert all(row.endswith(f"| {g} | {d_conv} | {d_caps} |") for row in rows)
    for name, size in (("capsule", d_caps), ("convolutional", d_conv)):
        rows = [line for line in text.splitlines() if line.startswith(f"| D of {name}-seed0 |")]
        assert len(rows) == 2
        assert all(row.endswith(f"| {g} | {size} |") for row in rows)

    content = read_results(evaluated / "digits" / "semi_supervised.json")
    text = error_table(content["identity"], content["results"])
    rows = {line.split(" | ")[0]: line for line in text.splitlines()}
    assert rows["| convolutional GAN, ours"].endswith(f"| {g} | {d_conv} |")
    assert rows["| real images"].endswith("| none | none |")


def test_parameters_that_were_not_recorded_are_said(evaluated):
    for name, make in (("gam", metric_tables), ("semi_supervised", error_table)):
        content = read_results(evaluated / "digits" / f"{name}.json")
        del run_of(content, "capsule-seed0")["parameters"]
        assert "not recorded" in make(content["identity"], content["results"])
        assert "not recorded" in report.markdown({name: content}, "digits")
    one, other = {"parameters": {"generator": 1_000}}, {"parameters": {"generator": 20}}
    assert parameters([one, one], "generator") == "1,000"
    assert parameters([one, other, {}], "generator") == "1,000 / 20 / not recorded"


def test_undefined_ratios_are_said(evaluated):
    content = read_results(evaluated / "digits" / "gam.json")
    pair = content["results"]["pairs"][0]
    pair |= {"r_samples": None, "r_samples_interval": [None, None]}
    assert "undefined (denominator 0)" in metric_tables(content["identity"], content["results"])
    folder_files = {"gam": content}
    assert "undefined" in report.markdown(folder_files, "digits")


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
    assert report.main([str(results), "--readme", str(tmp_path / "none.md")]) == 2
    assert "--readme must be a Markdown file" in capsys.readouterr().err
    readme.write_text("nothing")
    assert report.main([str(results), "--readme", str(readme)]) == 2
    assert "has no part" in capsys.readouterr().err
    path = results / "digits" / "gam.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"finished": False}))
    assert report.main([str(results)]) == 2
    assert "gam.json: is not finished" in capsys.readouterr().err
    path.write_text(json.dumps(content | {"format": semi_supervised.KIND}))
    assert report.main([str(results)]) == 2
    assert "holds results of capsgan_keras semi_supervised 1" in capsys.readouterr().err
    path.write_text("{")
    assert report.main([str(results)]) == 2
    assert "gam.json: could not be read" in capsys.readouterr().err
