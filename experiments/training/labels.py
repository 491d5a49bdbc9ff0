"""The labels that a training uses: all, or those of some images."""

import numpy as np

from capsgan_keras.evaluation import draw_labelled
from capsgan_keras.gan.bicogan import UNKNOWN
from experiments.errors import SettingsError


def labels_of(settings, dataset):
    """Return the labels of the training images, int32 `(n,)`, -1 where one is not to be known.

    Args:
        settings: `experiments.settings.training.Settings`; those without `labels` use none.
        dataset: `capsgan_keras.datasets.Dataset`.

    Returns:
        The labels; None where none are used.

    Raises:
        SettingsError: Where the data set has none, or fewer images.
    """
    wanted = getattr(settings, "labels", "none")
    if wanted == "none":
        return None
    if dataset.y_train is None:
        raise SettingsError(f"`labels` needs labelled images. Received: {dataset.name} without")
    labels = dataset.y_train.astype("int32")
    if labels.max() >= settings.num_classes:
        raise SettingsError(
            f"`classes` must be larger than all labels. Received: {settings.num_classes} classes "
            f"(--classes), labels up to {labels.max()}"
        )
    if wanted == "all":
        return labels
    count = len(labels)
    if int(wanted) > count:
        raise SettingsError(
            f"`labels` must be at most {count}, the training images. Received: labels={wanted}"
        )
    kept = draw_labelled(labels, int(wanted), seed=settings.seed)
    known = np.full(count, UNKNOWN, "int32")
    known[kept] = labels[kept]
    return known
