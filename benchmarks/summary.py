"""README's table of speed, from the benchmarks' JSON files alone.

    python -m benchmarks.summary results/benchmarks
    python -m benchmarks.summary results/benchmarks --readme README.md

With --readme, the part of that file between `<!-- benchmarks -->` and `<!-- end of benchmarks -->`
is replaced. Results that are not there have no rows.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from benchmarks.measuring import REFUSED, cell, mebibytes

_PART = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- end of benchmarks -->)", re.DOTALL)
_TRAINING = "training-{}.json"
_STEPS = {
    ("textbook", "float32"): "textbook step, float32",
    ("textbook", "mixed_bfloat16"): "textbook step, bfloat16",
    ("alternating", "float32"): "alternating, one product for the capsule",
    ("simultaneous", "float32"): "simultaneous",
    ("simultaneous", "mixed_bfloat16"): "simultaneous, bfloat16",
    ("fit", "mixed_bfloat16"): "the same by `fit`, as the experiments train",
    ("fit, self-tuning", "mixed_bfloat16"): "the same by `fit` from Keras's self-tuning data set",
    ("fit, dataset", "mixed_bfloat16"): "the same from a tensor",
    ("fit, dataset, one execution", "mixed_bfloat16"): "the same, all steps in one execution",
}


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.summary",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, help="folder with the benchmarks' JSON files")
    parser.add_argument("--readme", type=Path, help="Markdown file whose part is replaced")
    options = parser.parse_args(argv)
    try:
        text = markdown(options.folder)
        if options.readme:
            options.readme.write_text(fill(options.readme, text), encoding="utf-8")
    except (OSError, ValueError, KeyError) as error:
        print(f"{parser.prog}: error: {error!r}", file=sys.stderr)
        return REFUSED
    print(text)
    return 0


def fill(readme, text):
    """Return the text of a Markdown file with its marked part replaced.

    Raises:
        ValueError: Where the file has no such part.
    """
    before = readme.read_text(encoding="utf-8")
    if not _PART.search(before):
        raise ValueError(f"no part <!-- benchmarks --> to replace. Received: {readme}")
    return _PART.sub(lambda match: match[1] + text + match[2], before)


def markdown(folder):
    """Return the tables of all results in a folder, as Markdown.

    Args:
        folder: `pathlib.Path`.
    """
    parts = [
        *_of(folder / "capsules.json", _capsules),
        *(
            line
            for shape in ("mnist", "cifar10")
            for line in _of(folder / _TRAINING.format(shape), _training)
        ),
        *_of(folder / "generation-mnist.json", _generation),
        *_of(folder / "semi_supervised.json", _semi_supervised),
        *_of(folder / "gam-mnist.json", _gam),
        *_of(folder / "startup.json", _startup),
        *_of(folder / "growth.json", _growth),
    ]
    return "\n".join(parts) + "\n" if parts else ""


def _of(path, describe):
    """Lines on one file's results, after a line on where they were measured."""
    if not path.is_file():
        return []
    result = json.loads(path.read_text(encoding="utf-8"))
    machine = result["machine"]
    where = (
        f"`{path.name}`: {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['versions']['backend']}, Keras {machine['versions']['keras']}."
    )
    return [*describe(result), "", where, ""]


def _capsules(result):
    settings = result["settings"]
    yield (
        f"**Capsule layer**, forward and backward, batch {settings['batch_size']}, "
        f"{settings['routings']} routings, {settings['precision']}: milliseconds, median "
        "(least-most); in brackets how many times the layer's time; peak memory in MiB."
    )
    yield ""
    first = next(iter(result["shapes"].values()))
    yield "| layer | " + " | ".join(_WAYS.get(way, way) for way in first["ways"]) + " |"
    yield "| --- |" + " --- |" * len(first["ways"])
    for shape in result["shapes"].values():
        columns = (
            f"{row['milliseconds']['median']:.1f} ({row['milliseconds']['min']:.1f}-"
            f"{row['milliseconds']['max']:.1f}) [{row['times_as_slow']['median']:.1f}], "
            f"{mebibytes(row['memory'])} MiB"
            for row in shape["ways"].values()
        )
        name = f"{shape['num_input_capsules']} -> {shape['num_capsule']} x 16"
        yield f"| {name} | " + " | ".join(columns) + " |"


_WAYS = {
    "layer": "`CapsuleLayer`",
    "einsum": "predictions by einsum",
    "map_fn": "tiled inputs, `map_fn`",
    "attention": "self-attention (another function)",
}


def _training(result):
    height, width, channels = result["settings"]["image_shape"]
    models = result["models"]
    yield (
        f"**Training step**, {height}x{width}x{channels}, batch {models[0]['batch_size']}: images "
        "per second; in brackets how many times the float32 textbook step (least-most of the "
        "rounds); last the share of the best large convolution's rate."
    )
    yield ""
    yield "| step | " + " | ".join(f"{model['model']} GAN" for model in models) + " |"
    yield "| --- |" + " --- |" * len(models)
    tables = [{(row["step"], row["precision"]): row for row in m["steps"]} for m in models]
    for key, name in _STEPS.items():
        if all(key in rows for rows in tables):
            yield f"| {name} | " + " | ".join(_step(rows[key]) for rows in tables) + " |"
    for precision, rates in result["best_rates"].items():
        yield ""
        yield (
            f"Best large products in {precision}: matrices {rates['matmul'] / 1e9:.0f}, "
            f"convolutions {rates['convolution'] / 1e9:.0f} GFLOP/s."
        )
    for model in models:
        yield ""
        yield (
            f"The {model['model']} GAN needs {model['multiply_adds'] / 1e6:.0f} million "
            "multiply-adds an image. "
        ) + " ".join(
            f"In {precision} the time of its operations goes to "
            + ", ".join(f"`{one['operation']}` {one['share']:.0%}" for one in shares[:6])
            + "."
            for precision, shares in model["operations"].items()
        )


def _step(row):
    share = row["share_of_limit"]
    end = "" if share is None else f", {share['convolution']:.0%}"
    rate = f"{row['images_per_second']['median']:,.0f}"
    return f"{rate} [{cell(row['times_textbook_float32'], '.2f')}]{end}"


def _generation(result):
    settings = result["settings"]
    yield (
        f"**Generating and scoring** {settings['images']:,} images: images per second; in brackets "
        f"how many times those of plain `predict` in batches of {settings['plain_batch']}; peak "
        "memory, and plain `predict`'s."
    )
    yield ""
    yield "| model | `generate` | `discriminate` |"
    yield "| --- | --- | --- |"
    for model, measured in result["models"].items():
        columns = (
            f"{ways['package']['images_per_second']['median']:,.0f} "
            f"[{cell(ways['times_plain'], '.2f')}], {mebibytes(ways['package']['peak_bytes'])} MiB "
            f"({mebibytes(ways['plain']['peak_bytes'])})"
            for ways in measured["tasks"].values()
        )
        yield f"| {model} | " + " | ".join(columns) + " |"


def _semi_supervised(result):
    for one in result["results"]:
        memory = one["peak_bytes"]
        yield (
            f"**Label-spreading table**, {one['data']}, {one['points']:,} unlabelled images, "
            f"n = {', '.join(map(str, one['n_labelled']))}, {result['settings']['draws']} draws, "
            f"{result['settings']['models']} models: "
            f"{one['package_table_seconds']['median']:,.0f} s, scikit-learn anew for each cell "
            f"{one['scikit_learn_table_seconds']['median']:,.0f} s (reckoned from one timed cell "
            f"for each n): {cell(one['ratio'], '.1f')} times; "
            f"{sum(one['differing_labels'])} of {one['n_test'] * len(one['n_labelled']):,} labels "
            f"differ; peak memory "
            + ", ".join(f"{way} {mebibytes(count)} MiB" for way, count in memory.items())
            + "."
        )


def _gam(result):
    settings, times = result["settings"], result["times_package"]
    yield (
        f"**Generative adversarial metric**, {settings['images']:,} images a model, "
        f"{settings['test_images']:,} test images, both cuts: "
        f"{cell(result['seconds']['package'], '.1f')} s; every set of images scored once, but by "
        f"plain `predict`: {cell(times['one pass'], '.2f')} times as long; each anew: "
        f"{cell(times['naive'], '.2f')} times."
    )


def _startup(result):
    yield (
        f"**Start-up** of `python -m experiments.digits`: `--help` after "
        f"{cell(result['help']['seconds'], '.2f')} s; the first training step is over after "
        + ", ".join(
            f"{cell(times['total'], '.1f')} s ({model})"
            for model, times in result["first_step"].items()
        )
        + "."
    )


def _growth(result):
    yield (
        "**Growth** (the exponent of a power of the size, fitted): "
        + "; ".join(_growth_of(result))
        + "."
    )


def _growth_of(result):
    for part, size in (("batch", "batch"), ("width", "discriminator's width"), ("side", "side")):
        for model, measured in result.get(part, {}).items():
            sizes = measured["sizes"]
            yield (
                f"seconds an image against {size}, {sizes[0]} to {sizes[-1]}, {model}: "
                f"{cell(measured['exponent'], '.2f')}"
            )
    for model, measured in result.get("memory", {}).items():
        yield f"memory against batch, {model}: {measured['exponent']:.2f}"
    if "points" in result:
        points = result["points"]
        yield (
            f"label spreading against points, {points['sizes'][0]:,} to {points['sizes'][-1]:,}: "
            f"seconds {cell(points['seconds_exponent'], '.2f')}, memory "
            f"{points['bytes_exponent']:.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
