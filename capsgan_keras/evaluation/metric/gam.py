"""The generative adversarial metric: each discriminator scores the other model's images.

The metric is due to Im et al., "Generating images with recurrent adversarial networks"
(arXiv 1602.05110, section 5). The form used here is that of Jaiswal et al., arXiv 1802.06167,
equations 4 and 5, on classification accuracies.
"""

from dataclasses import dataclass

import numpy as np

from capsgan_keras.checks import check_not_negative, check_positive, check_seed
from capsgan_keras.evaluation.images import check_uint8_images
from capsgan_keras.evaluation.metric.cuts import resolve_cut
from capsgan_keras.evaluation.metric.scores import (
    ComparableGAN,
    area_under_curve,
    check_comparable,
    generate_images,
    score_images,
)
from capsgan_keras.evaluation.record import Record
from capsgan_keras.html import html_table, interval

_RESAMPLES = 10_000
Interval = tuple[float | None, float | None]


@dataclass(frozen=True)
class GamResult(Record):
    """What the generative adversarial metric says of two models.

    See `generative_adversarial_metric`, also for the attributes that keep its arguments. A ratio is
    None where its denominator is zero. A bound of an interval is None where resampled
    denominators are zero, so that the ratio has no such bound.

    Attributes:
        accuracies: Four numbers in [0, 1]. `"d_a_on_g_b"` and `"d_b_on_g_a"` are the shares of
            the other model's images scored below the cut, `"d_a_on_test"` and `"d_b_on_test"`
            the shares of the test images scored at or above it.
        r_samples: `d_a_on_g_b / d_b_on_g_a` (equation 4).
        r_test: `d_a_on_test / d_b_on_test` (equation 5).
        r_samples_interval: Bootstrap 95 % interval, over images.
        r_test_interval: Bootstrap 95 % interval, over test images.
        winner: `"a"`, `"b"` or `"tie"`.
        auc: `"d_a"` and `"d_b"`, the area under the ROC curve of each discriminator between the
            test images and the other model's images.
        cut: `"paper"`, `"calibrated"` or `"given"`.
        cuts: Those of both discriminators.
    """

    accuracies: dict[str, float]
    r_samples: float | None
    r_test: float | None
    r_samples_interval: Interval
    r_test_interval: Interval
    winner: str
    auc: dict[str, float]
    cut: str
    cuts: tuple[float, float]
    tolerance: float
    n_samples: int
    n_test: int
    seed: int | None

    def _repr_html_(self) -> str:
        """Return what a notebook shows: both discriminators side by side, and the ratios."""
        shares, auc, cuts = self.accuracies, self.auc, self.cuts
        rows = [
            ("accuracy on the other's images", shares["d_a_on_g_b"], shares["d_b_on_g_a"]),
            ("accuracy on test images", shares["d_a_on_test"], shares["d_b_on_test"]),
            ("area under the ROC curve", auc["d_a"], auc["d_b"]),
            (f"cut ({self.cut})", *cuts),
        ]
        caption = (
            f"r_samples {interval(self.r_samples, self.r_samples_interval)}, "
            f"r_test {interval(self.r_test, self.r_test_interval)}, winner: {self.winner}"
        )
        return html_table(("", "discriminator of a", "discriminator of b"), rows, caption)


def generative_adversarial_metric(
    gan_a: ComparableGAN,
    gan_b: ComparableGAN,
    x_test: np.ndarray,
    n_samples: int = 10_000,
    cut: str | float | tuple[float, float] = "paper",
    seed: int | None = 0,
    *,
    tolerance: float = 0.1,
    batch_size: int = 1_000,
) -> GamResult:
    """Let each of two models score the other's images.

    In the paper a is the convolutional GAN and b the CapsuleGAN. Its rule: b wins if
    `r_samples < 1` and `r_test` is about 1; a wins if `r_samples > 1` instead. "About 1" is here
    `abs(r_test - 1) <= tolerance`, for which the paper gives no number; else it is a tie. Where
    `r_samples` has a zero denominator, its two accuracies are compared instead, which comes to
    the same.

    Args:
        gan_a: A model with `generate(n, seed=...)`, which returns uint8 images
            `(n, height, width, channels)`, and `discriminate(images)`, which returns their
            probabilities `(n,)` of being real. Where its attribute `discriminator_outputs` is
            `"score"`, these are scores, and the cut must be calibrated or given.
        gan_b: The other model.
        x_test: uint8 real images of the same shape.
        n_samples: Number of images that each model generates.
        cut: Score from which on an image counts as real: `"paper"` (0.5: the paper states none), a
            number in [0, 1], a pair of these for the discriminators of a and b, or
            `"calibrated"` (`calibrated_cut` of each model's attribute `loss`).
        seed: Seed of both models' images and of the bootstrap.
        tolerance: How far from 1 `r_test` may be for there to be a winner.
        batch_size: Images scored at a time; does not change the result.

    Raises:
        ValueError: If images or scores are not of the stated form, or the cut cannot be had.

    Example:

    ```python
    import numpy as np
    from capsgan_keras import CapsuleGAN, ConvolutionalGAN
    from capsgan_keras.evaluation import generative_adversarial_metric
    x_test = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), np.uint8)
    gans = [kind(image_shape=(16, 16, 1), latent_dim=4) for kind in (ConvolutionalGAN, CapsuleGAN)]
    result = generative_adversarial_metric(*gans, x_test, n_samples=20, cut="calibrated")
    print(result.r_samples, result.r_test, result.winner)
    ```
    """
    check_positive(n_samples=n_samples, batch_size=batch_size)
    seed = check_seed(seed)
    check_not_negative(tolerance=tolerance)
    x_test = check_uint8_images("x_test", x_test)
    check_comparable(gan_a=gan_a, gan_b=gan_b)
    cuts = (*cut,) if isinstance(cut, tuple | list) else (cut, cut)
    if len(cuts) != 2:
        raise ValueError(f"`cut`, being a pair, must have two numbers. Received: cut={cut!r}")
    cut_a, cut_b = resolve_cut(cuts[0], gan_a, "gan_a"), resolve_cut(cuts[1], gan_b, "gan_b")

    samples_a = generate_images(gan_a, "gan_a", n_samples, seed, like=x_test)
    samples_b = generate_images(gan_b, "gan_b", n_samples, seed, like=x_test)
    a_on_b = score_images(gan_a, "gan_a", samples_b, batch_size)
    b_on_a = score_images(gan_b, "gan_b", samples_a, batch_size)
    a_on_test = score_images(gan_a, "gan_a", x_test, batch_size)
    b_on_test = score_images(gan_b, "gan_b", x_test, batch_size)

    correct_on_test = a_on_test >= cut_a, b_on_test >= cut_b
    on_samples = float((a_on_b < cut_a).mean()), float((b_on_a < cut_b).mean())
    on_test = float(correct_on_test[0].mean()), float(correct_on_test[1].mean())
    rng = np.random.default_rng(seed)
    # How many of n resampled images are classified correctly is binomial.
    resampled = [rng.binomial(n_samples, share, _RESAMPLES) / n_samples for share in on_samples]
    return GamResult(
        accuracies={
            "d_a_on_g_b": on_samples[0],
            "d_b_on_g_a": on_samples[1],
            "d_a_on_test": on_test[0],
            "d_b_on_test": on_test[1],
        },
        r_samples=ratio(*on_samples),
        r_test=ratio(*on_test),
        r_samples_interval=_interval(*resampled),
        r_test_interval=_interval(*_resample_paired(rng, *correct_on_test)),
        winner=decide_winner(on_samples, on_test, tolerance),
        auc={
            "d_a": area_under_curve(a_on_b, a_on_test),
            "d_b": area_under_curve(b_on_a, b_on_test),
        },
        cut=cut if isinstance(cut, str) else "given",
        cuts=(cut_a, cut_b),
        tolerance=float(tolerance),
        n_samples=int(n_samples),
        n_test=len(x_test),
        seed=seed,
    )


def ratio(numerator: float, denominator: float) -> float | None:
    """Return the ratio of two accuracies, None where the denominator is zero."""
    return None if denominator == 0 else numerator / denominator


def decide_winner(
    on_samples: tuple[float, float], on_test: tuple[float, float], tolerance: float
) -> str:
    """Return `"a"`, `"b"` or `"tie"` by the rule of `generative_adversarial_metric`.

    The pairs are the accuracies of the discriminators of a and b, on each other's images and on
    the test images.
    """
    r_test = ratio(*on_test)
    if r_test is None or abs(r_test - 1) > tolerance or on_samples[0] == on_samples[1]:
        return "tie"
    return "b" if on_samples[0] < on_samples[1] else "a"


def _resample_paired(
    rng: np.random.Generator, correct_a: np.ndarray, correct_b: np.ndarray
) -> tuple[np.ndarray, ...]:
    # Both discriminators see the same test images, so these are resampled together.
    kinds = [correct_a & correct_b, correct_a & ~correct_b, ~correct_a & correct_b]
    shares = [kind.mean() for kind in kinds]
    both, only_a, only_b, _ = rng.multinomial(
        len(correct_a), [*shares, max(0.0, 1 - sum(shares))], _RESAMPLES
    ).T
    return (both + only_a) / len(correct_a), (both + only_b) / len(correct_a)


def _interval(numerators: np.ndarray, denominators: np.ndarray) -> Interval:
    if ((numerators == 0) & (denominators == 0)).any():
        return None, None
    with np.errstate(divide="ignore"):
        ratios = numerators / denominators
    bounds = np.quantile(ratios, [0.025, 0.975], method="nearest")
    low, high = (float(bound) if np.isfinite(bound) else None for bound in bounds)
    return low, high
