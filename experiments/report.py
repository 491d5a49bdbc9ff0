"""Make tables and figures of results, from their JSON files alone.

    python -m experiments.report results/
    python -m experiments.report runs/mnist/evaluation
    python -m experiments.report results/ --readme README.md

Each folder below the given one that holds gam.json, semi_supervised.json or sample_quality.json
gets a report.md and its figures: grids of each generator's images (figures 1 and 2 of the paper,
arXiv 1802.06167), the metric of each pair and as a matrix, the error against the number of labels.
With --readme, the parts of that file between

    <!-- report: mnist -->
    <!-- end of report -->

are replaced by the report of the folder that is named. Time: seconds.
"""

import argparse
import base64
import os
import re
import sys
from pathlib import Path

from experiments.command_line.arguments import USAGE_ERROR
from experiments.command_line.logs import quiet_tensorflow
from experiments.settings.evaluations import result_format

FILES = ("gam", "semi_supervised", "sample_quality")
_PART = re.compile(r"(<!-- report: (\S+) -->\n).*?(<!-- end of report -->)", re.DOTALL)


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, help="folder with result files, at any depth")
    parser.add_argument("--readme", type=Path, help="Markdown file whose parts are replaced")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code
    quiet_tensorflow()
    try:
        print(report(arguments.folder.expanduser(), arguments.readme))
    except (ValueError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return 0


def report(folder, readme=None):
    """Write the reports and figures of all results below a folder.

    Args:
        folder: Where to look.
        readme: A Markdown file whose marked parts are replaced; None for none.

    Returns:
        All tables, as Markdown, and where they lie.

    Raises:
        EvaluationError: Where there are no results, or some are damaged or not finished, or the
            readme names results that are not there.
        OSError: Where a file cannot be read or written.
    """
    from capsgan_keras.files import write_text

    results = read_folders(folder)
    filled = None if readme is None else fill(readme, folder, results)
    for place, files in results.items():
        write_figures(place, files)
        write_text(place / "report.md", page(place, files))
    if filled is not None:
        write_text(readme, filled)
    pages = [markdown(files, str(place)) for place, files in results.items()]
    return "\n".join([*pages, *(f"In {place / 'report.md'}" for place in results)])


def read_folders(folder):
    """Return the results below a folder.

    Args:
        folder: Where to look.

    Returns:
        Dictionary from each folder with results to a dictionary from the evaluation (`"gam"`,
        `"semi_supervised"` or `"sample_quality"`) to the content of its file.

    Raises:
        EvaluationError: Where there are none, or some are damaged or not finished.
    """
    from experiments.errors import EvaluationError
    from experiments.evaluations.result_file import check_results, read_json

    if not folder.is_dir():
        raise EvaluationError(f"{folder}: is not a folder that exists")
    folders = {}
    for path in sorted(folder.rglob("*.json")):
        if path.stem not in FILES:
            continue
        content = read_json(path)
        if isinstance(content, dict) and "format" in content:  # not another's of that name
            check_results(path, content, result_format(path.stem))
            if not content["finished"]:
                raise EvaluationError(
                    f"{path}: is not finished; the command that began it goes on with it"
                )
            folders.setdefault(path.parent, {})[path.stem] = content
    if not folders:
        wanted = ", ".join(f"{name}.json" for name in FILES)
        raise EvaluationError(f"{folder}: holds no results: no {wanted}")
    return {
        place: {name: files[name] for name in FILES if name in files}
        for place, files in folders.items()
    }


def write_figures(folder, files):
    """Write the figures of one folder's results into it.

    Args:
        folder: The folder.
        files: Dictionary from the evaluation to the content of its file.
    """
    from capsgan_keras.files import replacing
    from capsgan_keras.plotting import save_figure
    from experiments.reports import figures

    if "gam" in files:
        identity, results = _content(files["gam"])
        save_figure(folder / "gam.png", figures.metric_intervals(identity, results))
        save_figure(folder / "gam-matrix.png", figures.tournament_matrix(identity, results))
        for name, grid in results["grids"].items():
            with replacing(folder / _grid(name)) as partial:
                partial.write_bytes(base64.b64decode(grid["png"]))
    if "semi_supervised" in files:
        curves = figures.error_curves(*_content(files["semi_supervised"]))
        save_figure(folder / "errors.png", curves)


def _content(file):
    return file["identity"], file["results"]


def _grid(name):
    return f"samples-{name.replace('/', '-')}.png"


def page(place, files):
    """Return what a folder's report.md says.

    Args:
        place: The folder.
        files: Its results, as `read_folders` gives them.

    Returns:
        Markdown.
    """
    return markdown(files, _heading(files, [place.resolve().name]))


def _heading(files, parts):
    """The data set's name, and the parts of a path that say more than it."""
    # Only here, so that --help does not wait for Keras.
    from capsgan_keras.datasets.registry import dataset_title

    name = next(iter(files.values()))["identity"]["dataset"]["name"]
    words = [part.replace("-", " ") for part in parts if part != name]
    return ", ".join([dataset_title(name), *words])


def markdown(files, title, prefix="", level=1, brief=False):
    """Return the report of one folder's results.

    Args:
        files: Dictionary from the evaluation to the content of its file.
        title: Heading.
        prefix: What stands before the names of figures, such as `"results/mnist/"`.
        level: Of the heading.
        brief: Whether to leave out single pairs and runs where a model has several, and to say
            where they are.
    """
    from capsgan_keras.runs.directory import SAMPLE_COLUMNS, SAMPLE_ROWS
    from experiments.reports.tables import error_table, metric_tables, quality_table

    sub = "#" * (level + 1)
    parts = [f"{'#' * level} {title}", _runs(files)]
    if "gam" in files:
        identity, results = _content(files["gam"])
        shown = {run["model"]: run["name"] for run in reversed(identity["runs"])}.values()
        seeds = {
            name: grid["seed"]
            for name, grid in results["grids"].items()
            if not brief or name in shown
        }
        parts += [
            f"{sub} Generated images, not chosen",
            " ".join(
                f"![Images of {name}, latents of seed {seed}]({prefix}{_grid(name)})"
                for name, seed in seeds.items()
            ),
            f"The first {SAMPLE_ROWS * SAMPLE_COLUMNS} images of each generator, in this order: "
            + ", ".join(f"{name} (latents of seed {seed})" for name, seed in seeds.items())
            + ".",
            f"{sub} Generative adversarial metric",
            metric_tables(identity, results, brief),
            f"![The metric of each pair]({prefix}gam.png) "
            f"![All discriminators against all generators]({prefix}gam-matrix.png)",
        ]
    if "semi_supervised" in files:
        parts += [
            f"{sub} Semi-supervised classification",
            error_table(*_content(files["semi_supervised"])),
            f"![Error against the number of labelled images]({prefix}errors.png)",
        ]
    if "sample_quality" in files:
        parts += [f"{sub} Sample quality", quality_table(*_content(files["sample_quality"]), brief)]
    if brief:
        parts.append(f"Every run and pair: [report.md]({prefix}report.md).")
    return "\n\n".join(parts) + "\n"


def _runs(files):
    """Return a table of all runs that the results are of."""
    from experiments.reports.paper import TITLES
    from experiments.reports.tables import NETWORKS, SIZES, parameters, table

    runs = {}
    for content in files.values():
        runs |= {run["name"]: run for run in content["identity"]["runs"]}
    lines = [
        [
            name,
            TITLES[run["model"]],
            str(run["seed"]),
            str(run["epochs"]),
            str(run["batch_size"]),
            run["precision"],
            *(parameters([run], part) for part in NETWORKS),
        ]
        for name, run in runs.items()
    ]
    heads = ["run", "model", "seed", "epochs", "batch", "precision"]
    return table([*heads, *SIZES], lines)


def fill(readme, folder, results):
    """Return a Markdown file's text with its marked parts replaced.

    Args:
        readme: The file.
        folder: Folder that the names in the markers are relative to.
        results: What `read_folders(folder)` gave.

    Raises:
        EvaluationError: Where a marker names a folder without results, or there is no marker, or
            no such file.
    """
    from experiments.errors import EvaluationError

    if not Path(readme).is_file():
        raise EvaluationError(f"--readme must be a Markdown file. Received: {readme}, no file")
    text = Path(readme).read_text(encoding="utf-8")
    if not _PART.search(text):
        raise EvaluationError(
            f"{readme}: has no part to replace, between <!-- report: ... --> marks"
        )

    def replace(match):
        place = folder / match[2]
        if place not in results:
            raise EvaluationError(f"{readme}: names {match[2]!r}, and {place} holds no results")
        prefix = os.path.relpath(place, Path(readme).resolve().parent).replace(os.sep, "/") + "/"
        heading = _heading(results[place], Path(match[2]).parts[1:])
        return match[1] + markdown(results[place], heading, prefix, level=3, brief=True) + match[3]

    return _PART.sub(replace, text)


if __name__ == "__main__":
    sys.exit(main())
