"""The discriminator of a BiGAN, which sees images and their codes together."""

import math
from collections.abc import Sequence

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
from capsgan_keras.layers import CapsuleLayer, Length, PrimaryCap
from capsgan_keras.layers.differentiable_augmentation import check_augmentation
from capsgan_keras.models.convolutions import (
    ACTIVATIONS,
    augmented,
    convolutions,
    convolutions_size,
    dropped,
    normalized_spectrally,
)
from capsgan_keras.models.encoders import hidden_layer, strided_layout
from capsgan_keras.models.initial_weights import INITIALIZERS, InitialWeights
from capsgan_keras.types import DType, Tensor


def build_joint_discriminator(
    image_shape: tuple[int, int, int],
    latent_dim: int = 100,
    head: str = "capsule",
    filters: int | Sequence[int] = (32, 64, 128),
    kernel_size: int = 5,
    code_units: int = 256,
    units: int = 512,
    n_channels: int = 16,
    primary_dim_capsule: int = 8,
    dim_capsule: int = 16,
    dropout: float = 0.0,
    hidden_activation: str = "leaky_relu",
    activation: str = "sigmoid",
    initializer: str | None = None,
    spectral_normalization: bool = False,
    augmentation: Sequence[str] = (),
    dtype: DType = None,
    seed: int | None = None,
    name: str = "joint_discriminator",
) -> keras.Model:
    """Build the discriminator of a BiGAN, of images and codes (Donahue et al., arXiv 1605.09782).

    Convolutions with stride 2 see the image, a dense layer sees the code, and another dense layer
    sees the outputs of both. The head makes the probability that image and code are a real image
    with its code: the length of a capsule, for the margin loss, or a dense layer's output, for
    cross-entropy. Nothing is normalized by batches, which would set real and generated pairs
    apart.

    Args:
        image_shape: `(height, width, channels)`: sides multiples of 4 and at least 16, 1 to 4
            channels.
        latent_dim: Positive integer: the components of a code.
        head: `"capsule"`: primary capsules and one final capsule, as in
            `build_capsule_discriminator`; or `"dense"`.
        filters: Positive integer or a sequence of them: one convolution each.
        kernel_size: Positive integer: the side of the kernels.
        code_units: Positive integer: units of the layer that sees the code.
        units: Positive integer: units of the layer that sees both.
        n_channels: Positive integer: primary capsules of the capsule head.
        primary_dim_capsule: Positive integer: components of a primary capsule.
        dim_capsule: Positive integer: components of the final capsule.
        dropout: Rate of dropout before the head, in [0, 1).
        hidden_activation: After all layers but the head's: `"leaky_relu"` with slope 0.2, or
            `"relu"`.
        activation: Of the dense head: `"sigmoid"`, or `"linear"` for losses on logits or scores.
        initializer: Of the weights of all layers but the head's: `"normal"` with standard
            deviation 0.02, `"he"` or `"glorot"`. By default He's.
        spectral_normalization: As in `build_capsule_discriminator`.
        augmentation: As in `build_capsule_discriminator`: of images alone, beside codes of the
            images as they are.
        dtype: Dtype policy of all layers but the last two, which stay in float32; by default
            Keras's global policy.
        seed: Integer that sets the initial weights and the dropout.
        name: Name of the model.

    Returns:
        A `keras.Model` from `[images, codes]`, of shapes `(batch, *image_shape)` with values in
        [-1, 1] and `(batch, latent_dim)`, to `(batch, 1)`, float32: with a capsule, or a sigmoid,
        the probability of being real.

    Raises:
        ValueError: On arguments out of range, or where training takes more memory than there is.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.models import build_joint_discriminator

    discriminator = build_joint_discriminator((16, 16, 1), latent_dim=8, filters=8, seed=0)
    pairs = [np.zeros((2, 16, 16, 1), "float32"), np.zeros((2, 8), "float32")]
    scores = discriminator(pairs)  # (2, 1), in [0, 1)
    ```
    """
    shape = check_image_shape(image_shape)
    check_positive(latent_dim=latent_dim)
    check_choice("head", head, ("capsule", "dense"))
    filters = check_filters(filters)
    check_kernel_size(kernel_size, shape)
    check_positive(
        code_units=code_units,
        units=units,
        n_channels=n_channels,
        primary_dim_capsule=primary_dim_capsule,
        dim_capsule=dim_capsule,
    )
    check_share(dropout=dropout)
    check_choice("hidden_activation", hidden_activation, ACTIVATIONS)
    check_choice("activation", activation, ("sigmoid", "linear"))
    check_choice("initializer", initializer, INITIALIZERS)
    if head == "capsule" and activation != "sigmoid":
        raise ValueError(
            "`activation` is for the head 'dense': the length of a capsule has none. "
            f"Received: activation={activation!r}, head='capsule'"
        )
    check_bool(spectral_normalization=spectral_normalization)
    augmentation = check_augmentation(augmentation)
    layout = strided_layout(filters, kernel_size, hidden_activation)
    layout["spectral_normalization"] = spectral_normalization
    size, sides, channels = convolutions_size(shape, layout)
    seen = math.prod(sides) * channels + size.dense(latent_dim, code_units)
    size.dense(seen, units)
    if head == "capsule":
        size.dense(units, n_channels * primary_dim_capsule)
        size.capsules(n_channels, primary_dim_capsule, 1, dim_capsule)
    size.check(
        "joint discriminator",
        image_shape=image_shape,
        latent_dim=latent_dim,
        filters=filters,
        kernel_size=kernel_size,
        code_units=code_units,
        units=units,
        n_channels=n_channels,
        primary_dim_capsule=primary_dim_capsule,
        dim_capsule=dim_capsule,
    )
    weights = InitialWeights(seed)

    def hidden(features: Tensor, count: int) -> Tensor:
        rest = initializer, dtype, weights, spectral_normalization
        return hidden_layer(features, count, hidden_activation, *rest)

    def normalized(layer: keras.layers.Layer) -> keras.layers.Layer:
        return normalized_spectrally(layer, spectral_normalization)

    images = keras.Input(shape, name="images")
    codes = keras.Input((latent_dim,), name="codes")
    kind = weights.of_kind(initializer or "he")
    features = augmented(images, augmentation, weights)
    features = convolutions(features, layout, (), 0.0, dtype, kind, weights)
    both = [layers.Flatten(dtype=dtype)(features), hidden(codes, code_units)]
    features = hidden(layers.Concatenate(dtype=dtype)(both), units)
    features = dropped(features, dropout, dtype, weights)
    if head == "dense":
        dense = layers.Dense(1, kernel_initializer=weights(), dtype=dtype, name="logits")
        logits = normalized(dense)(features)
        output = layers.Activation(activation, dtype="float32", name="output")(logits)
        return keras.Model([images, codes], output, name=name)
    # A convolution over one place, so that primary capsules are here what they are elsewhere.
    primary = PrimaryCap(
        dim_capsule=primary_dim_capsule,
        n_channels=n_channels,
        kernel_size=1,
        kernel_initializer=weights.glorot(),
        dtype=dtype,
        name="primary_capsules",
    )
    final = CapsuleLayer(
        1,
        dim_capsule,
        kernel_initializer=weights.glorot(),
        dtype="float32",
        name="final_capsule",
    )
    places = layers.Reshape((1, 1, units), dtype=dtype)(features)
    capsules = normalized(final)(normalized(primary)(places))
    lengths = Length(dtype="float32", name="lengths")(capsules)
    return keras.Model([images, codes], lengths, name=name)
