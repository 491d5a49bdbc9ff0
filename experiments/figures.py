"""Figures of results, as read from their JSON files. None of them belongs to a window."""

import numpy as np
from matplotlib.figure import Figure

from experiments.paper import ERRORS, METRIC, TITLES
from experiments.tables import CONTROLS, tournament_result


def metric_bars(identity, results):
    """Draw r_samples and r_test of every pair, with their intervals, and the paper's beside.

    Args:
        identity: What `gam.json` says of the runs and settings.
        results: Its results.
    """
    pairs = results["pairs"]
    paper = METRIC.get(identity["dataset"]["name"])
    labels = [f"{pair['a']}\n{pair['b']}\ncut {pair['cut']}" for pair in pairs]
    figure = Figure(figsize=(max(6.0, 1.6 * len(pairs) + 2.0), 4.2), layout="constrained")
    axes = figure.subplots()
    for offset, color, name in ((-0.2, "C0", "r_samples"), (0.2, "C1", "r_test")):
        values = [np.nan if pair[name] is None else pair[name] for pair in pairs]
        bounds = [_bounds(pair[f"{name}_interval"], pair[name]) for pair in pairs]
        axes.bar(
            np.arange(len(pairs)) + offset,
            values,
            0.38,
            yerr=np.transpose(bounds),
            capsize=3,
            label=name,
            color=color,
        )
        if paper:
            axes.axhline(
                paper[name],
                color=color,
                linestyle=":",
                label=f"{name}, paper",
            )
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_xticks(np.arange(len(pairs)), labels)
    axes.set(title="generative adversarial metric", ylabel="ratio of accuracies")
    axes.legend()
    return figure


def _bounds(interval, value):
    if value is None or interval is None or None in interval:
        return 0.0, 0.0
    return max(0.0, value - interval[0]), max(0.0, interval[1] - value)


def tournament_matrix(identity, results):
    """Draw the accuracy of every discriminator on every generator's images, one panel a cut.

    Args:
        identity: What `gam.json` says of the runs and settings.
        results: Its results.
    """
    cuts = list(results["rows"])
    n = len(identity["runs"])
    side = 2.6 + 0.6 * n
    figure = Figure(figsize=(side * len(cuts), side), layout="constrained")
    for axes, cut in zip(figure.subplots(1, len(cuts), squeeze=False)[0], cuts, strict=True):
        result = tournament_result(results["rows"][cut], identity["settings"])
        values = np.column_stack([result.accuracies, result.test_accuracies])
        axes.imshow(values, vmin=0.0, vmax=1.0, cmap="viridis")
        for (row, column), value in np.ndenumerate(values):
            shade = "white" if value < 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade)
        axes.set_xticks(range(n + 1), [*result.names, "test images"], rotation=45, ha="right")
        axes.set_yticks(range(n), result.names)
        axes.set(title=f"accuracy, cut {cut}", xlabel="images of", ylabel="discriminator of")
    return figure


def error_curves(identity, results):
    """Draw the error against the number of labelled images.

    Args:
        identity: What `semi_supervised.json` says of the runs and settings.
        results: Its results.
    """
    numbers = identity["settings"]["n_labelled"]
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for index, (name, title) in enumerate(CONTROLS.items()):
        _curve(axes, numbers, results["tables"][name], title, f"C{index + 2}", "--")
    for index, (model, title) in enumerate(TITLES.items()):
        for run in [run["name"] for run in identity["runs"] if run["model"] == model]:
            _curve(axes, numbers, results["tables"][run], f"{title}, {run}", f"C{index}", "-")
        paper = ERRORS.get(identity["dataset"]["name"], {}).get(model)
        if paper:
            axes.plot(
                list(paper), list(paper.values()), f"C{index}:", marker="x", label=f"{title}, paper"
            )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="labelled images",
        ylabel="error on the test images",
        title="label spreading",
    )
    axes.set_xticks(numbers, [f"{n:,}" for n in numbers])
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize="small")
    return figure


def _curve(axes, numbers, result, label, color, style):
    deviations = [0.0 if sd is None else sd for sd in result["deviation"]]
    axes.errorbar(
        numbers, result["mean"], deviations, label=label, color=color, linestyle=style, capsize=3
    )
