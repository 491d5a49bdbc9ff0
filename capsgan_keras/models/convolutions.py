"""The layers with which discriminators and encoders begin."""

from collections.abc import Callable, Collection
from typing import Any

import keras
from keras import layers

from capsgan_keras.checks import check_kernel_size
from capsgan_keras.layers import DifferentiableAugmentation, SpectralNormalization
from capsgan_keras.models.initial_weights import InitialWeights
from capsgan_keras.models.sizes import Size, convolved
from capsgan_keras.types import DType, Tensor

ACTIVATIONS = ("leaky_relu", "relu")
"""What may follow a convolution."""
_POOL = 2
"""Side of the squares of which max-pooling keeps the largest value."""


def check_kernels_fit(image_shape: tuple[int, ...], layout: dict[str, Any]) -> None:
    """Raise a `ValueError` where valid kernels leave no primary capsule."""
    kernel_size = layout["kernel_size"]
    check_kernel_size(kernel_size, image_shape)
    left = min(image_shape[:2])
    for strides in [*[layout["strides"]] * len(layout["filters"]), 2]:
        if layout["padding"] == "valid":
            left = (left - kernel_size) // strides + 1
    if left < 1:
        raise ValueError(
            "`kernel_size` must be smaller, or `padding` 'same': valid kernels leave nothing of "
            f"images of shape {tuple(image_shape)}. Received: kernel_size={kernel_size}"
        )


def convolutions_size(
    image_shape: tuple[int, ...], layout: dict[str, Any]
) -> tuple[Size, list[int], int]:
    """Return the size of the convolutions, and the sides and channels of their last output."""
    size, sides, channels = Size(), list(image_shape[:2]), image_shape[2]
    pooled = layout["downsampling"] == "max_pooling"
    strides = 1 if pooled else layout["strides"]
    for filters in layout["filters"]:
        sides = convolved(sides, layout["kernel_size"], strides, layout["padding"])
        channels = size.convolution(sides, channels, filters, layout["kernel_size"])
        if pooled:
            sides = convolved(sides, _POOL, _POOL, "same")
    return size, sides, channels


def augmented(images: Tensor, names: tuple[str, ...], weights: InitialWeights) -> Tensor:
    """Return images after augmentation; no name adds no layer."""
    if not names:
        return images
    return DifferentiableAugmentation(names, weights.next_seed(), name="augmentation")(images)


def convolutions(
    images: Tensor,
    layout: dict[str, Any],
    normalized: Collection[int],
    momentum: float,
    dtype: DType,
    next_initializer: Callable[[], keras.initializers.Initializer],
    weights: InitialWeights,
) -> Tensor:
    """Convolve and downsample; normalize the convolutions whose indices are given."""
    features = images
    pooled = layout["downsampling"] == "max_pooling"
    for index, filters in enumerate(layout["filters"]):
        convolution = layers.Conv2D(
            filters,
            layout["kernel_size"],
            strides=1 if pooled else layout["strides"],
            padding=layout["padding"],
            data_format="channels_last",
            kernel_initializer=next_initializer(),
            use_bias=index not in normalized,
            dtype=dtype,
        )
        features = normalized_spectrally(convolution, layout["spectral_normalization"])(features)
        if pooled:
            pool = layers.MaxPooling2D(
                _POOL, padding="same", data_format="channels_last", dtype=dtype
            )
            features = pool(features)
        if index in normalized:
            features = layers.BatchNormalization(momentum=momentum, dtype=dtype)(features)
        features = activated(features, layout["activation"], dtype)
        features = dropped(features, layout["dropout"], dtype, weights)
    return features


def activated(features: Tensor, activation: str, dtype: DType) -> Tensor:
    """Return features after one of `ACTIVATIONS`; LeakyReLU has a slope of 0.2."""
    if activation == "relu":
        return layers.ReLU(dtype=dtype)(features)
    return layers.LeakyReLU(0.2, dtype=dtype)(features)


def normalized_spectrally(layer: keras.layers.Layer, wanted: bool) -> keras.layers.Layer:
    """Return the layer, wrapped where it is wanted."""
    return SpectralNormalization(layer, name=f"normalized_{layer.name}") if wanted else layer


def dropped(features: Tensor, rate: float, dtype: DType, weights: InitialWeights) -> Tensor:
    """Return features after dropout; a rate of 0 adds no layer."""
    if rate == 0.0:
        return features
    return layers.Dropout(rate, seed=weights.next_seed(), dtype=dtype)(features)
