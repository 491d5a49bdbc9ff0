"""Figures of results, as read from their JSON files. None of them belongs to a window."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from capsgan_keras.datasets.registry import dataset_title
from experiments.evaluations.opponents import opponents
from experiments.reports.error_tables import CONTROLS
from experiments.reports.paper import ERRORS, METRIC, RATIOS, TITLES
from experiments.reports.quality_tables import CURVES, MEASURES
from experiments.settings.evaluations import cut_name


def metric_intervals(results):
    """Draw r_samples and r_test of every pair with their intervals, and the paper's as lines.

    Args:
        results: `experiments.evaluations.results.MetricResults`.
    """
    paper = METRIC.get(results.dataset.name)
    cuts = list(dict.fromkeys(pair.cut for pair in results.pairs))
    rivals = list(dict.fromkeys((pair.a, pair.b) for pair in results.pairs))
    size = (3.0 + 3.6 * len(cuts), 1.9 + 0.45 * len(rivals))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(_title(results, "generative adversarial metric, ratios of accuracies"))
    panels = figure.subplots(1, len(cuts), sharey=True, squeeze=False)[0]
    for axes, cut in zip(panels, cuts, strict=True):
        pairs = [pair for pair in results.pairs if pair.cut == cut]
        rows = np.array([rivals.index((pair.a, pair.b)) for pair in pairs])
        for offset, color, name in ((-0.12, "C0", "r_samples"), (0.12, "C1", "r_test")):
            ratios = [getattr(pair.result, name) for pair in pairs]
            values = [np.nan if ratio is None else ratio for ratio in ratios]
            intervals = [getattr(pair.result, f"{name}_interval") for pair in pairs]
            bounds = [_bounds(*both) for both in zip(intervals, ratios, strict=True)]
            axes.errorbar(
                values, rows + offset, xerr=np.transpose(bounds), fmt="o", color=color, label=name
            )
            if paper:
                axes.axvline(paper[name], color=color, linestyle=":", label=f"{name}, paper")
        axes.axvline(1.0, color="black", linewidth=0.8)
        axes.set(title=f"cut {cut_name(cut)}")
        axes.grid(alpha=0.3, axis="x")
    panels[0].set_yticks(range(len(rivals)), [f"{a}\nagainst {b}" for a, b in rivals])
    panels[0].set_ylim(len(rivals) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def ratios_over_epochs(results):
    """Draw r_samples and r_test of every pair over the epochs, and the paper's as lines.

    Args:
        results: `experiments.evaluations.results.EpochResults`.
    """
    paper = METRIC.get(results.dataset.name)
    cuts, epochs = results.cuts, sorted(results.epochs, key=int)
    pairs = opponents({run.name: run.model for run in results.runs})
    figure = Figure(figsize=(1.5 + 4.0 * len(cuts), 6.0), layout="constrained")
    figure.suptitle(_title(results, "the metric of each pair over the epochs"))
    panels = figure.subplots(len(RATIOS), len(cuts), sharex=True, sharey="row", squeeze=False)
    for row, name in zip(panels, RATIOS, strict=True):
        for axes, cut in zip(row, cuts, strict=True):
            for index, pair in enumerate(pairs):
                ratios = [results.epochs[epoch][cut].compare(*pair)[name] for epoch in epochs]
                values = [ratio or np.nan for ratio in ratios]  # no logarithm of 0
                axes.plot(list(map(int, epochs)), values, f"C{index % 10}.-", linewidth=0.9)
            if paper:
                axes.axhline(paper[name], color="black", linestyle=":", label="paper")
            axes.axhline(1.0, color="black", linewidth=0.8)
            axes.set(title=f"{name}, cut {cut_name(cut)}", yscale="log")
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.grid(alpha=0.3)
    for axes in panels[:, 0]:  # whose limits and ticks the others share
        low, high = axes.get_ylim()
        if high < 10 * low:  # few powers of ten lie between
            axes.set_yticks(round_ticks(low, high), minor=False)
    for axes in panels[-1]:
        axes.set(xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if paper:
        panels[0, 0].legend(fontsize="small")
    return figure


def quality_over_epochs(results):
    """Draw measures of sample quality over the epochs, a line for each run.

    Args:
        results: `experiments.evaluations.results.QualityEpochResults`.
    """
    epochs = sorted(results.quality_after, key=int)
    figure = Figure(figsize=(11.0, 6.0), layout="constrained")
    figure.suptitle(_title(results, "quality of the images over the epochs"))
    panels = iter(figure.subplots(2, 3, sharex=True).T.flat)
    for title in CURVES:
        _, numbers = MEASURES[title]
        for index, name in enumerate(title.split(" / ")):
            axes = next(panels)
            for color, (model, label) in enumerate(TITLES.items()):
                for run in results.runs_of(model):
                    values = [
                        numbers(results.quality_after[epoch][run.name])[index] for epoch in epochs
                    ]
                    axes.plot(list(map(int, epochs)), values, f"C{color}.-", label=label)
            axes.axhline(0.0, color="black", linewidth=0.8)
            axes.set(title=name, xlabel="epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
    _legend(figure, axes)
    return figure


def _legend(figure, axes):
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))  # the runs of a model share a label
    figure.legend(once.values(), once.keys(), loc="outside right upper", fontsize="small")


def _title(results, words):
    return f"{dataset_title(results.dataset.name)}: {words}"


def _bounds(interval, value):
    if value is None or None in interval:
        return 0.0, 0.0
    return max(0.0, value - interval[0]), max(0.0, interval[1] - value)


def tournament_matrix(results):
    """Draw the accuracy of every discriminator on every generator's images, one panel a cut.

    Args:
        results: `experiments.evaluations.results.MetricResults`.
    """
    n, cuts = len(results.runs), results.tournaments
    # Square cells of 0.6 inches, and what the names around them take.
    size = (2.2 + 0.6 * (n + 1.4) * len(cuts), 1.95 + 0.6 * n)
    figure = Figure(figsize=size, layout="compressed")
    figure.suptitle(_title(results, "accuracy of each discriminator"))
    panels = figure.subplots(1, len(cuts), sharey=True, squeeze=False)[0]
    for axes, (cut, tournament) in zip(panels, cuts.items(), strict=True):
        values = np.column_stack([tournament.accuracies, tournament.test_accuracies])
        axes.imshow(values, vmin=0.0, vmax=1.0, cmap="viridis")
        for (row, column), value in np.ndenumerate(values):
            shade = "white" if value < 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=shade)
        columns = [*tournament.names, results.test_images]
        axes.set_xticks(range(n + 1), columns, rotation=45, ha="right")
        axes.set_yticks(range(n), tournament.names)
        axes.set(title=f"cut {cut_name(cut)}", xlabel="images of")
    panels[0].set_ylabel("discriminator of")
    return figure


def error_curves(results):
    """Draw the error against the number of labelled images.

    Args:
        results: `experiments.evaluations.results.ErrorResults`.
    """
    numbers = results.settings["n_labelled"]
    figure = Figure(figsize=(9.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for index, (name, title) in enumerate(CONTROLS.items()):
        _curve(axes, numbers, results.tables[name], title, f"C{index + 2}", "--")
    for index, (model, title) in enumerate(TITLES.items()):
        for run in results.runs_of(model):
            _curve(axes, numbers, results.tables[run.name], f"{title}, ours", f"C{index}", "-")
        paper = ERRORS.get(results.dataset.name, {}).get(model)
        if paper:
            axes.plot(
                list(paper), list(paper.values()), f"C{index}:", marker="x", label=f"{title}, paper"
            )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="labelled images",
        ylabel=f"error on the {results.test_images}",
        title=_title(results, "label spreading"),
    )
    axes.set_xticks(numbers, [f"{n:,}" for n in numbers])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(round_ticks(*axes.get_ylim()), minor=False)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3, which="both")
    _legend(figure, axes)
    return figure


def round_ticks(low, high):
    """Return round numbers between two positive ones, far enough apart on a logarithmic scale."""
    if high < 4 * low:
        ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
    else:
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        ticks = [round(step * 10.0**decade, 9) for decade in decades for step in (1, 2, 3, 5, 7)]
    return [float(tick) for tick in ticks if low <= tick <= high]


def _curve(axes, numbers, result, label, color, style):
    axes.errorbar(
        numbers,
        result.mean,
        np.nan_to_num(result.deviation),  # of a single draw there is none
        label=label,
        color=color,
        linestyle=style,
        capsize=3,
    )
