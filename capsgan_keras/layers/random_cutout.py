"""A part of each image that becomes grey at a random place."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.layers.random_change import RandomChange
from capsgan_keras.types import Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class RandomCutout(RandomChange):
    """Make a rectangle of half of each image's sides grey, in training alone.

    The rectangle's centre is drawn from the whole image, so a part of it may lie outside. A pixel
    is cut from about 8 % of the images in a corner, and from 23 % in the middle. Keras's
    `RandomErasing` keeps the rectangle inside: one of half of the sides then always covers the
    image's centre.

    Args:
        seed: Integer that sets the draws; by default a random one.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: images `(batch, height, width, channels)`, floats around [-1, 1].

    Output shape: the same. Grey is 0.

    Source: `cutout` of Zhao et al. 2020 (arXiv 2006.10738).

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import RandomCutout

    images = np.ones((2, 16, 16, 3), "float32")
    changed = RandomCutout(seed=0)(images, training=True)  # at most 8 x 8 pixels of each are 0
    ```
    """

    def change(self, images: Tensor) -> Tensor:
        """Return the images, cut."""
        batch, height, width, _ = ops.shape(images)
        rows = self._cut(batch, height)[:, :, None, None]
        columns = self._cut(batch, width)[:, None, :, None]
        return ops.where(ops.logical_and(rows, columns), ops.zeros_like(images), images)

    def _cut(self, batch: Any, side: Any) -> Tensor:
        """Return which places along a side are cut from each image, bools `(batch, side)`."""
        size = (side + 1) // 2
        centre = keras.random.randint((batch, 1), 0, side + 1 - size % 2, seed=self.generator)
        first = centre - size // 2
        places = ops.arange(side, dtype="int32")[None]
        return ops.logical_and(places >= first, places < first + size)
