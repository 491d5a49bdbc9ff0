"""A small image classifier, in whose features the quality of samples is measured.

It is trained by the package on the real training images. Since the features are not those of an
Inception network, no score in them is a "FID" or an "Inception score".
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import layers

from capsgan_keras.checks import (
    check_bool,
    check_filters,
    check_finite,
    check_kind,
    check_positive,
    check_whole,
)
from capsgan_keras.evaluation.images import check_labels, check_uint8_images

FEATURES = "features"
"""Name of the layer whose outputs are the features."""


@dataclass(frozen=True)
class ClassifierSettings:
    """How the classifier is built and trained.

    Attributes:
        width: Channels of the first block; the second has twice and the third four times as many,
            which is the number of features.
        epochs: Passes over the training images.
        batch_size: Images in a training step.
        learning_rate: Adam's rate at the start, above 0; it falls to 0 along a cosine.
        flip: Whether training images are mirrored at random.
        seed: Integer of at least 0: sets the weights, and the training images' order and changes.

    Raises:
        ValueError: If a setting is out of its range.

    Example:

    ```python
    from capsgan_keras.evaluation import ClassifierSettings
    print(ClassifierSettings.for_images((28, 28, 1), n_images=60_000, epochs=2))
    ```
    """

    width: int
    epochs: int
    batch_size: int = 64
    learning_rate: float = 5e-3
    flip: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_positive(width=self.width, epochs=self.epochs, batch_size=self.batch_size)
        check_finite(learning_rate=self.learning_rate)
        if self.learning_rate <= 0:
            raise ValueError(
                f"`learning_rate` must be above 0. Received: learning_rate={self.learning_rate}"
            )
        check_bool(flip=self.flip)
        check_whole(seed=self.seed)

    @classmethod
    def for_images(
        cls, image_shape: tuple[int, int, int], n_images: int, **changes: Any
    ) -> "ClassifierSettings":
        """Return settings that suit grey images (digits) or colour images (photographs).

        Grey ones reach 99 % on MNIST; colour ones are meant for CIFAR-10. Small sets are passed
        over more often, for 600 training steps at least.

        Args:
            image_shape: `(height, width, channels)`.
            n_images: Number of training images.
            **changes: Settings to be set otherwise.

        Raises:
            ValueError: If the shape, the number or a setting is out of its range.
        """
        check_positive(n_images=n_images)
        if _checked_shape(image_shape)[-1] == 1:
            settings = cls(width=16, epochs=3, batch_size=64, learning_rate=5e-3)
        else:
            settings = cls(width=32, epochs=15, batch_size=128, learning_rate=2e-3, flip=True)
        enough = math.ceil(600 * settings.batch_size / n_images)
        return replace(settings, **{"epochs": max(settings.epochs, enough)} | changes)


def build_classifier(
    image_shape: tuple[int, int, int], num_classes: int, width: int = 16, seed: int = 0
) -> keras.Model:
    """Build a small convolutional classifier.

    Three blocks of two 3x3 convolutions with batch normalisation, halving the image twice, and the
    mean over the image of the last block's channels as features.

    Args:
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.
        width: Channels of the first block.
        seed: Seed of the weights.

    Returns:
        A `keras.Model` in float32 from images with pixels in 0 to 255, `(n, height, width,
        channels)`, to class probabilities, `(n, num_classes)`. Its layer `"features"` gives
        `(n, 4 * width)`.

    Raises:
        ValueError: If a number is not a positive integer, or the seed is below 0.

    Example:

    ```python
    from capsgan_keras.evaluation import build_classifier
    print(build_classifier((28, 28, 1), num_classes=10).output_shape)  # (None, 10)
    ```
    """
    check_positive(num_classes=num_classes, width=width)
    check_whole(seed=seed)
    image_shape = _checked_shape(image_shape)
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


def train_classifier(
    model: keras.Model,
    x_train: np.ndarray,
    y_train: np.ndarray,
    settings: ClassifierSettings,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    verbose: int | str = 0,
) -> keras.callbacks.History:
    """Train a classifier with plain `compile` and `fit`, and return the history of `fit`.

    The images are shifted at random by up to an eighth of their sides, and mirrored if the
    settings say so. The result depends on the settings and the arrays alone.

    Args:
        model: The model of `build_classifier`; its weights are changed.
        x_train: uint8 images `(n, height, width, channels)`.
        y_train: Integer classes `(n,)`, below the number of the model's outputs.
        settings: How to train.
        callbacks: For `fit`.
        verbose: As in `fit`: 1 for a progress bar, 2 for a line for each epoch.

    Raises:
        ValueError: If the images or classes do not fit each other or the model.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import ClassifierSettings, build_classifier, train_classifier
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1), np.uint8)
    model = build_classifier((8, 8, 1), num_classes=2, width=2)
    history = train_classifier(
        model, images, np.arange(16) % 2, ClassifierSettings(width=2, epochs=1)
    )
    print(history.history["accuracy"])
    ```
    """
    check_kind(keras.Model, "a Keras model", model=model)
    check_kind(ClassifierSettings, "ClassifierSettings", settings=settings)
    check_kind(Iterable, "Keras callbacks", callbacks=callbacks)
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
        batches,
        epochs=settings.epochs,
        shuffle=False,
        verbose=verbose,
        callbacks=list(callbacks),
    )


def _checked_shape(image_shape: Any) -> tuple[int, int, int]:
    """Return `(height, width, channels)` as a tuple; refuse others than positive integers."""
    height, width, channels = check_filters(image_shape, count=3, name="image_shape")
    return height, width, channels


class _TrainingBatches(keras.utils.PyDataset):
    """Shuffled, shifted and mirrored training images, from a generator of its own."""

    def __init__(self, x: np.ndarray, y: np.ndarray, settings: ClassifierSettings) -> None:
        super().__init__()
        self.x, self.y, self.settings = x, y, settings
        self.shifts = [side // 8 for side in x.shape[1:3]]
        self.epoch = -1
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.x) // self.settings.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = index * self.settings.batch_size
        chosen = self.order[start : start + self.settings.batch_size]
        # Seeded by its place, a batch does not depend on the order in which batches are fetched.
        rng = np.random.default_rng([self.settings.seed, self.epoch, index])
        return self._vary(self.x[chosen], rng), self.y[chosen]

    def on_epoch_end(self) -> None:
        self.epoch += 1
        rng = np.random.default_rng([self.settings.seed, self.epoch])
        self.order = rng.permutation(len(self.x))

    def _vary(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
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
        model: The trained model of `build_classifier`, or any Keras model from images with
            pixels in 0 to 255 to class probabilities that has a layer named `"features"` with
            outputs `(n, features)`.
        info: What is known of it: its data set, accuracy, settings.

    Raises:
        ValueError: If the model has no such layer.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import ImageClassifier, build_classifier
    classifier = ImageClassifier(build_classifier((8, 8, 1), num_classes=2, width=2))
    probabilities, features = classifier(np.zeros((5, 8, 8, 1), np.uint8))
    print(probabilities.shape, features.shape)  # (5, 2) (5, 8)
    ```
    """

    def __init__(self, model: keras.Model, info: Mapping[str, Any] | None = None) -> None:
        built = isinstance(model, keras.Model) and getattr(model, "inputs", None)
        if not built or FEATURES not in [layer.name for layer in model.layers]:
            raise ValueError(
                f"`model` must be a built Keras model with a layer named {FEATURES!r}. "
                f"Received: model={model!r}"
            )
        check_kind((Mapping, type(None)), "a dictionary, or None", info=info)
        self.model = model
        self.info = dict(info or {})
        self._both = keras.Model(model.inputs, [model.outputs[0], model.get_layer(FEATURES).output])

    def __call__(self, images: np.ndarray, batch_size: int = 500) -> tuple[np.ndarray, np.ndarray]:
        """Return class probabilities `(n, num_classes)` and features `(n, features)`, float32.

        Args:
            images: uint8 `(n, height, width, channels)`.
            batch_size: Images in a forward pass; changes the result by rounding only.

        Raises:
            ValueError: If the images are not uint8 images of the model's shape.
        """
        check_positive(batch_size=batch_size)
        images = check_uint8_images("images", images)
        if images.shape[1:] != self.model.input_shape[1:]:
            raise ValueError(
                f"`images` must have the classifier's shape, {self.model.input_shape[1:]}. "
                f"Received: images.shape={images.shape}"
            )
        return tuple(self._both.predict(images, batch_size=batch_size, verbose=0))

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Return the share of uint8 images that are classified correctly, by labels `(n,)`."""
        images = check_uint8_images("images", images)
        labels = check_labels("labels", labels, len(images))
        probabilities, _ = self(images)
        return float(np.mean(probabilities.argmax(axis=1) == labels))
