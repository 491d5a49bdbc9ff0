import keras
import numpy as np
import pytest

from capsgan_keras.training.batches import EpochBatches

IMAGES = np.arange(10, dtype="uint8").reshape(10, 1, 1, 1)


def drawn(batches):
    return np.stack([batches[index].ravel() for index in range(batches.num_batches)]).tolist()


def test_an_epoch_holds_different_images_and_leaves_out_the_last():
    batches = EpochBatches(IMAGES, 3, seed=0)
    assert batches.num_batches == 3
    assert batches[0].dtype == np.uint8
    assert batches[0].shape == (3, 1, 1, 1)
    left_out = set()
    for epoch in range(20):
        batches.epoch = epoch
        seen = {image for batch in drawn(batches) for image in batch}
        assert len(seen) == 9
        left_out |= set(range(10)) - seen
    assert len(left_out) > 5


def test_the_order_is_a_function_of_seed_and_epoch():
    first, second = EpochBatches(IMAGES, 3, seed=1), EpochBatches(IMAGES, 3, seed=1)
    orders = []
    for epoch in range(4):
        first.epoch = epoch
        orders.append(drawn(first))
        first[0]  # what was drawn before does not matter
    assert len({str(order) for order in orders}) == 4
    second.epoch = 2
    assert drawn(second) == orders[2]
    assert drawn(EpochBatches(IMAGES, 3, seed=1)) == orders[0]
    assert drawn(EpochBatches(IMAGES, 3, seed=2)) != orders[0]


@pytest.mark.parametrize("batch_size", [0, 11])
def test_a_batch_size_out_of_range_is_refused(batch_size):
    with pytest.raises(ValueError, match=rf"`batch_size`.* Received: batch_size={batch_size}"):
        EpochBatches(IMAGES, batch_size, seed=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data")
def test_the_feed_gives_the_batches_of_the_epoch_and_does_not_tune_itself():
    images = np.arange(7 * 4, dtype=np.uint8).reshape(7, 2, 2, 1)
    batches = EpochBatches(images, 3, seed=1)
    feed = batches.feed()
    assert not feed.options().autotune.enabled
    assert int(feed.cardinality()) == 2
    for epoch in (0, 4):
        batches.epoch = epoch
        given = list(feed.as_numpy_iterator())
        np.testing.assert_array_equal(given, [batches[0], batches[1]])
        assert given[0].dtype == np.uint8


def test_epochs_of_some_steps_go_through_whole_passes():
    images = np.arange(50, dtype="uint8").reshape(50, 1, 1, 1)
    passes, epochs = EpochBatches(images, 8, 3), EpochBatches(images, 8, 3, steps_per_epoch=5)
    expected, given = [], []
    for epoch in range(5):  # six batches each
        passes.epoch = epoch
        expected += drawn(passes)
    for epoch in range(6):
        epochs.epoch = epoch
        given += drawn(epochs)
    assert given == expected
    assert len(given) == 30
    with pytest.raises(ValueError, match="`steps_per_epoch`"):
        EpochBatches(images, 8, 3, steps_per_epoch=0)


def test_half_of_the_images_are_mirrored_and_others_in_each_pass():
    images = np.zeros((400, 1, 3, 1), np.uint8)
    images[:, 0, 0] = 1  # on the left
    before = images.copy()
    batches = EpochBatches(images, 100, seed=0, flips=True)
    mirrored = []
    for epoch in range(3):
        batches.epoch = epoch
        seen = np.concatenate([batches[index] for index in range(batches.num_batches)])
        assert set(map(tuple, seen[:, 0, :, 0].tolist())) == {(1, 0, 0), (0, 0, 1)}
        mirrored.append(seen[:, 0, 2, 0].tolist())
    assert all(140 < sum(each) < 260 for each in mirrored)
    assert len(set(map(tuple, mirrored))) == 3
    again = EpochBatches(images, 100, seed=0, flips=True)
    again.epoch = 2
    assert [row for index in range(4) for row in again[index][:, 0, 2, 0]] == mirrored[2]
    np.testing.assert_array_equal(images, before)
    plain = EpochBatches(images, 100, seed=0)
    np.testing.assert_array_equal(plain._order, EpochBatches(images, 100, 0, flips=True)._order)


def test_labels_stay_with_their_images():
    labels = 10 + np.arange(10, dtype="int32")
    batches = EpochBatches(IMAGES, 3, seed=0, labels=labels)
    plain = EpochBatches(IMAGES, 3, seed=0)
    for epoch in (0, 5):
        batches.epoch = plain.epoch = epoch
        for index in range(batches.num_batches):
            images, classes = batches[index]
            np.testing.assert_array_equal(images, plain[index])
            np.testing.assert_array_equal(classes, 10 + images.ravel())
    fed = [(np.asarray(x).ravel(), np.asarray(y)) for x, y in batches.feed()]
    assert len(fed) == 3
    for images, classes in fed:
        np.testing.assert_array_equal(classes, 10 + images)


def test_other_numbers_of_labels_are_refused():
    with pytest.raises(ValueError, match=r"`labels` must be one for each of the 10 images.*9"):
        EpochBatches(IMAGES, 3, seed=0, labels=np.zeros(9, "int32"))
