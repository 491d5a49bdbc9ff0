"""Changes of the images that a discriminator sees in training, which gradients pass."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from capsgan_keras.checks import check_images_rank, check_seed
from capsgan_keras.layers.random_color import RandomColor
from capsgan_keras.layers.random_cutout import RandomCutout
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor

_LAYERS: dict[str, Callable[[int | None], keras.layers.Layer]] = {
    "color": lambda seed: RandomColor(seed=seed, dtype="float32"),
    # By whole pixels, an eighth of a side at most.
    "translation": lambda seed: layers.RandomTranslation(
        0.125,
        0.125,
        fill_mode="constant",
        interpolation="nearest",
        seed=seed,
        data_format="channels_last",
        dtype="float32",
    ),
    "cutout": lambda seed: RandomCutout(seed=seed, dtype="float32"),
}
AUGMENTATIONS = tuple(_LAYERS)


def check_augmentation(augmentation: Any, name: str = "augmentation") -> tuple[str, ...]:
    """Return names of augmentations as a tuple.

    Args:
        augmentation: What was given.
        name: The argument's name, for the message.

    Raises:
        ValueError: On anything but different names of `AUGMENTATIONS`.
    """
    several = isinstance(augmentation, Sequence) and not isinstance(augmentation, str)
    names = tuple(augmentation) if several else ()
    known = all(isinstance(each, str) and each in AUGMENTATIONS for each in names)
    if not several or not known or len(set(names)) < len(names):
        raise ValueError(
            f"`{name}` must be a sequence of different names of {AUGMENTATIONS}. "
            f"Received: {name}={augmentation!r}"
        )
    return names


@keras.saving.register_keras_serializable(package="capsgan_keras")
class DifferentiableAugmentation(keras.layers.Layer):
    """Change images at random in training, so that gradients pass.

    As a discriminator's first layer it changes all that it sees, real and generated images alike.
    A generator then learns the images as they are, and the discriminator cannot learn few images
    by heart.

    Args:
        names: A sequence of different ones of `"color"` (see `RandomColor`), `"translation"` (by
            up to an eighth of the sides, what is empty becomes grey) and `"cutout"` (a rectangle
            of half of the sides becomes grey; see `RandomCutout`). They are done in this order.
        seed: Integer that sets the draws; by default a random one.
        **kwargs: `name` and `trainable`, as in every Keras layer. It computes in float32.

    Input shape: images `(batch, height, width, channels)`, floats around [-1, 1].

    Output shape: the same, float32.

    Raises:
        ValueError: On other names, inputs of another rank, or integers.

    Source: Zhao et al. 2020 (arXiv 2006.10738). Translation is Keras's own layer.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import DifferentiableAugmentation

    layer = DifferentiableAugmentation(("translation", "cutout"), seed=0)
    changed = layer(np.ones((2, 16, 16, 3), "float32"), training=True)  # a part of each is grey
    ```
    """

    def __init__(self, names: Sequence[str], seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"dtype": "float32"})
        self.names = check_augmentation(names, "names")
        self.seed = check_seed(seed)
        # Of one seed their draws would go together.
        draws = random.Random(self.seed)
        seeds = {name: draws.randrange(2**31) for name in AUGMENTATIONS}
        self.steps = [
            _LAYERS[name](None if self.seed is None else seeds[name])
            for name in AUGMENTATIONS
            if name in self.names
        ]

    def build(self, input_shape: Shape) -> None:
        """Check the input's rank; there are no weights."""
        check_images_rank(self, input_shape)
        for step in self.steps:
            step.build(input_shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Return the images, changed if `training`."""
        inputs = as_floating("inputs", inputs)
        for layer in self.steps if training else ():
            inputs = layer(inputs, training=True)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments."""
        return super().get_config() | {"names": list(self.names), "seed": self.seed}
