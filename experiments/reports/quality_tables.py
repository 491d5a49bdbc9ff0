"""The tables of sample quality."""

from experiments.reports.paper import TITLES
from experiments.reports.text import (
    DIFFERENCE,
    NETWORKS,
    SIZES,
    WELCH,
    difference,
    mean_and_deviation,
    parameters,
    table,
)

MEASURES = {
    "recognised with confidence > 0.9": (".3f", lambda q: [q.confident.confident]),
    "smallest and largest share of a class": (
        ".3f",
        lambda q: [min(q.class_shares), max(q.class_shares)],
    ),
    "entropy of the classes (nats)": (".3f", lambda q: [q.class_entropy]),
    "classifier score": (".2f", lambda q: [q.classifier_score]),
    "Fréchet distance": (".2f", lambda q: [q.frechet_distance]),
    "kernel distance": (".4g", lambda q: [q.kernel_distance]),
    "precision / recall": (".3f", lambda q: [q.manifold.precision, q.manifold.recall]),
    "density / coverage": (".3f", lambda q: [q.manifold.density, q.manifold.coverage]),
    "distance to the nearest training image, over that of {test_images}": (
        ".3f",
        lambda q: [q.memorising.ratio],
    ),
}
"""What the table shows of each run: titles, formats and numbers."""
CURVES = (
    "Fréchet distance",
    "recognised with confidence > 0.9",
    "precision / recall",
    "density / coverage",
)
"""Those of them that are followed over the epochs of training."""


def quality_table(results, brief=False):
    """Return the table of sample quality, as Markdown.

    Args:
        results: `experiments.evaluations.results.QualityResults`.
        brief: Whether to leave out single runs where a model has several.
    """
    columns, groups = {}, []
    for model, title in TITLES.items():
        runs = results.runs_of(model)
        if len(runs) > 1:
            groups.append([results.quality[run.name] for run in runs])
            columns[f"{title}, {len(runs)} seeds"] = runs
        if len(runs) == 1 or not brief:
            columns |= {run.name: [run] for run in runs}
    compared = len(groups) == len(TITLES)
    heads = ["", *columns, *([DIFFERENCE] if compared else [])]
    lines = []
    for title in MEASURES:
        cells = [
            measure(title, [results.quality[run.name] for run in runs]) for runs in columns.values()
        ]
        cells += [measure_difference(title, *groups)] if compared else []
        lines.append([title.format(test_images=results.test_images), *cells])
    for title, part in zip(SIZES, NETWORKS, strict=True):
        cells = [parameters(runs, part) for runs in columns.values()]
        lines.append([title, *cells, *([""] if compared else [])])
    note = _note(results, results.quality) + (f" {WELCH}." if compared else "")
    return f"{table(heads, lines)}\n\n{note}"


def quality_epoch_table(results):
    """Return the table of sample quality over the epochs, as Markdown.

    Args:
        results: `experiments.evaluations.results.QualityEpochResults`.
    """
    lines = []
    for epoch in sorted(results.quality_after, key=int):
        quality = results.quality_after[epoch]
        for model, title in TITLES.items():
            measured = [quality[run.name] for run in results.runs_of(model)]
            if measured:
                lines.append([epoch, title, *(measure(each, measured) for each in CURVES)])
    return f"{table(['epoch', 'model', *CURVES], lines)}\n\n{_note(results, quality)}"


def _note(results, quality):
    """Say what all runs have in common, by the `SampleQuality` of any."""
    first = next(iter(quality.values()))
    real = first.real_confident
    beside = "" if real is None else f", {real:.3f} of them recognised"
    several = any(len(results.runs_of(model)) > 1 for model in TITLES)
    spread = "; mean ± standard deviation over the seeds" if several else ""
    return (
        f"{first.n_samples:,} samples against {first.n_real:,} {results.test_images}{beside}, in "
        f"the feature space of a classifier with {first.classifier['test_accuracy']:.2%} on the "
        f"{results.test_images}; not an Inception network's{spread}."
    )


def measure(title, qualities):
    """Return a measure of one run, or its mean over several, as a text.

    Args:
        title: Of `MEASURES`.
        qualities: `SampleQuality`, one for each run.
    """
    spec, numbers = MEASURES[title]
    columns = zip(*map(numbers, qualities), strict=True)
    return _joined(title, [mean_and_deviation(values, spec) for values in columns])


def measure_difference(title, *groups):
    """Return a measure's differences between two groups of `SampleQuality`, as a text."""
    spec, numbers = MEASURES[title]
    texts = []
    for values in zip(*(zip(*map(numbers, group), strict=True) for group in groups), strict=True):
        undefined = any(None in group for group in values)
        texts.append("undefined" if undefined else difference(*values, spec.replace("4g", "2g")))
    return _joined(title, texts)


def _joined(title, texts):
    return (" / " if "/" in title else ", ").join(texts)
