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
        predicted: The predicted class of each image, `(n_test,)`.
        unreached: Images that no label reaches, bool `(n_test,)`: the label distributions of all
            their neighbours are zero. scikit-learn divides zero by zero there and predicts the
            first class.
        iterations: Iterations made.
        converged: Whether the tolerance was met within `max_iter` iterations.
    """

    predicted: np.ndarray
    unreached: np.ndarray
    iterations: int
    converged: bool


def spread_labels(
    training: np.ndarray,
    test: np.ndarray,
    labels: np.ndarray,
    alpha: float,
    max_iter: int,
    tol: float,
) -> Spread:
    """Run scikit-learn's `LabelSpreading(kernel="knn")` on neighbours that are known already.

    The result is scikit-learn's own for the same neighbours, bit for bit: its callable `kernel`
    is handed the graph that `kneighbors_graph` would have built.

    Args:
        training: Each training image's neighbours, itself included, as indices into the training
            images, int `(n_training, k)`. The labelled images come first.
        test: Each test image's neighbours, nearest first, int `(n_test, k)`.
        labels: Classes of the labelled images, `(n_labelled,)`.
        alpha: Clamping factor, in (0, 1): the share of an image's label distribution that comes
            from its neighbours (Zhou et al., "Learning with local and global consistency", 2004).
        max_iter: Largest number of iterations.
        tol: The iteration ends when the distributions' change, summed, is below it.
    """
    n_training, n_test = len(training), len(test)
    graph = _link(training, n_training)
    # Built by columns, so that scikit-learn's sums run in its own order, nearest first.
    test_weights = _link(test, n_training).T

    def kernel(x: np.ndarray, y: np.ndarray) -> sparse.csr_array:
        return graph if y is x else test_weights

    model = LabelSpreading(kernel=kernel, alpha=alpha, max_iter=max_iter, tol=tol)
    # The features are never looked at, since the graph is finished.
    return _fit_and_predict(model, np.zeros((n_training, 1)), labels, np.zeros((n_test, 1)))


def _link(neighbours: np.ndarray, n_training: int) -> sparse.csr_array:
    n, k = neighbours.shape
    starts = np.arange(0, n * k + 1, k)
    return sparse.csr_array((np.ones(n * k), neighbours.ravel(), starts), shape=(n, n_training))


def _fit_and_predict(
    model: LabelSpreading, training: np.ndarray, labels: np.ndarray, test: np.ndarray
) -> Spread:
    marked = np.full(len(training), -1)
    marked[: len(labels)] = labels
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
