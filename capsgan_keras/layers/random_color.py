"""Random changes of brightness, saturation and contrast that gradients pass."""

import keras
from keras import ops

from capsgan_keras.layers.random_change import RandomChange
from capsgan_keras.types import Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class RandomColor(RandomChange):
    """Change brightness, saturation and contrast of each image at random, in training alone.

    Each pixel is moved by a number in [-0.5, 0.5); its distance from the mean of its channels is
    multiplied by a number in [0, 2), and then its distance from the mean of the image by one in
    [0.5, 1.5). Nothing is clipped, so the gradient reaches every pixel. Keras's own layers for
    this clip or, on TensorFlow, pass no gradient.

    Args:
        seed: Integer that sets the draws; by default a random one.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: images `(batch, height, width, channels)`, floats around [-1, 1].

    Output shape: the same.

    Source: `color` of Zhao et al. 2020 (arXiv 2006.10738).

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import RandomColor

    images = np.zeros((2, 16, 16, 3), "float32")
    changed = RandomColor(seed=0)(images, training=True)  # each image of another grey
    ```
    """

    def change(self, images: Tensor) -> Tensor:
        """Return the images, changed in colour."""
        images = images + self._draws(images, -0.5, 0.5)
        grey = ops.mean(images, axis=-1, keepdims=True)
        images = grey + (images - grey) * self._draws(images, 0.0, 2.0)
        middle = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        return middle + (images - middle) * self._draws(images, 0.5, 1.5)

    def _draws(self, images: Tensor, low: float, high: float) -> Tensor:
        shape = (ops.shape(images)[0], 1, 1, 1)
        return keras.random.uniform(shape, low, high, dtype=images.dtype, seed=self.generator)
