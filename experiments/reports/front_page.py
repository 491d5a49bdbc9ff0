"""The short table of the front page: the paper's figures, ours, and who is better."""

import numpy as np

from experiments.errors import EvaluationError
from experiments.reports.paper import ERRORS, METRIC, TITLES
from experiments.reports.quality_tables import MEASURES
from experiments.reports.text import difference, mean_and_deviation, table, welch
from experiments.settings.evaluations import EVALUATIONS

CUT = "calibrated"
"""The cut whose ratios are shown."""
CONTROL = "nearest_labelled"
RECOGNISED, DISTANCE = "recognised with confidence > 0.9", "Fréchet distance"


def scores(evaluations, others=()):
    """Return the short table of one folder of results, as Markdown.

    Errors with the RBF kernel follow the others, where the folder has such.

    Args:
        evaluations: `experiments.reports.folders.Evaluations` with several runs of both models.
        others: Those of other settings on the same images, whose errors with the RBF kernel are
            added.

    Raises:
        EvaluationError: Where one of the three evaluations, the cut, or the RBF kernel of others
            is missing, or they are of other images.
    """
    name = evaluations.dataset
    lacking = [each for each in EVALUATIONS if getattr(evaluations, each) is None]
    if not lacking and CUT not in evaluations.gam.tournaments:
        lacking = [f"the metric with --cut {CUT}"]
    if lacking:
        raise EvaluationError(
            f"{evaluations.folder}: the short table needs all evaluations. Missing: "
            f"{', '.join(lacking)}"
        )
    both = TITLES.values()
    heads = ["", *(f"paper: {title}" for title in both), *(f"ours: {title}" for title in both)]
    heads += ["control: nearest label", "better: CapsuleGAN minus convolutional GAN, 95 % interval"]
    paper = ERRORS.get(name, {})
    with_rbf = []
    if evaluations.has_rbf_errors:
        with_rbf += error_lines(evaluations.rbf_errors, paper, "RBF: ")
    for each in others:
        if each.rbf_errors.dataset != evaluations.semi_supervised.dataset:
            raise EvaluationError(
                f"{each.folder}: must be of the same images as {evaluations.folder}, to be added "
                f"to its table. Received: {each.rbf_errors.dataset} and "
                f"{evaluations.semi_supervised.dataset}"
            )
        with_rbf += error_lines(each.rbf_errors, paper, f"{each.settings_name}, RBF: ")
    lines = [
        *metric_lines(evaluations.gam, METRIC.get(name, {})),
        *error_lines(evaluations.semi_supervised, paper),
        *with_rbf,
        *quality_lines(evaluations.sample_quality),
    ]
    return table(heads, lines)


def metric_lines(results, paper):
    """Return the lines of the metric; `paper` has the paper's ratios, or nothing."""
    pairs = [pair.result for pair in results.pairs if pair.cut == CUT]
    groups = [[run.name for run in results.runs_of(model)] for model in TITLES]
    wins = results.tournaments[CUT].compare_groups(*groups)["wins"]
    lines = []
    for name, wanted in (("r_samples", "below 1"), ("r_test", "about 1")):
        ratios = [getattr(pair, name) for pair in pairs]
        lines.append(
            [
                f"metric, {name} ({wanted})",
                "",
                f"{paper[name]:.2f}" if paper else "",
                "",
                mean_and_deviation(ratios, ".2f"),
                "",
                f"CapsuleGAN wins {wins['b']}, convolutional GAN {wins['a']} of {len(pairs)} pairs",
            ]
        )
    return lines


def error_lines(results, paper, title=""):
    """Return the lines of label spreading's errors; `paper` has the paper's, by model and n."""
    control = results.tables[CONTROL].mean
    groups = [
        np.transpose([results.tables[run.name].mean for run in results.runs_of(model)])
        for model in TITLES
    ]
    lines = []
    for row, n in enumerate(results.settings["n_labelled"]):
        values = [group[row] for group in groups]
        papers = [paper.get(model, {}).get(n) for model in TITLES]
        lines.append(
            [
                f"{title}error, {n:,} labels",
                *("" if each is None else f"{each:.3f}" for each in papers),
                *(mean_and_deviation(group, ".3f") for group in values),
                f"{control[row]:.3f}",
                _better(*values, ".3f", lower=True),
            ]
        )
    return lines


def quality_lines(results):
    """Return the lines of recognised images, in per cent, and of the Fréchet distance."""
    lines = []
    for title, measure, percent, spec, lower in (
        ("recognised images, %", RECOGNISED, 100.0, ".1f", False),
        ("Fréchet distance", DISTANCE, 1.0, ".2f", True),
    ):
        _, numbers = MEASURES[measure]
        groups = [
            [percent * numbers(results.quality[run.name])[0] for run in results.runs_of(model)]
            for model in TITLES
        ]
        ours = [mean_and_deviation(group, spec) for group in groups]
        lines.append([title, "", "", *ours, "", _better(*groups, spec, lower)])
    return lines


def _better(convolutional, capsule, spec, lower):
    """Name the better model where the interval of the difference leaves zero out."""
    if min(len(convolutional), len(capsule)) < 2:
        return "one seed tells no difference"
    middle, low, high = welch(convolutional, capsule)
    name = "neither"
    if low > 0 or high < 0:
        name = TITLES["capsule" if (middle < 0) == lower else "convolutional"]
    return f"{name}: {difference(convolutional, capsule, spec)}"
