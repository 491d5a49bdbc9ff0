"""A small image classifier, in whose features the quality of samples is measured.

It is trained by the package on the real training images. Since the features are not those of an
Inception network, no score in them is a "FID" or an "Inception score".
"""

import math
from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import layers

from capsgan_keras.checks import check_positive
from capsgan_keras.evaluation.images import check_labels, check_uint8_images

FEATURES = "features"
"""Name of the layer whose outputs are the features."""


@dataclass(frozen=True)
class ClassifierSettings:
    """How the classifier is built and trained.

    Attributes:
        width: int. Channels of the first block; the second has twice and the third four times as
            many, which is the number of features.
        epochs: int. Passes over the training images.
        batch_size: int. Images in a training step.
        learning_rate: float. Adam's rate at the start; it falls to 0 along a cosine.
        flip: bool. Whether training images are mirrored at random.
        seed: int. Seed of the weights and of the training images' order and changes.
    """

    width: int
    epochs: int
    batch_size: int = 64
    learning_rate: float = 5e-3
    flip: bool = False
    seed: int = 0

    @classmethod
    def for_images(cls, image_shape, n_images, **changes):
        """Gives settings that suit grey images (digits) or colour images (photographs).

        Grey ones reach 99 % on MNIST; colour ones are meant for CIFAR-10. Small sets are passed
        over more often, for 600 training steps at least.

        Args:
            image_shape: `(height, width, channels)`.
            n_images: int. Number of training images.
            **changes: settings to be set otherwise.

        Returns:
            The settings.
        """
        if image_shape[-1] == 1:
            settings = cls(width=16, epochs=3, batch_size=64, learning_rate=5e-3)
        else:
            settings = cls(width=32, epochs=15, batch_size=128, learning_rate=2e-3, flip=True)
        enough = math.ceil(600 * settings.batch_size / n_images)
        settings = replace(settings, epochs=max(settings.epochs, enough))
        return replace(settings, **changes)


def build_classifier(image_shape, num_classes, width=16, seed=0):
    """Builds a small convolutional classifier.

    Three blocks of two 3x3 convolutions with batch normalisation, halving the image twice, and the
    mean over the image of the last block's channels as features.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: int. Number of classes.
        width: int. Channels of the first block.
        seed: int. Seed of the weights.

    Returns:
        A `keras.Model` in float32 from images with pixels in 0 to 255, `(n, height, width,
        channels)`, to class probabilities, `(n, num_classes)`. Its layer `"features"` gives
        `(n, 4 * width)`.

    Raises:
        ValueError: If a number is not a positive integer.
    """
    check_positive(num_classes=num_classes, width=width)
    # The dtype is said everywhere, so that a mixed precision chosen for a GAN does not reach the
    # features.
    options = {"dtype": "float32"}
    images = keras.Input(image_shape, **options)
    x = layers.Rescaling(1 / 127.5, offset=-1.0, **options)(images)
    for block, channels in enumerate((width, 2 * width, 4 * width)):
        if block:
            x = layers.MaxPooling2D(padding="same", **options)(x)
        for part in range(2):
            initializer = keras.initializers.HeNormal(seed=1_000 * seed + 2 * block + part)
            x = layers.Conv2D(
                channels,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=initializer,
                **options,
            )(x)
            x = layers.BatchNormalization(momentum=0.9, **options)(x)
            x = layers.ReLU(**options)(x)
    x = layers.GlobalAveragePooling2D(name=FEATURES, **options)(x)
    initializer = keras.initializers.GlorotUniform(seed=1_000 * seed + 6)
    outputs = layers.Dense(
        num_classes, activation="softmax", kernel_initializer=initializer, **options
    )(x)
    return keras.Model(images, outputs, name="classifier")


def train_classifier(model, x_train, y_train, settings, callbacks=()):
    """Trains a classifier with plain `compile` and `fit`.

    The images are shifted at random by up to an eighth of their sides, and mirrored if the
    settings say so. The result depends on the settings and the arrays alone.

    Args:
        model: the model of `build_classifier`; its weights are changed.
        x_train: uint8 images `(n, height, width, channels)`.
        y_train: int classes `(n,)`, from 0 to below the number of the model's outputs.
        settings: `ClassifierSettings`.
        callbacks: Keras callbacks for `fit`, for instance one that shows the progress.

    Returns:
        The `keras.callbacks.History` of `fit`.

    Raises:
        ValueError: If the images or classes do not fit each other or the model.
    """
    x_train = check_uint8_images("x_train", x_train)
    y_train = check_labels("y_train", y_train, len(x_train))
    num_classes = model.output_shape[-1]
    if y_train.max() >= num_classes:
        raise ValueError(
            f"`y_train` must lie below the number of classes, {num_classes}. "
            f"Received: a class {y_train.max()}"
        )
    batches = _TrainingBatches(x_train, y_train, settings)
    rate = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate, decay_steps=len(batches) * settings.epochs
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model.fit(
        batches, epochs=settings.epochs, shuffle=False, verbose=0, callbacks=list(callbacks)
    )


class _TrainingBatches(keras.utils.PyDataset):
    """Shuffled, shifted and mirrored training images, from a generator of its own."""

    def __init__(self, x, y, settings):
        super().__init__()
        self.x, self.y, self.settings = x, y, settings
        self.shifts = [side // 8 for side in x.shape[1:3]]
        self.epoch = -1
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.x) // self.settings.batch_size)

    def __getitem__(self, index):
        start = index * self.settings.batch_size
        chosen = self.order[start : start + self.settings.batch_size]
        # Seeded by its place, a batch does not depend on the order in which batches are fetched.
        rng = np.random.default_rng([self.settings.seed, self.epoch, index])
        return self._vary(self.x[chosen], rng), self.y[chosen]

    def on_epoch_end(self):
        self.epoch += 1
        rng = np.random.default_rng([self.settings.seed, self.epoch])
        self.order = rng.permutation(len(self.x))

    def _vary(self, images, rng):
        down, right = self.shifts
        height, width = images.shape[1:3]
        padded = np.pad(images, ((0, 0), (down, down), (right, right), (0, 0)), mode="edge")
        rows = rng.integers(0, 2 * down + 1, (len(images), 1)) + np.arange(height)
        columns = rng.integers(0, 2 * right + 1, (len(images), 1)) + np.arange(width)
        if self.settings.flip:
            mirrored = rng.random((len(images), 1)) < 0.5
            columns = np.where(mirrored, columns[:, ::-1], columns)
        index = np.arange(len(images))[:, np.newaxis, np.newaxis]
        varied = padded[index, rows[:, :, np.newaxis], columns[:, np.newaxis, :]]
        return varied.astype(np.float32)


class ImageClassifier:
    """A trained classifier, as the measures of sample quality use it.

    Args:
        model: the trained model of `build_classifier`, or any Keras model from images with
            pixels in 0 to 255 to class probabilities that has a layer named `"features"` with
            outputs `(n, features)`.
        info: optional dict of what is known of it: its data set, accuracy, settings.
    """

    def __init__(self, model, info=None):
        """Joins the model's two outputs into one pass."""
        self.model = model
        self.info = dict(info or {})
        self._both = keras.Model(model.inputs, [model.outputs[0], model.get_layer(FEATURES).output])

    def __call__(self, images, batch_size=500):
        """Classifies images.

        Args:
            images: uint8 array `(n, height, width, channels)`.
            batch_size: int. Images in a forward pass; changes the result by rounding only.

        Returns:
            Two float32 arrays: class probabilities `(n, num_classes)` and features
            `(n, features)`.

        Raises:
            ValueError: If the images are not uint8 images of the model's shape.
        """
        images = check_uint8_images("images", images)
        if images.shape[1:] != self.model.input_shape[1:]:
            raise ValueError(
                f"`images` must have the classifier's shape, {self.model.input_shape[1:]}. "
                f"Received: images.shape={images.shape}"
            )
        parts = [
            self._both.predict(
                images[start : start + 10_000].astype(np.float32),
                batch_size=batch_size,
                verbose=0,
            )
            for start in range(0, len(images), 10_000)
        ]
        probabilities, features = (np.concatenate(part) for part in zip(*parts, strict=True))
        return probabilities, features

    def accuracy(self, images, labels):
        """Measures the share of images that are classified rightly.

        Args:
            images: uint8 array `(n, height, width, channels)`.
            labels: int array `(n,)`.

        Returns:
            float in [0, 1].
        """
        probabilities, _ = self(images)
        return float(np.mean(probabilities.argmax(axis=1) == np.asarray(labels)))
