import keras
import numpy as np
import pytest

from capsgan_keras.training.batches import EpochBatches
from capsgan_keras.training.callbacks import FollowEpoch, NonFiniteError, StopOnNonFinite

SHAPE = (16, 16, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, *SHAPE), "uint8")


class Recorder(EpochBatches):
    """Records which images a training step gets."""

    def __init__(self, *args):
        self.drawn = []
        super().__init__(*args)

    def __getitem__(self, index):
        batch = super().__getitem__(index)
        self.drawn.append((self.epoch, index, batch.copy()))
        return batch


def test_fit_gets_the_batches_of_each_epoch(build_gan):
    gan, batches = build_gan(), Recorder(IMAGES, 4, 7)
    gan.fit(
        batches,
        initial_epoch=2,
        epochs=5,
        shuffle=False,
        verbose=0,
        callbacks=[FollowEpoch(batches)],
    )
    trained = batches.drawn[-9:]  # before them, Keras has looked at some for their shape
    assert [(epoch, index) for epoch, index, _ in trained] == [
        (epoch, index) for epoch in (2, 3, 4) for index in (0, 1, 2)
    ]
    for epoch, index, batch in trained:
        expected = EpochBatches(IMAGES, 4, 7)
        expected.epoch = epoch
        np.testing.assert_array_equal(batch, expected[index])


def test_training_in_two_parts_equals_training_at_once(build_gan):
    at_once, parts = build_gan(), build_gan()
    for gan, spans in ((at_once, [(0, 4)]), (parts, [(0, 1), (1, 4)])):
        for initial_epoch, epochs in spans:
            batches = EpochBatches(IMAGES, 4, 0)
            gan.fit(
                batches,
                initial_epoch=initial_epoch,
                epochs=epochs,
                shuffle=False,
                verbose=0,
                callbacks=[FollowEpoch(batches)],
            )
    for ours, theirs in zip(parts.get_weights(), at_once.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# ---- values that are not finite


class UnshuffledBatches(EpochBatches):
    def __getitem__(self, index):
        return self.images[index * self.batch_size : (index + 1) * self.batch_size]


def test_training_stops_at_the_batch_that_breaks_it(build_gan):
    gan = build_gan()
    batches = UnshuffledBatches(IMAGES, 4, 0)
    seen = []

    def break_before_the_third(batch, logs):
        if batch == 2:
            kernel = gan.discriminator.trainable_variables[0]
            kernel.assign(np.full(kernel.shape, np.nan))

    before = keras.callbacks.LambdaCallback(on_train_batch_begin=break_before_the_third)
    after = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )

    with pytest.raises(NonFiniteError, match=r"is nan in epoch 1, step 3$"):
        gan.fit(batches, shuffle=False, verbose=0, callbacks=[StopOnNonFinite(), before, after])
    assert seen == [0, 1]


@pytest.mark.parametrize("name", ["d_loss", "g_loss", "d_real"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_every_log_is_looked_at(name, value):
    logs = {"d_loss": 0.1, "g_loss": 0.2, "d_real": 0.3}
    callback = StopOnNonFinite()
    callback.on_epoch_begin(6)
    callback.on_train_batch_end(0, logs)
    with pytest.raises(NonFiniteError, match=f"^{name} is {value} in epoch 7, step 10$"):
        callback.on_train_batch_end(9, logs | {name: value})


@pytest.mark.parametrize("kind", ["weight", "moment"])
def test_the_last_update_of_an_epoch_is_looked_at_too(build_gan, kind):
    gan = build_gan()
    callback = StopOnNonFinite()
    callback.set_model(gan)
    callback.on_epoch_end(0)
    variables = (
        gan.discriminator.trainable_variables if kind == "weight" else gan.optimizer.variables
    )
    broken = variables[-1]
    broken.assign(np.full(broken.shape, np.inf, "float32"))
    with pytest.raises(NonFiniteError, match=f"{broken.path} is not finite after epoch 3"):
        callback.on_epoch_end(2)
