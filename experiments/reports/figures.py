"""Figures of results, as read from their JSON files. None of them belongs to a window."""

import numpy as np
from matplotlib.figure import Figure

from experiments.reports.paper import ERRORS, METRIC, TITLES
from experiments.reports.tables import CONTROLS, of_validation, tournament_result


def metric_intervals(identity, results):
    """Draw r_samples and r_test of every pair with their intervals, and the paper's as lines.

    Args:
        identity: What `gam.json` says of the runs and settings.
        results: Its results.
    """
    paper = METRIC.get(identity["dataset"]["name"])
    cuts = list(dict.fromkeys(pair["cut"] for pair in results["pairs"]))
    rivals = list(dict.fromkeys((pair["a"], pair["b"]) for pair in results["pairs"]))
    size = (3.0 + 3.6 * len(cuts), 1.9 + 0.45 * len(rivals))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle("generative adversarial metric: ratios of accuracies")
    panels = figure.subplots(1, len(cuts), sharey=True, squeeze=False)[0]
    for axes, cut in zip(panels, cuts, strict=True):
        pairs = [pair for pair in results["pairs"] if pair["cut"] == cut]
        rows = np.array([rivals.index((pair["a"], pair["b"])) for pair in pairs])
        for offset, color, name in ((-0.12, "C0", "r_samples"), (0.12, "C1", "r_test")):
            values = [np.nan if pair[name] is None else pair[name] for pair in pairs]
            bounds = [_bounds(pair[f"{name}_interval"], pair[name]) for pair in pairs]
            axes.errorbar(
                values, rows + offset, xerr=np.transpose(bounds), fmt="o", color=color, label=name
            )
            if paper:
                axes.axvline(paper[name], color=color, linestyle=":", label=f"{name}, paper")
        axes.axvline(1.0, color="black", linewidth=0.8)
        axes.set(title=f"cut {cut}")
        axes.grid(alpha=0.3, axis="x")
    panels[0].set_yticks(range(len(rivals)), [f"{a}\nagainst {b}" for a, b in rivals])
    panels[0].set_ylim(len(rivals) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
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
        columns = [*result.names, of_validation(identity, "test images")]
        axes.set_xticks(range(n + 1), columns, rotation=45, ha="right")
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
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for index, (name, title) in enumerate(CONTROLS.items()):
        _curve(axes, numbers, results["tables"][name], title, f"C{index + 2}", "--")
    for index, (model, title) in enumerate(TITLES.items()):
        for run in [run["name"] for run in identity["runs"] if run["model"] == model]:
            _curve(axes, numbers, results["tables"][run], f"{title}, ours", f"C{index}", "-")
        paper = ERRORS.get(identity["dataset"]["name"], {}).get(model)
        if paper:
            axes.plot(
                list(paper), list(paper.values()), f"C{index}:", marker="x", label=f"{title}, paper"
            )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="labelled images",
        ylabel=of_validation(identity, "error on the test images"),
        title="label spreading",
    )
    axes.set_xticks(numbers, [f"{n:,}" for n in numbers])
    axes.grid(alpha=0.3, which="both")
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))  # the runs of a model share a label
    figure.legend(once.values(), once.keys(), loc="outside right upper", fontsize="small")
    return figure


def _curve(axes, numbers, result, label, color, style):
    deviations = [0.0 if sd is None else sd for sd in result["deviation"]]
    axes.errorbar(
        numbers, result["mean"], deviations, label=label, color=color, linestyle=style, capsize=3
    )
