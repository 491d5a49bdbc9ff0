import json
from dataclasses import dataclass

import numpy as np
import pytest

from capsgan_keras.evaluation import (
    ClassifierSettings,
    ImageClassifier,
    PoorClassifierError,
    build_classifier,
    load_or_train_classifier,
)
from capsgan_keras.evaluation.quality import classifier_store

SETTINGS = ClassifierSettings(width=4, epochs=1, batch_size=16)


@dataclass
class Data:
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str = "mnist"
    checksum: str = "0123456789abcdef"


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    y = np.arange(60) % 3
    return Data(x[:40], y[:40], x[40:], y[40:])


@pytest.fixture
def trained(monkeypatch):
    """Counts the trainings, which are left out to save time."""
    count = []
    monkeypatch.setattr(classifier_store, "train_classifier", lambda *_: count.append(1))
    return count


def get(data, folder, settings=SETTINGS, minimum_accuracy=0.0):
    return load_or_train_classifier(data, folder, settings, minimum_accuracy)


def test_second_time_the_same_trained_classifier_is_loaded(data, tmp_path, monkeypatch):
    folder = tmp_path / "new" / "cache"
    first = get(data, folder)
    untrained = ImageClassifier(build_classifier((8, 8, 1), 3, SETTINGS.width, SETTINGS.seed))
    assert not np.allclose(first(data.x_test)[1], untrained(data.x_test)[1], rtol=1e-2)
    monkeypatch.setattr(classifier_store, "train_classifier", None)
    second = get(data, folder)
    for one, other in zip(first(data.x_test), second(data.x_test), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in folder.iterdir()) == [
        "classifier-mnist-0123456789ab.json",
        "classifier-mnist-0123456789ab.keras",
    ]
    info = json.loads((folder / "classifier-mnist-0123456789ab.json").read_text())
    assert info == first.info == second.info
    assert info["test_accuracy"] == first.accuracy(data.x_test, data.y_test)
    assert info["dataset_checksum"] == data.checksum
    assert info["settings"]["width"] == 4


@pytest.mark.parametrize("damage", ["model", "json", "no json", "no model"])
def test_damaged_files_are_replaced(data, tmp_path, trained, damage):
    get(data, tmp_path)
    model, info = sorted(tmp_path.iterdir(), reverse=True)
    if damage == "model":
        model.write_bytes(model.read_bytes()[:-100])
    elif damage == "json":
        info.write_text(info.read_text()[:50])
    else:
        (info if damage == "no json" else model).unlink()
    get(data, tmp_path)
    assert len(trained) == 2
    get(data, tmp_path)
    assert len(trained) == 2


def test_other_settings_or_data_train_anew(data, tmp_path, trained):
    get(data, tmp_path)
    get(data, tmp_path, ClassifierSettings(width=4, epochs=1, batch_size=16, seed=1))
    assert len(trained) == 2
    data.checksum = "0123456789abffff"  # begins as the other one does
    get(data, tmp_path)
    assert len(trained) == 3


@pytest.mark.usefixtures("trained")
def test_poor_classifiers_are_refused_and_not_kept(data, tmp_path):
    # The labels are random, so that no classifier can be good; MNIST wants 98.5 %.
    with pytest.raises(PoorClassifierError, match=r"mnist must reach.*98\.50%.*Received: \d+\."):
        load_or_train_classifier(data, tmp_path, SETTINGS)
    assert list(tmp_path.iterdir()) == []
    data.name = "cifar10"
    with pytest.raises(PoorClassifierError, match=r"80\.00%"):
        load_or_train_classifier(data, tmp_path, SETTINGS)
    data.name = "mine"
    assert load_or_train_classifier(data, tmp_path, SETTINGS).info["dataset"] == "mine"


def test_a_kept_classifier_is_measured_by_a_later_minimum(data, tmp_path, trained):
    get(data, tmp_path)
    with pytest.raises(PoorClassifierError, match=r"99\.00%"):
        get(data, tmp_path, minimum_accuracy=0.99)
    assert len(trained) == 1


def test_data_without_labels_are_refused(data, tmp_path):
    data.y_test = None
    with pytest.raises(ValueError, match=r"Received: 'mnist' without `y_test`"):
        get(data, tmp_path)
