"""Batches of images in an order that is a function of seed and epoch alone."""

from typing import Any

import keras
import numpy as np

from capsgan_keras.checks import check_bool, check_positive


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
        steps_per_epoch: Positive integer: batches that `fit` takes for an epoch, and whose logs it
            averages. The images are still shuffled after each pass over all of them. By default
            an epoch is one pass.
        flips: Whether half of the images, others in each pass, are mirrored, left for right.
        labels: Integers `(n,)`, which make a batch the pair (images, labels); None for images
            alone.

    Raises:
        ValueError: On a batch size, a seed or a number of steps out of range, or another number of
            labels than of images.
    """

    def __init__(
        self,
        images: np.ndarray,
        batch_size: int,
        seed: int,
        steps_per_epoch: int | None = None,
        flips: bool = False,
        labels: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        check_positive(batch_size=batch_size)
        check_bool(flips=flips)
        if steps_per_epoch is not None:
            check_positive(steps_per_epoch=steps_per_epoch)
        if batch_size > len(images):
            raise ValueError(
                f"`batch_size` must be at most the number of images, {len(images)}. "
                f"Received: batch_size={batch_size}"
            )
        if labels is not None and len(labels) != len(images):
            raise ValueError(
                f"`labels` must be one for each of the {len(images)} images. "
                f"Received: {len(labels)} labels"
            )
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.seed = seed
        self.steps_per_epoch = steps_per_epoch
        self.flips = flips
        self.epoch = 0
        self._shuffle(0)

    @property
    def num_batches(self) -> int:
        """Number of batches in an epoch."""
        return self.steps_per_epoch or len(self.images) // self.batch_size

    def __getitem__(self, index: int) -> Any:
        """Return the batch at `index` of the epoch: images, or the pair of these and labels."""
        chosen = self.chosen(index)
        images = self.images[chosen]
        if self.flips:
            mirrored = self._mirrored[chosen]
            images[mirrored] = images[mirrored, :, ::-1]
        return images if self.labels is None else (images, self.labels[chosen])

    def chosen(self, index: int) -> np.ndarray:
        """Return which images are in the batch at `index` of the epoch, integers."""
        step = self.epoch * self.num_batches + index
        number, index = divmod(step, len(self.images) // self.batch_size)
        if number != self._pass:
            self._shuffle(number)
        start = index * self.batch_size
        return self._order[start : start + self.batch_size]

    def _shuffle(self, number: int) -> None:
        draws = np.random.default_rng((self.seed, number))
        self._order = draws.permutation(len(self.images))
        if self.flips:
            self._mirrored = draws.random(len(self.images)) < 0.5
        self._pass = number

    def feed(self) -> Any:
        """Return the same batches in the form that `fit` reads fastest.

        On TensorFlow this is a `tf.data.Dataset` without the tuning of its parameters, which Keras
        leaves on. An iterator that ends while the tuner sleeps waits for it. The tuner sleeps for
        10 ms, then twice as long each time, so that an epoch could take up to twice its time.
        Where several processes of JAX share a batch, it is this process's rows of each batch, for
        a `keras.distribution` with `auto_shard_dataset=False`. On other backends, and where
        replicas share a batch, it is `self`.
        """
        if keras.backend.backend() == "jax":
            import jax  # one of two backends

            from capsgan_keras.training.jax import ProcessBatches  # on that backend alone

            shared = keras.distribution.distribution() is not None and jax.process_count() > 1
            return ProcessBatches(self) if shared else self
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf  # here, since on JAX the package works without TensorFlow

        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return self
        options = tf.data.Options()
        options.autotune.enabled = False
        dataset = tf.data.Dataset.from_generator(
            lambda: (self[index] for index in range(self.num_batches)),
            output_signature=keras.tree.map_structure(
                lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), self[0]
            ),
        )
        counted = dataset.apply(tf.data.experimental.assert_cardinality(self.num_batches))
        return counted.prefetch(2).with_options(options)
