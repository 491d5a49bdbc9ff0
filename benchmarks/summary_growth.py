"""README's tables of how cost grows, from the JSON file of `benchmarks.growth`."""

from benchmarks.measuring import cell, mebibytes

PARTS = {
    "batch": "batch",
    "width": "filters of the discriminator's first convolution",
    "side": "side of the images",
}


def describe(result):
    """Yield the lines of Markdown.

    Args:
        result: Dictionary, as `benchmarks.growth` writes it.
    """
    settings = result["settings"]
    yield (
        "**Growth**: medians (least-most of the rounds); last the exponent of the power of the "
        f"size that fits best. The train steps had {settings['repeats']} rounds, the tables "
        f"{settings['table_repeats']}."
    )
    for part, words in PARTS.items():
        if part not in result:
            continue
        models = result[part]
        rows = {
            f"{model}: images/s, exponent of a step's seconds": [
                *(cell(rate, ",.0f") for rate in measured["images_per_second"]),
                cell(measured["exponent"], ".2f"),
            ]
            for model, measured in models.items()
        }
        yield from _table(words, _sizes(models), rows)
    if "memory" in result:
        models = result["memory"]
        rows = {
            f"{model}: MiB of a step": [
                *map(mebibytes, measured["peak_bytes"]),
                cell(measured["exponent"], ".2f"),
            ]
            for model, measured in models.items()
        }
        yield from _table("batch", _sizes(models), rows)
    if "points" in result:
        points = result["points"]
        rows = {
            "seconds of a table for one model": [
                *(cell(seconds, ",.1f") for seconds in points["seconds"]),
                cell(points["seconds_exponent"], ".2f"),
            ],
            "MiB of it": [
                *map(mebibytes, points["peak_bytes"]),
                cell(points["bytes_exponent"], ".2f"),
            ],
        }
        yield from _table("unlabelled images", points["sizes"], rows)


def _sizes(models):
    return next(iter(models.values()))["sizes"]


def _table(head, sizes, rows):
    yield ""
    yield f"| {head} | " + " | ".join(f"{size:,}" for size in sizes) + " | exponent |"
    yield "| --- |" + " --- |" * (len(sizes) + 1)
    for name, cells in rows.items():
        yield f"| {name} | " + " | ".join(cells) + " |"
