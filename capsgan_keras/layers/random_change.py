"""What layers that change images at random share."""

from typing import Any

import keras

from capsgan_keras.checks import check_images_rank, check_seed
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor


class RandomChange(keras.layers.Layer):
    """A layer that changes images at random in training alone, by its method `change`.

    Args:
        seed: Integer that sets the draws; by default a random one.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = check_seed(seed)
        self.generator = keras.random.SeedGenerator(self.seed)

    def build(self, input_shape: Shape) -> None:
        """Check the input's rank; there are no weights."""
        check_images_rank(self, input_shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Return the images, changed if `training`."""
        images = as_floating("inputs", inputs)
        return self.change(images) if training else images

    def change(self, images: Tensor) -> Tensor:
        """Return changed images, with draws from `self.generator`."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments."""
        return super().get_config() | {"seed": self.seed}
