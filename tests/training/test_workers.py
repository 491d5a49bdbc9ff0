"""Two processes under `tf.distribute.MultiWorkerMirroredStrategy` train as one device.

Tolerance: 5e-6, for weights and logs, after 5 steps at the same batch and one with parts of
different sizes.
"""

import keras
import numpy as np
import pytest

import capsgan_keras  # noqa: F401, its classes are to be loaded

pytestmark = pytest.mark.long
TOLERANCE = 5e-6

TRAIN = """
one = make("capsule")
with two_devices():
    two = make("capsule")
for name, gan in (("one", one), ("two", two)):
    keep(name, gan, fit(gan, images[:45], validation_data=images[45:58]))
    results[f"{{name}}/scores"] = gan.discriminate(gan.generate(3, seed=0))
two.save({folder!r} + f"/{{strategy.cluster_resolver.task_id}}.keras")
results["replicas"] = strategy.num_replicas_in_sync
results["workers"] = len(strategy.cluster_resolver.cluster_spec().as_dict()["worker"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def workers(on_two_workers, folder):
    return on_two_workers(TRAIN.format(folder=str(folder)))


def test_each_of_two_workers_ends_as_one_device(workers, assert_close):
    for results in workers:
        assert (results["replicas"], results["workers"]) == (2, 2)
        assert "one/val_g_loss" in results.files
        assert_close(results, "one", "two", TOLERANCE)
    for name in workers[0].files:
        np.testing.assert_array_equal(workers[0][name], workers[1][name], err_msg=name)


def test_each_worker_saves_what_loads_in_one_process(workers, folder):
    for index, results in enumerate(workers):
        gan = keras.saving.load_model(folder / f"{index}.keras")
        for place, weight in enumerate(gan.get_weights()):
            np.testing.assert_array_equal(weight, results[f"two/weight-{place}"])
