"""Efficient-CapsNet: few primary capsules, and self-attention in the place of iterations."""

import math
from collections.abc import Sequence
from typing import Any

import keras

from capsgan_keras.checks import check_filters, check_positive
from capsgan_keras.layers import DepthwisePrimaryCap
from capsgan_keras.models.capsule_classifier import (
    CapsuleClassifier,
    check_sides,
    convolved_and_normalized,
)
from capsgan_keras.models.sizes import Size, convolved
from capsgan_keras.routing.choice import Routing
from capsgan_keras.types import Tensor

_KERNELS = ((5, 1), (3, 1), (3, 1), (3, 2))
"""Kernel size and stride of each convolution."""
_LEAST = 13
"""The smallest side of an image that all of them fit."""


@keras.saving.register_keras_serializable(package="capsgan_keras")
class EfficientCapsNet(CapsuleClassifier):
    """Efficient-CapsNet: four convolutions, depthwise primary capsules, self-attention routing.

    For images 28x28x1 and ten classes it has 161,824 trainable parameters without its decoder. The
    convolutions are valid, with kernels 5x5, 3x3, 3x3 and 3x3, the last with a stride of 2. Each
    has a ReLU, then batch normalization. The kernels of the primary capsules cover the whole of the
    features, so that there is one position.

    Args:
        image_shape: `(height, width, channels)`, with sides of at least 13.
        num_classes: Positive integer: one final capsule each.
        filters: Four positive integers: filters of the convolutions. The last must be a multiple of
            `primary_dim_capsule`.
        primary_dim_capsule: Positive integer: components of a primary capsule.
        dim_capsule: Positive integer: components of a final capsule.
        routings: As in `CapsNet`; self-attention has no iterations.
        decoder_units: As in `CapsNet`.
        routing: As in `CapsNet`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras model.

    Input shape: as of `CapsNet`.

    Output shape: as of `CapsNet`.

    Raises:
        ValueError: On arguments out of range, or a network that takes more memory than there is.

    Source: Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: capsule network with self-attention
    routing", Scientific Reports 11, 2021 (arXiv 2101.12491), and their released code.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.models import EfficientCapsNet

    network = EfficientCapsNet((28, 28, 1), 10)
    network.encoder.count_params()  # 162,400: 161,824, and 576 moving means and variances
    outputs = network.predict(np.zeros((2, 28, 28, 1), "uint8"))
    outputs["lengths"].shape  # (2, 10)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        filters: Sequence[int] = (32, 64, 64, 128),
        primary_dim_capsule: int = 8,
        dim_capsule: int = 16,
        routings: int = 3,
        decoder_units: Sequence[int] = (512, 1024),
        routing: str | Routing = "self_attention",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            image_shape, num_classes, dim_capsule, routings, routing, decoder_units, **kwargs
        )
        check_positive(primary_dim_capsule=primary_dim_capsule)
        self.filters = check_filters(filters, count=len(_KERNELS))
        self.primary_dim_capsule = int(primary_dim_capsule)
        if self.filters[-1] % self.primary_dim_capsule:
            raise ValueError(
                "The last of the `filters` must be a multiple of `primary_dim_capsule`. "
                f"Received: filters={filters!r}, primary_dim_capsule={primary_dim_capsule}"
            )
        check_sides(self.image_shape, _LEAST, "four valid convolutions", "another network")
        self._build_networks()

    def _primary_capsules(self, images: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        policy = self.dtype_policy
        features = images
        for filters, (kernel_size, strides) in zip(self.filters, _KERNELS, strict=True):
            features = convolved_and_normalized(features, filters, kernel_size, strides, policy)
        height, width = features.shape[1:3]
        primary = DepthwisePrimaryCap(self.primary_dim_capsule, (height, width), dtype=policy)
        return primary(features), (1, 1, self.filters[-1] // self.primary_dim_capsule)

    def _count(self, size: Size) -> tuple[int, int]:
        sides: Sequence[int] = self.image_shape[:2]
        channels = self.image_shape[2]
        for filters, (kernel_size, strides) in zip(self.filters, _KERNELS, strict=True):
            sides = convolved(sides, kernel_size, strides, "valid")
            channels = size.convolution(sides, channels, filters, kernel_size)
        size.dense(math.prod(sides), channels)  # a kernel of its own for each channel
        return channels // self.primary_dim_capsule, self.primary_dim_capsule

    def _arguments(self) -> dict[str, Any]:
        return {"filters": self.filters, "primary_dim_capsule": self.primary_dim_capsule}
