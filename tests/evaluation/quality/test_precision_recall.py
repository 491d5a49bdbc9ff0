import json

import numpy as np
import pytest

from capsgan_keras.evaluation import manifold_scores


def normal(n, seed=0, dimensions=4):
    return np.random.default_rng(seed).normal(size=(n, dimensions))


def classes(n, count, seed):
    """Clouds far apart, one a class, `n` samples in each."""
    return np.concatenate([normal(n, seed + c) + 100 * np.eye(4)[c] for c in range(count)])


def test_identical_sets_score_1():
    x = normal(80)
    scores = manifold_scores(x, x, n_neighbors=3)
    assert (scores.precision, scores.recall, scores.coverage) == (1, 1, 1)


def test_sets_that_are_far_apart_score_0():
    scores = manifold_scores(normal(80), normal(80, 1) + 100)
    assert (scores.precision, scores.recall, scores.density, scores.coverage) == (0, 0, 0, 0)


def test_points_on_a_line_have_the_scores_of_the_definition():
    # Real balls (1 neighbour): [-1, 1], [0, 2], [-1, 5]... of 0, 1 and 4: radii 1, 1 and 3.
    real = np.array([[0.0], [1.0], [4.0]])
    generated = np.array([[2.0], [9.0], [9.5]])  # radii 7, 0.5, 0.5
    scores = manifold_scores(real, generated, n_neighbors=1)
    assert scores.precision == pytest.approx(1 / 3)  # 2 lies in the balls of 1 and 4
    assert scores.density == pytest.approx(2 / 3)
    assert scores.coverage == pytest.approx(2 / 3)
    assert scores.recall == 1  # all lie in the ball of 2, which reaches from -5 to 9


def test_a_dropped_class_lowers_recall_and_coverage_but_not_precision():
    real = classes(50, 4, seed=0)
    whole = manifold_scores(real, classes(50, 4, seed=10))
    dropped = manifold_scores(real, classes(50, 3, seed=10))
    assert whole.recall > 0.9
    assert dropped.recall == pytest.approx(0.75 * whole.recall, abs=0.02)
    assert dropped.coverage == pytest.approx(0.75 * whole.coverage, abs=0.02)
    assert dropped.precision == pytest.approx(whole.precision, abs=0.03)


def test_blurred_samples_lower_precision():
    real, generated = normal(300), normal(300, 1)
    sharp = manifold_scores(real, generated)
    blurred = manifold_scores(real, 3 * generated)
    assert blurred.precision < sharp.precision - 0.3
    assert blurred.density < sharp.density - 0.3
    assert sharp.density == pytest.approx(1, abs=0.1)


def test_precision_and_recall_swap_with_the_sets():
    a, b = normal(100), 0.7 * normal(120, 1) + 0.3
    assert manifold_scores(a, b).precision == manifold_scores(b, a).recall
    assert manifold_scores(a, b).recall == manifold_scores(b, a).precision


def test_a_collapsed_generator_has_its_one_image_only():
    real = normal(60)
    collapsed = np.repeat(real[:1], 60, axis=0)
    scores = manifold_scores(real, collapsed)
    assert scores.precision == 1
    assert scores.recall == pytest.approx(1 / 60)  # its balls have radius 0
    # The copies cover the balls that hold the image: those of the real samples near it.
    distances = np.linalg.norm(real[:, None] - real, axis=-1)
    expected = np.mean(distances[0] <= np.sort(distances, axis=1)[:, 5])
    assert scores.coverage == pytest.approx(expected)


def test_blocks_do_not_change_the_scores():
    a, b = normal(90), normal(110, 1) * 0.9
    assert manifold_scores(a, b, block=13) == manifold_scores(a, b)


def test_scores_survive_json():
    scores = manifold_scores(normal(20), normal(20, 1))
    assert json.loads(json.dumps(scores.to_dict()))["n_neighbors"] == 5


@pytest.mark.parametrize(
    ("generated", "n_neighbors", "message"),
    [
        (normal(20, dimensions=3), 5, r"`generated` must have 4 dimensions"),
        (normal(5), 5, r"20 real and 5 generated\. Received: n_neighbors=5"),
        (normal(20), 0, r"Received: n_neighbors=0"),
    ],
)
def test_bad_input_is_named(generated, n_neighbors, message):
    with pytest.raises(ValueError, match=message):
        manifold_scores(normal(20), generated, n_neighbors)
