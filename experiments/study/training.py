"""Training for the study: runs of some steps, and the discriminator's outputs on the way."""

import dataclasses
import time

import keras

from capsgan_keras import GAN
from capsgan_keras.training.batches import EpochBatches
from capsgan_keras.training.callbacks import FollowEpoch, NonFiniteError, StopOnNonFinite
from experiments.training.networks import build_gan


class IntervalBatches(EpochBatches):
    """The batches of whole epochs, one after the other, in intervals that Keras takes for epochs.

    Keras's logs are means over its epochs, so that each interval gives a point of a curve.

    Args:
        images, batch_size, seed: As in `EpochBatches`.
        interval: Positive integer: batches in an interval.
    """

    def __init__(self, images, batch_size, seed, interval):
        super().__init__(images, batch_size, seed)
        self._length = interval
        self._set_order(0)

    @property
    def epoch(self):
        """The interval, from 0, whose batches are given."""
        return self._interval

    @epoch.setter
    def epoch(self, epoch):
        self._interval = epoch

    @property
    def num_batches(self):
        """Batches in an interval."""
        return self._length

    def __getitem__(self, index):
        """Return the batch at `index` of the interval."""
        step = self._interval * self._length + index
        epoch, index = divmod(step, len(self.images) // self.batch_size)
        if epoch != self._epoch:
            self._set_order(epoch)
        return super().__getitem__(index)

    def _set_order(self, epoch):
        EpochBatches.epoch.fset(self, epoch)


@dataclasses.dataclass(frozen=True)
class Training:
    """A training that has ended.

    Attributes:
        gan: The `GAN`.
        curve: `{"step", "d_real", "d_fake"}`, lists: D's mean output on real and on generated
            images over the steps up to `step`, in training.
        seconds: Time, with the tracing of the step.
        diverged: What was not finite; None where all was.
    """

    gan: GAN
    curve: dict
    seconds: float
    diverged: str | None


def start(settings, policy, image_shape, steps):
    """Return a new GAN of the settings, as every run of the study starts with it.

    Args:
        settings: `experiments.settings.training.Settings` of one model.
        policy: Name of the dtype policy.
        image_shape: `(height, width, channels)`.
        steps: Training steps to come.

    Raises:
        SettingsError: Where the settings fit no network for these images.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    keras.config.set_dtype_policy(policy)
    return build_gan(settings, settings.model, image_shape, steps)


def train(gan, settings, images, sizes):
    """Train a GAN and return its `Training`.

    Args:
        gan: What `start` returned.
        settings: The same settings.
        images: uint8 `(n, height, width, channels)`.
        sizes: `experiments.study.cases.StudySizes`.

    Raises:
        ValueError: Where there are fewer images than in a batch.
    """
    batches = IntervalBatches(images, settings.batch_size, settings.seed, sizes.every)
    history = keras.callbacks.History()
    diverged = None
    started = time.perf_counter()
    try:
        gan.fit(
            batches.feed(),
            epochs=sizes.steps // sizes.every,
            shuffle=False,
            verbose=0,
            callbacks=[FollowEpoch(batches), StopOnNonFinite(), history],
        )
    except NonFiniteError as error:
        diverged = f"{error} (an epoch stands for {sizes.every} steps)"
    seconds = time.perf_counter() - started
    curve = {
        name: [round(float(value), 5) for value in history.history.get(name, ())]
        for name in ("d_real", "d_fake")
    }
    step = [sizes.every * (point + 1) for point in range(len(curve["d_real"]))]
    return Training(gan, {"step": step} | curve, seconds, diverged)
