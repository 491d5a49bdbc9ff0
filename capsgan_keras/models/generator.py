"""The generator that both GANs share."""

import math
from collections.abc import Sequence

import keras
from keras import layers, ops

from capsgan_keras.checks import (
    check_bool,
    check_choice,
    check_each,
    check_filters,
    check_image_shape,
    check_kernel_size,
    check_latent_categories,
    check_positive,
    check_share,
)
from capsgan_keras.models.convolutions import activated
from capsgan_keras.models.initial_weights import InitialWeights
from capsgan_keras.models.sizes import Size
from capsgan_keras.types import DType, Tensor

CATEGORY_OFFSETS = "category_offsets"
"""Name of the layer whose biases set how often each category is chosen."""


def build_generator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 100,
    filters: Sequence[int] = (128, 64),
    kernel_size: int | None = None,
    upsampling: str | None = None,
    batch_norm: bool = True,
    momentum: float = 0.9,
    latent_categories: int = 0,
    scales: Sequence[int] | None = None,
    activation: str = "relu",
    output: str = "tanh",
    batch_statistics: bool = False,
    last_kernel_size: int | None = None,
    initializer: str = "normal",
    learn_category_shares: bool = False,
    dtype: DType = None,
    seed: int | None = None,
    name: str = "generator",
) -> keras.Model:
    """Build a generator after the DCGAN guidelines (Radford et al., arXiv 1511.06434).

    A dense layer makes a small grid, and convolutions follow, which may double its height and
    width. Batch normalization and ReLU follow all of them but the last, which ends in tanh. By
    default the grid has a quarter of the image's sides, and two convolutions double it.

    Args:
        image_shape: `(height, width, channels)`: sides multiples of 4 and at least 16, 1 to 4
            channels.
        latent_dim: Positive integer: the components of a latent vector.
        filters: Two positive integers, or as many as `scales`: channels of the grid and of each
            convolution but the last.
        kernel_size: Positive integer: the side of the kernels. By default 5 after
            nearest-neighbour upsampling, and 4 for transposed convolutions: a multiple of the
            stride makes no checkerboard pattern.
        upsampling: `"transposed"` convolutions with stride 2, or `"nearest"`: repeat pixels,
            then convolve. By default transposed for grey images and nearest for others.
        batch_norm: Whether to normalize after the dense layer and the first convolution.
        momentum: Of the moving averages in batch normalization, in [0, 1).
        latent_categories: Integer, 0 or from 2 to `latent_dim`: how many of the latent
            components, the last ones, choose a category. The largest of them becomes a constant,
            the others 0; normal latents choose each category equally often, unless their shares
            are learned. Without categories the generator is continuous. Where the images fall into
            groups, such as digits, some latents must then lead to images between two groups
            (Khayatkhoei et al., arXiv 1806.00880). These are the categories of InfoGAN (Chen et
            al., arXiv 1606.03657) without its loss, so that training decides what they stand for.
        scales: For each convolution, as many as `filters`: 2 where it doubles height and width, 1
            where it keeps them. By default there are two, and both double.
        activation: `"relu"`, or `"leaky_relu"` with slope 0.2.
        output: `"tanh"`, or `"sigmoid"`, whose values in (0, 1) are mapped to (-1, 1).
        batch_statistics: Whether batch normalization takes each batch's own statistics when images
            are generated, too, as in training. An image then depends on the others of its batch.
        last_kernel_size: Positive integer: the side of the last convolution's kernels; by default
            `kernel_size`.
        initializer: Of the weights: `"normal"`, DCGAN's with standard deviation 0.02, `"he"` or
            `"glorot"`.
        learn_category_shares: Whether `GAN.learn_category_shares` can set how often each category
            is chosen, once training is over. It needs `latent_categories`.
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
    first, *others = check_filters(filters, count=2 if scales is None else None)
    widths = (*others, channels)
    scales = (2, 2) if scales is None else scales
    check_each("scales", scales, (1, 2), len(widths))
    check_choice("upsampling", upsampling, (None, "transposed", "nearest"))
    upsampling = upsampling or ("transposed" if grey else "nearest")
    check_choice("activation", activation, ("relu", "leaky_relu"))
    check_choice("output", output, ("tanh", "sigmoid"))
    if kernel_size is None:
        kernel_size = 4 if upsampling == "transposed" else 5
    check_positive(latent_dim=latent_dim)
    check_kernel_size(kernel_size, (height, width))
    if last_kernel_size is not None:
        check_kernel_size(last_kernel_size, (height, width), "last_kernel_size")
    kernel_sizes = (*[kernel_size] * len(others), last_kernel_size or kernel_size)
    check_bool(batch_norm=batch_norm, batch_statistics=batch_statistics)
    check_share(momentum=momentum)
    check_latent_categories(latent_categories, latent_dim)
    check_bool(learn_category_shares=learn_category_shares)
    if learn_category_shares and not latent_categories:
        raise ValueError(
            "`learn_category_shares` needs `latent_categories`. "
            "Received: learn_category_shares=True, latent_categories=0"
        )
    whole = math.prod(scales)
    if height % whole or width % whole:
        raise ValueError(
            f"`scales` must divide the image's sides, {height} and {width}. "
            f"Received: scales={tuple(scales)}, in all {whole}"
        )
    grid = (height // whole, width // whole, first)
    size, scale, depth = Size(), 1, first
    size.dense(latent_dim, math.prod(grid))
    for count, side, times in zip(widths, kernel_sizes, scales, strict=True):
        scale *= times
        depth = size.convolution((grid[0] * scale, grid[1] * scale), depth, count, side)
    size.check(
        "generator",
        image_shape=image_shape,
        latent_dim=latent_dim,
        filters=filters,
        kernel_size=kernel_size,
    )
    weights = InitialWeights(seed).of_kind(initializer)

    def normalize(features: Tensor) -> Tensor:
        if batch_norm and batch_statistics:
            features = _normalize_by_batch(features, dtype)
        elif batch_norm:
            features = layers.BatchNormalization(momentum=momentum, dtype=dtype)(features)
        return activated(features, activation, dtype)

    def convolve(features: Tensor, index: int, use_bias: bool) -> Tensor:
        options = {
            "padding": "same",
            "use_bias": use_bias,
            "kernel_initializer": weights(),
            "data_format": "channels_last",
            "dtype": dtype,
        }
        filters, side = widths[index], kernel_sizes[index]
        if scales[index] == 2 and upsampling == "transposed":
            return layers.Conv2DTranspose(filters, side, strides=2, **options)(features)
        if scales[index] == 2:
            features = layers.UpSampling2D(2, data_format="channels_last", dtype=dtype)(features)
        return layers.Conv2D(filters, side, **options)(features)

    inputs = latents = keras.Input((latent_dim,), name="latents")
    if latent_categories:
        latents = choose_categories(inputs, latent_categories, learn_category_shares)
    features = layers.Dense(
        math.prod(grid),
        use_bias=not batch_norm,
        kernel_initializer=weights(),
        dtype=dtype,
    )(latents)
    features = normalize(layers.Reshape(grid, dtype=dtype)(features))
    for index in range(len(others)):
        features = normalize(convolve(features, index, use_bias=not batch_norm))
    features = convolve(features, len(others), use_bias=True)
    if output == "sigmoid":
        shares = layers.Activation("sigmoid", dtype="float32")(features)
        images = layers.Rescaling(2.0, -1.0, dtype="float32", name="images")(shares)
    else:
        images = layers.Activation("tanh", dtype="float32", name="images")(features)
    return keras.Model(inputs, images, name=name)


def category_offsets(generator: keras.Model) -> keras.layers.Layer | None:
    """Return the layer whose biases set the shares of categories; None where there is none."""
    for layer in generator._flatten_layers():
        if layer.name == CATEGORY_OFFSETS:
            return layer
    return None


def _normalize_by_batch(features: Tensor, dtype: DType) -> Tensor:
    """Normalize each channel by the mean and variance of its batch, then scale and shift it.

    Batch normalization would take moving averages when images are generated. Keras's own
    operations do this, so that the model loads without this package; in float32, as batch
    normalization does.
    """
    shape = features.shape[1:]
    features = ops.cast(features, "float32")
    mean, variance = ops.moments(features, axes=(0, 1, 2), keepdims=True)
    features = (features - mean) / ops.sqrt(variance + 1e-3)  # the epsilon of Keras's layer
    scaled = layers.EinsumDense(
        "bhwc,c->bhwc", shape, bias_axes="c", kernel_initializer="ones", dtype=dtype
    )
    return scaled(features)


def choose_categories(latents: Tensor, count: int, learn_shares: bool = False) -> Tensor:
    """Turn the last `count` components into the one-hot vector of their largest.

    Where shares are learned, an offset is added to each component before. No gradient reaches the
    offsets.

    The vector is scaled so that its components have a mean square of 1, as normal ones do. Keras's
    own operations do this, so that the model loads without this package. They compute in the
    float32 of the inputs, so that a latent vector has the same category under every dtype policy.
    """
    kept, choosing = ops.split(latents, [latents.shape[-1] - count], axis=-1)
    if learn_shares:
        choosing = layers.EinsumDense(
            "bk,k->bk",
            (count,),
            bias_axes="k",
            kernel_initializer="ones",
            trainable=False,
            dtype="float32",
            name=CATEGORY_OFFSETS,
        )(choosing)
    chosen = ops.one_hot(ops.argmax(choosing, axis=-1), count) * math.sqrt(count)
    return ops.concatenate([kept, chosen], axis=-1)
