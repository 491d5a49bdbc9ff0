"""README's table of speed, from the benchmarks' JSON files alone.

    python -m benchmarks.summary results/benchmarks
    python -m benchmarks.summary results/benchmarks --readme README.md

With --readme, the part of that file between `<!-- benchmarks -->` and `<!-- end of benchmarks -->`
is replaced. Results that are not there have no rows; without any, nothing is written and the exit
status is 2. First come the aims of the project that the medians reach and miss.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from benchmarks import aims, summary_growth, summary_training
from benchmarks.measuring import REFUSED, cell, mebibytes

_PART = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- end of benchmarks -->)", re.DOTALL)


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
            text_of_all = fill(options.readme, text)
            # Only here: Keras comes with it.
            from capsgan_keras.files import write_text

            write_text(options.readme, text_of_all)
    except (OSError, ValueError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return REFUSED
    print(text)
    return 0


def fill(readme, text):
    """Return the text of a Markdown file with its marked part replaced.

    Raises:
        OSError: Where there is no such file.
        ValueError: Where the file has no such part.
    """
    before = readme.read_text(encoding="utf-8")
    if not _PART.search(before):
        raise ValueError(
            "The file must have a part between <!-- benchmarks --> and <!-- end of benchmarks -->. "
            f"Received: {readme}"
        )
    return _PART.sub(lambda match: match[1] + text + match[2], before)


def markdown(folder):
    """Return the aims and the tables of all results in a folder, as Markdown.

    Args:
        folder: `pathlib.Path`.

    Raises:
        OSError: Where a file can't be read.
        ValueError: Where the folder has no results, or a file has others than a benchmark writes.
    """
    tables, reached = [], []
    for name, describe, aims_of in FILES:
        path = folder / name
        if path.is_file():
            lines, found = _read(path, describe, aims_of)
            tables += lines
            reached += found
    if not tables:
        raise ValueError(f"`folder` must have results of the benchmarks. Received: {folder}")
    if reached:
        tables = [
            "**Aims**, from the values below:",
            "",
            *(f"- {aim}" for aim in reached),
            "",
            *tables,
        ]
    return "\n".join(tables) + "\n"


def _read(path, describe, aims_of):
    """The lines on one file's results, the last on where they were measured, and the aims."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        machine = result["machine"]
        where = (
            f"`{path.name}`: {machine['cores']} cores of {machine['cpu']}, "
            f"{_accelerators(machine)}{machine['versions']['backend']}, "
            f"Keras {machine['versions']['keras']}."
        )
        return [*describe(result), "", where, ""], [aim for each in aims_of for aim in each(result)]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, StopIteration) as error:
        # A file of another origin can be wrong in any way.
        raise ValueError(
            f"{path.name} must be as the benchmark writes it: {type(error).__name__}: {error}. "
            f"Received: {path}"
        ) from error


def _accelerators(machine):
    devices = [name for name in machine.get("devices", []) if not name.startswith("cpu")]
    return f"{', '.join(devices)}, " if devices else ""


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
    words = {
        "package": "the package's whole table for one model",
        "scikit-learn": "one cell of scikit-learn's, that with the most labels,",
    }
    for one in result["results"]:
        memory = one["peak_bytes"]
        yield (
            f"**Label-spreading table**, {one['data']}, {one['points']:,} unlabelled images, "
            f"n = {', '.join(map(str, one['n_labelled']))}, {result['settings']['draws']} draws, "
            f"{result['settings']['models']} models: "
            f"{one['package_table_seconds']['median']:,.0f} s, scikit-learn anew for each cell "
            f"{one['scikit_learn_table_seconds']['median']:,.0f} s (reckoned from one timed cell "
            f"for each n): {cell(one['ratio'], '.1f')} times, "
            f"{_rounds(result['settings']['repeats'])}; "
            f"{sum(one['differing_labels'])} of {one['n_test'] * len(one['n_labelled']):,} labels "
            "differ; peak memory: "
            + ", ".join(f"{words[way]} {mebibytes(count)} MiB" for way, count in memory.items())
            + "."
        )


def _rounds(count):
    return "one round" if count == 1 else f"{count} rounds"


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


_TRAININGS = [
    f"training-{shape}{networks}{backend}.json"
    for backend in ("", "-jax")
    for networks in ("", "-tuned")
    for shape in ("mnist", "cifar10")
]
FILES = (
    ("capsules.json", _capsules, [aims.of_capsules]),
    *(
        (name, summary_training.describe, [aims.of_training, aims.of_full_training])
        for name in _TRAININGS
    ),
    ("generation-mnist.json", _generation, []),
    ("generation-cifar10.json", _generation, []),
    ("semi_supervised.json", _semi_supervised, [aims.of_semi_supervised]),
    ("gam-mnist.json", _gam, []),
    ("startup.json", _startup, [aims.of_startup]),
    ("growth.json", summary_growth.describe, []),
)
"""Names of the files, and the functions of what is in them: lines of Markdown, and aims."""


if __name__ == "__main__":
    sys.exit(main())
