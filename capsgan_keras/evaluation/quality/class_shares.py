"""What a classifier says of samples: how sure it is, and how the classes share them out."""

from dataclasses import asdict, dataclass

import numpy as np


def check_probabilities(probabilities):
    """Checks class probabilities.

    Args:
        probabilities: float array `(n, num_classes)`, rows of which add up to 1.

    Returns:
        float64 array of the same shape.

    Raises:
        ValueError: If they are no probabilities.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(
            f"`probabilities` must have shape (n, num_classes), at least one row. "
            f"Received: probabilities.shape={probabilities.shape}"
        )
    sums = probabilities.sum(axis=1)
    if not (probabilities.min() >= 0 and np.abs(sums - 1).max() <= 1e-3):
        raise ValueError(
            f"`probabilities` must be at least 0 and add up to 1 in each row. Received: values "
            f"from {probabilities.min()}, sums from {sums.min()} to {sums.max()}"
        )
    return probabilities


def class_shares(probabilities):
    """Measures the share of the samples that each class gets.

    Args:
        probabilities: float array `(n, num_classes)`. A sample goes to its most probable class.

    Returns:
        float array `(num_classes,)` that adds up to 1.

    Raises:
        ValueError: If they are no probabilities.
    """
    probabilities = check_probabilities(probabilities)
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return counts / len(probabilities)


def share_entropy(shares):
    """Measures how evenly the classes share the samples.

    Args:
        shares: float array `(num_classes,)` that adds up to 1.

    Returns:
        float: Shannon entropy in nats; the logarithm of the number of classes where all have the
        same share, 0 where one has them all.
    """
    shares = np.asarray(shares, np.float64)
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum()) + 0.0


def classifier_score(probabilities):
    """Computes `exp(mean KL(p(y | x) || p(y)))`.

    This is the form of the Inception score (Salimans et al., arXiv 1606.03498, section 4), with
    the package's own classifier instead of an Inception network, on all samples at once.

    Args:
        probabilities: float array `(n, num_classes)`.

    Returns:
        float from 1 (all samples alike to the classifier, or none of them clear) to the number of
        classes (all clear, in equal shares).

    Raises:
        ValueError: If they are no probabilities.
    """
    probabilities = check_probabilities(probabilities)
    marginal = probabilities.mean(axis=0)
    safe = np.where(probabilities > 0, probabilities, 1)
    logs = np.where(probabilities > 0, np.log(safe / np.where(marginal > 0, marginal, 1)), 0)
    return float(np.exp((probabilities * logs).sum(axis=1).mean()))


@dataclass(frozen=True)
class ConfidentShares:
    """How many samples the classifier is sure of, and of which classes they are.

    Attributes:
        threshold: float. A sample counts where its most probable class has more than this.
        confident: float. Share of all samples that count.
        classes: tuple of floats. Each class's share of all samples, those that count only; they
            add up to `confident`.
        classes_of_confident: tuple of floats, or None where no sample counts. Each class's share
            of the samples that count; they add up to 1.
    """

    threshold: float
    confident: float
    classes: tuple
    classes_of_confident: tuple | None

    def to_dict(self):
        """Gives the shares as a dict that JSON can hold."""
        return asdict(self)


def confident_shares(probabilities, threshold=0.9):
    """Counts the samples that a classifier is sure of.

    Args:
        probabilities: float array `(n, num_classes)`.
        threshold: float in [0, 1]. A sample counts where its most probable class has more.

    Returns:
        `ConfidentShares`.

    Raises:
        ValueError: If they are no probabilities.
    """
    probabilities = check_probabilities(probabilities)
    sure = probabilities.max(axis=1) > threshold
    counts = np.bincount(probabilities[sure].argmax(axis=1), minlength=probabilities.shape[1])
    return ConfidentShares(
        threshold=float(threshold),
        confident=float(sure.mean()),
        classes=tuple((counts / len(sure)).tolist()),
        classes_of_confident=tuple((counts / sure.sum()).tolist()) if sure.any() else None,
    )
