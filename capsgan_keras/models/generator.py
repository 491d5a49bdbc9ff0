"""The generator that both GANs share."""

import math
from collections.abc import Sequence

import keras
from keras import layers, ops

from capsgan_keras.checks import (
    check_bool,
    check_choice,
    check_filters,
    check_image_shape,
    check_kernel_size,
    check_latent_categories,
    check_positive,
    check_share,
)
from capsgan_keras.models.initial_weights import NormalWeights
from capsgan_keras.models.sizes import Size
from capsgan_keras.types import DType, Tensor


def build_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 100,
    filters: Sequence[int] = (128, 64),
    kernel_size: int | None = None,
    upsampling: str | None = None,
    batch_norm: bool = True,
    momentum: float = 0.9,
    latent_categories: int = 0,
    dtype: DType = None,
    seed: int | None = None,
    name: str = "generator",
) -> keras.Model:
    """Build a generator after the DCGAN guidelines (Radford et al., arXiv 1511.06434).

    A dense layer makes a grid of a quarter of the image's height and width, and two upsampling
    steps double it. Batch normalization and ReLU follow all of them but the last, which ends in
    tanh.

    Args:
        image_shape: `(height, width, channels)`: sides multiples of 4 and at least 16, 1 to 4
            channels.
        latent_dim: Positive integer: the components of a latent vector.
        filters: Two positive integers: channels at a quarter and at half of the image's size.
        kernel_size: Positive integer: the side of the kernels. By default 5 after
            nearest-neighbour upsampling, and 4 for transposed convolutions: a multiple of the
            stride makes no checkerboard pattern.
        upsampling: `"transposed"` convolutions with stride 2, or `"nearest"`: repeat pixels,
            then convolve. By default transposed for grey images and nearest for others.
        batch_norm: Whether to normalize after the dense layer and the first convolution.
        momentum: Of the moving averages in batch normalization, in [0, 1).
        latent_categories: Integer, 0 or from 2 to `latent_dim`: how many of the latent
            components, the last ones, choose a category. The largest of them becomes a constant,
            the others 0; normal latents choose each category equally often. Without categories
            the generator is continuous. Where the images fall into groups, such as digits, some
            latents must then lead to images between two groups (Khayatkhoei et al., arXiv
            1806.00880). These are the categories of InfoGAN (Chen et al., arXiv 1606.03657)
            without its loss, so that training decides what they stand for.
        dtype: Dtype policy of all layers; by default Keras's global policy.
        seed: Integer that sets the initial weights.
        name: Name of the model.

    Returns:
        A `keras.Model` from latents `(batch, latent_dim)` to images `(batch, *image_shape)`,
        float32 in [-1, 1].

    Raises:
        ValueError: On arguments out of range, or where training takes more memory than there is.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.models import build_generator

    generator = build_generator((16, 16, 1), latent_dim=8, filters=(8, 4), seed=0)
    images = generator(np.zeros((2, 8), "float32"))  # (2, 16, 16, 1)
    ```
    """
    height, width, channels = check_image_shape(image_shape)
    grey = channels == 1
    first, second = check_filters(filters, count=2)
    upsampling = upsampling or ("transposed" if grey else "nearest")
    check_choice("upsampling", upsampling, ("transposed", "nearest"))
    if kernel_size is None:
        kernel_size = 4 if upsampling == "transposed" else 5
    check_positive(latent_dim=latent_dim)
    check_kernel_size(kernel_size, (height, width))
    check_bool(batch_norm=batch_norm)
    check_share(momentum=momentum)
    check_latent_categories(latent_categories, latent_dim)
    grid = (height // 4, width // 4, first)
    size = Size()
    size.dense(latent_dim, math.prod(grid))
    size.convolution((height // 2, width // 2), first, second, kernel_size)
    size.convolution((height, width), second, channels, kernel_size)
    size.check(
        "generator",
        image_shape=image_shape,
        latent_dim=latent_dim,
        filters=filters,
        kernel_size=kernel_size,
    )
    weights = NormalWeights(seed)

    def normalize(features: Tensor) -> Tensor:
        if batch_norm:
            features = layers.BatchNormalization(momentum=momentum, dtype=dtype)(features)
        return layers.ReLU(dtype=dtype)(features)

    def double(features: Tensor, filters: int, use_bias: bool) -> Tensor:
        options = {
            "padding": "same",
            "use_bias": use_bias,
            "kernel_initializer": weights(),
            "data_format": "channels_last",
            "dtype": dtype,
        }
        if upsampling == "transposed":
            return layers.Conv2DTranspose(filters, kernel_size, strides=2, **options)(features)
        larger = layers.UpSampling2D(2, data_format="channels_last", dtype=dtype)(features)
        return layers.Conv2D(filters, kernel_size, **options)(larger)

    inputs = latents = keras.Input((latent_dim,), name="latents")
    if latent_categories:
        latents = _choose_categories(inputs, latent_categories)
    features = layers.Dense(
        math.prod(grid),
        use_bias=not batch_norm,
        kernel_initializer=weights(),
        dtype=dtype,
    )(latents)
    features = normalize(layers.Reshape(grid, dtype=dtype)(features))
    features = normalize(double(features, second, use_bias=not batch_norm))
    features = double(features, channels, use_bias=True)
    images = layers.Activation("tanh", dtype="float32", name="images")(features)
    return keras.Model(inputs, images, name=name)


def _choose_categories(latents: Tensor, count: int) -> Tensor:
    """Turn the last `count` components into the one-hot vector of their largest.

    The vector is scaled so that its components have a mean square of 1, as normal ones do. Keras's
    own operations do this, so that the model loads without this package. They compute in the
    float32 of the inputs, so that a latent vector has the same category under every dtype policy.
    """
    kept, choosing = ops.split(latents, [latents.shape[-1] - count], axis=-1)
    chosen = ops.one_hot(ops.argmax(choosing, axis=-1), count) * math.sqrt(count)
    return ops.concatenate([kept, chosen], axis=-1)
