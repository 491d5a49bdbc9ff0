import dataclasses
import json
import re
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.semi_supervised import LabelSpreading

from capsgan_keras import machine
from capsgan_keras.evaluation.label_spreading import error_table as module
from capsgan_keras.evaluation.label_spreading import training_sets
from capsgan_keras.evaluation.label_spreading.error_table import (
    nearest_neighbour_error,
    semi_supervised_controls,
    semi_supervised_error,
)
from capsgan_keras.evaluation.label_spreading.labelled_sets import draw_labelled
from capsgan_keras.evaluation.label_spreading.result import SemiSupervisedCell
from capsgan_keras.evaluation.label_spreading.settings import SemiSupervisedSettings
from capsgan_keras.evaluation.label_spreading.settings_choice import choose_settings

SHAPE = (6, 5, 1)


def blobs(n, seed, classes=4, noise=0.2):
    """Noise around one image a class, as float64 in [0, 1]: no two distances are equal."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    centres = np.random.default_rng(99).uniform(0.3, 0.7, (classes, *SHAPE))
    return np.clip(centres[y] + rng.normal(0, noise, (n, *SHAPE)), 0, 1), y


@pytest.fixture(scope="module")
def data():
    x_unlabelled, _ = blobs(400, 0)
    return x_unlabelled, blobs(200, 1), blobs(150, 2)


def scikit_learn_error(x_labelled, y_labelled, unlabelled, test, kernel="knn", **options):
    x = np.concatenate([x_labelled, unlabelled])
    y = np.concatenate([y_labelled, np.full(len(unlabelled), -1)])
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")
        model = LabelSpreading(kernel=kernel, **options).fit(x.reshape(len(x), -1), y)
        predicted = model.predict(test[0].reshape(len(test[0]), -1))
    return np.mean(predicted != test[1])


def test_every_cell_equals_scikit_learn(data):
    unlabelled, pool, test = data
    result = semi_supervised_error(unlabelled, pool, test, n_labelled=(8, 30, 200), draws=3)
    assert result.errors.shape == (3, 3)
    for row, errors in zip(result.labelled_indices, result.errors, strict=True):
        for labelled, error in zip(row, errors, strict=True):
            expected = scikit_learn_error(pool[0][labelled], pool[1][labelled], unlabelled, test)
            assert error == expected
    assert 0 < result.errors.min() < result.errors.max() < 1
    np.testing.assert_allclose(result.mean, result.errors.mean(axis=1))
    np.testing.assert_allclose(result.deviation, result.errors.std(axis=1, ddof=1))


def test_settings_reach_scikit_learn(data):
    unlabelled, pool, test = data
    options = {"n_neighbors": 3, "alpha": 0.7, "max_iter": 3}
    result = semi_supervised_error(unlabelled, pool, test, n_labelled=12, draws=1, **options)
    labelled = result.labelled_indices[0][0]
    expected = scikit_learn_error(pool[0][labelled], pool[1][labelled], unlabelled, test, **options)
    assert result.errors.item() == expected
    assert not result.converged.any()
    assert result.max_iter == 3


def test_rbf_kernel_equals_scikit_learn(data):
    unlabelled, pool, test = data
    result = semi_supervised_error(
        unlabelled, pool, test, n_labelled=(12,), draws=1, kernel="rbf", gamma=3.0
    )
    labelled = result.labelled_indices[0][0]
    expected = scikit_learn_error(
        pool[0][labelled], pool[1][labelled], unlabelled, test, kernel="rbf", gamma=3.0
    )
    assert result.errors.item() == expected


def test_bytes_and_the_same_values_as_floats_give_the_same_errors(data):
    as_bytes = [np.rint(x * 255).astype(np.uint8) for x in (data[0], data[1][0], data[2][0])]
    errors = []
    for unlabelled, x_pool, x_test in (as_bytes, [x / np.float32(255) for x in as_bytes]):
        result = semi_supervised_error(
            unlabelled, (x_pool, data[1][1]), (x_test, data[2][1]), n_labelled=(8, 40), draws=2
        )
        errors.append(result.errors)
    np.testing.assert_array_equal(errors[0], errors[1])


def test_real_unlabelled_images_come_from_the_unlabelled_part_of_the_pool(data):
    _, pool, test = data
    result = semi_supervised_error(
        "pool", pool, test, n_labelled=(10, 150), draws=2, n_unlabelled=100
    )
    assert result.n_unlabelled.tolist() == [[100, 100], [50, 50]]
    for row, errors in zip(result.labelled_indices[1:], result.errors[1:], strict=True):
        for labelled, error in zip(row, errors, strict=True):
            others = np.delete(pool[0], labelled, axis=0)  # all are used, so the order is free
            expected = scikit_learn_error(pool[0][labelled], pool[1][labelled], others, test)
            assert error == expected


def test_controls_share_the_draws_and_are_what_they_are_called(data):
    _, pool, test = data
    controls = semi_supervised_controls(
        pool, test, n_labelled=(9, 50), draws=2, seed=4, n_unlabelled=60
    )
    assert list(controls) == ["nearest_labelled", "labels_only", "real_unlabelled"]
    for result in controls.values():
        for n, row in zip((9, 50), result.labelled_indices, strict=True):
            for draw, labelled in enumerate(row):
                np.testing.assert_array_equal(labelled, draw_labelled(pool[1], n, draw, seed=4))
    labelled = controls["labels_only"].labelled_indices[1][1]
    x, y = pool[0][labelled], pool[1][labelled]
    expected = scikit_learn_error(x, y, np.empty((0, *SHAPE)), test)
    assert controls["labels_only"].errors[1, 1] == expected
    distances = ((test[0][:, None] - x) ** 2).sum(axis=(2, 3, 4))
    expected = np.mean(y[distances.argmin(axis=1)] != test[1])
    assert controls["nearest_labelled"].errors[1, 1] == expected
    assert controls["real_unlabelled"].n_unlabelled.tolist() == [[60, 60], [60, 60]]


def test_collapsed_generator_gives_the_answer_of_the_stated_order():
    # 300 unlabelled images, all copies of one labelled image or of one other image.
    _, (x_pool, y_pool), (x_test, y_test) = None, blobs(20, 5), blobs(60, 6)
    x_pool, x_test = (np.rint(x * 255).astype(np.uint8) for x in (x_pool, x_test))
    unlabelled = np.concatenate([np.repeat(x_pool[:1], 150, axis=0), np.zeros((150, *SHAPE))])
    unlabelled = unlabelled.astype(np.uint8)
    result = semi_supervised_error(
        unlabelled, (x_pool, y_pool), (x_test, y_test), n_labelled=20, draws=1
    )
    labelled = result.labelled_indices[0][0]
    x = np.concatenate([x_pool[labelled], unlabelled]).reshape(320, -1).astype(np.int64)

    def neighbours(queries):  # by exact distance, then by position in x
        squared = ((queries[:, None] - x) ** 2).sum(axis=2)
        index = np.argsort(squared, axis=1, kind="stable")[:, :7]
        ones = np.ones(index.size)
        return sparse.csr_array(
            (ones, index.ravel(), np.arange(0, index.size + 1, 7)), shape=(len(queries), 320)
        )

    test_graph = neighbours(x_test.reshape(60, -1).astype(np.int64)).T
    graph = neighbours(x)
    model = LabelSpreading(kernel=lambda a, b: graph if b is a else test_graph)
    model.fit(x, np.concatenate([y_pool[labelled], np.full(300, -1)]))
    with np.errstate(invalid="ignore"):
        expected = np.mean(model.predict(x_test.reshape(60, -1)) != y_test)
    assert result.errors.item() == expected
    # The copies' first neighbour is the labelled image that they repeat.
    first = np.flatnonzero(labelled == 0).item()
    assert (graph.indices.reshape(-1, 7)[20:170, 0] == first).all()


def test_unreached_images_are_counted_and_can_take_the_nearest_label():
    # The unlabelled images and one test image are far from all labelled ones.
    bright, dark = np.full((20, *SHAPE), 250, np.uint8), np.zeros((6, *SHAPE), np.uint8)
    dark[:, 0, 0, 0] = [0, 1, 2, 3, 4, 5]
    bright[:, 0, 0, 0] -= np.arange(20, dtype=np.uint8)
    test = np.concatenate([dark[:1], bright[:1]])
    dark[3:, 1] = 60  # class 7, which is nearer to the bright images
    pool = dark, np.array([3, 3, 3, 7, 7, 7])
    options = {"n_labelled": 6, "draws": 1, "n_neighbors": 3}
    result = semi_supervised_error(bright, pool, (test, np.array([3, 7])), **options)
    assert result.unreached.tolist() == [[1]]
    assert result.errors.tolist() == [[0.5]]  # class 3 by accident
    result = semi_supervised_error(
        bright, pool, (test, np.array([3, 7])), unreached_points="nearest_labelled", **options
    )
    assert result.unreached.tolist() == [[1]]
    assert result.errors.tolist() == [[0.0]]


def test_stratified_draws_have_equal_classes_and_grow_from_smaller_ones():
    y = np.repeat([0, 1, 2], [50, 20, 3])
    for n, counts in ((6, [2, 2, 2]), (15, [6, 6, 3]), (73, [50, 20, 3])):
        labelled = draw_labelled(y, n, draw=1, seed=2)
        assert np.bincount(y[labelled]).tolist() == counts
        assert len(set(labelled)) == n
    small, large = (draw_labelled(y, n, draw=1, seed=2) for n in (6, 40))
    np.testing.assert_array_equal(small, large[:6])
    assert set(small) != set(draw_labelled(y, 6, draw=2, seed=2))
    assert set(small) != set(draw_labelled(y, 6, draw=1, seed=3))


def test_plain_draws_ignore_the_classes():
    y = np.repeat([0, 1], [900, 100])
    counts = [y[draw_labelled(y, 50, draw, stratified=False)].sum() for draw in range(40)]
    assert 3 < np.mean(counts) < 7  # a tenth of 50; 25 if stratified
    assert len(set(counts)) > 1


def test_an_interrupted_table_goes_on(data, monkeypatch):
    unlabelled, pool, test = data
    options = {"n_labelled": (8, 30), "draws": 2}
    whole = semi_supervised_error(unlabelled, pool, test, **options)
    kept = []

    def stop_after_three(cell):
        kept.append(cell)
        if len(kept) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        semi_supervised_error(unlabelled, pool, test, on_cell=stop_after_three, **options)
    restored = [SemiSupervisedCell(**json.loads(json.dumps(cell.to_dict()))) for cell in kept]
    computed = []
    result = semi_supervised_error(
        unlabelled, pool, test, finished=restored, on_cell=computed.append, **options
    )
    assert [(cell.n_labelled, cell.draw) for cell in computed] == [(30, 1)]
    assert result.cells == whole.cells

    # With all cells finished, no neighbour is searched for.
    monkeypatch.setattr(training_sets, "ExtendedGraph", None)
    result = semi_supervised_error(unlabelled, pool, test, finished=whole.cells, **options)
    assert result.cells == whole.cells


def test_controls_go_on_too(data, monkeypatch):
    _, pool, test = data
    kept = {}
    options = {"n_labelled": (8,), "draws": 2}
    whole = semi_supervised_controls(
        pool, test, on_cell=lambda name, cell: kept.setdefault(name, []).append(cell), **options
    )
    monkeypatch.setattr(module, "nearest", None)
    monkeypatch.setattr(training_sets, "spread_labels", None)
    again = semi_supervised_controls(pool, test, finished=kept, **options)
    for name, result in whole.items():
        assert again[name].cells == result.cells


def test_result_survives_json(data):
    unlabelled, pool, test = data
    result = semi_supervised_error(unlabelled, pool, test, n_labelled=(8,), draws=1, seed=3)
    saved = json.loads(json.dumps(result.to_dict(labelled_indices=True)))
    assert saved["settings"]["seed"] == 3
    assert saved["settings"]["n_labelled"] == [8]
    assert saved["errors"] == result.errors.tolist()
    assert saved["deviation"] == [None]
    assert saved["labelled_indices"][0][0] == result.labelled_indices[0][0].tolist()
    assert saved["unlabelled"] == "given"


def test_choice_of_settings_is_the_best_of_its_grid_and_sees_no_test_image(data):
    unlabelled, pool, _ = data
    options = {"n_labelled": 20, "n_neighbors": (30, 3, 7), "alpha": (0.2, 0.9), "draws": 2}
    choice = choose_settings(unlabelled, pool, **options)
    assert choice.candidates_n_neighbors == (3, 7, 30)
    assert choice.n_validation == 40
    i, j = np.unravel_index(choice.errors.argmin(), (3, 2))
    assert (choice.n_neighbors, choice.alpha) == ((3, 7, 30)[i], (0.2, 0.9)[j])

    # One entry of the grid, by the public function on the same split.
    split = draw_labelled(pool[1], 200, draw=2, seed=0)
    validation, rest = ((pool[0][part], pool[1][part]) for part in (split[:40], split[40:]))
    result = semi_supervised_error(
        unlabelled,
        rest,
        validation,
        n_labelled=20,
        draws=2,
        n_neighbors=7,
        alpha=0.9,
        max_iter=1_000,
    )
    np.testing.assert_allclose(choice.errors[1, 1], result.mean[0], rtol=1e-12)
    assert json.loads(json.dumps(choice.to_dict()))["errors"] == choice.errors.tolist()

    several = choose_settings(unlabelled, pool, **options | {"n_labelled": (8, 20)})
    assert [each.n_labelled for each in several] == [8, 20]
    assert not np.array_equal(several[0].errors, choice.errors)
    np.testing.assert_array_equal(several[1].errors, choice.errors)


@pytest.mark.parametrize("source", ["given", "pool", "none", "rbf"])
def test_each_number_of_labels_may_have_settings_of_its_own(data, source):
    """With more neighbours for 20 labels than the control without other images has for 8."""
    unlabelled = {"given": data[0], "rbf": data[0], "pool": "pool", "none": None}[source]
    options = {"draws": 2, "n_unlabelled": 90, "kernel": "rbf" if source == "rbf" else "knn"}
    several = {"n_neighbors": np.array([12, 4]), "alpha": [np.float32(0.8), 0.3]}
    result = semi_supervised_error(unlabelled, *data[1:], n_labelled=(20, 8), **options, **several)
    for row, n in enumerate((20, 8)):
        own = {name: values[row] for name, values in several.items()}
        alone = semi_supervised_error(unlabelled, *data[1:], n_labelled=n, **options, **own)
        np.testing.assert_array_equal(result.errors[row], alone.errors[0])
    saved = result.to_dict()
    assert json.loads(json.dumps(saved)) == saved
    assert saved["settings"]["n_neighbors"] == [12, 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_labelled": (300,)}, r"must not exceed the pool of 200 .* n_labelled=\(300,\)"),
        ({"n_labelled": (0,)}, r"Received: n_labelled=0"),
        ({"n_labelled": (8, 8)}, r"each once\. Received: n_labelled=\(8, 8\)"),
        ({"n_labelled": (1,)}, r"labels of two classes\. Received: 1 labelled"),
        ({"kernel": "linear"}, r"Received: kernel='linear'"),
        ({"alpha": 1.0}, r"Received: alpha=1\.0"),
        ({"alpha": (0.2, 0.3)}, r"one for each of the 1 in `n_labelled`\. Received: alpha=\("),
        ({"n_neighbors": (0,)}, r"Received: n_neighbors=0"),
        ({"n_neighbors": [True]}, r"Received: n_neighbors=True"),
        ({"alpha": [None]}, r"`alpha` must lie in \(0, 1\)\. Received: alpha=None"),
        ({"n_neighbors": 500}, r"training points, 408\. Received: n_neighbors=500"),
        ({"draws": 0}, r"Received: draws=0"),
        ({"unreached_points": "zero"}, r"Received: unreached_points='zero'"),
        ({"unlabelled": "test"}, r"`unlabelled` must be images, None or \"pool\".*'test'"),
        ({"unlabelled": np.zeros((4, 6, 6, 1))}, r"`unlabelled`.*shape=\(4, 6, 6, 1\)"),
        ({"unlabelled": np.full((4, *SHAPE), -1.0)}, r"`unlabelled`.*from -1\.0 to -1\.0"),
        ({"unlabelled": np.full((4, *SHAPE), np.nan)}, r"`unlabelled`.*from nan to nan"),
        ({"unlabelled": np.zeros((4, *SHAPE), int)}, r"unlabelled\.dtype=int64"),
        ({"pool": (np.zeros((9, *SHAPE)), np.zeros(9, int))}, r"9 labels, all of class 0"),
        ({"pool": (np.zeros((9, *SHAPE)), np.zeros(8, int))}, r"y_pool\.shape=\(8,\)"),
        ({"pool": (np.zeros((2, *SHAPE)), np.array([0, -1]))}, r"a label -1"),
        ({"test": (np.zeros((2, *SHAPE)), np.array([0.0, 1]))}, r"y_test\.dtype=float64"),
    ],
)
def test_bad_input_is_named(data, change, message):
    arguments = {"unlabelled": data[0], "pool": data[1], "test": data[2]}
    arguments |= {"n_labelled": (8,), "draws": 1} | change
    with pytest.raises(ValueError, match=message):
        semi_supervised_error(**arguments)


def test_settings_are_given_as_one_object_or_by_name(data):
    settings = SemiSupervisedSettings(n_labelled=(8, 30), draws=1, n_neighbors=3, alpha=0.7)
    result = semi_supervised_error(*data, settings, draws=2)
    assert result.settings == dataclasses.replace(settings, draws=2)
    by_name = semi_supervised_error(*data, n_labelled=(8, 30), draws=2, n_neighbors=3, alpha=0.7)
    assert result.cells == by_name.cells
    # The settings of label spreading say nothing about the nearest labelled image.
    nearest = nearest_neighbour_error(*data[1:], settings).settings
    assert nearest == SemiSupervisedSettings(n_labelled=(8, 30), draws=1)
    with pytest.raises(TypeError, match="'labels'"):
        semi_supervised_error(*data, settings, labels=8)
    with pytest.raises(ValueError, match=r"by name, such as n_labelled=.*settings=\(8, 30\)"):
        semi_supervised_controls(*data[1:], (8, 30))


def test_a_kernel_larger_than_the_memory_is_refused(data, monkeypatch):
    monkeypatch.setattr(machine, "memory_bytes", lambda: 4 * 408 * (204 + len(data[2][1])))
    semi_supervised_error(*data, n_labelled=(8,), draws=1, kernel="rbf")
    with pytest.raises(ValueError, match=r'`kernel="rbf"` for 409 training points takes at least'):
        semi_supervised_error(*data, n_labelled=(9,), draws=1, kernel="rbf")


def test_nearest_neighbour_error_refuses_a_set_larger_than_the_pool(data):
    with pytest.raises(ValueError, match=r"pool of 200"):
        nearest_neighbour_error(data[1], data[2], n_labelled=(201,))


CONSTANT = np.full((20, 4, 4, 1), 0.5), np.arange(20) % 2
VARIED = np.random.default_rng(0).random((20, 4, 4, 1)), np.arange(20) % 2


@pytest.mark.parametrize(("pool", "test"), [(CONSTANT, VARIED), (VARIED, CONSTANT)])
@pytest.mark.parametrize("measure", [nearest_neighbour_error, semi_supervised_controls])
def test_images_that_are_all_alike_are_refused(measure, pool, test):
    with pytest.raises(ValueError, match=r"must hold images that differ.*20 images, all alike"):
        measure(pool, test, n_labelled=(8,))


def test_unlabelled_images_that_are_all_alike_are_told():
    with pytest.warns(UserWarning, match="`unlabelled` holds images that are all alike"):
        semi_supervised_error(CONSTANT[0], VARIED, VARIED, n_labelled=(8,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "`n` must be a positive integer"),
        ({"n": -1}, "`n` must be a positive integer"),
        ({"n": 2.5}, "`n` must be a positive integer"),
        ({"n": 7}, "`n` must not exceed the pool of 6. Received: n=7"),
        ({"draw": -1}, "`draw` must be a whole number of at least 0"),
        ({"seed": "a"}, "`seed` must be a whole number of at least 0"),
        ({"stratified": "no"}, "`stratified` must be True or False"),
        ({"y_pool": np.zeros((3, 2), int)}, "`y_pool` must have one label an image"),
        ({"y_pool": np.zeros(3)}, "`y_pool` must be integers"),
    ],
)
def test_draws_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        draw_labelled(**{"y_pool": np.arange(6) % 2, "n": 4} | change)
