"""What figures and tables call things, and that their words do not cover each other."""

import dataclasses
import itertools
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from capsgan_keras.datasets.registry import dataset_title
from experiments import gam
from experiments.reports.card_texts import run_summary
from experiments.reports.figures import (
    error_curves,
    metric_intervals,
    round_ticks,
    tournament_matrix,
)
from experiments.reports.folders import read_folders
from experiments.reports.pages import page, write_figures
from experiments.settings.evaluations import MetricSettings, cut_name

ROOT = Path(__file__).parents[3]
FOLDERS = read_folders(ROOT / "results")
DRAWN = [
    (folder, draw, name)
    for folder in FOLDERS
    for draw, name in (
        (metric_intervals, "gam"),
        (tournament_matrix, "gam"),
        (error_curves, "semi_supervised"),
    )
    if getattr(FOLDERS[folder], name) is not None
]


def ticks(axis, renderer):
    """Return the boxes of the words at an axis, major and minor."""
    labels = [*axis.get_ticklabels(which="major"), *axis.get_ticklabels(which="minor")]
    shown = [label for label in labels if label.get_text() and label.get_visible()]
    low, high = sorted(axis.get_view_interval())
    at = {"x": 0, "y": 1}[axis.axis_name]
    return [
        label.get_window_extent(renderer)
        for label in shown
        if low <= label.get_position()[at] <= high and not label.get_rotation()
    ]


@pytest.mark.parametrize(
    ("folder", "draw", "name"), DRAWN, ids=lambda part: getattr(part, "name", str(part)[:20])
)
def test_figures_name_their_data_and_their_words_lie_apart(folder, draw, name):
    results = getattr(FOLDERS[folder], name)
    figure = draw(results)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    assert any(title.startswith(dataset_title(results.dataset.name)) for title in titles)
    assert not [title for title in titles if "paper" in title]
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            boxes = ticks(axis, canvas.get_renderer())
            assert not [
                pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])
            ]
    empty = (np.asarray(canvas.buffer_rgba())[..., :3] == 255).all(axis=(1, 2))
    bands = [len(list(rows)) for is_empty, rows in itertools.groupby(empty) if is_empty]
    assert max(bands) < 0.08 * len(empty)


@pytest.mark.parametrize("numbers", [(50, 100, 500), (20, 40), (100, 1_000, 10_000)])
def test_errors_of_any_size_have_ticks_that_lie_apart(numbers):
    results = FOLDERS[ROOT / "results" / "mnist"].semi_supervised
    settings = results.settings | {"n_labelled": list(numbers)}
    mean = np.linspace(0.9, 0.1, len(numbers))
    curve = types.SimpleNamespace(mean=mean, deviation=0.1 * mean)
    tables = dict.fromkeys(results.tables, curve)
    of = {name: getattr(results, name) for name in ("runs_of", "dataset", "test_images")}
    figure = error_curves(types.SimpleNamespace(settings=settings, tables=tables, **of))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        boxes = ticks(axis, canvas.get_renderer())
        assert len(boxes) >= len(numbers) - 1
        assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_ticks_are_round_and_inside():
    assert round_ticks(0.035, 0.42) == [0.05, 0.07, 0.1, 0.2, 0.3]
    assert round_ticks(0.69, 0.91) == pytest.approx([0.7, 0.75, 0.8, 0.85, 0.9])


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_no_report_calls_a_cut_the_papers(folder):
    evaluations = FOLDERS[folder]
    assert "cut paper" not in page(evaluations)
    assert "paper (0.5)" not in page(evaluations)
    run = next(iter(evaluations.runs.values()))
    alone = dataclasses.replace(evaluations, semi_supervised=None, sample_quality=None)
    if alone.gam is not None:
        assert not [title for title in run_summary(run.gan_checksum, alone) if "paper" in title]


def test_no_text_for_people_calls_a_cut_the_papers():
    folders = ("docs", "results", "capsgan_keras")
    pages = [path for name in folders for path in (ROOT / name).rglob("*.md")]
    texts = [ROOT / "README.md", *pages]
    found = [str(path) for path in texts if "cut paper" in path.read_text(encoding="utf-8")]
    assert found == []


def test_the_cut_of_a_half_has_one_name_on_the_command_line(capsys):
    assert cut_name("paper") == cut_name(0.5) == "0.5"
    assert gam.main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: 0.5 calibrated)" in text
    assert "paper (0.5)" not in text
    (cuts,) = [field for field in dataclasses.fields(MetricSettings) if field.name == "cuts"]
    parse = cuts.metadata["parse"]
    assert [parse(word) for word in ("0.5", ".50", "paper", "0.4")] == ["paper"] * 3 + [0.4]
    assert MetricSettings().cuts[0] == "paper"  # in JSON


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_figures_in_other_formats(suffix, start, tmp_path):
    evaluations = FOLDERS[ROOT / "results" / "mnist"]
    write_figures(dataclasses.replace(evaluations, folder=tmp_path), suffix)
    for name in ("gam", "gam-matrix", "errors"):
        assert (tmp_path / f"{name}.{suffix}").read_bytes().startswith(start)
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_format_is_refused():
    command = [sys.executable, "-m", "experiments.report", "results", "--figure-format", "gif"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "invalid choice: 'gif'" in done.stderr
