"""What the study measures of generators, as JSON can hold it."""

import numpy as np

from capsgan_keras import evaluation
from capsgan_keras.plotting import image_grid, png

DEAD = 0.2  # of D's output on generated images, and of the share that is recognised
LAST_SHARE = 0.1  # of a curve, what its end is the mean of
BORDER = 2  # pixels
SHOWN = 10  # images


def measure(gan, dataset, classifier, sizes):
    """Return what is measured of a GAN's generator, by an `ImageClassifier` among others."""
    images = gan.generate(max(sizes.n_samples, sizes.n_unlabelled, SHOWN), seed=sizes.seed)
    samples, unlabelled = images[: sizes.n_samples], images[: sizes.n_unlabelled]
    (probabilities, features), (_, real) = classifier(samples), classifier(dataset.x_test)
    n = min(len(features), len(real))
    spreading = evaluation.semi_supervised_error(unlabelled, *dataset, **_draws(sizes))
    return {
        "recognised": recognition(probabilities, dataset.y_test),
        "frechet_distance": evaluation.frechet_distance(real[:n], features[:n]),
        "label_spreading": spreading.to_dict(),
        "border_contrast": border_contrast(samples),
        "images": png(image_grid(images, 1, SHOWN)),
    }


def measure_controls(dataset, classifier, sizes):
    """Return the same of the test images, and label spreading without generated images."""
    probabilities, _ = classifier(dataset.x_test)
    options = {"n_unlabelled": sizes.n_unlabelled} | _draws(sizes)
    spreading = evaluation.semi_supervised_controls(*dataset, **options)
    return {
        "label_spreading": {name: result.to_dict() for name, result in spreading.items()},
        "recognised": recognition(probabilities, dataset.y_test),
        "border_contrast": border_contrast(dataset.x_test),
        "classifier": classifier.info,
    }


def _draws(sizes):
    return {"n_labelled": (sizes.n_labelled,), "draws": sizes.draws, "seed": sizes.seed}


def recognition(probabilities, y_real):
    """Return how many images a classifier recognises, from its probabilities `(n, num_classes)`.

    It is sure of noise, too, and puts all of it into one class. So `in_proportion` counts each
    class only up to its share in `y_real`, the classes of real images.
    """
    sure = evaluation.confident_shares(probabilities)
    real = np.bincount(y_real, minlength=len(sure.classes)) / len(y_real)
    return {
        "confident": sure.confident,
        "in_proportion": float(np.minimum(sure.classes, real).sum()),
        "class_entropy": evaluation.share_entropy(evaluation.class_shares(probabilities)),
    }


def border_contrast(images):
    """Return the deviation of pixels near the edge over uint8 images `(n, height, width, c)`."""
    inside = np.zeros(images.shape[1:3], bool)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    return float(np.sqrt(images[:, ~inside].var(axis=0, dtype=np.float64).mean()))


def life(curve, recognised):
    """Return D's mean outputs at the end of a curve, and whether and when the generator died.

    It died where D's output on its images stays below 0.2, and less than a fifth of them are
    `recognised` in proportion. D alone does not tell: a strong D may know images that are good.
    The classifier alone does not either: images may be merely poor. A training that diverged,
    with None for `recognised`, counts as dead.
    """
    steps, lost = curve["step"], recognised is None
    last = max(1, round(LAST_SHARE * len(steps)))
    outputs = {name: curve[name][-last:] for name in ("d_real", "d_fake")}
    ends = {name: round(float(np.mean(x)), 5) if x else None for name, x in outputs.items()}
    died = lost or (ends["d_fake"] < DEAD and recognised["in_proportion"] < DEAD)
    alive = [s for s, d in zip(steps, curve["d_fake"], strict=True) if lost or d >= DEAD]
    return ends | {"died": died, "died_at": max(alive, default=0) if died else None}
