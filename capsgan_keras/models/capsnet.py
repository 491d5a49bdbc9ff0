"""The capsule classifier of Sabour et al."""

import keras
from keras import layers, ops

from capsgan_keras.checks import check_positive
from capsgan_keras.layers import CapsuleLayer, Length, Mask, PrimaryCap


@keras.saving.register_keras_serializable(package="capsgan_keras")
class CapsNet(keras.Model):
    """CapsNet: a capsule classifier with a decoder that redraws the image from one capsule.

    In training the decoder sees the capsule of the true class, so the labels are an input too;
    with images alone it sees the longest capsule.

    Args:
        image_shape: `(height, width, channels)`, any size that two 9x9 valid convolutions fit.
        num_classes: Positive integer: one final capsule each.
        filters: Positive integer: filters of the first convolution.
        n_channels: Positive integer: types of primary capsules.
        primary_dim_capsule: Positive integer: components of a primary capsule.
        dim_capsule: Positive integer: components of a final capsule.
        routings: Integer, at least 1.
        kernel_size: Positive integer: kernels of the convolution and the primary capsules.
        decoder_units: Sequence of positive integers: the decoder's hidden layers.
        **kwargs: `name` and `dtype`, as in every Keras model.

    Call arguments:
        inputs: Images `(batch, *image_shape)` in [0, 1], or a pair of these and one-hot labels
            `(batch, num_classes)`.

    Returns:
        A dictionary: `"lengths"` `(batch, num_classes)` in [0, 1), and `"reconstruction"`
        `(batch, *image_shape)` in [0, 1].

    Source: Sabour et al. 2017 (arXiv 1710.09829), section 4. Its reconstruction loss, 0.0005
    times the sum of squared errors, is 0.392 times Keras's mean squared error for 28x28 images.

    Example:

    ```python
    capsnet = CapsNet((28, 28, 1), num_classes=10)
    capsnet.compile(
        optimizer="adam",
        loss={"lengths": MarginLoss(), "reconstruction": "mse"},
        loss_weights={"lengths": 1.0, "reconstruction": 0.392},
        metrics={"lengths": "categorical_accuracy"},
    )
    capsnet.fit((images, labels), {"lengths": labels, "reconstruction": images})
    classes = capsnet.predict(test_images)["lengths"].argmax(axis=-1)
    ```
    """

    def __init__(
        self,
        image_shape,
        num_classes,
        filters=256,
        n_channels=32,
        primary_dim_capsule=8,
        dim_capsule=16,
        routings=3,
        kernel_size=9,
        decoder_units=(512, 1024),
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(num_classes=num_classes, filters=filters)
        self.image_shape = tuple(image_shape)
        self.num_classes = int(num_classes)
        self.filters = int(filters)
        self.n_channels = n_channels
        self.primary_dim_capsule = primary_dim_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings
        self.kernel_size = kernel_size
        self.decoder_units = tuple(decoder_units)
        policy = self.dtype_policy

        images = keras.Input(self.image_shape, name="images")
        features = layers.Conv2D(
            filters, kernel_size, activation="relu", data_format="channels_last", dtype=policy
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

    def build(self, input_shape):
        """Build the two layers without weights; encoder and decoder are built already."""
        capsules = (None, self.num_classes, self.dim_capsule)
        self.mask.build(capsules)
        self.length.build(capsules)
        self.built = True

    def call(self, inputs, training=False):
        """Return the lengths and the reconstruction."""
        images, labels = inputs if isinstance(inputs, list | tuple) else (inputs, None)
        capsules = self.encoder(images, training=training)
        chosen = capsules if labels is None else [capsules, ops.cast(labels, capsules.dtype)]
        return {
            "lengths": self.length(capsules),
            "reconstruction": self.decoder(self.mask(chosen), training=training),
        }

    def get_config(self):
        """Return all constructor arguments."""
        return {
            "name": self.name,
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
        }

    @classmethod
    def from_config(cls, config):
        """Return the model that `get_config` describes."""
        return cls(**config)
