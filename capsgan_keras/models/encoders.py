"""The two encoders of a BiGAN: capsules with routing, and convolutions only."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from capsgan_keras.checks import (
    check_bool,
    check_choice,
    check_filters,
    check_image_shape,
    check_kernel_size,
    check_positive,
    check_share,
)
from capsgan_keras.layers import CapsuleLayer, PrimaryCap
from capsgan_keras.models.convolutions import (
    ACTIVATIONS,
    activated,
    convolutions,
    convolutions_size,
    normalized_spectrally,
)
from capsgan_keras.models.initial_weights import INITIALIZERS, InitialWeights
from capsgan_keras.models.sizes import Size
from capsgan_keras.routing import check_routings
from capsgan_keras.routing.choice import BY_AGREEMENT
from capsgan_keras.routing.initial_variance import length_keeping_variance
from capsgan_keras.types import DType, Tensor


def build_capsule_encoder(
    image_shape: tuple[int, int, int],
    latent_dim: int = 100,
    filters: int | Sequence[int] = (32, 64),
    kernel_size: int = 5,
    n_channels: int = 8,
    primary_dim_capsule: int = 8,
    num_capsule: int = 16,
    dim_capsule: int = 16,
    routing: str = "dynamic",
    routings: int = 3,
    hidden_activation: str = "leaky_relu",
    initializer: str | None = None,
    batch_norm: bool = True,
    momentum: float = 0.9,
    dtype: DType = None,
    seed: int | None = None,
    name: str = "capsule_encoder",
) -> keras.Model:
    """Build an encoder of capsules, the first layers of a CapsNet (Sabour et al. 2017).

    Convolutions with stride 2 come before primary capsules with stride 2, which are routed to
    several capsules. So routing has something to decide. A linear layer makes the code of all
    their components.

    Args:
        image_shape: `(height, width, channels)`: sides multiples of 4 and at least 16, 1 to 4
            channels.
        latent_dim: Positive integer: the components of a code.
        filters: Positive integer or a sequence of them: one convolution each.
        kernel_size: Positive integer: kernels of the convolutions and the primary capsules.
        n_channels: Positive integer: types of primary capsules.
        primary_dim_capsule: Positive integer: components of a primary capsule.
        num_capsule: Positive integer: capsules that the primary ones are routed to.
        dim_capsule: Positive integer: components of each of these.
        routing: `"dynamic"` or `"leaky"`, as in `CapsuleLayer`.
        routings: As in `CapsuleLayer`.
        hidden_activation: After the convolutions: `"leaky_relu"` with slope 0.2, or `"relu"`.
        initializer: Of the convolutions' weights: `"normal"` with standard deviation 0.02,
            `"he"` or `"glorot"`. By default He's.
        batch_norm: Whether the components are batch-normalized before the linear layer. Without
            it the codes of all images become nearly the same within a hundred steps of a BiGAN.
        momentum: Of its moving averages, in [0, 1).
        dtype: Dtype policy of all layers but the capsules and those after them, which stay in
            float32; by default Keras's global policy.
        seed: Integer that sets the initial weights.
        name: Name of the model.

    Returns:
        A `keras.Model` from images `(batch, *image_shape)` in [-1, 1] to codes
        `(batch, latent_dim)`, float32.

    Raises:
        ValueError: On arguments out of range, or where training takes more memory than there is.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.models import build_capsule_encoder

    encoder = build_capsule_encoder((16, 16, 1), latent_dim=8, filters=8, seed=0)
    codes = encoder(np.zeros((2, 16, 16, 1), "float32"))  # (2, 8)
    ```
    """
    check_choice("routing", routing, BY_AGREEMENT)
    check_routings(routings)
    check_positive(
        n_channels=n_channels,
        primary_dim_capsule=primary_dim_capsule,
        num_capsule=num_capsule,
        dim_capsule=dim_capsule,
    )
    encoder = _Encoder(
        image_shape, latent_dim, filters, kernel_size, hidden_activation, batch_norm, momentum
    )
    size, sides, channels = encoder.size()
    sides = [-(-side // 2) for side in sides]
    size.convolution(sides, channels, n_channels * primary_dim_capsule, kernel_size)
    count = math.prod(sides) * n_channels
    size.capsules(count, primary_dim_capsule, num_capsule, dim_capsule)
    encoder.check_size(
        size,
        num_capsule * dim_capsule,
        "capsule encoder",
        n_channels=n_channels,
        primary_dim_capsule=primary_dim_capsule,
        num_capsule=num_capsule,
        dim_capsule=dim_capsule,
    )
    weights = InitialWeights(seed)
    # The layer's own choice, with a seed: Glorot's weights would start with codes of nearly zero.
    variance = length_keeping_variance(count, num_capsule, dim_capsule, routings, routing)
    features = encoder.convolve(initializer, dtype, weights)
    features = PrimaryCap(
        dim_capsule=primary_dim_capsule,
        n_channels=n_channels,
        kernel_size=kernel_size,
        strides=2,
        padding="same",
        kernel_initializer=weights.glorot(),
        dtype=dtype,
        name="primary_capsules",
    )(features)
    features = CapsuleLayer(
        num_capsule,
        dim_capsule,
        routing=routing,
        routings=routings,
        kernel_initializer=weights.of_variance(variance),
        dtype="float32",
        name="capsules",
    )(features)
    # Each capsule is nearly 1 long at most, unless components are normalized. So codes begin as
    # large as latents, and differ as much from image to image as those of the other encoder.
    initial = weights.glorot() if batch_norm else weights.of_variance(1.0 / num_capsule)
    return encoder.encode(features, initial, name)


def build_convolutional_encoder(
    image_shape: tuple[int, int, int],
    latent_dim: int = 100,
    filters: int | Sequence[int] = (32, 64, 64),
    kernel_size: int = 5,
    units: int = 256,
    hidden_activation: str = "leaky_relu",
    initializer: str | None = None,
    batch_norm: bool = True,
    momentum: float = 0.9,
    dtype: DType = None,
    seed: int | None = None,
    name: str = "convolutional_encoder",
) -> keras.Model:
    """Build an encoder of convolutions with stride 2 and a dense layer.

    By default it has the layers of `build_capsule_encoder`, with a convolution in the place of
    the primary capsules and a dense layer in the place of routing, and as many weights but for
    256 biases.

    Args:
        image_shape: As in `build_capsule_encoder`.
        latent_dim: As in `build_capsule_encoder`.
        filters: Positive integer or a sequence of them: one convolution each.
        kernel_size: Positive integer: the side of the kernels.
        units: Positive integer: units of the dense layer before the code.
        hidden_activation: After the convolutions and the dense layer: `"leaky_relu"` with slope
            0.2, or `"relu"`.
        initializer: Of the weights of these layers; as in `build_capsule_encoder`.
        batch_norm: As in `build_capsule_encoder`, of the dense layer's outputs.
        momentum: As in `build_capsule_encoder`.
        dtype: Dtype policy of all layers but the last ones, which stay in float32; by default
            Keras's global policy.
        seed: Integer that sets the initial weights.
        name: Name of the model.

    Returns:
        A `keras.Model` as that of `build_capsule_encoder`.

    Raises:
        ValueError: On arguments out of range, or where training takes more memory than there is.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.models import build_convolutional_encoder

    encoder = build_convolutional_encoder((16, 16, 1), latent_dim=8, filters=(8, 8), seed=0)
    codes = encoder(np.zeros((2, 16, 16, 1), "float32"))  # (2, 8)
    ```
    """
    check_positive(units=units)
    encoder = _Encoder(
        image_shape, latent_dim, filters, kernel_size, hidden_activation, batch_norm, momentum
    )
    size, sides, channels = encoder.size()
    size.dense(math.prod(sides) * channels, units)
    encoder.check_size(size, units, "convolutional encoder", units=units)
    weights = InitialWeights(seed)
    features = layers.Flatten(dtype=dtype)(encoder.convolve(initializer, dtype, weights))
    features = hidden_layer(features, units, hidden_activation, initializer, dtype, weights)
    return encoder.encode(features, weights.glorot(), name)


def hidden_layer(
    features: Tensor,
    units: int,
    activation: str,
    initializer: str | None,
    dtype: DType,
    weights: InitialWeights,
    spectral_normalization: bool = False,
) -> Tensor:
    """Return features after a dense layer with an activation; He's weights where None is given."""
    next_initializer = weights.of_kind(initializer or "he")
    dense = layers.Dense(units, kernel_initializer=next_initializer(), dtype=dtype)
    features = normalized_spectrally(dense, spectral_normalization)(features)
    return activated(features, activation, dtype)


class _Encoder:
    """What both encoders have: checks, convolutions at the beginning, and the code at the end."""

    def __init__(
        self,
        image_shape: Any,
        latent_dim: int,
        filters: Any,
        kernel_size: int,
        hidden_activation: str,
        batch_norm: bool,
        momentum: float,
    ) -> None:
        self.shape = check_image_shape(image_shape)
        check_positive(latent_dim=latent_dim)
        check_kernel_size(kernel_size, self.shape)
        check_choice("hidden_activation", hidden_activation, ACTIVATIONS)
        check_bool(batch_norm=batch_norm)
        check_share(momentum=momentum)
        self.latent_dim = latent_dim
        self.batch_norm = batch_norm
        self.momentum = momentum
        self.layout = strided_layout(check_filters(filters), kernel_size, hidden_activation)

    def size(self) -> tuple[Size, list[int], int]:
        """Return the size of the convolutions, and the sides and channels of their output."""
        return convolutions_size(self.shape, self.layout)

    def check_size(self, size: Size, features: int, network: str, **arguments: Any) -> None:
        """Raise a `ValueError` where training takes too much memory."""
        size.dense(features, self.latent_dim)
        common = {name: self.layout[name] for name in ("filters", "kernel_size")}
        common |= {"image_shape": self.shape, "latent_dim": self.latent_dim}
        size.check(network, **common, **arguments)

    def convolve(self, initializer: str | None, dtype: DType, weights: InitialWeights) -> Tensor:
        """Return what the convolutions make of images."""
        check_choice("initializer", initializer, INITIALIZERS)
        self.images = keras.Input(self.shape, name="images")
        kind = weights.of_kind(initializer or "he")
        return convolutions(self.images, self.layout, (), 0.0, dtype, kind, weights)

    def encode(
        self, features: Tensor, initializer: keras.initializers.Initializer, name: str
    ) -> keras.Model:
        """Return the model whose codes are a linear function of features."""
        features = layers.Flatten(dtype="float32")(features)
        if self.batch_norm:
            features = layers.BatchNormalization(momentum=self.momentum, dtype="float32")(features)
        codes = layers.Dense(
            self.latent_dim, kernel_initializer=initializer, dtype="float32", name="codes"
        )(features)
        return keras.Model(self.images, codes, name=name)


def strided_layout(filters: tuple[int, ...], kernel_size: int, activation: str) -> dict[str, Any]:
    """Return the layout, for `convolutions`, of those that halve the image's sides."""
    return {
        "filters": filters,
        "kernel_size": kernel_size,
        "strides": 2,
        "padding": "same",
        "downsampling": "strides",
        "activation": activation,
        "dropout": 0.0,
        "spectral_normalization": False,
    }
