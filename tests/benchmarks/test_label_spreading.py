import sys

import numpy as np
import pytest

from benchmarks import label_spreading, measuring
from capsgan_keras.datasets import DatasetError


@pytest.fixture(scope="module")
def images():
    return label_spreading.load("synthetic", 1_000)


def test_it_runs_quickly(monkeypatch):
    times = {"table": [2.0, 4.0], 2: [1.0, 1.0], 20: [1.0, 2.0], 200: [4.0, 5.0]}

    def time_in_turn(functions, calls, rounds, warm_up):
        assert (set(functions), calls, rounds, warm_up) == (set(times), 1, 2, 0)
        return dict(times)

    monkeypatch.setattr(label_spreading, "time_in_turn", time_in_turn)
    monkeypatch.setattr(label_spreading, "measure_rbf", lambda *asked: asked)
    result = label_spreading.run(quick=True)
    assert result["differing"] == [0.0, 0.0, 0.0]
    assert result["n_labelled"] == [2, 20, 200]
    assert result["n_test"] == 200
    # Five draws of each cell.
    assert result["scikit_learn_seconds"] == {"median": 35.0, "min": 30.0, "max": 40.0}
    assert result["times_table"] == {"median": 12.5, "min": 10.0, "max": 15.0}
    assert result["rbf"] == ("synthetic", label_spreading.QUICK_RBF_ROUNDS, 2_000, True)


def test_the_rbf_kernel_is_drawn_on(monkeypatch):
    def time_in_turn(functions, calls, rounds, warm_up):
        points = len(functions["table"].args[0])
        assert rounds == {1_000: 3, 1_500: 1}[points]
        return {name: [1.0] * rounds for name in functions} | {"table": [points] * rounds}

    def memory(way, data, points):
        assert way.keywords == {"kernel": "rbf"}
        return points ** (1.5 if way.func is label_spreading.make_table else 2)

    monkeypatch.setattr(label_spreading, "time_in_turn", time_in_turn)
    monkeypatch.setattr(label_spreading, "memory", memory)
    monkeypatch.setattr(label_spreading, "measure_table", lambda *asked: asked)
    result = label_spreading.measure_rbf("synthetic", {1_000: 3, 1_500: 1}, 6_000, quick=True)
    assert (result["gamma"], result["drawn_on"]) == (0.25, 6_000)
    assert result["whole"] == ("synthetic", 6_000, "rbf")
    assert [table["points"] for table in result["tables"]] == [1_000, 1_500]
    assert [table["differing"] for table in result["tables"]] == [[0.0, 0.0, 0.0]] * 2
    powers = {name: costs["by_power"] for name, costs in result["growth"].items()}
    expected = {"table_memory": 6_000**1.5, "scikit_learn_memory": 6_000**2}
    expected |= {"table_seconds": 6_000, "scikit_learn_seconds": 5 * 3}
    assert powers == pytest.approx(expected)


@pytest.mark.parametrize("kernel", label_spreading.KERNELS)
def test_other_labels_are_found(kernel, images, monkeypatch):
    right = label_spreading.scikit_learn_cell

    def wrong(*arguments):
        labels = right(*arguments)
        labels[0] = (labels[0] + 1) % 10
        return labels

    monkeypatch.setattr(label_spreading, "scikit_learn_cell", wrong)
    differing = label_spreading.compare(*images, kernel)
    assert differing == pytest.approx({2: 1 / 200, 20: 1 / 200, 200: 1 / 200})
    monkeypatch.setattr(label_spreading, "time_in_turn", lambda *a, **k: pytest.fail("timed"))
    with pytest.raises(measuring.DisagreementError, match="The labels must agree"):
        label_spreading.measure(kernel, "synthetic", 1_000, 2, quick=True)


@pytest.mark.parametrize("kernel", label_spreading.KERNELS)
def test_the_timed_table_is_the_compared_one(kernel, images):
    table = label_spreading.make_table(*images, kernel)
    assert table.errors.shape == (3, 5)
    assert table.settings.kernel == kernel
    for n, error in zip(table.n_labelled, table.errors[:, 0], strict=True):
        expected = label_spreading.scikit_learn_cell(*images, n, kernel)
        assert error == pytest.approx(np.mean(expected != images[2][1]))


def test_synthetic_images_have_ten_classes_with_noise():
    images, classes = label_spreading.synthetic_images(2_000)
    assert (images.shape, images.dtype) == ((2_000, 28, 28, 1), np.uint8)
    pixels = images.reshape(len(images), -1).astype(float)
    means = np.stack([pixels[classes == c].mean(axis=0) for c in range(10)])
    spreads = [pixels[classes == c].std(axis=0).mean() for c in range(10)]
    assert 60 < min(spreads) <= max(spreads) < 120  # 150, cut off at 0 and 255
    distances = np.linalg.norm(means[:, None] - means, axis=-1)
    assert distances[~np.eye(10, dtype=bool)].min() > 200


def test_data_that_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPSGAN_DATA_DIR", str(tmp_path / "none"))
    with pytest.raises(DatasetError):
        label_spreading.run()


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_a_table_is_measured(monkeypatch):
    made = []

    def make_table(unlabelled, pool, test, kernel):
        made.append((len(unlabelled), len(pool[1]), len(test[1]), kernel))
        np.ones(64 * 2**20, np.uint8).sum()

    monkeypatch.setattr(label_spreading, "make_table", make_table)
    measured = label_spreading.measure_table("synthetic", 1_500, "rbf")
    assert made == [(1_000, 200, 200, "rbf"), (1_500, 300, 300, "rbf")]  # the first is the warm-up
    assert 60 * 2**20 < measured["bytes"] < 80 * 2**20
    assert measured["seconds"] > 0


def test_a_table_that_memory_is_too_small_for_is_left_out(monkeypatch, capsys):
    monkeypatch.setattr(label_spreading, "measure_table", lambda *asked: pytest.fail("measured"))
    # 60,000 points: half of the square and 10,000 test points, 4 bytes each, are 9.6e9 bytes.
    monkeypatch.setattr(label_spreading, "memory_bytes", lambda: 11_500_000_000)
    assert label_spreading.measure_whole("synthetic", 50_000, quick=True) is None
    assert "it takes 10.7 GiB of memory" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_of_each_way():
    def hold(mebibytes):
        return lambda *images: np.ones(mebibytes * 2**20, np.uint8).sum()

    assert 60 * 2**20 < label_spreading.memory(hold(64), "synthetic", 1_000) < 80 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_memory_is_measured_in_a_process_of_its_own():
    function = label_spreading.scikit_learn_cell
    needed = measuring.in_own_process(label_spreading.memory, function, "synthetic", 2_000)
    # float64 features of 2,400 points take 14 MiB.
    assert 14 * 2**20 < needed < 100 * 2**20
