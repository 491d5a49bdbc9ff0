"""The figure of `docs/speed.md`: costs of the RBF kernel against the number of images."""

from matplotlib.figure import Figure

WAYS = {"table": "the package", "scikit_learn": "scikit-learn"}
COSTS = {
    "seconds": ("time of a table of 15 cells", "seconds", 1, "seconds"),
    "memory": ("memory of a table (scikit-learn: of a cell)", "GiB", 2**30, "bytes"),
}
"""Of each cost the title, the unit, its size, and the name where a table is measured alone."""
STYLES = {"by_square": ("--", "drawn on by the square"), "by_power": (":", "by the power")}


def rbf_figure(result):
    """Draw time and memory of both ways: circles were measured, dashed and dotted lines drawn on.

    Args:
        result: Dictionary, what `benchmarks.label_spreading.measure_rbf` returns. What was not
            measured, None or 0 or missing, is left out.

    Returns:
        A matplotlib figure with two panels.
    """
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    figure.suptitle("label spreading with the RBF kernel")
    tables, end = result["tables"], result["drawn_on"]
    sizes = [table["points"] for table in tables]
    legend = {}
    whole = result.get("whole") or {}
    panels = zip(figure.subplots(1, 2), COSTS.items(), strict=True)
    for axes, (cost, (title, label, unit, alone)) in panels:
        for index, (way, name) in enumerate(WAYS.items()):
            values = [table[f"{way}_{cost}"] for table in tables]
            if not all(values):
                continue
            if cost == "seconds":
                values = [value["median"] for value in values]
            values = [value / unit for value in values]
            axes.plot(sizes, values, f"C{index}o-", label=f"{name}, measured")
            drawn = result["growth"][f"{way}_{cost}"]
            for power, (style, how) in STYLES.items():
                line = [sizes[-1], end], [values[-1], drawn[power] / unit]
                axes.plot(*line, f"C{index}{style}", label=f"{name}, {how}")
        if whole.get(alone):
            point = end, whole[alone] / unit
            axes.plot(*point, "C0*", markersize=12, label="the package, measured once")
        axes.set(title=title, xlabel="unlabelled images", ylabel=label, xscale="log", yscale="log")
        axes.set_xticks([*sizes, end], [f"{size:,}" for size in (*sizes, end)])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        handles, labels = axes.get_legend_handles_labels()
        legend |= dict(zip(labels, handles, strict=True))
    figure.legend(legend.values(), legend, loc="outside lower center", ncols=3)
    return figure
