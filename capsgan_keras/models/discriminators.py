"""The two discriminators: capsules, and convolutions only."""

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
from capsgan_keras.layers import CapsuleLayer, Length, PrimaryCap, SelectClass
from capsgan_keras.layers.differentiable_augmentation import check_augmentation
from capsgan_keras.models.classes import check_classes, class_embedding, class_input, one_hot
from capsgan_keras.models.convolutions import (
    ACTIVATIONS,
    augmented,
    check_kernels_fit,
    convolutions,
    convolutions_size,
    dropped,
    normalized_spectrally,
)
from capsgan_keras.models.initial_weights import INITIALIZERS, InitialWeights
from capsgan_keras.models.sizes import convolved
from capsgan_keras.routing.choice import check_gives_probabilities
from capsgan_keras.types import DType

_NINES_FIT = 24
"""Smallest side at which two valid 9x9 convolutions leave primary capsules to choose from."""


def build_capsule_discriminator(
    image_shape: tuple[int, int, int],
    filters: int | Sequence[int] | None = None,
    kernel_size: int | None = None,
    strides: int | None = None,
    padding: str | None = None,
    batch_norm: bool | None = None,
    momentum: float = 0.9,
    n_channels: int | None = None,
    primary_dim_capsule: int = 8,
    num_capsule: int = 1,
    dim_capsule: int = 16,
    routing: str = "dynamic",
    routings: int = 3,
    dropout: float = 0.0,
    hidden_activation: str = "leaky_relu",
    initializer: str | None = None,
    spectral_normalization: bool = False,
    augmentation: Sequence[str] = (),
    num_classes: int | None = None,
    dtype: DType = None,
    seed: int | None = None,
    name: str = "capsule_discriminator",
) -> keras.Model:
    """Build the capsule discriminator of CapsuleGAN (arXiv 1802.06167, section 3).

    It has convolutions, primary capsules, and one final capsule. The length of the final capsule
    is the probability that the image is real. With one final capsule dynamic routing has no effect
    (see `CapsuleLayer`).

    The defaults follow `image_shape`:

    - Grey images with sides of at least 24 get the paper's layout with fewer filters. A valid 9x9
      convolution (32 filters, normalized) comes before 9x9 primary capsules of 4 types with
      stride 2. The paper's own width is `filters=256, n_channels=32, batch_norm=False`.
    - Other images get two 5x5 convolutions with stride 2 (64 and 128 filters, same padding, not
      normalized) before 5x5 primary capsules of 16 types with stride 2. Two valid 9x9
      convolutions would not fit them, or would hardly see their border.

    Args:
        image_shape: `(height, width, channels)`: sides multiples of 4 and at least 16, 1 to 4
            channels.
        filters: Positive integer or a sequence of them: one convolution each.
        kernel_size: Positive integer: kernels of the convolutions and the primary capsules.
        strides: Positive integer: strides of the convolutions. Primary capsules have stride 2.
        padding: `"valid"` or `"same"`, for the convolutions and the primary capsules.
        batch_norm: Whether the last convolution is normalized; primary capsules never are. Real
            and generated images are normalized in separate batches, which hides their contrast.
        momentum: Of the moving averages in batch normalization, in [0, 1).
        n_channels: Positive integer: types of primary capsules.
        primary_dim_capsule: Positive integer: components of a primary capsule.
        num_capsule: 1 (the paper), or 2: one for real and one for generated images, so that
            routing has something to decide.
        dim_capsule: Positive integer: components of a final capsule.
        routing: `"dynamic"`, `"leaky"` or `"self_attention"`, as in `CapsuleLayer`. Others are
            refused: the lengths of their capsules are no probabilities.
        routings: As in `CapsuleLayer`.
        dropout: Rate of dropout before the primary capsules, in [0, 1).
        hidden_activation: After the convolutions: `"leaky_relu"` with slope 0.2, or `"relu"`.
        initializer: Of the convolutions' weights: `"normal"` with standard deviation 0.02,
            `"he"` or `"glorot"`. By default normal where one is normalized, and else He's.
        spectral_normalization: Whether all layers with a kernel are wrapped in
            `SpectralNormalization`.
        augmentation: What is changed at random in all images, real and generated, in training:
            any of `"color"`, `"translation"` (by up to an eighth of a side) and `"cutout"` (of half
            of the sides). Gradients pass it (Zhao et al. 2020, arXiv 2006.10738).
        num_classes: Integer of at least 2, with `num_capsule=1`: one final capsule for each class,
            among which routing decides. The model takes the list of images and labels, int32
            `(batch,)`, and gives the length of the label's own capsule.
        dtype: Dtype policy of all layers but the last two, which stay in float32; by default
            Keras's global policy.
        seed: Integer that sets the initial weights and the dropout.
        name: Name of the model.

    Returns:
        A `keras.Model` from images `(batch, *image_shape)` in [-1, 1] to the lengths
        `(batch, num_capsule)` of the final capsules, float32 in [0, 1); the first is the
        probability of being real. With classes, from images and labels to `(batch, 1)`.

    Raises:
        ValueError: On arguments out of range, where the kernels do not fit the image, or where
            training takes more memory than there is.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.models import build_capsule_discriminator

    discriminator = build_capsule_discriminator((28, 28, 1), filters=8, n_channels=1, seed=0)
    scores = discriminator(np.zeros((2, 28, 28, 1), "float32"))  # (2, 1), in [0, 1)
    ```
    """
    shape = check_image_shape(image_shape)
    check_choice("num_capsule", num_capsule, (1, 2))
    check_classes(num_classes, num_capsule=(num_capsule, 1))
    check_choice("initializer", initializer, INITIALIZERS)
    check_gives_probabilities(routing)
    if shape[2] == 1 and min(shape[:2]) >= _NINES_FIT:
        layout: dict[str, Any] = {
            "filters": (32,),
            "kernel_size": 9,
            "strides": 1,
            "padding": "valid",
            "batch_norm": True,
            "n_channels": 4,
        }
    else:
        layout = {
            "filters": (64, 128),
            "kernel_size": 5,
            "strides": 2,
            "padding": "same",
            "batch_norm": False,
            "n_channels": 16,
        }
    given = {
        "filters": None if filters is None else check_filters(filters),
        "kernel_size": kernel_size,
        "strides": strides,
        "padding": padding,
        "batch_norm": batch_norm,
        "n_channels": n_channels,
    }
    layout |= {"activation": hidden_activation, "downsampling": "strides", "dropout": 0.0}
    check_bool(spectral_normalization=spectral_normalization)
    layout["spectral_normalization"] = spectral_normalization
    augmentation = check_augmentation(augmentation)
    check_choice("hidden_activation", hidden_activation, ACTIVATIONS)
    check_share(momentum=momentum, dropout=dropout)
    layout |= {key: value for key, value in given.items() if value is not None}
    check_bool(batch_norm=layout["batch_norm"])
    check_choice("padding", layout["padding"], ("valid", "same"))
    check_positive(
        strides=layout["strides"],
        n_channels=layout["n_channels"],
        primary_dim_capsule=primary_dim_capsule,
        dim_capsule=dim_capsule,
    )
    check_kernels_fit(shape, layout)
    size, sides, channels = convolutions_size(shape, layout)
    sides = convolved(sides, layout["kernel_size"], 2, layout["padding"])
    types = layout["n_channels"]
    size.convolution(sides, channels, types * primary_dim_capsule, layout["kernel_size"])
    count = num_classes or num_capsule
    size.capsules(math.prod(sides) * types, primary_dim_capsule, count, dim_capsule)
    size.check(
        "capsule discriminator",
        image_shape=image_shape,
        filters=layout["filters"],
        kernel_size=layout["kernel_size"],
        n_channels=types,
        primary_dim_capsule=primary_dim_capsule,
        dim_capsule=dim_capsule,
    )
    weights = InitialWeights(seed)

    images = keras.Input(shape, name="images")
    normalized = (len(layout["filters"]) - 1,) if layout["batch_norm"] else ()
    # Squash is flat for short vectors. Without normalization, weights that keep the scale of the
    # features start the lengths where squash has a slope. With it, larger weights learn less.
    kind = initializer or ("normal" if layout["batch_norm"] else "he")
    features = augmented(images, augmentation, weights)
    features = convolutions(
        features, layout, normalized, momentum, dtype, weights.of_kind(kind), weights
    )
    features = dropped(features, dropout, dtype, weights)
    primary_capsules = PrimaryCap(
        dim_capsule=primary_dim_capsule,
        n_channels=layout["n_channels"],
        kernel_size=layout["kernel_size"],
        strides=2,
        padding=layout["padding"],
        kernel_initializer=weights.glorot(),
        dtype=dtype,
        name="primary_capsules",
    )
    final_capsules = CapsuleLayer(
        count,
        dim_capsule,
        routing=routing,
        routings=routings,
        kernel_initializer=weights.sharing(num_classes or 1),
        dtype="float32",
        name="final_capsules",
    )
    for layer in (primary_capsules, final_capsules):
        features = normalized_spectrally(layer, spectral_normalization)(features)
    lengths = Length(dtype="float32", name="lengths")(features)
    if num_classes is None:
        return keras.Model(images, lengths, name=name)
    labels = class_input()
    return keras.Model([images, labels], SelectClass(dtype="float32")([lengths, labels]), name=name)


def build_convolutional_discriminator(
    image_shape: tuple[int, int, int],
    filters: int | Sequence[int] = (64, 128),
    kernel_size: int = 5,
    batch_norm: bool = True,
    momentum: float = 0.9,
    activation: str = "sigmoid",
    dropout: float = 0.0,
    downsampling: str = "strides",
    hidden_activation: str = "leaky_relu",
    convolution_dropout: float = 0.0,
    units: int | None = None,
    head: str = "dense",
    initializer: str | None = None,
    spectral_normalization: bool = False,
    augmentation: Sequence[str] = (),
    num_classes: int | None = None,
    dtype: DType = None,
    seed: int | None = None,
    name: str = "convolutional_discriminator",
) -> keras.Model:
    """Build a discriminator after the DCGAN guidelines (Radford et al., arXiv 1511.06434).

    Convolutions with stride 2 and LeakyReLU(0.2), batch normalization on all but the first, one
    output.

    Args:
        image_shape: `(height, width, channels)`: sides multiples of 4 and at least 16, 1 to 4
            channels.
        filters: Positive integer or a sequence of them: one convolution each.
        kernel_size: Positive integer: the side of the kernels.
        batch_norm: Whether all convolutions but the first are normalized. Training normalizes
            real and generated images in separate batches; scoring uses moving averages over both.
            So the scores of `GAN.discriminate` differ from those in training. Without
            normalization the initial weights are He's.
        momentum: Of the moving averages in batch normalization, in [0, 1).
        activation: Of the output: `"sigmoid"`, or `"linear"` for losses on logits.
        dropout: Rate of dropout before the output, in [0, 1).
        downsampling: What halves the image's sides at each convolution: `"strides"`, or
            `"max_pooling"` after it.
        hidden_activation: After the convolutions: `"leaky_relu"` with slope 0.2, or `"relu"`.
        convolution_dropout: Rate of dropout after each convolution, in [0, 1).
        units: Positive integer: units of a dense layer with LeakyReLU(0.2) before the output; None
            for no such layer.
        head: What makes the output: a `"dense"` layer, or the `"average"` over all places of one
            more convolution.
        initializer: As in `build_capsule_discriminator`, for all weights.
        spectral_normalization: As in `build_capsule_discriminator`.
        augmentation: As in `build_capsule_discriminator`.
        num_classes: Integer of at least 2, with the head `"dense"`: a projection discriminator
            (Miyato and Koyama 2018, arXiv 1802.05637), which adds to its output the dot product
            of the features with a vector of the class. The model takes the list of images and
            labels, int32 `(batch,)`.
        dtype: Dtype policy of all layers but the last activation, which stays in float32; by
            default Keras's global policy.
        seed: Integer that sets the initial weights and the dropout.
        name: Name of the model.

    Returns:
        A `keras.Model` from images `(batch, *image_shape)` in [-1, 1] to `(batch, 1)`, float32:
        with the sigmoid the probability of being real.

    Raises:
        ValueError: On arguments out of range, or where training takes more memory than there is.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.models import build_convolutional_discriminator

    discriminator = build_convolutional_discriminator((16, 16, 1), filters=(4, 8), seed=0)
    scores = discriminator(np.zeros((2, 16, 16, 1), "float32"))  # (2, 1), in (0, 1)
    ```
    """
    shape = check_image_shape(image_shape)
    check_kernel_size(kernel_size, shape)
    check_share(momentum=momentum, dropout=dropout)
    check_bool(batch_norm=batch_norm)
    filters = check_filters(filters)
    check_share(convolution_dropout=convolution_dropout)
    check_choice("downsampling", downsampling, ("strides", "max_pooling"))
    check_choice("hidden_activation", hidden_activation, ACTIVATIONS)
    check_choice("head", head, ("dense", "average"))
    check_choice("initializer", initializer, INITIALIZERS)
    check_choice("activation", activation, ("sigmoid", "linear"))
    if units is not None:
        check_positive(units=units)
        if head == "average":
            raise ValueError(
                f"`units` is for the head 'dense'. Received: units={units}, head='average'"
            )
    check_classes(num_classes, head=(head, "dense"))
    check_bool(spectral_normalization=spectral_normalization)
    augmentation = check_augmentation(augmentation)
    layout = {
        "filters": filters,
        "kernel_size": kernel_size,
        "strides": 2,
        "padding": "same",
        "downsampling": downsampling,
        "activation": hidden_activation,
        "dropout": convolution_dropout,
        "spectral_normalization": spectral_normalization,
    }
    size, sides, channels = convolutions_size(shape, layout)
    if head == "average":
        size.convolution(sides, channels, 1, kernel_size)
    else:
        size.dense(math.prod(sides) * channels, units or 1 + (num_classes or 0))
    size.check(
        "convolutional discriminator",
        image_shape=image_shape,
        filters=filters,
        kernel_size=kernel_size,
    )
    weights = InitialWeights(seed)
    images = keras.Input(shape, name="images")
    normalized = range(1, len(filters)) if batch_norm else range(0)
    # As in the capsule discriminator: without normalization, weights have to keep the scale.
    kind = initializer or ("normal" if batch_norm else "he")
    features = augmented(images, augmentation, weights)
    features = convolutions(
        features, layout, normalized, momentum, dtype, weights.of_kind(kind), weights
    )
    last = weights.of_kind(initializer or "normal")
    if head == "average":
        features = dropped(features, dropout, dtype, weights)
        convolution = layers.Conv2D(
            1,
            kernel_size,
            padding="same",
            data_format="channels_last",
            kernel_initializer=last(),
            dtype=dtype,
        )
        places = normalized_spectrally(convolution, spectral_normalization)(features)
        logits = layers.GlobalAveragePooling2D(
            data_format="channels_last", dtype=dtype, name="logits"
        )(places)
    else:
        features = layers.Flatten(dtype=dtype)(features)
        if units is not None:
            dense = layers.Dense(units, kernel_initializer=last(), dtype=dtype)
            features = normalized_spectrally(dense, spectral_normalization)(features)
            features = layers.LeakyReLU(0.2, dtype=dtype)(features)
        features = dropped(features, dropout, dtype, weights)
        dense = layers.Dense(1, kernel_initializer=last(), dtype=dtype, name="logits")
        logits = normalized_spectrally(dense, spectral_normalization)(features)
    inputs = images
    if num_classes is not None:
        inputs = [images, class_input()]
        embedding = class_embedding(features.shape[-1], last(), dtype)
        embedding = normalized_spectrally(embedding, spectral_normalization)
        vectors = embedding(one_hot(inputs[1], num_classes))
        projection = layers.Dot(axes=1, dtype=dtype, name="projection")([features, vectors])
        logits = layers.Add(dtype=dtype)([logits, projection])
    output = layers.Activation(activation, dtype="float32", name="output")(logits)
    return keras.Model(inputs, output, name=name)
