"""Pieces of tables: Markdown, numbers with deviations, differences with intervals."""

import numpy as np
from scipy import stats

DIFFERENCE = "CapsuleGAN minus convolutional GAN, 95 % interval"
WELCH = "The intervals are Welch's, over the seeds"

NETWORKS = ("generator", "discriminator")
SIZES = ("parameters of G", "parameters of D")


def table(heads, lines):
    """Return a Markdown table.

    Args:
        heads: Texts of the first line.
        lines: Lists of as many texts.
    """
    lines = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parameters(runs, part):
    """Return the number of a network's parameters in some runs, as a text.

    Args:
        runs: `RunRecord`s.
        part: `"generator"` or `"discriminator"`.
    """
    counts = [(run.parameters or {}).get(part) for run in runs]
    texts = ["not recorded" if count is None else f"{count:,}" for count in counts]
    return " / ".join(dict.fromkeys(texts))


def number(value, spec, interval=None):
    """Return a number as a text; None is one that is not defined.

    Args:
        value: The number.
        spec: Its format.
        interval: Its bounds, to stand in brackets; None for none.
    """
    if value is None:
        return "undefined (denominator 0)"
    if interval is None:
        return f"{value:{spec}}"
    bounds = ("none" if bound is None else f"{bound:{spec}}" for bound in interval)
    return f"{value:{spec}} [{', '.join(bounds)}]"


def mean_and_deviation(values, spec):
    """Return the mean of some numbers and, of several, their standard deviation, as a text.

    Args:
        values: One or more numbers. Where one is None, which is not defined, the text says so.
        spec: Format of a number.
    """
    if None in list(values):
        return number(None, spec)
    text = f"{np.mean(values):{spec}}"
    return text + (f" ± {np.std(values, ddof=1):{spec}}" if len(values) > 1 else "")


def difference(a, b, spec):
    """Return how much larger the second of two groups is, with Welch's 95 % interval, as a text.

    Args:
        a: Numbers, one for each seed.
        b: The same of the other group.
        spec: Format of a number.
    """
    middle, low, high = welch(a, b)
    if low == high:
        return f"{middle:+{spec}}"
    return f"{middle:+{spec}} [{low:+{spec}}, {high:+{spec}}]"


def welch(a, b):
    """Return how much larger the second of two groups is, and the bounds of its 95 % interval."""
    # Not by `ttest_ind`, which warns where the values of one group are equal.
    variances = np.array([np.var(values, ddof=1) / len(values) for values in (a, b)])
    middle, total = np.mean(b) - np.mean(a), variances.sum()
    if total == 0:
        return middle, middle, middle
    freedom = total**2 / sum(variances**2 / [len(a) - 1, len(b) - 1])
    return middle, *stats.t.interval(0.95, freedom, middle, np.sqrt(total))
