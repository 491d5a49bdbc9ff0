import numpy as np
import pytest

from capsgan_keras.evaluation.label_spreading import graphs as label_graph
from capsgan_keras.evaluation.label_spreading.graphs import ExtendedGraph, PoolGraph
from capsgan_keras.evaluation.neighbours import distances
from capsgan_keras.evaluation.neighbours.distances import PixelVectors
from capsgan_keras.evaluation.neighbours.nearest import nearest, nearest_within

K = 4


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 16)


def images(n, levels, seed):
    """Few features and, for two levels, distances with many ties."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, levels, (n, 12), dtype=np.uint8) * (255 // (levels - 1))


def assert_neighbours(found, training_set, test):
    training, from_test = found
    reference = nearest_within(PixelVectors(training_set), K)
    np.testing.assert_array_equal(training, reference.indices)
    reference = nearest(PixelVectors(test), PixelVectors(training_set), K)
    np.testing.assert_array_equal(from_test, reference.indices)


@pytest.mark.parametrize("levels", [2, 256])
def test_extended_graph_equals_a_search_over_the_whole_training_set(levels):
    unlabelled, pool, test = images(70, levels, 0), images(50, levels, 1), images(30, levels, 2)
    graph = ExtendedGraph(PixelVectors(unlabelled), PixelVectors(pool), PixelVectors(test), K)
    for labelled in (np.array([3, 1]), np.arange(40, 0, -1)):
        found = graph.neighbours(labelled)
        assert_neighbours(found, np.concatenate([pool[labelled], unlabelled]), test)


def test_extended_graph_without_unlabelled_images():
    pool, test = images(50, 256, 1), images(30, 256, 2)
    graph = ExtendedGraph(PixelVectors(pool[:0]), PixelVectors(pool), PixelVectors(test), K)
    labelled = np.array([7, 30, 2, 11, 12])
    assert_neighbours(graph.neighbours(labelled), pool[labelled], test)


@pytest.mark.parametrize("levels", [2, 256])
@pytest.mark.parametrize("spare", [0, 2, 8, 200])
@pytest.mark.parametrize("n_members", [5, 40, 90])
def test_pool_graph_equals_a_search_over_the_members(monkeypatch, levels, spare, n_members):
    monkeypatch.setattr(label_graph, "_SPARE", spare)
    pool, test = images(90, levels, 3), images(30, levels, 4)
    graph = PoolGraph(PixelVectors(pool), PixelVectors(test), K)
    members = np.random.default_rng(5).permutation(90)[:n_members]
    found = graph.neighbours(members[:3], members[3:])
    assert_neighbours(found, pool[members], test)
