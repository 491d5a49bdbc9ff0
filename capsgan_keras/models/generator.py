"""The generator that both GANs share."""

import math

import keras
from keras import layers, ops

from capsgan_keras.checks import (
    check_choice,
    check_filters,
    check_image_shape,
    check_latent_categories,
    check_positive,
    check_share,
)
from capsgan_keras.models.initial_weights import NormalWeights


def build_generator(
    image_shape,
    latent_dim=100,
    filters=(128, 64),
    kernel_size=None,
    upsampling=None,
    batch_norm=True,
    momentum=0.9,
    latent_categories=0,
    dtype=None,
    seed=None,
    name="generator",
):
    """Build a generator after the DCGAN guidelines (Radford et al., arXiv 1511.06434).

    A dense layer makes a quarter-sized grid, and two upsampling steps bring it to the image's
    size; batch normalization and ReLU after all but the last, which ends in tanh.

    Args:
        image_shape: `(height, width, channels)`: sides multiples of 4 and at least 16, 1 to 4
            channels.
        latent_dim: Positive integer: the components of a latent vector.
        filters: Two positive integers: channels at a quarter and at half of the image's size.
        kernel_size: Positive integer: the side of the kernels. By default 4 for transposed
            convolutions (a multiple of the stride, so that no checkerboard is built in) and 5
            after nearest-neighbour upsampling.
        upsampling: `"transposed"` convolutions with stride 2, or `"nearest"`: repeat pixels,
            then convolve. By default transposed for grey images and nearest for others.
        batch_norm: Whether to normalize after the dense layer and the first convolution.
        momentum: Of the moving averages in batch normalization, in [0, 1).
        latent_categories: Integer: how many of the latent components, the last ones, choose a
            category: the largest of them becomes a constant, the others 0. 0 for none, else 2 to
            `latent_dim`. Normal latents choose each equally often. A generator without them is
            continuous, and where the images fall into groups, such as digits, some latents must
            lead to what lies between two groups (Khayatkhoei et al., arXiv 1806.00880). They are
            the categories of InfoGAN (Chen et al., arXiv 1606.03657) without its loss: what they
            come to stand for is left to training.
        dtype: Dtype policy of all layers; by default Keras's global policy.
        seed: Integer that sets the initial weights.
        name: Name of the model.

    Returns:
        A `keras.Model` from latents `(batch, latent_dim)` to images `(batch, *image_shape)`,
        float32 in [-1, 1].

    Raises:
        ValueError: On arguments out of range.
    """
    height, width, channels = check_image_shape(image_shape)
    grey = channels == 1
    first, second = check_filters(filters, count=2)
    upsampling = upsampling or ("transposed" if grey else "nearest")
    check_choice("upsampling", upsampling, ("transposed", "nearest"))
    kernel_size = kernel_size or (4 if upsampling == "transposed" else 5)
    check_positive(latent_dim=latent_dim, kernel_size=kernel_size)
    check_share(momentum=momentum)
    check_latent_categories(latent_categories, latent_dim)
    weights = NormalWeights(seed)

    def normalize(features):
        if batch_norm:
            features = layers.BatchNormalization(momentum=momentum, dtype=dtype)(features)
        return layers.ReLU(dtype=dtype)(features)

    def double(features, filters, use_bias):
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
    grid = (height // 4, width // 4, first)
    features = layers.Dense(
        grid[0] * grid[1] * grid[2],
        use_bias=not batch_norm,
        kernel_initializer=weights(),
        dtype=dtype,
    )(latents)
    features = normalize(layers.Reshape(grid, dtype=dtype)(features))
    features = normalize(double(features, second, use_bias=not batch_norm))
    features = double(features, channels, use_bias=True)
    images = layers.Activation("tanh", dtype="float32", name="images")(features)
    return keras.Model(inputs, images, name=name)


def _choose_categories(latents, count):
    """Turn the last `count` components into the one-hot vector of their largest.

    The 1 is scaled, so that its components have a mean square of 1, as normal ones. By operations
    of Keras, in the float32 of the inputs, so that the model loads without this package, and a
    latent vector has the same category under every dtype policy.
    """
    kept, choosing = ops.split(latents, [latents.shape[-1] - count], axis=-1)
    chosen = ops.one_hot(ops.argmax(choosing, axis=-1), count) * math.sqrt(count)
    return ops.concatenate([kept, chosen], axis=-1)
