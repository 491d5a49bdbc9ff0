"""The capsule classifier of Sabour et al."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from capsgan_keras.checks import check_filters, check_positive, is_whole
from capsgan_keras.layers import CapsuleLayer, Length, Mask, PrimaryCap
from capsgan_keras.layers.sublayers import from_config_with_sublayers, sublayer_states
from capsgan_keras.models.sizes import Size, convolved
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class CapsNet(keras.Model):
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
        routings: Integer, at least 1.
        kernel_size: Positive integer: kernels of the convolution and the primary capsules.
        decoder_units: Sequence of positive integers: the decoder's hidden layers.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras model.

    Input shape: images `(batch, *image_shape)`, floats in [0, 1] or uint8, which the model scales;
    or a pair of these and one-hot labels `(batch, num_classes)`. So may be the images to
    reconstruct.

    Output shape: a dictionary of `"lengths"` `(batch, num_classes)` in [0, 1), and
    `"reconstruction"` `(batch, *image_shape)` in [0, 1].

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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(
            num_classes=num_classes,
            filters=filters,
            n_channels=n_channels,
            primary_dim_capsule=primary_dim_capsule,
            dim_capsule=dim_capsule,
            kernel_size=kernel_size,
        )
        self.image_shape = _checked_shape(image_shape, kernel_size)
        self.num_classes = int(num_classes)
        self.filters = int(filters)
        self.n_channels = n_channels
        self.primary_dim_capsule = primary_dim_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings
        self.kernel_size = kernel_size
        self.decoder_units = check_filters(decoder_units, name="decoder_units")
        policy = self.dtype_policy
        self._check_size()

        images = keras.Input(self.image_shape, name="images")
        features = layers.Conv2D(
            filters,
            kernel_size,
            activation="relu",
            data_format="channels_last",
            kernel_initializer="he_normal",  # short features would make short capsules
            dtype=policy,
        )(images)
        features = PrimaryCap(
            primary_dim_capsule, n_channels, kernel_size, strides=2, dtype=policy
        )(features)
        capsules = CapsuleLayer(num_classes, dim_capsule, routings=routings, dtype=policy)(features)
        self.encoder = keras.Model(images, capsules, name="encoder")

        masked = keras.Input((num_classes * dim_capsule,), name="masked_capsules")
        features = masked
        for units in self.decoder_units:
            features = layers.Dense(units, activation="relu", dtype=policy)(features)
        pixels = layers.Dense(
            self.image_shape[0] * self.image_shape[1] * self.image_shape[2], dtype=policy
        )(features)
        pixels = layers.Activation("sigmoid", dtype="float32")(pixels)
        pixels = layers.Reshape(self.image_shape, dtype="float32")(pixels)
        self.decoder = keras.Model(masked, pixels, name="decoder")

        self.mask = Mask(dtype=policy, name="mask")
        self.length = Length(dtype="float32", name="lengths")
        self.build((None, *self.image_shape))
        if not self.trainable:  # Keras hands it on only where it changes
            self.encoder.trainable = self.decoder.trainable = False

    def _check_size(self) -> None:
        size, kernel_size = Size(), self.kernel_size
        sides = convolved(self.image_shape[:2], kernel_size, 1, "valid")
        channels = size.convolution(sides, self.image_shape[2], self.filters, kernel_size)
        sides = convolved(sides, kernel_size, 2, "valid")
        size.convolution(sides, channels, self.n_channels * self.primary_dim_capsule, kernel_size)
        count = math.prod(sides) * self.n_channels
        size.capsules(count, self.primary_dim_capsule, self.num_classes, self.dim_capsule)
        units = self.num_classes * self.dim_capsule
        for more in (*self.decoder_units, math.prod(self.image_shape)):
            units = size.dense(units, more)
        size.check(
            "CapsNet",
            image_shape=self.image_shape,
            num_classes=self.num_classes,
            filters=self.filters,
            n_channels=self.n_channels,
            primary_dim_capsule=self.primary_dim_capsule,
            dim_capsule=self.dim_capsule,
            decoder_units=self.decoder_units,
        )

    def build(self, input_shape: Shape) -> None:
        """Build the two layers without weights; encoder and decoder are built already."""
        capsules = (None, self.num_classes, self.dim_capsule)
        self.mask.build(capsules)
        self.length.build(capsules)
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> dict[str, Tensor]:
        """Return the lengths and the reconstruction."""
        pair = isinstance(inputs, list | tuple)
        if isinstance(inputs, dict) or (pair and len(inputs) != 2):
            raise ValueError(
                "CapsNet takes images, or the pair (images, one-hot labels). "
                f"Received: {len(inputs)} inputs in a {type(inputs).__name__}"
            )
        images, labels = inputs if pair else (inputs, None)
        capsules = self.encoder(_unit_range("images", images), training=training)
        chosen = capsules if labels is None else [capsules, labels]
        return {
            "lengths": self.length(capsules),
            "reconstruction": self.decoder(self.mask(chosen), training=training),
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Return the loss as Keras does, on uint8 images to reconstruct as on those in [0, 1]."""
        return super().compute_loss(x, _scale_targets(y), y_pred, sample_weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Return the metrics as Keras does, with the targets of `compute_loss`."""
        return super().compute_metrics(x, _scale_targets(y), y_pred, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, and the state of all layers inside."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
            "filters": self.filters,
            "n_channels": self.n_channels,
            "primary_dim_capsule": self.primary_dim_capsule,
            "dim_capsule": self.dim_capsule,
            "routings": self.routings,
            "kernel_size": self.kernel_size,
            "decoder_units": self.decoder_units,
            "sublayers": sublayer_states(self),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CapsNet":
        """Return the model that `get_config` describes."""
        return from_config_with_sublayers(cls, config)


def _checked_shape(image_shape: Any, kernel_size: int) -> tuple[int, int, int]:
    shape = tuple(image_shape) if isinstance(image_shape, tuple | list) else ()
    if len(shape) != 3 or not all(is_whole(side) and side > 0 for side in shape):
        raise ValueError(
            "`image_shape` must be (height, width, channels), positive integers. "
            f"Received: image_shape={image_shape!r}"
        )
    if min(shape[:2]) < 2 * kernel_size - 1:
        raise ValueError(
            f"`image_shape` must have sides of at least {2 * kernel_size - 1}, for two valid "
            f"convolutions with `kernel_size={kernel_size}`: take larger images or a smaller "
            f"`kernel_size`. Received: image_shape={image_shape!r}"
        )
    height, width, channels = map(int, shape)
    return height, width, channels


def _unit_range(name: str, images: Tensor) -> Tensor:
    """Return uint8 images as floats in [0, 1], and floats as they are."""
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "float32") / 255.0
    return as_floating(name, images)


def _scale_targets(targets: Any) -> Any:
    if not isinstance(targets, dict) or "reconstruction" not in targets:
        return targets
    return {**targets, "reconstruction": _unit_range("reconstruction", targets["reconstruction"])}
