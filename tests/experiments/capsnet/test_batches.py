"""What classifiers see in training, and how they are measured."""

import dataclasses

import numpy as np
import pytest

from capsgan_keras.datasets import Dataset, overlap_images, shift_images
from experiments.capsnet.batches import ClassifierBatches, count_classes, network_shape
from experiments.capsnet.testing import error, exact_match, measure
from experiments.settings.classifiers import ClassifierSettings

rng = np.random.default_rng(0)
IMAGES = rng.integers(1, 256, (50, 8, 8, 1), np.uint8)
LABELS = np.arange(50) % 5
DATA = Dataset("made up", IMAGES, LABELS, IMAGES[:10], LABELS[:10])
SETTINGS = ClassifierSettings(batch_size=20, shift=1)


def batches(**changes):
    return ClassifierBatches(dataclasses.replace(SETTINGS, **changes), DATA, 5)


def test_images_are_moved_and_classes_told():
    given = batches()
    (images, told), targets = given[1]
    chosen = given.chosen(1)
    np.testing.assert_array_equal(images, shift_images(IMAGES[chosen], 1, (0, 0, 1, 1)))
    np.testing.assert_array_equal(told.argmax(axis=1), LABELS[chosen])
    np.testing.assert_array_equal(told.sum(axis=1), 1.0)
    np.testing.assert_array_equal(targets["lengths"], told)
    np.testing.assert_array_equal(targets["reconstruction"], images)


def test_batches_depend_on_seed_epoch_and_number_alone():
    first, second = batches(), batches()
    for epoch in (2, 0):
        first.epoch = second.epoch = epoch
        first[0]  # what was drawn before does not matter
        np.testing.assert_array_equal(first[1][0][0], second[1][0][0])
    second.epoch = 1
    assert (first[1][0][0] != second[1][0][0]).any()
    assert (first[1][0][0] != batches(seed=1)[1][0][0]).any()


def test_pairs_are_redrawn_one_at_a_time():
    given = batches(overlap=True)
    (images, told), targets = given[0]
    pairs = overlap_images(IMAGES, LABELS, (0, 0, 0, 1), 4, given.chosen(0))
    assert images.shape == (20, 16, 16, 1)
    np.testing.assert_array_equal(images, pairs.images)
    for row, (first, second) in enumerate(pairs.labels):
        assert set(np.flatnonzero(targets["lengths"][row])) == {first, second}
        which = int(told[row].argmax() == second)
        np.testing.assert_array_equal(targets["reconstruction"][row], pairs.parts[row, which])
    firsts = told.argmax(axis=1) == pairs.labels[:, 0]
    assert 2 < firsts.sum() < 18


def test_a_plain_network_gets_images_and_classes_alone():
    images, classes = batches(model="plain")[0]
    assert images.shape == (20, 8, 8, 1)
    np.testing.assert_array_equal(classes.sum(axis=1), 1.0)
    _, classes = batches(model="plain", overlap=True)[0]
    np.testing.assert_array_equal(classes.sum(axis=1), 2.0)


def test_the_network_sees_the_canvas():
    def shape(**changes):
        return network_shape(dataclasses.replace(SETTINGS, **changes), DATA)

    assert shape() == (8, 8, 1)
    assert shape(canvas=12) == (12, 12, 1)
    assert shape(overlap=True) == (16, 16, 1)
    assert shape(overlap=True, canvas=10) == (10, 10, 1)
    assert batches(canvas=12)[0][0][0].shape == (20, 12, 12, 1)
    assert batches(overlap=True, canvas=10)[0][0][0].shape == (20, 10, 10, 1)
    assert count_classes(DATA) == 5


class Told:
    """A network that gives outputs that were told, a dictionary of them as capsules do."""

    def __init__(self, *outputs, capsules=True):
        self.outputs = iter(outputs)
        self.capsules = capsules
        self.seen = []

    def predict(self, images, **_):
        self.seen.append(images)
        outputs = np.asarray(next(self.outputs))
        return {"lengths": outputs} if self.capsules else outputs


@pytest.mark.parametrize("capsules", [True, False])
def test_errors_and_exact_matches_are_shares(capsules):
    lengths = [[0.9, 0.5, 0.1], [0.2, 0.3, 0.8], [0.4, 0.6, 0.5], [0.7, 0.1, 0.6]]
    assert error(Told(lengths, capsules=capsules), IMAGES[:4], np.array([0, 2, 0, 0])) == 0.25
    pairs = np.array([[1, 0], [1, 2], [0, 1], [2, 0]])
    assert exact_match(Told(lengths, capsules=capsules), IMAGES[:4], pairs) == 0.75


def test_only_what_is_asked_for_is_measured():
    right, wrong = np.eye(5)[LABELS[:10]], np.eye(5)[(LABELS[:10] + 1) % 5]
    network = Told(right)
    assert measure(network, SETTINGS, DATA) == {"test_error": 0.0}
    np.testing.assert_array_equal(network.seen[0], IMAGES[:10])
    network = Told(wrong, right, right)
    settings = dataclasses.replace(SETTINGS, canvas=12, test=("affine",), overlap=True)
    found = measure(network, settings, DATA)
    assert found.keys() == {"test_error", "affine_error", "overlap_exact_match"}
    assert found["test_error"] == 1.0
    assert found["affine_error"] == 0.0
    assert {images.shape for images in network.seen} == {(10, 12, 12, 1)}
    np.testing.assert_array_equal(network.seen[0][:, 2:10, 2:10], IMAGES[:10])
