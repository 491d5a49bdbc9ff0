"""A run as a folder to push to a model hub."""

import contextlib
import io
import json
import re
import shutil
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest
import yaml
from keras.src.saving import saving_lib
from PIL import Image

from capsgan_keras import files, load_pretrained, load_run
from capsgan_keras.plotting import image_grid
from capsgan_keras.pretrained.loading import find_run
from capsgan_keras.runs import RunError, sample_images
from capsgan_keras.runs.lock import working
from experiments import gam, publish
from experiments.evaluations.finished_runs import gan_checksum
from experiments.sample import __main__ as sample

CONTENT = {
    *("README.md", "config.json", "metadata.json", "model.weights.h5", "samples.png", "curves.png"),
    *("run/config.json", "run/history.csv", "run/metrics.json"),
}


def files_in(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def run_path(finished_runs):
    return finished_runs / "capsule-seed0"


@pytest.fixture(scope="module")
def made(run_path, tmp_path_factory):
    """A shared folder, which tests copy before they change it, and what its command printed."""
    folder = tmp_path_factory.mktemp("made") / "new" / "digits gan"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert publish.main([str(run_path), "--to", str(folder), "--license", "cc-by-4.0"]) == 0
    return folder, printed.getvalue()


@pytest.fixture
def shared(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "shared")


@pytest.fixture
def own_run(run_path, tmp_path):
    """A run on images of one's own, and what its records say of their place."""
    path = shutil.copytree(run_path, tmp_path / "own" / "capsule-seed0")
    config = json.loads((path / "config.json").read_text())
    config["dataset"] |= {"name": "faces", "source": "/home/me/secret/faces"}
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_a_shared_folder_holds_the_run_as_it_was_trained(made, run_path):
    folder, output = made
    assert files_in(folder) == CONTENT
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]

    run, gan = load_run(run_path), load_pretrained(folder)
    assert not gan.compiled
    assert type(gan) is type(run.gan)
    for ours, theirs in zip(gan.get_weights(), run.gan.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(gan.generate(3, seed=1), run.gan.generate(3, seed=1))
    grid = image_grid(sample_images(run.gan, 0), 10, 10).squeeze()
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "samples.png")), grid)
    assert load_run(folder / "run").history == run.history

    card = (folder / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---\n")[1])
    assert (head["license"], head["library_name"]) == ("cc-by-4.0", "keras")
    assert 'gan = load_pretrained("digits gan")' in card
    assert "keras.saving.load_model(" in card
    assert {name for name in re.findall(r"!\[.*\]\((.*)\)", card)} <= files_in(folder)
    namespace = {}
    exec("\n".join(line.strip() for line in output.splitlines()[1:3]), namespace)
    np.testing.assert_array_equal(namespace["gan"].get_weights()[0], gan.get_weights()[0])


def test_other_commands_take_it(made, run_path, finished_runs, tmp_path):
    folder, opponent = made[0], finished_runs / "convolutional-seed0"
    images = tmp_path / "images.npz"
    assert sample.main([str(folder), "--n", "3", "--verbose", "0", "--output", str(images)]) == 0
    expected = load_pretrained(folder).generate(3, seed=0).astype(int)
    assert np.abs(np.load(images)["arr_0"] - expected).max() <= 1  # another batch
    pairs = []
    for path in (folder, run_path):
        options = ["--samples", "20", "--verbose", "0", "--output", str(tmp_path / path.name)]
        assert gam.main([str(path), str(opponent), *options]) == 0
        results = files.read_json(tmp_path / path.name / "gam.json")["results"]
        assert results["pairs"][0]["b"] == path.name
        pairs.append([pair["accuracies"] for pair in results["pairs"]])
    assert pairs[0] == pairs[1]


def test_its_checksum_is_of_weights_and_configuration(shared):
    before = gan_checksum(find_run(shared))
    (shared / "README.md").write_text("another card")
    assert gan_checksum(find_run(shared)) == before
    for name in ("config.json", "model.weights.h5"):
        (shared / name).write_bytes((shared / name).read_bytes() + b" ")
        assert gan_checksum(find_run(shared)) != before
        before = gan_checksum(find_run(shared))


def test_evaluations_say_which_images_they_lack(own_run, tmp_path, capsys):
    folder = tmp_path / "shared"
    assert publish.main([str(own_run), "--to", str(folder)]) == 0
    assert gam.main([str(folder), "--output", str(tmp_path / "results")]) == 2
    assert "Start the command where faces is their path" in capsys.readouterr().err


def test_keras_loads_it_from_a_hub(run_path, made, monkeypatch):
    asked = []

    def snapshot_download(repo_id, **_):
        asked.append(repo_id)
        return str(made[0])

    hub = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setattr(saving_lib, "huggingface_hub", hub)
    gan = keras.saving.load_model("hf://owner/name")
    assert asked == ["owner/name"]
    expected = load_run(run_path).gan
    np.testing.assert_array_equal(gan.generate(2, seed=0), expected.generate(2, seed=0))


def test_the_place_of_ones_own_images_is_not_shared(own_run, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()  # is taken
    assert publish.main([str(own_run), "--to", str(folder)]) == 0
    for name in CONTENT:
        assert b"secret" not in (folder / name).read_bytes(), name
    assert load_run(folder / "run").config["dataset"]["source"] == "faces"
    assert "license: unknown\n" in (folder / "README.md").read_text()
    load_pretrained(folder)


def test_a_folder_is_replaced_on_request_only(run_path, own_run, shared, capsys):
    folder, arguments = shared, ["--to", str(shared)]
    assert publish.main([str(own_run), *arguments]) == 2
    assert "holds networks already. Replace them by --overwrite" in capsys.readouterr().err
    assert load_run(folder / "run").config["dataset"]["name"] == "digits"
    assert publish.main([str(own_run), *arguments, "--overwrite"]) == 0
    assert load_run(folder / "run").config["dataset"]["name"] == "faces"
    folder.rename(folder.with_name(files.BEFORE + folder.name))  # a kill between both renames
    load_pretrained(folder)
    assert publish.main([str(run_path), *arguments]) == 2
    assert publish.main([str(run_path), *arguments, "--overwrite"]) == 0
    assert not folder.with_name(files.BEFORE + folder.name).exists()


def test_what_was_not_made_so_is_not_replaced(run_path, own_run, shared, capsys):
    folder = shared
    (folder / ".git").mkdir()
    for place, reason in (
        (folder, "holds .git, which --to has not made"),
        (own_run, "holds checkpoint, gan.keras, generator.keras, which --to has not made"),
        (own_run / "config.json", "is no folder"),
    ):
        before = files_in(place)
        assert publish.main([str(run_path), "--to", str(place), "--overwrite"]) == 2
        assert reason in capsys.readouterr().err
        assert files_in(place) == before
    assert publish.main([str(own_run), "--to", str(own_run / "shared")]) == 2
    assert "the folder of a run that has ended" in capsys.readouterr().err
    assert not (own_run / "shared").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--license", "Apache 2.0"], "`license` must be the name of a licence"),
        (["--license", ""], "`license` must be the name of a licence"),
        (["--output", "elsewhere"], "--to and --output exclude each other"),
        (["--images", "5"], "--to and --images exclude each other"),
        (["RUN"], "--to takes one run, a folder for each. Received: 2 runs"),
    ],
)
def test_wrong_options_are_refused(run_path, tmp_path, capsys, options, reason):
    options = [str(run_path) if option == "RUN" else option for option in options]
    assert publish.main([str(run_path), *options, "--to", str(tmp_path / "shared")]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "shared").exists()


def test_a_licence_alone_is_refused(run_path, tmp_path, capsys):
    assert publish.main([str(run_path), "--license", "mit", "--output", str(tmp_path / "s")]) == 2
    assert "--license goes with --to" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_only_one_process_writes_a_folder(run_path, tmp_path, capsys):
    with working(tmp_path / ".lock-shared"):
        assert publish.main([str(run_path), "--to", str(tmp_path / "shared")]) == 2
    assert "is being written by process" in capsys.readouterr().err
    assert not (tmp_path / "shared").exists()


def test_damaged_and_other_folders_are_not_loaded(run_path, finished_runs, shared, tmp_path):
    other = tmp_path / "other"
    assert publish.main([str(finished_runs / "convolutional-seed0"), "--to", str(other)]) == 0
    for place in (run_path, tmp_path / "none", "capsule"):
        with pytest.raises(RunError, match="must be a folder made by"):
            load_pretrained(place)
    with pytest.raises(ValueError, match="`model` must lead to a file or a folder"):
        load_pretrained("")
    shutil.copytree(other / "run", shared / "run", dirs_exist_ok=True)
    with pytest.raises(RunError, match="is not the model of this run"):
        load_pretrained(shared)
    weights = other / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(RunError, match="could not be loaded"):
        load_pretrained(other)
    for name in ("metrics.json", "history.csv"):
        (other / "run" / name).unlink()
    with pytest.raises(RunError, match=r"run: is damaged: it lacks metrics\.json"):
        load_pretrained(other)


def test_weights_of_another_run_are_not_loaded(shared, tmp_path):
    weights = shared / "model.weights.h5"
    with h5py.File(weights, "r+") as file:
        kernel = file["generator/layers/dense/vars/0"]
        kernel[0] += 0.1
    for load in (load_pretrained, lambda path: find_run(path).gan):
        with pytest.raises(RunError, match=r"is not the model of this run\. Its checksum must be"):
            load(shared)


def test_a_clone_without_its_large_files_is_told(shared):
    weights = shared / "model.weights.h5"
    weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(RunError, match=r"weights\.h5: could not be loaded.*without Git LFS"):
        load_pretrained(shared)
    weights.unlink()
    with pytest.raises(RunError, match=r"could not be loaded\. It lacks model\.weights\.h5"):
        load_pretrained(shared)


def test_a_run_with_a_folder_called_run_is_a_run(own_run):
    (own_run / "run").mkdir()
    assert find_run(own_run).finished
    (own_run.parent / "run").mkdir()
    with pytest.raises(RunError, match="is no run, but holds some: capsule-seed0"):
        find_run(own_run.parent)


def test_lines_to_copy_are_quoted(run_path, tmp_path, capsys):
    folder = tmp_path / 'my "odd" name'
    assert publish.main([str(run_path), "--to", str(folder)]) == 0
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "gan = load_pretrained" in line)
    assert eval(line.partition("load_pretrained")[2]) == str(folder)
    assert f"hf upload 'OWNER/{folder.name}' '{folder}'" in printed
    assert 'load_pretrained("my \\"odd\\" name")' in (folder / "README.md").read_text()
