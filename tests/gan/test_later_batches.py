"""Batches after the first are looked at too, in whatever container they come."""

import keras
import numpy as np
import pytest

from tests.gan.test_first_batch import CONTAINERS, GOOD, Batches, as_dataset, new_gan

BYTES = (GOOD * 127.5 + 127.5).astype("uint8")
LATER = {  # Keras reads the shapes of the first batches beforehand
    "0..255": (GOOD * 127.5 + 127.5, r"must be uint8, or floating point in \[-1, 1\].*, 25"),
    "NaN": (np.full_like(GOOD, np.nan), r"must be uint8, or floating.*\[nan, nan\]"),
    "dtype": (BYTES, "must give batches of one dtype.*uint8 after one of float32"),
    "shape": (GOOD[:, :8], r"must be images of shape \(n, 16, 16, 1\).*\(\d, 8, 16, 1\)"),
}
STREAMS = ["dataset", "labelled dataset", "generator", "bare generator", "iterator", "PyDataset"]


@pytest.fixture(scope="module")
def gan():
    return new_gan()


class Changing(Batches):
    """Three good batches of four images, and wrong ones."""

    def __init__(self, wrong):
        super().__init__(GOOD)
        self.wrong = wrong

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return GOOD[:4] if index < 3 else self.wrong[:4]


def stream(container, wrong):
    if container == "PyDataset":
        return Changing(wrong)
    batches = [GOOD[:4]] * 3 + [wrong[:4], wrong[4:]]
    if container == "bare generator":
        return (batch for batch in batches)
    if container in ("generator", "iterator"):
        return iter([(batch, np.zeros(4)) for batch in batches])
    images = np.concatenate(batches)
    return as_dataset((images, np.zeros(len(images))) if "labelled" in container else images)


@pytest.mark.parametrize("container", STREAMS)
@pytest.mark.parametrize("fault", LATER)
def test_a_wrong_later_batch_is_refused_by_name(gan, container, fault):
    if "dataset" in container and fault in ("dtype", "shape"):
        pytest.skip("a tf.data.Dataset has one dtype and one shape")
    wrong, message = LATER[fault]
    with pytest.raises(ValueError, match=f"^`x` {message}[^\n]*$"):
        gan.evaluate(stream(container, wrong), verbose=0)


@pytest.mark.parametrize("container", ["dataset", "generator", "PyDataset"])
def test_fit_stops_at_a_wrong_batch_and_keeps_finite_weights(container):
    gan = new_gan()
    with pytest.raises(ValueError, match=r"^`x` must be .*\[nan, nan\]$"):
        gan.fit(stream(container, LATER["NaN"][0]), shuffle=False, verbose=0)
    assert all(np.isfinite(weight).all() for weight in gan.get_weights())


def test_held_out_batches_are_named_as_such(gan):
    held_out = stream("dataset", LATER["NaN"][0])
    with pytest.raises(ValueError, match=r"^`validation_data` must be "):
        gan.fit(GOOD, batch_size=8, validation_data=held_out, verbose=0)


@pytest.mark.parametrize("container", ["generator", "dataset"])
def test_later_latents_are_looked_at(gan, container):
    latents = np.zeros((8, 5), "float32")
    latents[4:] = np.nan
    with pytest.raises(ValueError, match=r"^`latents` must be finite numbers"):
        gan.predict(CONTAINERS[container](latents), verbose=0)


def test_a_checked_pydataset_is_asked_and_told_as_before(gan):
    told = []

    class Telling(Batches):
        def on_epoch_begin(self):
            told.append("begin")

        def on_epoch_end(self):
            told.append("end")

    batches = Telling(GOOD)
    batches.workers = 2
    gan.fit(batches, epochs=2, shuffle=False, verbose=0)
    assert told[-4:] == ["begin", "end"] * 2  # Keras ends one before the first


def test_errors_of_the_callers_own_batches_stay_as_they_are(gan):
    def failing():
        yield (GOOD[:4],)
        yield (GOOD[:4],)
        yield (GOOD[:4],)
        raise OSError("the disk is gone")

    with pytest.raises(Exception, match="the disk is gone") as caught:
        gan.evaluate(failing(), verbose=0)
    assert not isinstance(caught.value, ValueError) or keras.backend.backend() == "jax"
