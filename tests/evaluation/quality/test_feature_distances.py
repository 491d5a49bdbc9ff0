import time

import numpy as np
import pytest

from capsgan_keras.evaluation import frechet_distance, kernel_distance


def samples(n, dimensions=5, seed=0, mean=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(mean, scale, (n, dimensions))


def standardised(n, dimensions=4):
    """Features with mean exactly 0 and covariance exactly 1."""
    x = samples(n, dimensions)
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_identical_sets_are_at_distance_0(distance):
    x = samples(60)
    assert distance(x, x) == pytest.approx(0, abs=1e-12)
    assert distance(x, x + 0.5) > 0.01


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_distances_are_symmetric(distance):
    a, b = samples(60), samples(60, seed=1, mean=0.4, scale=1.3)
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-9)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_distances_grow_with_noise(distance):
    a = samples(400)
    noise = samples(400, seed=2)
    distances = [distance(a, a + level * noise) for level in (0, 0.5, 1, 2)]
    assert np.all(np.diff(distances) > 0.01)


def test_frechet_distance_of_normals_has_its_closed_form():
    x = standardised(200)
    # Commuting covariances: ||difference of means||^2 + ||difference of deviations||^2.
    scales = np.array([0.5, 1, 2, 3])
    mean = np.array([1.0, 0, -2, 0.5])
    expected = (mean**2).sum() + ((scales - 1) ** 2).sum()
    assert frechet_distance(x, x * scales + mean) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_rotated_normals_has_its_closed_form():
    x = standardised(200, dimensions=2)
    a = x * [1, 3]
    b = a @ np.array([[0.6, 0.8], [-0.8, 0.6]])
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # In two dimensions tr((AB)^(1/2)) = sqrt(tr(AB) + 2 sqrt(det(AB))).
    root = np.sqrt(np.trace(cov_a @ cov_b) + 2 * np.sqrt(np.linalg.det(cov_a @ cov_b)))
    expected = np.trace(cov_a) + np.trace(cov_b) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_bears_features_that_are_always_0():
    x = standardised(100)
    x[:, 2] = 0
    assert frechet_distance(x, 2 * x) == pytest.approx(3, rel=1e-9)


def test_frechet_distance_of_one_feature():
    x = np.arange(10.0)[:, np.newaxis]
    assert frechet_distance(x, x + 3) == pytest.approx(9)


def test_kernel_distance_is_the_u_statistic():
    a, b = samples(7, 3), samples(7, 3, seed=1, mean=1)

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    total = sum(
        kernel(a[i], a[j]) + kernel(b[i], b[j]) - kernel(a[i], b[j]) - kernel(a[j], b[i])
        for i in range(7)
        for j in range(7)
        if i != j
    )
    assert kernel_distance(a, b) == pytest.approx(total / 42, rel=1e-12)


def test_kernel_distance_is_unbiased():
    values = [
        kernel_distance(samples(40, 3, seed=2 * i), samples(40, 3, seed=2 * i + 1))
        for i in range(200)
    ]
    assert min(values) < 0
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200)


def test_kernel_distance_does_not_depend_on_its_blocks():
    a, b = samples(50), samples(50, seed=1)
    assert kernel_distance(a, b, block=7) == pytest.approx(kernel_distance(a, b), rel=1e-12)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(
    ("b", "message"),
    [
        (samples(60, 4), r"`b` must have 5 dimensions.*\(60, 4\)"),
        (samples(1), r"`b` must be features.*\(1, 5\)"),
        (np.full((60, 5), np.nan), r"`b` must be finite"),
    ],
)
def test_bad_features_are_named(distance, b, message):
    with pytest.raises(ValueError, match=message):
        distance(samples(60), b)


def test_kernel_distance_needs_sets_of_the_same_size():
    with pytest.raises(ValueError, match=r"as many rows as `a`, 60\. Received: b.shape=\(59, 5\)"):
        kernel_distance(samples(60), samples(59))


@pytest.mark.parametrize(("n", "m"), [(5, 5), (4, 9), (9, 4)])
def test_few_samples_have_the_distance_of_their_covariances(n, m):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(n, 10)), rng.normal(1.0, 2.0, size=(m, 10))
    product = np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)
    root = np.sqrt(np.maximum(np.linalg.eigvals(product).real, 0)).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + a.var(0, ddof=1).sum()
    expected += b.var(0, ddof=1).sum() - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_few_samples_of_many_dimensions_cost_no_matrix_of_all_dimensions():
    few, many = np.zeros((5, 20_000)), np.ones((4, 20_000))
    start = time.process_time()
    assert frechet_distance(few, many) == 20_000.0
    assert frechet_distance(many, many) == 0.0
    assert time.process_time() - start < 5.0  # a matrix of 20,000 by 20,000 takes 3 GB and hours
