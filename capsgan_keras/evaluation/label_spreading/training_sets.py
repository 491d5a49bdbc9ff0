"""The training sets of a semi-supervised table, and label spreading on each of them."""

from functools import cached_property

import numpy as np

from capsgan_keras.checks import check_positive
from capsgan_keras.evaluation.images import check_images, unit_floats
from capsgan_keras.evaluation.label_spreading.graphs import ExtendedGraph, PoolGraph
from capsgan_keras.evaluation.label_spreading.spreading import spread_labels, spread_labels_rbf
from capsgan_keras.evaluation.neighbours.distances import to_points

MAXIMUM_RBF_POINTS = 12_000  # scikit-learn's RBF matrices take about 3 GB then


def make_training_sets(unlabelled, x_pool, x_test, settings, n_unlabelled):
    """Checks the unlabelled images and makes the training sets that they call for.

    Args:
        unlabelled: images, None or `"pool"`, as in `semi_supervised_error`.
        x_pool: images that may be labelled.
        x_test: test images.
        settings: `SemiSupervisedSettings`.
        n_unlabelled: int. Number of unlabelled images for `"pool"`.

    Returns:
        A `TrainingSets`.

    Raises:
        ValueError: If the images do not fit, or the sizes cannot be computed.
    """
    if isinstance(unlabelled, str):
        if unlabelled != "pool":
            raise ValueError(
                f'`unlabelled` must be images, None or "pool". Received: unlabelled={unlabelled!r}'
            )
        check_positive(n_unlabelled=n_unlabelled)
        sets = PoolTrainingSets(x_pool, x_test, settings, n_unlabelled)
    elif unlabelled is None:
        sets = ExtendedTrainingSets(x_pool[:0], x_pool, x_test, settings)
    else:
        unlabelled = check_images("unlabelled", unlabelled, like=x_pool)
        sets = ExtendedTrainingSets(unlabelled, x_pool, x_test, settings)
    sets.check_sizes()
    return sets


class TrainingSets:
    """The training sets of all cells; a subclass says where the unlabelled images come from.

    Args:
        x_pool: images that may be labelled, `(n_pool, height, width, channels)`.
        x_test: test images, of the same shape.
        settings: `SemiSupervisedSettings`.
    """

    def __init__(self, x_pool, x_test, settings):
        """Keeps the images; the neighbour graph is computed when first asked for."""
        self.x_pool = x_pool
        self.x_test = x_test
        self.settings = settings

    @property
    def source(self):
        """Where the unlabelled images come from: `"given"`, `"pool"` or `"none"`."""
        raise NotImplementedError

    def n_unlabelled(self, n_labelled):
        """Gives the number of unlabelled images beside `n_labelled` labelled ones."""
        raise NotImplementedError

    def neighbours(self, labelled, draw):
        """Gives a cell's neighbour graph, as `ExtendedGraph.neighbours` does."""
        raise NotImplementedError

    def images(self, labelled, draw):
        """Gives a cell's training images, the labelled ones first."""
        raise NotImplementedError

    def check_sizes(self):
        """Refuses sizes that cannot be computed, before anything is.

        Raises:
            ValueError: If there are fewer training points than neighbours, or more than the
                dense matrix of the RBF kernel should have.
        """
        for n in self.settings.n_labelled:
            size, k = n + self.n_unlabelled(n), self.settings.spreading(n)[0]
            if self.settings.kernel == "knn" and size < k:
                raise ValueError(
                    f"`n_neighbors` must not exceed the number of training points, {size}. "
                    f"Received: n_neighbors={k}"
                )
            if self.settings.kernel == "rbf" and size > MAXIMUM_RBF_POINTS:
                raise ValueError(
                    f'`kernel="rbf"` takes {MAXIMUM_RBF_POINTS} training points at most, since '
                    f"its matrix is dense. Received: {size} training points"
                )

    def spread(self, labelled, labels, draw):
        """Spreads a cell's labels and classifies the test images.

        Args:
            labelled: int array of shape `(n_labelled,)`, indices into the pool.
            labels: int array of shape `(n_labelled,)`, their classes.
            draw: int. Number of the draw.

        Returns:
            A `Spread`.
        """
        settings = self.settings
        k, alpha = settings.spreading(len(labelled))
        limits = alpha, settings.max_iter, settings.tol
        if settings.kernel == "knn":
            training, test = self.neighbours(labelled, draw)  # nearest first
            return spread_labels(training[:, :k], test[:, :k], labels, *limits)
        training, test = unit_floats(self.images(labelled, draw)), unit_floats(self.x_test)
        return spread_labels_rbf(training, test, labels, settings.gamma, *limits)


class ExtendedTrainingSets(TrainingSets):
    """Labelled images of the pool, and the same unlabelled images in every cell.

    Args:
        unlabelled: unlabelled images, possibly none, of the pool's shape.
        x_pool: images that may be labelled.
        x_test: test images.
        settings: `SemiSupervisedSettings`.
    """

    def __init__(self, unlabelled, x_pool, x_test, settings):
        """Keeps the images; the neighbour graph is computed when first asked for."""
        super().__init__(x_pool, x_test, settings)
        self.unlabelled = unlabelled

    @property
    def source(self):
        """See `TrainingSets`."""
        return "given" if len(self.unlabelled) else "none"

    def n_unlabelled(self, n_labelled):
        """See `TrainingSets`."""
        return len(self.unlabelled)

    @cached_property
    def _graph(self):
        points = to_points(self.unlabelled, self.x_pool, self.x_test)
        return ExtendedGraph(*points, np.max(self.settings.n_neighbors))

    def neighbours(self, labelled, draw):
        """See `TrainingSets`."""
        return self._graph.neighbours(labelled)

    def images(self, labelled, draw):
        """See `TrainingSets`."""
        return np.concatenate([unit_floats(self.x_pool[labelled]), unit_floats(self.unlabelled)])


class PoolTrainingSets(TrainingSets):
    """Labelled images of the pool, and other images of the pool as unlabelled ones.

    Args:
        x_pool: images that may be labelled, or serve as unlabelled ones.
        x_test: test images.
        settings: `SemiSupervisedSettings`.
        n_unlabelled: int. Number of unlabelled images, where the pool has as many left.
    """

    def __init__(self, x_pool, x_test, settings, n_unlabelled):
        """Keeps the images; the neighbour graph is computed when first asked for."""
        super().__init__(x_pool, x_test, settings)
        self._n_unlabelled = n_unlabelled

    @property
    def source(self):
        """See `TrainingSets`."""
        return "pool"

    def n_unlabelled(self, n_labelled):
        """See `TrainingSets`."""
        return min(self._n_unlabelled, len(self.x_pool) - n_labelled)

    @cached_property
    def _graph(self):
        points = to_points(self.x_pool, self.x_test)
        return PoolGraph(*points, np.max(self.settings.n_neighbors))

    def _draw_unlabelled(self, labelled, draw):
        others = np.setdiff1d(np.arange(len(self.x_pool)), labelled)
        rng = np.random.default_rng([self.settings.seed, draw, len(labelled)])
        return rng.permutation(others)[: self._n_unlabelled]

    def neighbours(self, labelled, draw):
        """See `TrainingSets`."""
        return self._graph.neighbours(labelled, self._draw_unlabelled(labelled, draw))

    def images(self, labelled, draw):
        """See `TrainingSets`."""
        return self.x_pool[np.concatenate([labelled, self._draw_unlabelled(labelled, draw)])]
