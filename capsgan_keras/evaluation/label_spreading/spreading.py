"""scikit-learn's label spreading on a finished neighbour graph."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelSpreading


@dataclass(frozen=True, eq=False)
class Spread:
    """What label spreading says of the test images.

    Attributes:
        predicted: array of shape `(n_test,)`. The predicted class of each image.
        unreached: bool array of shape `(n_test,)`. Images that no label reaches: the label
            distributions of all their neighbours are zero. scikit-learn divides zero by zero
            there and predicts the first class.
        iterations: int. Iterations made.
        converged: bool. Whether the tolerance was met within `max_iter` iterations.
    """

    predicted: np.ndarray
    unreached: np.ndarray
    iterations: int
    converged: bool


def spread_labels(training, test, labels, alpha, max_iter, tol):
    """Runs scikit-learn's `LabelSpreading(kernel="knn")` on neighbours that are known already.

    The result is scikit-learn's own for the same neighbours, bit for bit: its callable `kernel`
    is handed the graph that `kneighbors_graph` would have built.

    Args:
        training: int array of shape `(n_training, k)`. Each training point's neighbours, itself
            included, as indices into the training points; the labelled points come first.
        test: int array of shape `(n_test, k)`. Each test point's neighbours, nearest first.
        labels: int array of shape `(n_labelled,)`, with `n_labelled <= n_training`.
        alpha: float in (0, 1). Clamping factor: the share of a point's label distribution that
            comes from its neighbours (Zhou et al., "Learning with local and global
            consistency", 2004).
        max_iter: int. Largest number of iterations.
        tol: float. The iteration ends when the distributions' change, summed, is below it.

    Returns:
        A `Spread`.
    """
    n_training, n_test = len(training), len(test)
    graph = _link(training, n_training)
    # Built by columns, so that scikit-learn's sums run in its own order, nearest first.
    test_weights = _link(test, n_training).T

    def kernel(x, y):
        return graph if y is x else test_weights

    model = LabelSpreading(kernel=kernel, alpha=alpha, max_iter=max_iter, tol=tol)
    marked = np.full(n_training, -1)
    marked[: len(labels)] = labels
    # The features are never looked at, since the graph is finished.
    return _fit_and_predict(model, np.zeros((n_training, 1)), marked, np.zeros((n_test, 1)))


def spread_labels_rbf(training, test, labels, gamma, alpha, max_iter, tol):
    """Runs scikit-learn's `LabelSpreading(kernel="rbf")`.

    Args:
        training: float array of shape `(n_training, features)`, the labelled points first.
        test: float array of shape `(n_test, features)`.
        labels: int array of shape `(n_labelled,)`, with `n_labelled <= n_training`.
        gamma: float. The kernel is `exp(-gamma ||x - y||^2)`.
        alpha: float in (0, 1). Clamping factor.
        max_iter: int. Largest number of iterations.
        tol: float. Tolerance of convergence.

    Returns:
        A `Spread`.
    """
    model = LabelSpreading(kernel="rbf", gamma=gamma, alpha=alpha, max_iter=max_iter, tol=tol)
    marked = np.full(len(training), -1)
    marked[: len(labels)] = labels
    return _fit_and_predict(model, training, marked, test)


def _link(neighbours, n_points):
    n, k = neighbours.shape
    starts = np.arange(0, n * k + 1, k)
    return sparse.csr_array((np.ones(n * k), neighbours.ravel(), starts), shape=(n, n_points))


def _fit_and_predict(model, training, marked, test):
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by `converged` instead
        model.fit(training, marked)
        probabilities = model.predict_proba(test)
    return Spread(
        # What LabelSpreading.predict does with these probabilities; argmax of NaNs is 0.
        predicted=model.classes_[np.argmax(probabilities, axis=1)],
        unreached=np.isnan(probabilities).any(axis=1),
        iterations=int(model.n_iter_),
        converged=model.n_iter_ < model.max_iter,
    )
