import json
import shutil

import numpy as np
import pytest

from capsgan_keras import files, load_pretrained, load_run
from capsgan_keras.gan.saving import in_float32
from capsgan_keras.pretrained import pretrained_models
from capsgan_keras.runs.lock import working
from experiments import gam, publish, semi_supervised
from experiments.publishing import storing

IMAGES = ["--images", "50"]


@pytest.fixture
def run_paths(finished_runs):
    return [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]


@pytest.fixture(scope="module")
def results(finished_runs, tmp_path_factory):
    """The folder of the evaluation of both runs."""
    folder = tmp_path_factory.mktemp("results")
    runs = [str(finished_runs / f"{model}-seed0") for model in ("capsule", "convolutional")]
    common = [*runs, "--verbose", "0", "--output", str(folder)]
    assert gam.main([*common, "--samples", "40"]) == 0
    sizes = ["--n-labelled", "20", "40", "--draws", "2", "--n-unlabelled", "60"]
    assert semi_supervised.main([*common, *sizes]) == 0
    return folder


@pytest.fixture
def copied_run(run_paths, tmp_path):
    """A copy of the capsule run that may be changed."""
    return shutil.copytree(run_paths[0], tmp_path / "copies" / "capsule-seed0")


def change(path, part, **values):
    content = json.loads(path.read_text())
    content[part] |= values
    path.write_text(json.dumps(content))


def test_runs_are_stored_and_loaded(run_paths, results, tmp_path, capsys):
    arguments = [*run_paths, *IMAGES, "--output", str(tmp_path), "--results", str(results)]
    assert publish.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    tables = json.loads((results / "semi_supervised.json").read_text())["results"]["tables"]
    for line, path, model in zip(lines, run_paths, ("capsule", "convolutional"), strict=True):
        folder = tmp_path / "digits" / model
        assert line.startswith(f"{folder}: ")
        assert {file.name for file in folder.iterdir()} == {
            "README.md",
            "config.json",
            "gan.keras",
            "history.csv",
            "metrics.json",
            "samples.png",
        }
        run, stored = load_run(path), load_run(folder)
        assert stored.config == run.config
        assert stored.history == run.history

        images = [gan.generate(50, seed=0).astype(int) for gan in (stored.gan, in_float32(run.gan))]
        again = load_pretrained(model, "digits", folder=tmp_path).generate(50, seed=0)
        np.testing.assert_array_equal(again, images[0])
        difference = np.abs(np.subtract(*images))
        recorded = stored.metrics["pretrained"]
        assert recorded["largest_difference"] == difference.max()
        assert recorded["share_that_differs"] == pytest.approx((difference > 0).mean())
        assert f"at most {difference.max()} of 255 grey levels" in line
        scores = stored.gan.discriminate(images[0].astype("uint8"))
        whole = in_float32(run.gan).discriminate(images[0].astype("uint8"))
        largest = np.abs(scores - whole).max()
        assert recorded["largest_score_difference"] == pytest.approx(largest)
        assert recorded["largest_score_difference"] > 0

        card = (folder / "README.md").read_text()
        error, without = (tables[name]["mean"][0] for name in (f"{model}-seed0", "labels_only"))
        assert f"| error of label spreading, n = 20 (on the labels alone) | {error:.4f} ± " in card
        assert f" ({without:.4f} ± " in card
        assert "is a win for CapsuleGAN" in card
        assert "convolutional-seed0 against capsule-seed0, cut 0.5" in card
        assert f"`gan.keras` ({recorded['bytes'] / 1e6:.2f} MB)" in card


def test_the_evaluations_take_what_is_stored(run_paths, tmp_path):
    assert publish.main([*run_paths, *IMAGES, "--output", str(tmp_path)]) == 0
    stored = [str(tmp_path / "digits" / model) for model in ("capsule", "convolutional")]
    assert gam.main([*stored, "--samples", "40", "--verbose", "0"]) == 0
    content = json.loads((tmp_path / "digits" / "evaluation" / "seed0" / "gam.json").read_text())
    assert [run["name"] for run in content["identity"]["runs"]] == ["capsule", "convolutional"]
    assert {run["precision"] for run in content["identity"]["runs"]} == {"float32"}
    assert "None." in (tmp_path / "digits" / "capsule" / "README.md").read_text()


def test_what_is_stored_is_replaced_on_request_only(run_paths, copied_run, tmp_path, capsys):
    arguments = [run_paths[0], *IMAGES, "--output", str(tmp_path / "stored")]
    assert publish.main(arguments) == 0
    folder = tmp_path / "stored" / "digits" / "capsule"
    before = (folder / "metrics.json").read_bytes()
    change(copied_run / "metrics.json", "final", d_loss=0.75)
    arguments[0] = str(copied_run)
    assert publish.main(arguments) == 2
    assert "is stored already. Replace it by --overwrite" in capsys.readouterr().err
    assert (folder / "metrics.json").read_bytes() == before
    assert publish.main([*arguments, "--overwrite"]) == 0
    assert load_run(folder).metrics["final"]["d_loss"] == 0.75
    assert [path.name for path in folder.parent.iterdir()] == ["capsule"]


def test_networks_are_found_after_a_kill_while_they_are_replaced(run_paths, tmp_path, capsys):
    arguments = [run_paths[0], *IMAGES, "--output", str(tmp_path)]
    assert publish.main(arguments) == 0
    folder = tmp_path / "digits" / "capsule"
    images = load_pretrained("capsule", "digits", folder=tmp_path).generate(2, seed=0)
    folder.rename(folder.with_name(files.BEFORE + "capsule"))  # between both renames
    (folder.with_name(files.PARTIAL + "capsule")).mkdir()
    assert pretrained_models(tmp_path) == [("capsule", "digits")]
    for gan in (load_pretrained("capsule", "digits", folder=tmp_path), load_run(folder).gan):
        np.testing.assert_array_equal(gan.generate(2, seed=0), images)
    assert publish.main(arguments) == 2
    assert "is stored already" in capsys.readouterr().err
    assert publish.main([*arguments, "--overwrite"]) == 0
    assert [path.name for path in folder.parent.iterdir()] == ["capsule"]


def test_only_one_process_stores_networks_of_a_name(run_paths, tmp_path, capsys):
    with working(tmp_path / "digits" / ".lock-capsule"):
        assert publish.main([run_paths[0], *IMAGES, "--output", str(tmp_path)]) == 2
    assert "is being written by process" in capsys.readouterr().err
    assert not tmp_path.joinpath("digits").exists()


def refused(arguments, tmp_path, capsys):
    output = tmp_path / "stored"
    assert publish.main([*map(str, arguments), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m experiments.publish: error: ")
    assert "Traceback" not in error
    assert not [path for path in output.rglob("*") if path.is_file()]
    return error


def test_too_large_files_are_refused(run_paths, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(storing, "MAXIMUM_BYTES", 20_000)
    error = refused(run_paths[:1], tmp_path, capsys)
    assert "in float16, more than the 0.02 MB that the package takes" in error
    assert "'generator': " in error


def test_runs_that_cannot_be_published_are_refused(run_paths, copied_run, tmp_path, capsys):
    assert "Each model of a data set must be given once" in refused(
        [run_paths[0], copied_run], tmp_path, capsys
    )
    change(copied_run / "config.json", "dataset", source="./faces.npz")
    assert "must be of one of the data sets digits" in refused([copied_run], tmp_path, capsys)
    change(copied_run / "config.json", "dataset", source="digits")
    change(copied_run / "config.json", "settings", validation=9)
    assert "Received: a run with --validation 9" in refused([copied_run], tmp_path, capsys)
    change(copied_run / "config.json", "settings", validation=0, image_size=32)
    assert "at its own size" in refused([copied_run], tmp_path, capsys)
    (copied_run / "metrics.json").unlink()
    assert "the run has not ended" in refused([copied_run], tmp_path, capsys)
    assert "is no run" in refused([tmp_path / "none"], tmp_path, capsys)
    assert "`images` must be a positive" in refused(
        [run_paths[0], "--images", "0"], tmp_path, capsys
    )


def test_results_of_other_networks_are_refused(run_paths, results, copied_run, tmp_path, capsys):
    other = load_run(run_paths[0]).gan
    weights = other.get_weights()
    other.set_weights([weight + 0.01 for weight in weights])
    other.save(copied_run / "gan.keras")
    error = refused([copied_run, "--results", results], tmp_path, capsys)
    assert "its networks are not those that gam.json is of" in error
    below = shutil.copytree(results, tmp_path / "results" / "digits")
    error = refused([run_paths[0], "--results", below.parent], tmp_path, capsys)
    assert f"{below.parent}: holds no results itself, but {below} does" in error


def test_the_same_run_is_stored_in_the_same_bytes(run_paths, tmp_path, monkeypatch):
    for name, now in (("one", 1.6e9), ("two", 1.7e9)):  # years apart
        monkeypatch.setattr("time.time", lambda now=now: now)
        assert publish.main([run_paths[0], *IMAGES, "--output", str(tmp_path / name)]) == 0
    one, two = (tmp_path / name / "digits" / "capsule" for name in ("one", "two"))
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name
