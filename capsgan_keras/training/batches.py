"""Batches of images in an order that is a function of seed and epoch alone."""

import keras
import numpy as np

from capsgan_keras.checks import check_positive


class EpochBatches(keras.utils.PyDataset):
    """Shuffled batches of images, for `fit(..., shuffle=False)`.

    The order within an epoch depends on the seed and on `epoch` alone, not on what was drawn
    before, so that a run that goes on in epoch 7 sees the batches of epoch 7. Set `epoch` before
    each epoch: `capsgan_keras.training.callbacks.FollowEpoch` does.

    The last images of an epoch that fill no batch are left out, others in each epoch.

    Args:
        images: Array `(n, height, width, channels)`, as `GAN.fit` takes it; uint8 needs the
            least memory.
        batch_size: Positive integer, at most n.
        seed: Integer of at least 0.
        steps_per_epoch: Positive integer: batches that `fit` takes for an epoch, and whose logs it
            averages. The images are still shuffled after each pass over all of them. By default
            an epoch is one pass.

    Raises:
        ValueError: On a batch size, a seed or a number of steps out of range.
    """

    def __init__(self, images, batch_size, seed, steps_per_epoch=None):
        super().__init__()
        check_positive(batch_size=batch_size)
        if steps_per_epoch is not None:
            check_positive(steps_per_epoch=steps_per_epoch)
        if batch_size > len(images):
            raise ValueError(
                f"`batch_size` must be at most the number of images, {len(images)}. "
                f"Received: batch_size={batch_size}"
            )
        self.images = images
        self.batch_size = batch_size
        self.seed = seed
        self.steps_per_epoch = steps_per_epoch
        self.epoch = 0
        self._shuffle(0)

    @property
    def num_batches(self):
        """Whole batches in an epoch."""
        return self.steps_per_epoch or len(self.images) // self.batch_size

    def __getitem__(self, index):
        """Return the batch at `index` of the epoch."""
        step = self.epoch * self.num_batches + index
        number, index = divmod(step, len(self.images) // self.batch_size)
        if number != self._pass:
            self._shuffle(number)
        start = index * self.batch_size
        return self.images[self._order[start : start + self.batch_size]]

    def _shuffle(self, number):
        self._order = np.random.default_rng((self.seed, number)).permutation(len(self.images))
        self._pass = number

    def feed(self):
        """Return what `fit` best reads the batches from.

        On TensorFlow a `tf.data.Dataset` of the same batches without the tuning of its parameters:
        an iterator that ends while the tuner sleeps waits for it, and it sleeps for 10 ms, then
        for twice as long each time, so that an epoch could last up to twice its work. Keras makes
        data sets with the tuning from arrays and from a `PyDataset`. On other backends, and where
        a batch is shared out among replicas, `self`.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return self
        options = tf.data.Options()
        options.autotune.enabled = False
        dataset = tf.data.Dataset.from_generator(
            lambda: (self[index] for index in range(self.num_batches)),
            output_signature=tf.TensorSpec((None, *self.images.shape[1:]), self.images.dtype),
        )
        counted = dataset.apply(tf.data.experimental.assert_cardinality(self.num_batches))
        return counted.prefetch(2).with_options(options)
