import warnings

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

from capsgan_keras.evaluation.label_spreading.spreading import spread_labels


def clouds(n, seed):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n)
    return np.eye(3, 6)[classes] + rng.normal(0, 0.6, (n, 6)), classes


@pytest.fixture
def data():
    x, y = clouds(300, 0)
    x_test, _ = clouds(200, 1)
    return x, y[:12], x_test


def scikit_learn(x, labels, x_test, **options):
    marked = np.concatenate([labels, np.full(len(x) - len(labels), -1)])
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")
        model = LabelSpreading(**options).fit(x, marked)
        return model, model.predict(x_test), model.predict_proba(x_test)


@pytest.mark.parametrize(("k", "alpha", "max_iter"), [(7, 0.2, 30), (3, 0.9, 30), (4, 0.5, 2)])
def test_result_is_scikit_learns_for_its_own_neighbours(data, k, alpha, max_iter):
    x, labels, x_test = data
    search = NearestNeighbors(n_neighbors=k).fit(x)
    training = search.kneighbors(x, return_distance=False)
    test = search.kneighbors(x_test, return_distance=False)

    spread = spread_labels(training, test, labels, alpha, max_iter, tol=1e-3)
    model, predicted, probabilities = scikit_learn(
        x, labels, x_test, kernel="knn", n_neighbors=k, alpha=alpha, max_iter=max_iter
    )
    np.testing.assert_array_equal(spread.predicted, predicted)
    np.testing.assert_array_equal(spread.unreached, np.isnan(probabilities[:, 0]))
    assert spread.iterations == model.n_iter_
    assert spread.converged == (model.n_iter_ < max_iter)


def test_unreached_images_are_told_and_get_the_first_class():
    # Two pairs of points; the labels are in the first pair, and the second test image's
    # neighbours are the second pair.
    training = np.array([[0, 1], [1, 0], [2, 3], [3, 2]])
    test = np.array([[1, 0], [2, 3]])
    spread = spread_labels(training, test, np.array([5, 8]), 0.2, 30, 1e-3)
    assert spread.unreached.tolist() == [False, True]
    assert spread.predicted[1] == 5
