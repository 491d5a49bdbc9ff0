import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from capsgan_keras.evaluation.neighbours import distances
from capsgan_keras.evaluation.neighbours.distances import PixelVectors, pixel_vectors
from capsgan_keras.evaluation.neighbours.nearest import NeighbourLists, nearest, nearest_within


def brute_force(queries, points, k):
    """Sorts all squared distances, as 64-bit integers, by distance and then by index."""
    difference = queries[:, np.newaxis].astype(np.int64) - points.astype(np.int64)
    squared = (difference**2).sum(axis=-1)
    index = np.broadcast_to(np.arange(len(points)), squared.shape)
    order = np.lexsort((index, squared), axis=1)[:, :k]
    return np.take_along_axis(squared, order, axis=1), order


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 16)
    monkeypatch.setattr(distances, "_EXACT_FEATURES", 8)


@pytest.mark.parametrize("levels", [2, 256])  # two grey levels make ties in every list
@pytest.mark.parametrize("features", [9, 20])
@pytest.mark.usefixtures("small_blocks")
def test_lists_are_sorted_by_exact_distance_and_then_by_index(levels, features):
    rng = np.random.default_rng(levels + features)
    points = rng.integers(0, levels, (150, features), dtype=np.uint8) * (255 // (levels - 1))
    queries = rng.integers(0, levels, (37, features), dtype=np.uint8) * (255 // (levels - 1))

    lists = nearest(PixelVectors(queries), PixelVectors(points), 5)
    squared, indices = brute_force(queries, points, 5)
    np.testing.assert_array_equal(lists.indices, indices)
    np.testing.assert_array_equal(lists.squared_distances, squared)

    lists = nearest_within(PixelVectors(points), 5)
    squared, indices = brute_force(points, points, 5)
    np.testing.assert_array_equal(lists.indices, indices)
    np.testing.assert_array_equal(lists.squared_distances, squared)


@pytest.mark.parametrize("features", [784, 1024, 3072])
def test_distances_of_nearly_black_and_white_images_are_exact(features):
    # Products are largest here, up to 2^24 for each 1,024 features; one grey level must count.
    black = np.zeros((4, features), np.uint8)
    black[1, 0] = 1
    black[2, -1] = 2
    black[3] = 255
    lists = nearest_within(PixelVectors(black), 4)
    assert lists.squared_distances.tolist() == [
        [0, 1, 4, 255**2 * features],
        [0, 1, 5, 255**2 * features - 255**2 + 254**2],
        [0, 4, 5, 255**2 * features - 255**2 + 253**2],
        [
            0,
            255**2 * features - 255**2 + 253**2,
            255**2 * features - 255**2 + 254**2,
            255**2 * features,
        ],
    ]


def test_images_too_large_for_32_bit_distances_are_compared_in_float64():
    points = np.zeros((3, 40_000), np.uint8)
    points[1] = 255
    points[2, :3] = 1
    lists = nearest(PixelVectors(points[:1]), PixelVectors(points), 3)
    assert lists.squared_distances.tolist() == [[0, 3, 255**2 * 40_000]]
    assert lists.indices.tolist() == [[0, 2, 1]]


def test_many_equal_images_give_the_first_of_them(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 64)
    points = np.full((300, 12), 7, np.uint8)
    points[200] = 8
    lists = nearest_within(PixelVectors(points), 4)
    assert (np.delete(lists.indices, 200, axis=0) == [0, 1, 2, 3]).all()
    assert lists.indices[200].tolist() == [200, 0, 1, 2]


@pytest.mark.usefixtures("small_blocks")
def test_float_images_have_scikit_learns_neighbours():
    rng = np.random.default_rng(0)
    queries, points = rng.random((40, 3, 4, 1)), rng.random((90, 3, 4, 1)).astype(np.float32)
    lists = nearest(*pixel_vectors(queries, points), 6)
    reference = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(points.reshape(90, 12))
    distances, indices = reference.kneighbors(queries.reshape(40, 12))
    np.testing.assert_array_equal(lists.indices, indices)
    np.testing.assert_allclose(np.sqrt(lists.squared_distances), distances, rtol=1e-6)


def test_fewer_points_than_asked_for_leave_the_lists_unfilled():
    lists = nearest(*pixel_vectors(np.zeros((1, 2, 2, 1), np.uint8), np.ones((2, 2, 2, 1))), 3)
    assert lists.indices.tolist() == [[0, 1, -1]]
    assert lists.squared_distances[0, 2] == lists.far == np.iinfo(np.int32).max


def test_eight_bit_floats_become_grey_levels_again():
    levels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    for dtype in (np.float32, np.float64):
        (points,) = pixel_vectors((levels / 255).astype(dtype))
        assert points.values.dtype == np.uint8
        np.testing.assert_array_equal(points.values, levels.reshape(4, 64))
        assert points.unit == 1 / 255


def test_other_floats_turn_all_sets_into_floats():
    levels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    off_grid = np.full((1, 8, 8, 1), 0.5 / 255)
    first, second = pixel_vectors(levels, off_grid)
    assert first.values.dtype == second.values.dtype == np.float64
    np.testing.assert_array_equal(first.values, levels.reshape(4, 64) / 255)
    assert first.unit == 1


def test_points_that_precede_win_ties_and_others_lose_them():
    lists = NeighbourLists(1, 2, np.dtype(np.int32))
    lists.offer(slice(0, 1), np.array([[5, 9]], np.int32), first_index=10)
    after = lists.shifted(0)
    after.offer(slice(0, 1), np.array([[9]], np.int32), first_index=20)
    assert after.indices.tolist() == [[10, 11]]
    lists.offer(slice(0, 1), np.array([[9]], np.int32), first_index=0, precede=True)
    assert lists.indices.tolist() == [[10, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.usefixtures("small_blocks")
def test_the_number_of_threads_does_not_change_the_lists(monkeypatch, dtype):
    points = PixelVectors(np.random.default_rng(0).integers(0, 256, (200, 12)).astype(dtype))
    lists = []
    for threads in (1, 3):
        monkeypatch.setattr(distances.joblib, "cpu_count", lambda threads=threads: threads)
        lists.append(nearest_within(points, 5))
    np.testing.assert_array_equal(lists[0].indices, lists[1].indices)
    np.testing.assert_array_equal(lists[0].squared_distances, lists[1].squared_distances)
