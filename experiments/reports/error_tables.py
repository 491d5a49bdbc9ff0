"""The semi-supervised table."""

import dataclasses

import numpy as np

from experiments.errors import EvaluationError
from experiments.reports.paper import ERRORS, TITLES
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

_NO_RULES = ("candidates", "choose_settings")
"""Settings that say how others were found."""
CONTROLS = {
    "nearest_labelled": "no images: nearest labelled image",
    "labels_only": "no images: label spreading on the labels",
    "real_unlabelled": "real images",
}


def error_table(results):
    """Return the table of errors, as Markdown.

    Args:
        results: `experiments.evaluations.results.ErrorResults`.
    """
    return joint_error_table({"ours": results})


def joint_error_table(by_settings):
    """Return one table of the errors of several settings, as Markdown.

    Args:
        by_settings: Dictionary from what the settings are called to their
            `experiments.evaluations.results.ErrorResults`.

    Raises:
        EvaluationError: Where the errors of one were computed otherwise than those of another.
    """
    first = _computed_alike(by_settings)
    numbers = first.settings["n_labelled"]
    lines, compared = [], False
    for model, paper in ERRORS.get(first.dataset.name, {}).items():
        cells = ["" if paper.get(n) is None else f"{paper[n]:.4f}" for n in numbers]
        lines.append([f"{TITLES[model]}, paper", *cells, "not stated", "not stated"])
    for name, results in by_settings.items():
        added, groups = _lines_of(results, name)
        lines += added
        if len(groups) == len(TITLES):
            compared = True
            head = DIFFERENCE if results is first else f"{name}: {DIFFERENCE}"
            cells = [difference(*pair, ".4f") for pair in zip(*groups, strict=True)]
            lines.append([head, *cells, "", ""])
    controls = {name: [first.tables[name]] for name in CONTROLS}
    lines += [[CONTROLS[name], *errors(each), "none", "none"] for name, each in controls.items()]
    heads = ["unlabelled images", *(f"n = {n:,}" for n in numbers), *SIZES]
    told = f"{_note(first, compared)}{_unconverged(by_settings)}{_unreached(by_settings)}"
    return f"{table(heads, lines)}\n\n{told}"


def _computed_alike(by_settings):
    """Return the first results, whose controls and note hold for all."""
    first, *others = by_settings.values()
    for each in others:
        both = _rules(first), _rules(each)
        differing = [name for name in both[0] | both[1] if both[0].get(name) != both[1].get(name)]
        if differing:
            ours, theirs = ({name: rules.get(name) for name in differing} for rules in both)
            raise EvaluationError(
                f"{each.path}: was computed otherwise than {first.path}, so one table can't hold "
                f"both. Received: {theirs} and {ours}"
            )
    return first


def _rules(results):
    """Return all that errors depend on, but for the networks: images, draws, label spreading."""
    rules = results.settings | {"images": dataclasses.asdict(results.dataset)}
    if results.choices:
        names = "n_neighbors", "gamma", "alpha"
        rules |= {name: [choice.get(name) for choice in results.choices] for name in names}
    return {name: value for name, value in rules.items() if name not in _NO_RULES}


def _lines_of(results, name):
    """Return the models' lines, and for each model of several seeds its errors by n and seed."""
    lines, groups = [], []
    for model, title in TITLES.items():
        runs = results.runs_of(model)
        if runs:
            title += f", {name}" + (f", {len(runs)} seeds" if len(runs) > 1 else "")
            sizes = [parameters(runs, part) for part in NETWORKS]
            lines.append([title, *errors([results.tables[run.name] for run in runs]), *sizes])
        if len(runs) > 1:
            groups.append(np.transpose([results.tables[run.name].mean for run in runs]))
    return lines, groups


def errors(tables):
    """Return the errors for each number of labelled images, as texts.

    Args:
        tables: `SemiSupervisedResult`s of one run or control, or of all seeds of a model: the
            deviation is over the draws of one, and over the seeds of several.
    """
    if len(tables) == 1:
        return [mean_and_deviation(row, ".4f") for row in tables[0].errors]
    means = np.transpose([result.mean for result in tables])
    return [mean_and_deviation(row, ".4f") for row in means]


def _note(results, compared):
    settings, tables, images = results.settings, results.tables, results.test_images
    stratified = "the same number from each class" if settings["stratified"] else "plain random"
    note = (
        f"Error on the {tables['labels_only'].n_test:,} {images}, mean ± standard deviation over "
        f"{settings['draws']} draws of the n labelled images ({stratified}), with several seeds "
        f"over the seeds' means; {settings['n_unlabelled']:,} unlabelled images"
        f"{_real_images(tables['real_unlabelled'], settings)}. {_spreading(results)}"
    )
    return note + (f" {WELCH}." if compared else "")


def _real_images(result, settings):
    used = set(result.n_unlabelled.ravel().tolist())
    if used == {settings["n_unlabelled"]}:
        return ""
    return f" (real ones, as far as there are: {min(used):,} to {max(used):,})"


def _spreading(results):
    settings, choices = results.settings, results.choices or [results.settings]
    kernel = settings["kernel"]
    width, unit = {"knn": ("n_neighbors", "{} neighbours"), "rbf": ("gamma", "gamma {}")}[kernel]
    widths, alphas = (
        ", ".join(f"{choice[name]:g}" for choice in choices) for name in (width, "alpha")
    )
    how = ", chosen on training images" if results.choices else ""
    how += " for each n" if len(choices) > 1 else ""
    if results.choices and all(len(choice["candidates_alpha"]) == 1 for choice in choices):
        spreading = f"{unit.format(widths)}{how}, alpha {choices[0]['alpha']:g}"
    else:
        spreading = f"{unit.format(widths)}, alpha {alphas}{how}"
    return (
        f"Label spreading: kernel {kernel}, {spreading}, "
        f"at most {settings['max_iter']} iterations, raw pixels."
    )


def _unconverged(by_settings):
    tables = [table for results in by_settings.values() for table in results.tables.values()]
    converged = np.concatenate([table.converged.ravel() for table in tables])
    count = int(np.sum(~converged))
    return f" Not converged: {count} of {len(converged)} errors." if count else ""


def _unreached(by_settings):
    counts = {}
    for settings, results in by_settings.items():
        images = results.test_images
        for name, result in results.tables.items():
            run = name if len(by_settings) == 1 else f"{name} ({settings})"
            counts[CONTROLS.get(name, run)] = int(result.unreached.sum())
    parts = [f"{name} {count}" for name, count in counts.items() if count]
    if not parts:
        return f" Every {images[:-1]} was reached by a label."
    return (
        f" {images.capitalize()} that no label reached, in all draws together: {', '.join(parts)}."
    )
