"""The capsule classifier of Sabour et al."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from capsgan_keras.checks import check_positive
from capsgan_keras.layers import PrimaryCap
from capsgan_keras.models.capsule_classifier import CapsuleClassifier, check_sides
from capsgan_keras.models.sizes import Size, convolved
from capsgan_keras.routing.choice import Routing
from capsgan_keras.types import Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class CapsNet(CapsuleClassifier):
    """CapsNet: a capsule classifier with a decoder that redraws the image from one capsule.

    In training the decoder sees the capsule of the true class, so the labels are an input too.
    With images alone it sees the longest capsule.

    Args:
        image_shape: `(height, width, channels)`, large enough for the two valid convolutions.
        num_classes: Positive integer: one final capsule each.
        filters: Positive integer: filters of the first convolution.
        n_channels: Positive integer: types of primary capsules.
        primary_dim_capsule: Positive integer: components of a primary capsule.
        dim_capsule: Positive integer: components of a final capsule.
        routings: Integer, at least 1: iterations of a routing that is given by its name.
        kernel_size: Positive integer: kernels of the convolution and the primary capsules.
        decoder_units: Sequence of positive integers: the decoder's hidden layers.
        routing: As in `CapsuleLayer`: a name, or your own. With `"em"` activations take the place
            of lengths. With `"inverted_dot_product"` a unit that all capsules share, with a
            sigmoid, reads the poses.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras model.

    Input shape: images `(batch, *image_shape)`, floats in [0, 1] or uint8, which the model scales;
    or a pair of these and one-hot labels `(batch, num_classes)`. So may be the images to
    reconstruct.

    Output shape: a dictionary of `"lengths"` `(batch, num_classes)` in [0, 1), and
    `"reconstruction"` `(batch, *image_shape)` in [0, 1].

    Raises:
        ValueError: On arguments out of range, or a network that takes more memory than there is.

    Source: Sabour et al. 2017 (arXiv 1710.09829), section 4. Its reconstruction loss, 0.0005
    times the sum of squared errors, is 0.392 times Keras's mean squared error for 28x28 images.

    Example:

    ```python
    import keras

    from capsgan_keras import load_dataset
    from capsgan_keras.losses import MarginLoss
    from capsgan_keras.models import CapsNet

    digits = load_dataset("digits", image_size=20)
    images = digits.x_train[:64] / 255.0
    labels = keras.utils.to_categorical(digits.y_train[:64], 10)
    capsnet = CapsNet(digits.image_shape, 10, filters=8, n_channels=2, decoder_units=(32,))
    capsnet.compile(
        optimizer="adam",
        loss={"lengths": MarginLoss(), "reconstruction": "mse"},
        loss_weights={"lengths": 1.0, "reconstruction": 0.392},
        metrics={"lengths": "categorical_accuracy"},
    )
    capsnet.fit((images, labels), {"lengths": labels, "reconstruction": images})
    classes = capsnet.predict(images)["lengths"].argmax(axis=-1)
    ```
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        filters: int = 256,
        n_channels: int = 32,
        primary_dim_capsule: int = 8,
        dim_capsule: int = 16,
        routings: int = 3,
        kernel_size: int = 9,
        decoder_units: Sequence[int] = (512, 1024),
        routing: str | Routing = "dynamic",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            image_shape, num_classes, dim_capsule, routings, routing, decoder_units, **kwargs
        )
        check_positive(
            filters=filters,
            n_channels=n_channels,
            primary_dim_capsule=primary_dim_capsule,
            kernel_size=kernel_size,
        )
        check_sides(
            self.image_shape,
            2 * kernel_size - 1,
            f"two valid convolutions with `kernel_size={kernel_size}`",
            "a smaller `kernel_size`",
        )
        self.filters = int(filters)
        self.n_channels = int(n_channels)
        self.primary_dim_capsule = int(primary_dim_capsule)
        self.kernel_size = int(kernel_size)
        self._build_networks()

    def _primary_capsules(self, images: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        policy = self.dtype_policy
        features = layers.Conv2D(
            self.filters,
            self.kernel_size,
            activation="relu",
            data_format="channels_last",
            kernel_initializer="he_normal",  # short features would make short capsules
            dtype=policy,
        )(images)
        primary = PrimaryCap(
            self.primary_dim_capsule, self.n_channels, self.kernel_size, strides=2, dtype=policy
        )
        height, width = convolved(features.shape[1:3], self.kernel_size, 2, "valid")
        return primary(features), (height, width, self.n_channels)

    def _count(self, size: Size) -> tuple[int, int]:
        sides = convolved(self.image_shape[:2], self.kernel_size, 1, "valid")
        channels = size.convolution(sides, self.image_shape[2], self.filters, self.kernel_size)
        sides = convolved(sides, self.kernel_size, 2, "valid")
        grouped = self.n_channels * self.primary_dim_capsule
        size.convolution(sides, channels, grouped, self.kernel_size)
        return math.prod(sides) * self.n_channels, self.primary_dim_capsule

    def _arguments(self) -> dict[str, Any]:
        return {
            "filters": self.filters,
            "n_channels": self.n_channels,
            "primary_dim_capsule": self.primary_dim_capsule,
            "kernel_size": self.kernel_size,
        }
