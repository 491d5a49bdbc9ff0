"""Reports of results: a page for each folder, and parts of other pages."""

import base64
import contextlib
import os
import re
from pathlib import Path

from capsgan_keras.datasets.registry import dataset_title
from capsgan_keras.files import LOCK, replacing, write_text
from capsgan_keras.plotting import save_figure
from capsgan_keras.runs import SAMPLE_COLUMNS, SAMPLE_ROWS
from capsgan_keras.runs.lock import working
from experiments.errors import EvaluationError
from experiments.evaluations.results import (
    EpochResults,
    ErrorResults,
    MetricResults,
    QualityEpochResults,
    QualityResults,
)
from experiments.reports import figures
from experiments.reports.error_tables import error_table, joint_error_table
from experiments.reports.folders import read_folders
from experiments.reports.front_page import scores
from experiments.reports.metric_tables import epoch_table, metric_tables
from experiments.reports.paper import TITLES
from experiments.reports.quality_tables import quality_epoch_table, quality_table
from experiments.reports.text import NETWORKS, SIZES, parameters, table
from experiments.settings.evaluations import SEMI_SUPERVISED

_TABLES = {
    MetricResults: metric_tables,
    EpochResults: epoch_table,
    ErrorResults: error_table,
    QualityResults: quality_table,
    QualityEpochResults: quality_epoch_table,
}
_PART = re.compile(
    r"(?P<start><!-- (?P<kind>report|scores|errors): (?P<names>\S+(?: \S+)*) -->\n).*?"
    r"(?P<end><!-- end of (?P=kind) -->)",
    re.DOTALL,
)


def write_reports(folder, pages=(), figure_format="png"):
    """Write the reports and figures of all results below a folder.

    Args:
        folder: Where to look.
        pages: Markdown files whose marked parts are replaced.
        figure_format: `"png"`, or the suffix of a format to write figures in besides.

    Returns:
        All tables, as Markdown, and where they lie.

    Raises:
        EvaluationError: Where there are no results, or some are damaged or not finished, or a
            page names results that are not there.
        InUseError: Where another process writes these reports.
        OSError: Where a file cannot be read or written.
    """
    results = read_folders(folder)
    filled = {path: fill(path, folder, results) for path in pages}
    targets = {Path(path).resolve() for path in (Path(folder, "report.md"), *filled)}
    with contextlib.ExitStack() as locks:
        for path in targets:
            locks.enter_context(working(path.with_name(f"{LOCK}-{path.name}")))
        for place, evaluations in results.items():
            write_figures(evaluations, figure_format)
            write_text(place / "report.md", page(evaluations))
        for path, text in filled.items():
            write_text(path, text)
    texts = [report(evaluations, str(place)) for place, evaluations in results.items()]
    return "\n".join([*texts, *(f"In {place / 'report.md'}" for place in results)])


def write_figures(evaluations, figure_format="png"):
    """Write the figures of one folder's results into it, as PNG and in `figure_format`."""
    folder, metric = evaluations.folder, evaluations.gam
    drawn = {}
    if metric is not None:
        drawn |= {
            "gam": figures.metric_intervals(metric),
            "gam-matrix": figures.tournament_matrix(metric),
        }
        for name, grid in metric.grids.items():
            with replacing(folder / _grid(name)) as partial:
                partial.write_bytes(base64.b64decode(grid.png))
    if evaluations.gam_epochs is not None:
        drawn["gam-epochs"] = figures.ratios_over_epochs(evaluations.gam_epochs)
    if evaluations.quality_epochs is not None:
        drawn["quality-epochs"] = figures.quality_over_epochs(evaluations.quality_epochs)
    for results in evaluations.error_tables:
        drawn[_error_figure(results)] = figures.error_curves(results)
    for name, figure in drawn.items():
        for suffix in sorted({"png", figure_format}):
            save_figure(folder / f"{name}.{suffix}", figure)


def _error_figure(results):
    return "errors" + results.path.stem.removeprefix(SEMI_SUPERVISED)


def _grid(name):
    return f"samples-{name.replace('/', '-')}.png"


def page(evaluations):
    """Return what a folder's report.md says, as Markdown."""
    return report(evaluations, _heading(evaluations, [evaluations.folder.resolve().name]))


def _heading(evaluations, parts):
    """The data set's name, and the parts of a path that say more than it."""
    name = evaluations.dataset
    words = [part.replace("-", " ") for part in parts if part != name]
    return ", ".join([dataset_title(name), *words])


def tables(results):
    """Return the tables of one evaluation's results, as Markdown."""
    return _TABLES[type(results)](results)


def report(evaluations, title, prefix="", level=1, brief=False):
    """Return the report of one folder's results, as Markdown.

    Args:
        evaluations: `experiments.reports.folders.Evaluations`.
        title: Heading.
        prefix: What stands before the names of figures, such as `"results/mnist/"`.
        level: Of the heading.
        brief: Whether to leave out single pairs and runs where a model has several, and to say
            where they are.
    """
    sub = "#" * (level + 1)
    parts = [f"{'#' * level} {title}", _runs(evaluations)]
    if evaluations.gam is not None:
        grids = evaluations.gam.grids
        shown = {run.model: run.name for run in reversed(evaluations.gam.runs)}.values()
        seeds = {name: grid.seed for name, grid in grids.items() if not brief or name in shown}
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
            metric_tables(evaluations.gam, brief),
            f"![The metric of each pair]({prefix}gam.png) "
            f"![All discriminators against all generators]({prefix}gam-matrix.png)",
        ]
    if evaluations.gam_epochs is not None:
        parts += [
            f"{sub} The metric over the epochs",
            epoch_table(evaluations.gam_epochs),
            f"![The ratios of each pair after each kept epoch]({prefix}gam-epochs.png)",
        ]
    if evaluations.error_tables:
        parts.append(f"{sub} Semi-supervised classification")
    for results in evaluations.error_tables:
        parts += [
            error_table(results),
            f"![Error against the number of labelled images]({prefix}{_error_figure(results)}.png)",
        ]
    if evaluations.sample_quality is not None:
        parts += [f"{sub} Sample quality", quality_table(evaluations.sample_quality, brief)]
    if evaluations.quality_epochs is not None:
        parts += [
            f"{sub} Sample quality over the epochs",
            quality_epoch_table(evaluations.quality_epochs),
            f"![The quality of the images after each kept epoch]({prefix}quality-epochs.png)",
        ]
    if brief:
        parts.append(f"Every run and pair: [report.md]({prefix}report.md).")
    return "\n\n".join(parts) + "\n"


def _runs(evaluations):
    """Return a table of all runs that the results are of."""
    lines = [
        [
            name,
            TITLES[run.model],
            str(run.seed),
            str(run.epochs),
            str(run.batch_size),
            run.precision,
            *(parameters([run], part) for part in NETWORKS),
        ]
        for name, run in evaluations.runs.items()
    ]
    heads = ["run", "model", "seed", "epochs", "batch", "precision"]
    return table([*heads, *SIZES], lines)


def fill(path, folder, results):
    """Return a Markdown file's text with its marked parts replaced.

    Args:
        path: The file.
        folder: Folder that the names in the markers are relative to.
        results: What `read_folders(folder)` gave.

    Raises:
        EvaluationError: Where a marker names a folder without results, or without those that it
            asks for, or there is no marker, or no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise EvaluationError(f"--readme must name Markdown files. Received: {path}, no file")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise EvaluationError(f"--readme must name UTF-8 files. {path}: {error}") from error
    if not _PART.search(text):
        raise EvaluationError(
            f"{path}: has no part to replace, between marks such as <!-- report: ... -->, "
            "<!-- scores: ... --> or <!-- errors: ... -->"
        )

    def replace(match):
        name, *others = match["names"].split()
        for each in (name, *others):
            if folder / each not in results:
                raise EvaluationError(
                    f"{path}: names {each!r}, and {folder / each} holds no results"
                )
        place = folder / name
        more = [results[folder / each] for each in others]
        if match["kind"] == "scores":
            text = scores(results[place], more) + "\n"
        elif match["kind"] == "errors":
            text = _rbf_errors(path, [results[place], *more]) + "\n"
        elif others:
            raise EvaluationError(f"{path}: a report is of one folder, not of {name} {others[0]}")
        else:
            prefix = os.path.relpath(place, path.resolve().parent).replace(os.sep, "/") + "/"
            heading = _heading(results[place], Path(name).parts[1:])
            text = report(results[place], heading, prefix, level=3, brief=True)
        return match["start"] + text + match["end"]

    return _PART.sub(replace, text)


def _rbf_errors(path, folders):
    """Return one table of the errors with the RBF kernel of several folders, for a page."""
    by_settings = {each.settings_name: each.rbf_errors for each in folders}
    if len(by_settings) < len(folders):
        raise EvaluationError(
            f"{path}: an errors mark must name folders of different names. Received: "
            f"{' '.join(str(each.folder) for each in folders)}"
        )
    return joint_error_table(by_settings)
