"""The handwritten digits that come with scikit-learn."""

import numpy as np

from capsgan_keras.datasets.definition import DatasetDefinition, SourcedArrays

TRAIN_COUNT = 1437


def load() -> SourcedArrays:
    """Return the 1,797 digits, 8x8: the first 1,437 for training, the others for testing."""
    # The import takes 1.5 s, and no other data set needs it.
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    train, test = slice(TRAIN_COUNT), slice(TRAIN_COUNT, None)
    arrays = (images[train], digits.target[train], images[test], digits.target[test])
    return [("sklearn.datasets.load_digits", array) for array in arrays]


DIGITS = DatasetDefinition(
    name="digits",
    title="digits",
    image_shape=(28, 28, 1),
    stored_shape=(8, 8, 1),
    class_names=tuple("0123456789"),
    terms="Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998; UCI "
    "Machine Learning Repository), the test part that scikit-learn ships. Licence: CC BY 4.0.",
    load=load,
)
