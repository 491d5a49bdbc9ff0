"""The figure of `docs/speed.md`: costs of the RBF kernel against the number of images."""

from matplotlib.figure import Figure

WAYS = {"table": "the package", "scikit_learn": "scikit-learn"}
COSTS = {"seconds": ("seconds of a table", 1), "memory": ("GiB of memory", 2**30)}


def rbf_figure(result):
    """Draw time and memory of both ways: points were measured, dashed lines are drawn on.

    Args:
        result: Dictionary, what `benchmarks.label_spreading.measure_rbf` returns. Memory may be
            None, and `whole` may be missing.

    Returns:
        A matplotlib figure with two panels.
    """
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    figure.suptitle("label spreading with the RBF kernel, 15 cells")
    tables, end = result["tables"], result["drawn_on"]
    sizes = [table["points"] for table in tables]
    for axes, (cost, (label, unit)) in zip(figure.subplots(1, 2), COSTS.items(), strict=True):
        for index, (way, name) in enumerate(WAYS.items()):
            values = [table[f"{way}_{cost}"] for table in tables]
            if None in values:  # memory is measured on Linux alone
                continue
            if cost == "seconds":
                values = [value["median"] for value in values]
            values = [value / unit for value in values]
            axes.plot(sizes, values, f"C{index}o-", label=f"{name}, measured")
            drawn = result["growth"][f"{way}_{cost}"]
            for power, style in (("by_square", "--"), ("by_power", ":")):
                axes.plot(
                    [sizes[-1], end],
                    [values[-1], drawn[power] / unit],
                    f"C{index}{style}",
                    label=f"{name}, drawn on {power.replace('_', ' the ')}",
                )
        whole = result.get("whole", {}).get(cost)
        if whole is not None:
            axes.plot(end, whole / unit, "C0*", markersize=12, label="the package, measured once")
        axes.set(xscale="log", yscale="log", xlabel="unlabelled images", ylabel=label)
        axes.set_xticks([*sizes, end], [f"{size:,}" for size in (*sizes, end)])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
