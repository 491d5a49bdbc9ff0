"""A deeper capsule classifier, with convolutional capsules, for images such as CIFAR-10's."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from capsgan_keras.checks import check_filters, check_positive
from capsgan_keras.layers import ConvCapsuleLayer, PrimaryCap
from capsgan_keras.models.capsule_classifier import CapsuleClassifier, convolved_and_normalized
from capsgan_keras.models.sizes import Size, convolved
from capsgan_keras.routing.choice import Routing
from capsgan_keras.types import Tensor

_KERNEL = 3


@keras.saving.register_keras_serializable(package="capsgan_keras")
class DeepCapsNet(CapsuleClassifier):
    """Convolutions, then layers of capsules with places, each half as wide and as high.

    All kernels and windows are 3x3, with zeros around the image. The first convolution keeps the
    size. All layers after it halve height and width: the other convolutions, the primary capsules
    and the convolutional capsules. Each convolution has a ReLU, then batch normalization. For
    images 32x32 the primary capsules stand at 8x8 places, then at 4x4, then at 2x2.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: Positive integer: one final capsule each.
        filters: Sequence of positive integers: filters of the convolutions.
        n_channels: Sequence of positive integers: types of the primary capsules, then of each layer
            of convolutional capsules.
        primary_dim_capsule: Positive integer: components of all capsules but the final ones.
        dim_capsule: Positive integer: components of a final capsule.
        routings: As in `CapsNet`.
        decoder_units: As in `CapsNet`.
        routing: As in `CapsNet`, for all layers of capsules. A routing that is a Keras layer is
            copied, so that each layer has weights of its own.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras model.

    Input shape: as of `CapsNet`.

    Output shape: as of `CapsNet`.

    Raises:
        ValueError: On arguments out of range, or a network that takes more memory than there is.

    Source: the layers are `PrimaryCap`, `ConvCapsuleLayer` (Hinton et al. 2018) and `CapsuleLayer`.
    How they are put together is this package's choice.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.models import DeepCapsNet

    network = DeepCapsNet((32, 32, 3), 10, filters=(16, 16), n_channels=(2, 4))
    outputs = network.predict(np.zeros((2, 32, 32, 3), "uint8"))
    outputs["lengths"].shape  # (2, 10)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        filters: Sequence[int] = (32, 64),
        n_channels: Sequence[int] = (8, 8, 16),
        primary_dim_capsule: int = 8,
        dim_capsule: int = 16,
        routings: int = 3,
        decoder_units: Sequence[int] = (512, 1024),
        routing: str | Routing = "dynamic",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            image_shape, num_classes, dim_capsule, routings, routing, decoder_units, **kwargs
        )
        check_positive(primary_dim_capsule=primary_dim_capsule)
        self.filters = check_filters(filters)
        self.n_channels = check_filters(n_channels, name="n_channels")
        self.primary_dim_capsule = int(primary_dim_capsule)
        self._build_networks()

    def _primary_capsules(self, images: Tensor) -> tuple[Any, tuple[int, int, int]]:
        policy, dim = self.dtype_policy, self.primary_dim_capsule
        features, sides = images, list(self.image_shape[:2])
        for index, filters in enumerate(self.filters):
            sides = convolved(sides, _KERNEL, min(index, 1) + 1, "same")
            features = convolved_and_normalized(
                features, filters, _KERNEL, min(index, 1) + 1, policy, "same"
            )
        first, *others = self.n_channels
        sides = convolved(sides, _KERNEL, 2, "same")
        capsules = PrimaryCap(dim, first, _KERNEL, 2, "same", flatten=False, dtype=policy)(features)
        for types in others:
            sides = convolved(sides, _KERNEL, 2, "same")
            capsules = ConvCapsuleLayer(
                types, dim, _KERNEL, strides=2, padding="same", **self._routing_options()
            )(capsules)
        height, width = sides
        types = self.n_channels[-1]
        rows = layers.Reshape((height * width * types, dim), dtype=policy)
        if isinstance(capsules, list | tuple):  # the routing gives activations too
            flat = layers.Reshape((height * width * types,), dtype=policy)(capsules[1])
            return [rows(capsules[0]), flat], (height, width, types)
        return rows(capsules), (height, width, types)

    def _count(self, size: Size) -> tuple[int, int]:
        dim, channels = self.primary_dim_capsule, self.image_shape[2]
        sides: Sequence[int] = self.image_shape[:2]
        for index, filters in enumerate(self.filters):
            sides = convolved(sides, _KERNEL, min(index, 1) + 1, "same")
            channels = size.convolution(sides, channels, filters, _KERNEL)
        for types in self.n_channels:
            sides = convolved(sides, _KERNEL, 2, "same")
            # All places share the weights, as those of a convolution.
            channels = size.convolution(sides, channels, types * dim, _KERNEL)
        return math.prod(sides) * self.n_channels[-1], dim

    def _arguments(self) -> dict[str, Any]:
        return {
            "filters": self.filters,
            "n_channels": self.n_channels,
            "primary_dim_capsule": self.primary_dim_capsule,
        }
