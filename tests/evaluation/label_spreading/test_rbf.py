"""The RBF kernel against scikit-learn's own label spreading with it."""

import dataclasses
import itertools
import warnings

import numpy as np
import pytest
from sklearn.semi_supervised import LabelSpreading

from capsgan_keras.evaluation import (
    CandidateErrors,
    choose_settings,
    draw_labelled,
    semi_supervised_error,
)
from capsgan_keras.evaluation.label_spreading import rbf, settings_choice, training_sets
from capsgan_keras.evaluation.label_spreading.rbf import (
    Labels,
    RBFKernel,
    kernel_bytes,
    spread_labels_rbf,
)
from capsgan_keras.evaluation.neighbours import distances
from capsgan_keras.evaluation.neighbours.distances import pixel_vectors

SHAPE = (6, 5, 1)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Cut matrices into many blocks, the last one smaller than the others."""
    monkeypatch.setattr(distances, "BLOCK", 64)


def blobs(n, seed, dtype="float64"):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    centres = np.random.default_rng(99).uniform(0.3, 0.7, (4, *SHAPE))
    images = np.clip(centres[y] + rng.normal(0, 0.2, (n, *SHAPE)), 0, 1)
    return np.rint(images * 255).astype("uint8") if dtype == "uint8" else images.astype(dtype), y


def scikit_learn(images, labels, test, **options):
    """Return scikit-learn's model, and its predictions of the test images."""
    images, test = (x / 255 if x.dtype == np.uint8 else x.astype("float64") for x in (images, test))
    marked = np.concatenate([labels, np.full(len(images) - len(labels), -1)])
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")
        model = LabelSpreading(kernel="rbf", **options).fit(images.reshape(len(images), -1), marked)
        return model, model.predict(test.reshape(len(test), -1))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    ("gamma", "alpha", "max_iter"), [(0.05, 0.2, 30), (1, 0.8, 5), (2.0, 0.5, 30), (8.0, 0.9, 500)]
)
def test_distributions_are_scikit_learns(dtype, gamma, alpha, max_iter):
    labelled, classes = blobs(40, 0, dtype)
    unlabelled, test = blobs(210, 1, dtype)[0], blobs(100, 2, dtype)[0]
    first, rest, asked = pixel_vectors(labelled, unlabelled, test)
    kernel = RBFKernel(gamma, rest, asked).preceded_by(first)
    numbers, everyone = (12, 40), np.arange(250)
    cells = [
        Labels((everyone < n) | (everyone >= 40), np.arange(n), classes[:n], alpha) for n in numbers
    ]
    spreads = spread_labels_rbf(kernel, cells, max_iter, tol=1e-3)
    values, _ = rbf._iterate(kernel, cells, np.arange(4), max_iter, tol=1e-3)
    for n, cell, spread, found in zip(numbers, cells, spreads, values.swapaxes(0, 1), strict=True):
        images = np.concatenate([labelled[:n], unlabelled])
        model, predicted = scikit_learn(
            images, classes[:n], test, gamma=gamma, alpha=alpha, max_iter=max_iter
        )
        found = found[cell.members]
        found /= found.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, model.label_distributions_, atol=1e-5)
        np.testing.assert_array_equal(spread.predicted, predicted)
        assert spread.iterations == model.n_iter_
        assert spread.converged == (model.n_iter_ < max_iter)
        assert not spread.unreached.any()
    if gamma == 8.0:
        assert spreads[0].iterations != spreads[1].iterations  # one stops, the other goes on
        assert len(np.unique(spreads[0].predicted)) == 4


@pytest.mark.parametrize("gamma", [10.0, 40.0, 80.0, 140.0])
@pytest.mark.parametrize("labels", ["near", "far"])
def test_copies_and_outliers_are_scikit_learns_in_all_of_float64s_range(gamma, labels):
    """A collapsed generator makes copies: each has large affinities, labels far smaller ones."""
    (blob, classes), test = blobs(60, 0), blobs(80, 1)[0]
    copies = np.repeat(blobs(1, 5)[0] * 0.3, 40, axis=0)
    jitter = np.random.default_rng(3).normal(0, 1e-3, copies.shape)
    outliers = np.stack([np.full(SHAPE, 0.05), np.full(SHAPE, 0.95)])
    asked = np.concatenate([test, np.clip(copies[:5] + 1e-3, 0, 1), outliers])
    images = np.concatenate([blob, np.clip(copies + jitter, 0, 1), copies, outliers])
    if labels == "far":
        order = np.argsort(((blob - copies[0]) ** 2).sum(axis=(1, 2, 3)))[::-1]
        images[:60], classes = blob[order], classes[order]
    n = 8
    points, tests = pixel_vectors(images, asked)
    kernel = RBFKernel(gamma, points, tests)
    cell = Labels(np.full(len(images), True), np.arange(n), classes[:n], 0.5)
    (spread,) = spread_labels_rbf(kernel, [cell], 30, tol=1e-3)
    values, _ = rbf._iterate(kernel, [cell], np.unique(classes[:n]), 30, tol=1e-3)
    options = {"gamma": gamma, "alpha": 0.5, "max_iter": 30}
    model, predicted = scikit_learn(images, classes[:n], asked, **options)
    squared = ((images[:, np.newaxis] - images) ** 2).sum(axis=(2, 3, 4))
    nearest = gamma * np.sort(squared, axis=1)[:, 1]
    assert nearest.min() == 0
    assert nearest.max() > 4.5 * gamma
    found = values[:, 0] / values[:, 0].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, model.label_distributions_, atol=1e-5)
    np.testing.assert_array_equal(spread.predicted, predicted)
    assert spread.iterations == model.n_iter_
    assert not spread.unreached.any()


def test_labels_reach_outliers_of_a_group_that_they_hardly_reach():
    """A product of two affinities is below float64's range; over the outlier's degree it is not."""
    group, towards = np.full(SHAPE, 0.331), np.where(np.arange(30).reshape(SHAPE) % 2, 1, -1)
    labels = [np.zeros(SHAPE), group + 0.3312 * towards]
    outlier = group + 0.287
    images = np.stack([*labels, *labels, *[group] * 5, outlier])
    squared = 140 * ((images[:, np.newaxis] - images) ** 2).sum(axis=(2, 3, 4))
    assert 455 < squared[4, 0] < squared[4, 1] < 465
    assert 340 < squared[-1, 4] < 350
    points, asked = pixel_vectors(images, images)
    cell = Labels(np.full(len(images), True), np.arange(2), np.arange(2), 0.5)
    kernel = RBFKernel(140.0, points, asked)
    (spread,) = spread_labels_rbf(kernel, [cell], 5, tol=0)
    values, _ = rbf._iterate(kernel, [cell], np.arange(2), 5, tol=0)
    options = {"gamma": 140.0, "alpha": 0.5, "max_iter": 5, "tol": 0}
    model, predicted = scikit_learn(images, np.arange(2), images, **options)
    found = values[:, 0] / values[:, 0].sum(axis=1, keepdims=True)
    assert 0.5 < found[-1, 0] < 0.99
    np.testing.assert_allclose(found, model.label_distributions_, atol=1e-5)
    np.testing.assert_array_equal(spread.predicted, predicted)
    assert not spread.unreached.any()


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    ("gamma", "alpha"),
    [(0.02, 0.5), (0.25, 0.2), (0.25, 0.99), (1.0, 0.01), (2.0, 0.9), (8.0, 0.5)],
)
def test_distributions_of_6_000_points_are_scikit_learns(dtype, gamma, alpha, monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 1_024)
    (labelled, classes), unlabelled = blobs(100, 0, dtype), blobs(5_900, 1, dtype)[0]
    first, rest, asked = pixel_vectors(labelled, unlabelled, test := blobs(500, 2, dtype)[0])
    kernel = RBFKernel(gamma, rest, asked).preceded_by(first)
    cell = Labels(np.full(6_000, True), np.arange(100), classes, alpha)
    (spread,) = spread_labels_rbf(kernel, [cell], 30, tol=1e-3)
    values, _ = rbf._iterate(kernel, [cell], np.arange(4), 30, tol=1e-3)
    images = np.concatenate([labelled, unlabelled])
    options = {"gamma": gamma, "alpha": alpha, "max_iter": 30}
    model, predicted = scikit_learn(images, classes, test, **options)
    found = values[:, 0] / values[:, 0].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, model.label_distributions_, atol=1e-5)
    np.testing.assert_array_equal(spread.predicted, predicted)
    assert spread.iterations == model.n_iter_


@pytest.mark.parametrize("source", ["given", "pool", "none"])
def test_each_cell_is_scikit_learns(source):
    pool, test, unlabelled = blobs(200, 1), blobs(150, 2), blobs(300, 0)[0]
    given = {"given": unlabelled, "pool": "pool", "none": None}[source]
    options = {"n_labelled": (30, 8), "gamma": (0.5, 3.0), "alpha": (0.2, 0.6), "draws": 2}
    result = semi_supervised_error(given, pool, test, kernel="rbf", n_unlabelled=500, **options)
    for row, (n, gamma, alpha) in enumerate(zip((30, 8), (0.5, 3.0), (0.2, 0.6), strict=True)):
        for draw in range(2):
            labelled = draw_labelled(pool[1], n, draw)
            others = {
                "given": unlabelled,
                "pool": np.delete(pool[0], labelled, axis=0),
                "none": pool[0][:0],
            }[source]
            images = np.concatenate([pool[0][labelled], others])
            _, predicted = scikit_learn(
                images, pool[1][labelled], test[0], gamma=gamma, alpha=alpha
            )
            assert result.errors[row, draw] == np.mean(predicted != test[1])
            assert result.n_unlabelled[row, draw] == len(others)
    assert result.to_dict()["settings"]["gamma"] == [0.5, 3.0]


def test_gamma_20_on_raw_pixels_is_told():
    """It is scikit-learn's default, for features of few components."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (80, 28, 28, 1), dtype=np.uint8)
    pool, test = (images[:40], np.arange(40) % 4), (images[60:], np.arange(20) % 4)
    with (
        pytest.warns(UserWarning, match=r"`gamma`=20 is large .* points are so far"),
        pytest.raises(ValueError, match=r"of 20 test images to all others underflow.*gamma=20"),
    ):
        semi_supervised_error(
            images[40:60], pool, test, kernel="rbf", gamma=20, n_labelled=(8,), draws=1
        )


def test_some_of_the_pool_are_unlabelled():
    pool, test = blobs(200, 1), blobs(150, 2)
    options = {"kernel": "rbf", "gamma": 2.0, "n_labelled": (8,), "draws": 1}
    all_left = semi_supervised_error("pool", pool, test, n_unlabelled=192, **options)
    few = semi_supervised_error("pool", pool, test, n_unlabelled=20, **options)
    none = semi_supervised_error(None, pool, test, **options)
    assert few.n_unlabelled.item() == 20
    assert len({all_left.errors.item(), few.errors.item(), none.errors.item()}) == 3


def test_only_images_that_a_cell_has_are_in_the_kernel(monkeypatch):
    """So a small table of a large pool takes little memory."""
    pool, test = blobs(200, 1), blobs(150, 2)
    made, kernel = [], training_sets.RBFKernel

    def count(gamma, points, asked):
        made.append(len(points))
        return kernel(gamma, points, asked)

    monkeypatch.setattr(training_sets, "RBFKernel", count)
    options = {"kernel": "rbf", "gamma": 2.0, "n_labelled": (8, 12), "draws": 2}
    few = semi_supervised_error("pool", pool, test, n_unlabelled=10, **options)
    (points,) = made
    assert 12 + 10 <= points <= training_sets.points_of_pool(200, (8, 12), 2, 10) == 80
    for row, n in enumerate((8, 12)):
        for draw in range(2):
            labelled = draw_labelled(pool[1], n, draw)
            others = np.setdiff1d(np.arange(200), labelled)
            drawn = np.random.default_rng([0, draw, n]).permutation(others)[:10]
            images = np.concatenate([pool[0][labelled], pool[0][drawn]])
            _, predicted = scikit_learn(images, pool[1][labelled], test[0], gamma=2.0, alpha=0.2)
            assert few.errors[row, draw] == np.mean(predicted != test[1])
    assert training_sets.points_of_pool(200, (8, 12), 2, 190) == 200


def test_finished_cells_are_not_computed_again(monkeypatch):
    data = blobs(300, 0)[0], blobs(200, 1), blobs(150, 2)
    options = {"kernel": "rbf", "n_labelled": (8, 30), "draws": 3}
    whole = semi_supervised_error(*data, **options)
    told = []
    semi_supervised_error(*data, **options, on_cell=told.append)
    assert [(cell.n_labelled, cell.draw) for cell in told] == [
        (n, draw) for draw in range(3) for n in (8, 30)
    ]
    spread, rest = training_sets.spread_labels_rbf, []

    def count(kernel, cells, *limits):
        rest.append(len(cells))
        return spread(kernel, cells, *limits)

    monkeypatch.setattr(training_sets, "spread_labels_rbf", count)
    resumed = semi_supervised_error(*data, **options, finished=told[:3])
    assert rest == [1, 2]
    np.testing.assert_array_equal(resumed.errors, whole.errors)
    assert resumed.cells == whole.cells


def test_too_large_a_gamma_is_refused():
    data = blobs(300, 0)[0], blobs(200, 1), blobs(150, 2)
    with (
        pytest.warns(UserWarning, match=r"`gamma`=2000 is large .* points are so far"),
        pytest.raises(ValueError, match=r"of 150 test images to all others underflow.*gamma=2000"),
    ):
        semi_supervised_error(*data, kernel="rbf", gamma=2000, n_labelled=(8,), draws=1)


def test_too_small_a_gamma_is_told():
    data = blobs(300, 0)[0], blobs(200, 1), blobs(150, 2)
    with pytest.warns(UserWarning, match=r"`gamma`=1e-06 is small .* the same to within a thous"):
        semi_supervised_error(*data, kernel="rbf", gamma=1e-6, n_labelled=(8,), draws=1)


def test_points_out_of_reach_are_told():
    """One unlabelled and one test image are far from the others, and from each other."""
    images, classes = blobs(60, 0)
    test = blobs(20, 1)[0]
    images[-1], test[3] = 0, 1
    points, asked = pixel_vectors(images, test)
    cell = Labels(np.full(60, True), np.arange(10), classes[:10] + 5, 0.2)
    with (
        pytest.warns(UserWarning, match=r"`gamma`=200 is large .*: 1 of 60 points"),
        pytest.warns(UserWarning, match=r"`gamma`=200 is large .* of 1 of 20 test images"),
    ):
        (spread,) = spread_labels_rbf(RBFKernel(200.0, points, asked), [cell], 30, 1e-3)
    assert np.flatnonzero(spread.unreached).tolist() == [3]
    assert spread.predicted[3] == cell.classes.min()


def test_gamma_is_chosen_by_the_error_of_scikit_learn():
    pool = blobs(250, 1)
    gammas, alphas = (8.0, 0.02, 1.0), (0.9, 0.2)
    choices = choose_settings(
        "pool", pool, (8, 20), alpha=alphas, draws=2, max_iter=30, kernel="rbf", gamma=gammas
    )
    split = draw_labelled(pool[1], 250, draw=2)
    (x_rest, y_rest), (x, y) = ((pool[0][part], pool[1][part]) for part in (split[50:], split[:50]))
    for choice in choices:
        errors = np.zeros((3, 2))
        for draw in range(2):
            labelled = draw_labelled(y_rest, choice.n_labelled, draw)
            others = np.delete(x_rest, labelled, axis=0)
            images = np.concatenate([x_rest[labelled], others])
            for i, gamma in enumerate(sorted(gammas)):
                for j, alpha in enumerate(sorted(alphas)):
                    _, predicted = scikit_learn(
                        images, y_rest[labelled], x, gamma=gamma, alpha=alpha
                    )
                    errors[i, j] += np.mean(predicted != y) / 2
        np.testing.assert_allclose(choice.errors, errors)
        assert choice.candidates_gamma == tuple(sorted(gammas))
        assert (choice.kernel, choice.n_neighbors, choice.candidates_n_neighbors) == (
            "rbf",
            None,
            (),
        )
        i, j = np.unravel_index(np.argmin(errors), errors.shape)
        assert (choice.gamma, choice.alpha) == (sorted(gammas)[i], sorted(alphas)[j])


def test_a_gamma_that_underflows_is_not_chosen():
    """Nor does it end the choice: a user's larger images underflow where small ones do not."""
    pool, told = blobs(250, 1), []
    with pytest.warns(UserWarning, match=r"`gamma`=2000 is large"):
        choice = choose_settings(
            "pool",
            pool,
            20,
            alpha=(0.2, 0.9),
            kernel="rbf",
            gamma=(3000.0, 2000.0, 1.0, 2.0),
            on_candidate=told.append,
        )
    assert choice.gamma in (1.0, 2.0)
    assert (choice.errors[:2] < 1).all()
    np.testing.assert_array_equal(choice.errors[2:], 1)
    pairs = itertools.product((1.0, 2.0, 2000.0, 3000.0), (0.2, 0.9))
    assert [(each.gamma, each.alpha) for each in told] == list(pairs)
    assert [each.errors[0] for each in told] == choice.errors.ravel().tolist()
    with (
        pytest.warns(UserWarning, match=r"`gamma`=2000 is large"),
        pytest.raises(ValueError, match=r"underflow.*gamma=2000"),
    ):
        choose_settings("pool", pool, 20, alpha=(0.2,), kernel="rbf", gamma=(2000.0, 3000.0))


@pytest.mark.parametrize(
    ("kernel", "name", "tried"), [("rbf", "gamma", (0.5, 1, 2)), ("knn", "n_neighbors", (2, 3, 7))]
)
def test_an_interrupted_choice_goes_on(monkeypatch, kernel, name, tried):
    pool, told = blobs(250, 1), []
    options = {"n_labelled": (8, 20), "alpha": (0.2, 0.9), "kernel": kernel, name: tried}
    whole = choose_settings("pool", pool, **options, on_candidate=told.append)
    computed = []
    monkeypatch.setattr(
        settings_choice.TrainingSets,
        "spread",
        lambda self, cells, spread=settings_choice.TrainingSets.spread: (
            computed.append(getattr(self.settings, name)) or spread(self, cells)
        ),
    )
    again = choose_settings("pool", pool, **options, finished=told[:4])
    assert set(computed) == set(tried[2:])
    for one, other in zip(whole, again, strict=True):
        assert one.to_dict() == other.to_dict()
    # Those of other numbers of labelled images say nothing of these.
    others = [dataclasses.replace(each, n_labelled=(8, 21)) for each in told]
    computed.clear()
    choose_settings("pool", pool, **options, finished=others)
    assert set(computed) == set(tried)
    # Nor do those of the other kernel.
    other = {"gamma": None, "n_neighbors": None} | {"rbf": {"n_neighbors": 2}, "knn": {"gamma": 1}}[
        kernel
    ]
    computed.clear()
    others = [dataclasses.replace(each, **other) for each in told]
    choose_settings("pool", pool, **options, finished=others)
    assert set(computed) == set(tried)
    with pytest.raises(ValueError, match="`finished` must be what `on_candidate`"):
        choose_settings("pool", pool, **options, finished=[0.5])


def test_an_interrupted_choice_remembers_underflow(monkeypatch):
    pool, told = blobs(250, 1), []
    options = {"n_labelled": 20, "alpha": (0.2,), "kernel": "rbf", "gamma": (1, 2000, 3000)}
    with pytest.warns(UserWarning, match=r"`gamma`=2000 is large"):
        whole = choose_settings("pool", pool, **options, on_candidate=told.append)

    def refuse(self, cells):
        raise AssertionError("nothing is left to compute")

    monkeypatch.setattr(settings_choice.TrainingSets, "spread", refuse)
    again = choose_settings("pool", pool, **options, finished=told[:2])
    assert again.to_dict() == whole.to_dict()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"errors": (0.5,)}, "as many as `n_labelled`"),
        ({"errors": (0.5, float("nan"))}, r"floats in \[0, 1\]"),
        ({"errors": (0.5, -5.0)}, r"floats in \[0, 1\]"),
        ({"errors": None}, "`errors` must be several numbers"),
        ({"gamma": [0.5]}, "`gamma` must be"),
        ({"gamma": 0.0}, "`gamma` must be"),
        ({"gamma": True}, "`gamma` must be"),
        ({"gamma": None}, "Exactly one of `gamma` and `n_neighbors`"),
        ({"n_neighbors": 3}, "Exactly one of `gamma` and `n_neighbors`"),
        ({"gamma": None, "n_neighbors": 0}, "`n_neighbors` must"),
        ({"gamma": None, "n_neighbors": 2.5}, "`n_neighbors` must"),
        ({"alpha": 1.0}, "`alpha` must"),
        ({"n_labelled": 8}, "`n_labelled` must be several numbers"),
    ],
)
def test_candidates_out_of_range_are_refused(change, words):
    fields = {"gamma": 0.5, "alpha": 0.2, "n_labelled": (8, 20), "errors": (0.5, 0.25)}
    with pytest.raises(ValueError, match=words):
        CandidateErrors(**fields | change)


def test_the_memory_is_what_the_matrices_take():
    first, points, test = pixel_vectors(blobs(30, 0)[0], blobs(200, 1)[0], blobs(90, 2)[0])
    kernel = RBFKernel(1.0, points, test).preceded_by(first)
    taken = sum(each.nbytes for each in kernel.strips + kernel.test_weights)
    # The estimate leaves out what the blocks on the diagonal hold twice.
    assert kernel_bytes(230, 90) <= taken <= kernel_bytes(230, 90) + 4 * 230 * 64 / 2
