"""What networks take of the memory, estimated before they are built."""

import math
from collections.abc import Sequence
from typing import Any

from capsgan_keras.machine import check_memory

_BYTES = 4
_COPIES = 5
"""Of each weight: itself, its gradient, the two moments of Adam, and an average."""


class Size:
    """Numbers that a network holds: its weights, and the outputs of its layers for one image."""

    def __init__(self) -> None:
        self.weights = 0
        self.outputs = 0

    def dense(self, inputs: int, units: int) -> int:
        """Count a dense layer, and return its units."""
        self.weights += (inputs + 1) * units
        self.outputs += units
        return units

    def convolution(
        self, sides: Sequence[int], channels: int, filters: int, kernel_size: int
    ) -> int:
        """Count a convolution whose outputs have some height and width; return its filters."""
        self.weights += (kernel_size * kernel_size * channels + 1) * filters
        self.outputs += math.prod(sides) * filters
        return filters

    def capsules(self, count: int, dim: int, num_capsule: int, dim_capsule: int) -> None:
        """Count the weights and outputs of a layer that routes `count` capsules to others."""
        self.weights += count * dim * num_capsule * dim_capsule
        self.outputs += num_capsule * dim_capsule

    def check(self, network: str, **arguments: Any) -> None:
        """Raise a `ValueError` where training by batches of one image takes too much memory.

        Args:
            network: What the network is called.
            **arguments: Those that set its size, for the message.
        """
        given = ", ".join(f"`{name}`={value!r}" for name, value in arguments.items())
        check_memory(
            f"The {network} with {given}", _BYTES * (_COPIES * self.weights + self.outputs)
        )


def convolved(sides: Sequence[int], kernel_size: int, strides: int, padding: str) -> list[int]:
    """Return the sides of a convolution's outputs."""
    if padding == "same":
        return [-(-side // strides) for side in sides]
    return [(side - kernel_size) // strides + 1 for side in sides]


def check_batch(
    players: Sequence[Any], batch_size: int, image_shape: Sequence[int] | None = None
) -> None:
    """Raise a `ValueError` where the outputs of layers for one batch take too much memory.

    Args:
        players: Built `keras.Model`s of the functional kind.
        batch_size: Images in the batch.
        image_shape: Of the images; None where the first of the `players` puts them out.
    """
    layers = [layer for player in players for layer in player.layers if layer.weights]
    # Some layers of capsules put out activations too.
    outputs = [layer.output for layer in layers]
    outputs = [out[0] if isinstance(out, list | tuple) else out for out in outputs]
    numbers = sum(math.prod(output.shape[1:]) for output in outputs)
    shape = tuple(image_shape or players[0].output_shape[1:])
    check_memory(
        f"A batch of `batch_size`={batch_size} images of shape {shape}",
        _BYTES * numbers * batch_size,
    )
