"""A data set of a user's own: the module of docs/datasets.md, in a folder that Python searches."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from capsgan_keras.datasets import DatasetDefinition, DatasetError, load_dataset, register_dataset
from capsgan_keras.datasets.registry import REGISTERED, dataset_title, find_dataset
from capsgan_keras.evaluation import (
    ClassifierSettings,
    PoorClassifierError,
    load_or_train_classifier,
)
from capsgan_keras.runs.model_card import model_card
from experiments import digits
from experiments.evaluations.finished_runs import load_finished_runs
from experiments.settings.training import Settings

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"
TINY = (
    "--model capsule --epochs 1 --batch-size 32 --latent-dim 4 --latent-categories 0 "
    "--generator-filters 4 4 --capsule-filters 4 --n-channels 1 --precision float32 --verbose 0"
)


@pytest.fixture(autouse=True)
def forget():
    """Forget what a test imports."""
    yield
    for name in ("shapes", "collections_of_mine", "collections_of_mine.shapes"):
        sys.modules.pop(name, None)


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """A folder with the example's files, the module itself beside it."""
    (example,) = re.findall(r'```python\n("""Shapes.*?)```', PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "shapes.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "data" / "shapes"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, n in (("train", 64), ("test", 20)):
        np.save(folder / f"{part}-images.npy", rng.integers(0, 256, (n, 16, 16), np.uint8))
        np.save(folder / f"{part}-labels.npy", np.arange(n) % 2)
    return folder.parent


def test_the_pages_module_is_loaded_by_its_name(data_dir):
    with pytest.raises(DatasetError, match=r"one of \('digits', 'mnist', 'cifar10'\)"):
        load_dataset("shapes", data_dir)
    dataset = load_dataset("shapes:shapes", data_dir)
    assert dataset.name == "shapes"
    assert dataset.x_train.shape == (64, 16, 16, 1)
    assert dataset.x_test.shape == (20, 16, 16, 1)
    assert dataset.class_names == ("circle", "square")
    assert dataset.hold_out(10).x_test.shape == (10, 16, 16, 1)
    assert load_dataset("shapes", data_dir).checksum == dataset.checksum
    assert dataset_title("shapes") == "Shapes"
    np.savez(data_dir / "shapes.npz", **vars(dataset) | {"x_train": dataset.x_train[:5] // 2})
    with pytest.raises(DatasetError, match=r"shapes\.npz: y_train: expected 5 labels"):
        load_dataset("shapes", data_dir)


def test_a_module_in_a_package_is_found_too(data_dir, tmp_path):
    package = tmp_path / "collections_of_mine"
    package.mkdir()
    (package / "__init__.py").touch()
    (tmp_path / "shapes.py").rename(package / "shapes.py")
    dataset = load_dataset("collections_of_mine.shapes:shapes", data_dir, image_size=8)
    assert dataset.image_shape == (8, 8, 1)


def test_the_classifier_must_reach_the_data_sets_accuracy(data_dir, tmp_path):
    dataset = load_dataset("shapes:shapes", data_dir)
    quick = ClassifierSettings(width=2, epochs=1)
    # The images are noise, so that no classifier can be good.
    with pytest.raises(PoorClassifierError, match=r"of shapes must reach.*95\.00%"):
        load_or_train_classifier(dataset, tmp_path, quick)


def test_an_experiment_trains_on_it_and_its_runs_find_it_again(data_dir, tmp_path):
    options = ["--dataset", "shapes:shapes", "--data-dir", str(data_dir)]
    assert digits.main([*TINY.split(), *options, "--run-dir", str(tmp_path / "runs")]) == 0
    path = tmp_path / "runs" / "capsule-seed0"
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    assert config["dataset"]["source"] == "shapes:shapes"
    metrics = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    card = (path / "README.md").read_text(encoding="utf-8")
    assert card == model_card(path, config, metrics)
    assert "Shapes (A. Painter, 2024). Licence: CC BY 4.0." in card
    # As another process does, which has not imported the module yet.
    del REGISTERED["shapes"], sys.modules["shapes"]
    assert load_finished_runs([path], data_dir).dataset.name == "shapes"


def test_runs_go_to_a_folder_of_its_name():
    assert Settings(dataset="mine.shapes:shapes").runs_folder == Path("runs", "shapes")
    assert Settings(dataset="cifar10").runs_folder == Path("runs", "cifar10")


@pytest.mark.parametrize("name", ["no_such_module:shapes", "no.such:shapes", "C:/images", "a:b c"])
def test_what_is_no_module_is_taken_for_a_path(name):
    assert find_dataset(name) is None
    with pytest.raises(DatasetError, match=r"module:name of one .* Received: name_or_path="):
        load_dataset(name)


@pytest.mark.usefixtures("data_dir")
def test_a_faulty_module_shows_its_own_error(tmp_path):
    with pytest.raises(DatasetError, match=r"registers no data set of the name 'circles'"):
        load_dataset("shapes:circles")
    (tmp_path / "shapes.py").write_text("import not_installed")
    sys.modules.pop("shapes")
    with pytest.raises(ModuleNotFoundError, match="not_installed"):
        load_dataset("shapes:shapes")


@pytest.mark.usefixtures("data_dir")
def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(
        DatasetError, match=r"shapes was not found on this machine\. (?s:.*)\.npy, in"
    ):
        load_dataset("shapes:shapes")
    with pytest.raises(DatasetError, match=r"does not hold shapes\. Looked for: shapes\.npz with"):
        load_dataset("shapes:shapes", tmp_path)
    folder = tmp_path / "data" / "shapes"
    (folder / "test-labels.npy").write_bytes(b"no array")
    with pytest.raises(DatasetError, match=rf"^{re.escape(str(folder))}: could not be read as"):
        load_dataset("shapes:shapes", tmp_path / "data")
    np.save(folder / "test-labels.npy", np.full(20, 2))
    with pytest.raises(DatasetError, match=r"test-labels\.npy: labels must lie between 0 and 1"):
        load_dataset("shapes:shapes", tmp_path / "data")


def definition(**changes):
    options = {"name": "mine", "title": "Mine", "image_shape": (16, 16, 1), "terms": "None."}
    return DatasetDefinition(**options | {"class_names": ("a", "b")} | changes)


def test_a_later_definition_takes_the_place_of_an_earlier_one():
    register_dataset(definition())
    later = definition(title="Other")
    assert register_dataset(later) is later
    assert dataset_title("mine") == "Other"


@pytest.mark.parametrize("name", ["mnist", "a/b", "a:b", ""])
def test_names_that_cannot_be_taken(name):
    with pytest.raises(ValueError, match=rf"`name` must .*Received: name={name!r}"):
        register_dataset(definition(name=name))


def test_a_download_supplies_what_no_folder_has(tmp_path):
    images, labels = np.zeros((4, 16, 16), np.uint8), np.arange(4) % 2
    arrays = [("the network", array) for array in (images, labels, images, labels)]
    register_dataset(definition(download=lambda: arrays))
    assert load_dataset("mine").x_test.shape == (4, 16, 16, 1)
    with pytest.raises(DatasetError, match="does not hold mine"):
        load_dataset("mine", data_dir=tmp_path)
