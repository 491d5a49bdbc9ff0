"""Sample quality: what the paper says of its images in words (diversity, crispness), in numbers.

The features are those of the package's own classifier (`load_or_train_classifier`), so the
figures compare with each other, but not with an Inception network's scores.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from capsgan_keras.checks import check_positive, check_unit
from capsgan_keras.evaluation.images import check_uint8_images
from capsgan_keras.evaluation.quality.class_shares import (
    ConfidentShares,
    check_probabilities,
    class_shares,
    classifier_score,
    confident_shares,
    share_entropy,
)
from capsgan_keras.evaluation.quality.feature_distances import (
    check_features,
    frechet_distance,
    kernel_distance,
)
from capsgan_keras.evaluation.quality.memorising import (
    Memorising,
    memorising,
    nearest_training_distances,
)
from capsgan_keras.evaluation.quality.precision_recall import ManifoldScores, manifold_scores
from capsgan_keras.evaluation.record import Record


@dataclass(frozen=True)
class SampleQuality(Record):
    """The measures of one set of samples; see `sample_quality`.

    Attributes:
        class_shares: Share of the samples that each class gets.
        class_entropy: Entropy of these shares in nats; the logarithm of the number of classes at
            most.
        classifier_score: From 1 to the number of classes; the higher, the better.
        confident: Samples that the classifier is sure of.
        frechet_distance: In feature space, to the held-out real images.
        kernel_distance: In feature space, to the held-out real images.
        manifold: Against the held-out real images, in feature space.
        memorising: Distances to the training images, in pixels.
        n_real: Number of held-out real images.
        classifier: What is known of the classifier, its test accuracy included.
        real_confident: Share of the held-out real images that the classifier is as sure of; None
            in files of older versions.
    """

    class_shares: tuple[float, ...]
    class_entropy: float
    classifier_score: float
    confident: ConfidentShares
    frechet_distance: float
    kernel_distance: float
    manifold: ManifoldScores
    memorising: Memorising
    n_samples: int
    n_real: int
    classifier: dict[str, Any]
    real_confident: float | None = None


def sample_quality(
    samples: np.ndarray,
    x_train: np.ndarray,
    x_held_out: np.ndarray,
    classifier: Callable[..., tuple[np.ndarray, np.ndarray]],
    *,
    threshold: float = 0.9,
    n_neighbors: int = 5,
    batch_size: int = 500,
) -> SampleQuality:
    """Measure a set of generated images against real ones.

    Distances and manifold scores are taken to the held-out images, on the first images of the
    larger set where the two differ in number (Fréchet and kernel distance depend on it).

    Args:
        samples: uint8 generated images `(n, height, width, channels)`.
        x_train: uint8 real images that the generator was trained on, of the same shape.
        x_held_out: uint8 real images that it was not trained on, of the same shape.
        classifier: An `ImageClassifier`, or any function of uint8 images and `batch_size` that
            returns class probabilities `(n, num_classes)` and features `(n, dimensions)`.
        threshold: Probability above which the classifier counts as sure.
        n_neighbors: Neighbours that define a neighbourhood in feature space.
        batch_size: Images classified at a time; changes the figures by rounding only.

    Raises:
        ValueError: If the images do not fit each other or the classifier, or are fewer than
            `n_neighbors + 1`.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import ImageClassifier, build_classifier, sample_quality
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), np.uint8)
    classifier = ImageClassifier(build_classifier((8, 8, 1), num_classes=2, width=2))
    quality = sample_quality(images[:10], images[10:20], images[20:], classifier)
    print(quality.frechet_distance, quality.memorising.copies)
    ```
    """
    real = RealImages(x_train, x_held_out, classifier, batch_size)
    return real.compare(samples, threshold, n_neighbors)


class RealImages:
    """The real images of `sample_quality`, whose part is computed once for many generators.

    Args:
        x_train: As in `sample_quality`.
        x_held_out: As in `sample_quality`.
        classifier: As in `sample_quality`.
        batch_size: As in `sample_quality`.

    Raises:
        ValueError: If the images do not fit each other, or `batch_size` is out of its range.
    """

    def __init__(
        self,
        x_train: np.ndarray,
        x_held_out: np.ndarray,
        classifier: Callable[..., tuple[np.ndarray, np.ndarray]],
        batch_size: int = 500,
    ) -> None:
        check_positive(batch_size=batch_size)
        self.x_train = check_uint8_images("x_train", x_train)
        self.x_held_out = check_uint8_images("x_held_out", x_held_out, like=self.x_train)
        self.classifier, self.batch_size = classifier, batch_size

    @functools.cached_property
    def _classified(self) -> tuple[np.ndarray, np.ndarray]:
        return _classified(self.classifier, self.x_held_out, self.batch_size)

    @functools.cached_property
    def _distances(self) -> np.ndarray:
        return nearest_training_distances(self.x_held_out, self.x_train)[0]

    def compare(
        self, samples: np.ndarray, threshold: float = 0.9, n_neighbors: int = 5
    ) -> SampleQuality:
        """Return the quality of generated images; arguments and errors as of `sample_quality`."""
        check_positive(n_neighbors=n_neighbors)
        check_unit(threshold=threshold)
        samples = check_uint8_images("samples", samples, like=self.x_train)
        probabilities, features = _classified(self.classifier, samples, self.batch_size)
        real_probabilities, real_features = self._classified
        n = min(len(features), len(real_features))
        features, real_features = features[:n], real_features[:n]
        shares = class_shares(probabilities)
        distances, _ = nearest_training_distances(samples, self.x_train)
        return SampleQuality(
            class_shares=tuple(shares.tolist()),
            class_entropy=share_entropy(shares),
            classifier_score=classifier_score(probabilities),
            confident=confident_shares(probabilities, threshold),
            frechet_distance=frechet_distance(real_features, features),
            kernel_distance=kernel_distance(real_features, features),
            manifold=manifold_scores(real_features, features, n_neighbors),
            memorising=memorising(distances, self._distances),
            n_samples=len(samples),
            n_real=len(self.x_held_out),
            classifier=dict(getattr(self.classifier, "info", {})),
            real_confident=confident_shares(real_probabilities, threshold).confident,
        )


def _classified(
    classifier: Callable[..., tuple[np.ndarray, np.ndarray]], images: np.ndarray, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and features, one row an image; refuse another result."""
    if not callable(classifier):
        raise ValueError(
            "`classifier` must be an ImageClassifier, or a function of images and batch_size. "
            f"Received: classifier of type {type(classifier).__name__}"
        )
    result = classifier(images, batch_size=batch_size)
    pair = isinstance(result, (tuple, list)) and len(result) == 2
    if not pair or any(np.shape(part)[:1] != (len(images),) for part in result):
        raise ValueError(
            "`classifier` must return class probabilities and features, each with one row an "
            f"image. Received: a {type(result).__name__} for {len(images)} images"
        )
    probabilities, features = result
    return (
        check_probabilities(probabilities, "classifier's probabilities"),
        check_features("classifier's features", features),
    )
