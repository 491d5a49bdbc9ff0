"""What the study measures of a trained generator."""

import keras
import numpy as np

from capsgan_keras.evaluation import (
    class_shares,
    confident_shares,
    frechet_distance,
    load_or_train_classifier,
    semi_supervised_controls,
    semi_supervised_error,
    share_entropy,
)
from capsgan_keras.plotting import image_grid, png

DEAD = 0.2
"""Below it D's output on generated images and their recognised share mean a dead generator."""
LAST_SHARE = 0.1
"""Of a curve: what its end is the mean of."""
BORDER = 2
"""Pixels from the edge that belong to an image's border."""
SHOWN = 10


class Judge:
    """Measures generators against the images of one data set.

    Args:
        dataset: `capsgan_keras.datasets.Dataset` with labels and test images.
        sizes: `experiments.study.cases.StudySizes`.
        cache_dir: Folder that keeps the package's classifier.
        verbose: 1 for a progress bar while it is trained.

    Attributes:
        classifier: The package's `ImageClassifier` of this data set.

    Raises:
        ValueError: Where labels or test images are missing, or the classifier is too poor.
    """

    def __init__(self, dataset, sizes, cache_dir, verbose=1):
        self._dataset = dataset
        self._sizes = sizes
        callbacks = [keras.callbacks.ProgbarLogger()] if verbose else []
        self.classifier = load_or_train_classifier(dataset, cache_dir, callbacks=callbacks)
        _, self._features = self.classifier(dataset.x_test)
        self._label_spreading = {
            "n_labelled": (sizes.n_labelled,),
            "draws": sizes.draws,
            "seed": sizes.seed,
        }

    def measure(self, gan):
        """Measure a GAN's generator.

        Args:
            gan: The `GAN`.

        Returns:
            Dictionary, as JSON can hold it: `recognised` (`recognition`), `frechet_distance` (in
            the features of the classifier, to the test images), `label_spreading` (a
            `SemiSupervisedResult`), `border_contrast` of the generated images, and `images`, the
            first generated ones as PNG.
        """
        sizes = self._sizes
        images = gan.generate(max(sizes.n_samples, sizes.n_unlabelled, SHOWN), seed=sizes.seed)
        samples = images[: sizes.n_samples]
        probabilities, features = self.classifier(samples)
        n = min(len(features), len(self._features))
        spreading = semi_supervised_error(
            images[: sizes.n_unlabelled], *self._dataset, **self._label_spreading
        )
        return {
            "recognised": recognition(probabilities, self._dataset.y_test),
            "frechet_distance": frechet_distance(self._features[:n], features[:n]),
            "label_spreading": spreading.to_dict(),
            "border_contrast": border_contrast(samples),
            "images": png(image_grid(images, 1, SHOWN)),
        }

    def controls(self):
        """Measure what stands beside the generators.

        Returns:
            Dictionary, as JSON can hold it: `label_spreading` (the three controls of
            `semi_supervised_controls`), and of the test images `recognised` and
            `border_contrast`.
        """
        test = self._dataset.x_test
        probabilities, _ = self.classifier(test)
        controls = semi_supervised_controls(
            *self._dataset, n_unlabelled=self._sizes.n_unlabelled, **self._label_spreading
        )
        return {
            "label_spreading": {name: result.to_dict() for name, result in controls.items()},
            "recognised": recognition(probabilities, self._dataset.y_test),
            "border_contrast": border_contrast(test),
        }


def recognition(probabilities, y_real):
    """Measure how many images a classifier recognises, and in how many classes.

    A classifier is sure of noise, too, and puts all of it into one class. So each class is also
    counted only up to its share among the real images: noise has that of one class at most.

    Args:
        probabilities: `(n, num_classes)`, what the classifier says of the images.
        y_real: Classes of real images, integers `(m,)`.

    Returns:
        Dictionary of numbers in [0, 1], but for the entropy: `confident`, the share of the images
        that have a class with a probability above 0.9; `in_proportion`, the same with each class
        counted up to its share in `y_real`; `class_entropy` in nats.
    """
    sure = confident_shares(probabilities)
    real = np.bincount(y_real, minlength=len(sure.classes)) / len(y_real)
    return {
        "confident": sure.confident,
        "in_proportion": float(np.minimum(sure.classes, real).sum()),
        "class_entropy": share_entropy(class_shares(probabilities)),
    }


def border_contrast(images):
    """Measure how much pixels near the edge vary from image to image.

    Args:
        images: uint8 `(n, height, width, channels)`.

    Returns:
        The root mean square deviation of the pixels at most 2 from the edge from their means over
        the images, in grey levels: near 0 for images with a frame.
    """
    inside = np.zeros(images.shape[1:3], bool)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    border = images[:, ~inside]
    return float(np.sqrt(border.var(axis=0, dtype=np.float64).mean()))


def life(curve, recognised):
    """Say whether a generator died, and when.

    It has died where, at the end, D's mean output on its images is below 0.2 and less than a
    fifth of its images are recognised (`in_proportion`). D alone does not tell: a strong D may
    know images that are good. The classifier alone does not either: images may be merely poor.

    Args:
        curve: `{"step", "d_real", "d_fake"}`, as in `experiments.study.training.Training`.
        recognised: What `recognition` returned; None where training diverged, which counts as
            dead.

    Returns:
        Dictionary: `d_real` and `d_fake`, means over the last tenth of the curve; `died`; and
        `died_at`, the last step before D's output on generated images stayed below 0.2 to the
        end, None for the living.
    """
    count = max(1, round(LAST_SHARE * len(curve["step"])))
    ends = {name: _mean(curve[name][-count:]) for name in ("d_real", "d_fake")}
    if recognised is None:
        died, died_at = True, (curve["step"] or [0])[-1]
    else:
        died = ends["d_fake"] < DEAD and recognised["in_proportion"] < DEAD
        above = [0, *(s for s, d in zip(curve["step"], curve["d_fake"], strict=True) if d >= DEAD)]
        died_at = above[-1] if died else None
    return ends | {"died": died, "died_at": died_at}


def _mean(values):
    return round(float(np.mean(values)), 5) if values else None
