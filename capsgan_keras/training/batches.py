"""Batches of images in an order that is a function of seed and epoch alone."""

from typing import Any

import keras
import numpy as np

from capsgan_keras.checks import check_positive


class EpochBatches(keras.utils.PyDataset):
    """Shuffled batches of images, for `fit(..., shuffle=False)`.

    The order within an epoch depends only on the seed and on `epoch`, not on earlier draws. So a
    run that is resumed in epoch 7 sees the batches of epoch 7. Set `epoch` before each epoch;
    `capsgan_keras.training.callbacks.FollowEpoch` does it.

    The images at the end of an epoch that do not fill a batch are left out. These are other images
    in each epoch.

    Args:
        images: Array `(n, height, width, channels)`, as `GAN.fit` takes it; uint8 needs the
            least memory.
        batch_size: Positive integer, at most n.
        seed: Integer of at least 0.
        passes: Positive integer: how often an epoch goes through the images, each time in another
            order. Of few images several passes make an epoch worth a checkpoint.

    Raises:
        ValueError: On a batch size, a seed or a number of passes out of range.
    """

    def __init__(self, images: np.ndarray, batch_size: int, seed: int, passes: int = 1) -> None:
        super().__init__()
        check_positive(batch_size=batch_size, passes=passes)
        if batch_size > len(images):
            raise ValueError(
                f"`batch_size` must be at most the number of images, {len(images)}. "
                f"Received: batch_size={batch_size}"
            )
        self.images = images
        self.batch_size = batch_size
        self.seed = seed
        self.passes = passes
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 0, whose batches are given."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        draws = np.random.default_rng((self.seed, epoch))
        orders = [draws.permutation(len(self.images)) for _ in range(self.passes)]
        self._order = np.concatenate(orders)

    @property
    def num_batches(self) -> int:
        """Number of batches in an epoch."""
        return self.passes * len(self.images) // self.batch_size

    def __getitem__(self, index: int) -> np.ndarray:
        """Return the batch at `index`."""
        start = index * self.batch_size
        return self.images[self._order[start : start + self.batch_size]]

    def feed(self) -> Any:
        """Return the same batches in the form that `fit` reads fastest.

        On TensorFlow this is a `tf.data.Dataset` without the tuning of its parameters, which Keras
        leaves on. An iterator that ends while the tuner sleeps waits for it. The tuner sleeps for
        10 ms, then twice as long each time, so that an epoch could take up to twice its time. On
        other backends, and where replicas share a batch, it is `self`.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf  # here, since on JAX the package works without TensorFlow

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
