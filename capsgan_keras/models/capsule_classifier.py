"""What capsule classifiers share: all but the encoder."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from capsgan_keras.checks import check_filters, check_positive, is_whole
from capsgan_keras.layers import CapsuleLayer, Length, Mask
from capsgan_keras.layers.sublayers import from_config_with_sublayers, sublayer_states
from capsgan_keras.models.sizes import Size
from capsgan_keras.routing import InvertedDotProductRouting
from capsgan_keras.routing.choice import Routing, get_routing, serialize_routing
from capsgan_keras.routing.graph import as_floating
from capsgan_keras.types import DType, Shape, Tensor

_MOMENTUM = 0.9
"""Of batch normalization: Keras's 0.99 takes more steps than a small data set has in an epoch."""
OFFSETS = tuple(round(0.05 * step, 2) for step in range(-5, 6))
"""What is added to one component of a capsule in figure 4 of Sabour et al."""


class CapsuleClassifier(keras.Model):
    """Base of `CapsNet`, `EfficientCapsNet` and `DeepCapsNet`, which describe the arguments.

    A derived class sets its own arguments as attributes, then calls `_build_networks`. It says by
    `_primary_capsules` what comes before the final capsules, and by `_count` how large that is.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int,
        dim_capsule: int,
        routings: int,
        routing: str | Routing,
        decoder_units: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_classes=num_classes, dim_capsule=dim_capsule)
        self.image_shape = _checked_shape(image_shape)
        self.num_classes = int(num_classes)
        self.dim_capsule = int(dim_capsule)
        get_routing(routing, routings, False, self.dtype_policy)  # refuses what is none
        self.routings = routings
        # A Keras layer is kept as its config: each layer of capsules gets a copy of its own.
        layered = isinstance(routing, keras.Layer)
        self._routing = serialize_routing(routing) if layered else routing
        self.decoder_units = check_filters(decoder_units, name="decoder_units")

    # ---- what a derived class says

    def _count(self, size: Size) -> tuple[int, int]:
        """Count the layers before the final capsules; return their capsules' number and size."""
        raise NotImplementedError

    def _primary_capsules(self, images: Tensor) -> tuple[Any, tuple[int, int, int]]:
        """Return the capsules that vote for the classes, in rows, and their `(h, w, types)`."""
        raise NotImplementedError

    def _arguments(self) -> dict[str, Any]:
        """Return the arguments that other capsule classifiers do not have."""
        raise NotImplementedError

    # ---- building

    def _build_networks(self) -> None:
        self._check_size()
        policy = self.dtype_policy
        images = keras.Input(self.image_shape, name="images")
        features, self._grid = self._primary_capsules(images)
        classes = CapsuleLayer(self.num_classes, self.dim_capsule, **self._routing_options())
        capsules = classes(features)
        if isinstance(classes.router, InvertedDotProductRouting):
            # Its poses have one length whatever they show. As its authors do, one unit that all
            # capsules share reads them.
            lengths = layers.Dense(1, activation="sigmoid", dtype="float32", name="reader")(
                capsules
            )
            capsules = [capsules, layers.Reshape((self.num_classes,), dtype="float32")(lengths)]
        self.encoder = keras.Model(images, capsules, name="encoder")

        masked = keras.Input((self.num_classes * self.dim_capsule,), name="masked_capsules")
        features = masked
        for units in self.decoder_units:
            features = layers.Dense(units, activation="relu", dtype=policy)(features)
        pixels = layers.Dense(math.prod(self.image_shape), dtype=policy)(features)
        pixels = layers.Activation("sigmoid", dtype="float32")(pixels)
        pixels = layers.Reshape(self.image_shape, dtype="float32")(pixels)
        self.decoder = keras.Model(masked, pixels, name="decoder")

        self.mask = Mask(dtype=policy, name="mask")
        self.length = Length(dtype="float32", name="lengths")
        self.build((None, *self.image_shape))
        if not self.trainable:  # Keras hands it on only where it changes
            self.encoder.trainable = self.decoder.trainable = False

    @property
    def routing(self) -> str | Routing:
        """The routing as it was given; of a Keras layer a copy without its weights."""
        if isinstance(self._routing, dict):
            return keras.saving.deserialize_keras_object(self._routing)
        return self._routing

    def _routing_options(self) -> dict[str, Any]:
        """Return the options of a capsule layer, with a routing of its own."""
        return {"routings": self.routings, "routing": self.routing, "dtype": self.dtype_policy}

    def _check_size(self) -> None:
        size = Size()
        size.capsules(*self._count(size), self.num_classes, self.dim_capsule)
        units = self.num_classes * self.dim_capsule
        for more in (*self.decoder_units, math.prod(self.image_shape)):
            units = size.dense(units, more)
        size.check(
            type(self).__name__,
            image_shape=self.image_shape,
            num_classes=self.num_classes,
            **{name: value for name, value in self._arguments().items() if value is not None},
            decoder_units=self.decoder_units,
        )

    def build(self, input_shape: Shape) -> None:
        """Build the two layers without weights; encoder and decoder are built already."""
        capsules = (None, self.num_classes, self.dim_capsule)
        self.mask.build(capsules)
        self.length.build(capsules)
        self.built = True

    # ---- computing

    def call(self, inputs: Any, training: bool = False) -> dict[str, Tensor]:
        """Return the lengths and the reconstruction."""
        pair = isinstance(inputs, list | tuple)
        if isinstance(inputs, dict) or (pair and len(inputs) != 2):
            raise ValueError(
                f"{type(self).__name__} takes images, or the pair (images, one-hot labels). "
                f"Received: {len(inputs)} inputs in a {type(inputs).__name__}"
            )
        images, labels = inputs if pair else (inputs, None)
        capsules, lengths = self._capsules(images, training)
        chosen = lengths if labels is None else labels
        return {
            "lengths": lengths,
            "reconstruction": self.decoder(self.mask([capsules, chosen]), training=training),
        }

    def _capsules(self, images: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Return the final capsules and their lengths, or what stands for these."""
        capsules = self.encoder(_unit_range("images", images), training=training)
        if not isinstance(capsules, list | tuple):
            return capsules, self.length(capsules)
        return capsules[0], ops.cast(capsules[1], "float32")

    def variations(
        self, image: np.ndarray, offsets: Sequence[float] = OFFSETS, capsule: int | None = None
    ) -> np.ndarray:
        """Redraw an image with one component of its capsule changed at a time.

        Args:
            image: One image of the model's shape, uint8 or floats in [0, 1].
            offsets: What is added to a component.
            capsule: Whose components are changed; None for the longest.

        Returns:
            uint8 images `(dim_capsule, len(offsets), height, width, channels)`.

        Raises:
            ValueError: Where the image has another shape, or there is no such capsule.

        Source: Sabour et al. 2017, figure 4.
        """
        if np.shape(image) != self.image_shape:
            raise ValueError(
                f"`image` must be one image of shape {self.image_shape}. "
                f"Received: image of shape {np.shape(image)}"
            )
        if capsule is not None and (not is_whole(capsule) or not 0 <= capsule < self.num_classes):
            raise ValueError(
                f"`capsule` must be a whole number from 0 to {self.num_classes - 1}, or None. "
                f"Received: capsule={capsule!r}"
            )
        found, lengths = map(ops.convert_to_numpy, self._capsules(np.asarray(image)[np.newaxis]))
        chosen = int(lengths[0].argmax()) if capsule is None else capsule
        count = len(offsets)
        capsules = np.zeros(
            (self.dim_capsule, count, self.num_classes, self.dim_capsule), "float32"
        )
        capsules[:, :, chosen] = found[0, chosen]
        for component in range(self.dim_capsule):
            capsules[component, :, chosen, component] += np.asarray(offsets, "float32")
        pixels = self.decoder(capsules.reshape(self.dim_capsule * count, -1), training=False)
        images = np.rint(255.0 * ops.convert_to_numpy(pixels)).astype(np.uint8)
        return images.reshape(self.dim_capsule, count, *self.image_shape)

    def couplings(self, images: np.ndarray) -> np.ndarray:
        """Return how strongly each capsule before the last layer is coupled to each class.

        Args:
            images: A few images, as of a call.

        Returns:
            float32 `(batch, num_classes, height, width, types)`: the last three axes are the
            places and types of the capsules that vote. What a number means depends on the routing:
            see `CapsuleLayer.couplings`.

        Raises:
            ValueError: With a routing of your own that has no method `couplings`.
        """
        layer = next(each for each in self.encoder.layers if each.name == self._classes_name)
        features = keras.Model(self.encoder.input, layer.input)
        found = layer.couplings(features(_unit_range("images", images), training=False))
        found = ops.convert_to_numpy(ops.cast(found, "float32"))
        return found.reshape(len(found), self.num_classes, *self._grid)

    @property
    def _classes_name(self) -> str:
        return [each.name for each in self.encoder.layers if isinstance(each, CapsuleLayer)][-1]

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
            **self._arguments(),
            "dim_capsule": self.dim_capsule,
            "routings": self.routings,
            "routing": serialize_routing(self.routing),
            "decoder_units": self.decoder_units,
            "sublayers": sublayer_states(self),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CapsuleClassifier":
        """Return the model that `get_config` describes."""
        return from_config_with_sublayers(cls, config)


def check_sides(image_shape: tuple[int, int, int], least: int, reason: str, remedy: str) -> None:
    """Raise a `ValueError` where an image is too small for the layers before the capsules.

    Args:
        image_shape: `(height, width, channels)`.
        least: What each side must have.
        reason: What needs that, for the message.
        remedy: What else than larger images helps, for the message.
    """
    if min(image_shape[:2]) < least:
        raise ValueError(
            f"`image_shape` must have sides of at least {least}, for {reason}: take larger images "
            f"or {remedy}. Received: image_shape={image_shape!r}"
        )


def convolved_and_normalized(
    features: Tensor,
    filters: int,
    kernel_size: int,
    strides: int,
    dtype: DType,
    padding: str = "valid",
) -> Tensor:
    """Return features after a convolution with ReLU and then batch normalization."""
    features = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        activation="relu",
        data_format="channels_last",
        kernel_initializer="he_normal",
        dtype=dtype,
    )(features)
    return layers.BatchNormalization(momentum=_MOMENTUM, dtype=dtype)(features)


def _checked_shape(image_shape: Any) -> tuple[int, int, int]:
    shape = tuple(image_shape) if isinstance(image_shape, tuple | list) else ()
    if len(shape) != 3 or not all(is_whole(side) and side > 0 for side in shape):
        raise ValueError(
            "`image_shape` must be (height, width, channels), positive integers. "
            f"Received: image_shape={image_shape!r}"
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
