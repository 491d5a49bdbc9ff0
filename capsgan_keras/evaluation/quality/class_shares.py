"""What a classifier says of samples: how sure it is, and how the classes share them out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import entr, rel_entr

from capsgan_keras.checks import check_unit
from capsgan_keras.evaluation.images import as_numbers
from capsgan_keras.evaluation.record import Record


def check_probabilities(probabilities: npt.ArrayLike, name: str = "probabilities") -> np.ndarray:
    """Return probabilities `(n, num_classes)` as float64; refuse rows that do not add up to 1."""
    probabilities = as_numbers(name, probabilities)
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(
            f"`{name}` must have shape (n, num_classes), at least one row. "
            f"Received: {name}.shape={probabilities.shape}"
        )
    sums = probabilities.sum(axis=1)
    if not (probabilities.min() >= 0 and np.abs(sums - 1).max() <= 1e-3):
        raise ValueError(
            f"`{name}` must be at least 0 and add up to 1 in each row. Received: values "
            f"from {probabilities.min()}, sums from {sums.min()} to {sums.max()}"
        )
    return probabilities


def class_shares(probabilities: npt.ArrayLike) -> np.ndarray:
    """Return the share of the samples that each class gets.

    Args:
        probabilities: `(n, num_classes)`. A sample goes to its most probable class.

    Returns:
        float64 `(num_classes,)`, adding up to 1.

    Raises:
        ValueError: If they are no probabilities.

    Example:

    ```python
    from capsgan_keras.evaluation import class_shares
    print(class_shares([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]]))  # [0.75 0.25]
    ```
    """
    probabilities = check_probabilities(probabilities)
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return counts / len(probabilities)


def share_entropy(shares: npt.ArrayLike) -> float:
    """Return the Shannon entropy, in nats, of how the classes share the samples.

    It is the logarithm of the number of classes where all have the same share, and 0 where one
    has them all.

    Args:
        shares: `(num_classes,)`, adding up to 1.

    Raises:
        ValueError: If they are no shares: below 0, not numbers, or with another sum.

    Example:

    ```python
    from capsgan_keras.evaluation import share_entropy
    print(share_entropy([0.5, 0.5]))  # 0.6931, the logarithm of 2
    ```
    """
    shares = as_numbers("shares", shares)
    if shares.ndim != 1 or len(shares) == 0:
        raise ValueError(
            f"`shares` must have shape (num_classes,). Received: shares.shape={shares.shape}"
        )
    (shares,) = check_probabilities(shares[np.newaxis], "shares")
    return float(entr(shares).sum())


def classifier_score(probabilities: npt.ArrayLike) -> float:
    """Return `exp(mean KL(p(y | x) || p(y)))`.

    This is the form of the Inception score (Salimans et al., arXiv 1606.03498, section 4), with
    the package's own classifier instead of an Inception network, on all samples at once.

    Args:
        probabilities: `(n, num_classes)`.

    Returns:
        From 1 (all samples alike to the classifier, or none of them clear) to the number of
        classes (all clear, in equal shares).

    Raises:
        ValueError: If they are no probabilities.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import classifier_score
    print(classifier_score(np.eye(10)))  # 10.0
    ```
    """
    probabilities = check_probabilities(probabilities)
    divergences = rel_entr(probabilities, probabilities.mean(axis=0)).sum(axis=1)
    return float(np.exp(divergences.mean()))


@dataclass(frozen=True)
class ConfidentShares(Record):
    """How many samples the classifier is sure of, and of which classes; see `confident_shares`.

    Attributes:
        confident: Share of all samples that count.
        classes: Each class's share of all samples, those that count only; they add up to
            `confident`.
        classes_of_confident: Each class's share of the samples that count, adding up to 1; None
            where no sample counts.
    """

    threshold: float
    confident: float
    classes: tuple[float, ...]
    classes_of_confident: tuple[float, ...] | None


def confident_shares(probabilities: npt.ArrayLike, threshold: float = 0.9) -> ConfidentShares:
    """Count the samples that a classifier is sure of.

    Args:
        probabilities: `(n, num_classes)`.
        threshold: In [0, 1]. A sample counts where its most probable class has more.

    Raises:
        ValueError: If they are no probabilities, or the threshold is none.

    Example:

    ```python
    from capsgan_keras.evaluation import confident_shares
    shares = confident_shares([[0.95, 0.05], [0.5, 0.5]])
    print(shares.confident, shares.classes_of_confident)  # 0.5 (1.0, 0.0)
    ```
    """
    probabilities = check_probabilities(probabilities)
    check_unit(threshold=threshold)
    sure = probabilities.max(axis=1) > threshold
    counts = np.bincount(probabilities[sure].argmax(axis=1), minlength=probabilities.shape[1])
    return ConfidentShares(
        threshold=float(threshold),
        confident=float(sure.mean()),
        classes=tuple((counts / len(sure)).tolist()),
        classes_of_confident=tuple((counts / sure.sum()).tolist()) if sure.any() else None,
    )
