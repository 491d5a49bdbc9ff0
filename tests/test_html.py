"""What a notebook shows of runs and results: whole, escaped, and without other files."""

import base64
import io
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capsgan_keras import load_run
from capsgan_keras.evaluation import (
    GamResult,
    SemiSupervisedCell,
    SemiSupervisedResult,
    SemiSupervisedSettings,
    TournamentResult,
    TournamentRow,
)
from capsgan_keras.html import html_record, html_table

FIXTURES = Path(__file__).parent / "fixtures" / "version-0.1.0"
VOID = {"img", "br"}


class Page(HTMLParser):
    """The rows of all tables, the sources of pictures, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.pictures, self.tags, self.text = [], [], set(), ""
        self._open = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._open += [] if tag in VOID else [tag]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "img":
            self.pictures.append(dict(attrs)["src"])

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_a_table_has_its_cells():
    page = Page(html_table(("a", "b"), [(1, 0.123456), (None, [1.0, "x"])], "c & d"))
    assert page.rows == [["a", "b"], ["1", "0.1235"], ["-", "1, x"]]
    assert page.text.startswith("c & d")
    assert Page(html_record("r", {"a": {"b": 1, "c": {}}, "d": True})).rows[1:] == [
        ["a: b", "1"],
        ["d", "True"],
    ]


def test_texts_are_escaped():
    evil = "<script>alert('&')</script>"
    page = Page(html_table((evil,), [(evil,), ([evil],)], evil))
    assert page.tags == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert page.rows == [[evil]] * 3


def test_the_metric_shows_both_discriminators():
    accuracies = {"d_a_on_g_b": 0.5, "d_b_on_g_a": 0.25, "d_a_on_test": 0.75, "d_b_on_test": 0.7}
    result = GamResult(
        **{"accuracies": accuracies, "r_samples": 2.0, "r_test": None},
        **{"r_samples_interval": (1.5, None), "r_test_interval": (None, None)},
        **{"winner": "a", "auc": {"d_a": 0.6, "d_b": 0.8}, "cut": "calibrated"},
        **{"cuts": (0.5, 19 / 30), "tolerance": 0.1, "n_samples": 8, "n_test": 4, "seed": 0},
    )
    page = Page(result._repr_html_())
    assert page.rows[1:] == [
        ["accuracy on the other's images", "0.5", "0.25"],
        ["accuracy on test images", "0.75", "0.7"],
        ["area under the ROC curve", "0.6", "0.8"],
        ["cut (calibrated)", "0.5", "0.6333"],
    ]
    assert "r_samples 2 [1.5, -], r_test - [-, -], winner: a" in page.text
    assert repr(result).startswith("GamResult(accuracies=")


def test_a_tournament_shows_every_discriminator_on_all_images():
    rows = tuple(
        TournamentRow(name, 0.5, on_test, on_samples, {"<a>": 0.5, "b": 0.5})
        for name, on_test, on_samples in (
            ("<a>", 0.9, {"<a>": 0.1, "b": 0.2}),
            ("b", 0.8, {"<a>": 0.3, "b": 0.4}),
        )
    )
    page = Page(TournamentResult(rows, 0.1, 2000, 4, 0)._repr_html_())
    assert page.rows == [
        ["accuracy of", "cut", "test images", "images of <a>", "images of b"],
        ["<a>", "0.5", "0.9", "0.1", "0.2"],
        ["b", "0.5", "0.8", "0.3", "0.4"],
    ]
    assert "2,000 images of each generator" in page.text
    assert ["auc: b", "0.5"] in Page(rows[0]._repr_html_()).rows


@pytest.mark.parametrize("draws", [1, 2])
def test_an_error_table_shows_its_means(draws):
    settings = SemiSupervisedSettings(n_labelled=(20, 40), draws=draws)
    cells = [
        SemiSupervisedCell(n, draw, error + 0.2 * draw, 50, unreached=1)
        for n, error in ((20, 0.5), (40, 0.25))
        for draw in range(draws)
    ]
    result = SemiSupervisedResult("label spreading", "given", settings, 90, tuple(cells), ())
    page = Page(result._repr_html_())
    deviation = "-" if draws == 1 else "0.1414"
    assert page.rows[1:] == [
        ["20", f"{0.5 + 0.1 * (draws - 1):g}", deviation, "50", str(draws)],
        ["40", f"{0.25 + 0.1 * (draws - 1):g}", deviation, "50", str(draws)],
    ]
    assert f"label spreading, 90 test images, {draws} draws" in page.text


def pictures(page):
    found = []
    for source in page.pictures:
        head, _, data = source.partition(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            found.append(np.asarray(picture))
    return found


def test_a_finished_run_shows_pictures_curves_logs_and_settings(tmp_path):
    path = shutil.copytree(FIXTURES / "finished" / "capsule-seed0", tmp_path / "a & <b>")
    run = load_run(path)
    page = Page(run._repr_html_())
    shown, curves = pictures(page)
    with Image.open(path / "samples" / "epoch-0002.png") as newest:
        np.testing.assert_array_equal(shown, np.asarray(newest))
    assert curves.shape[1] > 2 * curves.shape[0]  # three panels side by side
    assert "capsule GAN on digits, seed 0: finished, 2 of 2 epochs" in page.text
    assert "a & <b>" in page.text
    assert ["d_loss", f"{run.history['d_loss'][-1]:.4g}"] in page.rows
    assert ["latent_dim", str(run.config["settings"]["latent_dim"])] in page.rows
    assert ["parameters: generator", str(run.metrics["parameters"]["generator"])] in page.rows
    assert repr(run).startswith("Run(path=")
    shutil.copy(path / "samples" / "epoch-0001.png", path / "curves.png")  # the run's own
    own = pictures(Page(run._repr_html_()))[1]
    with Image.open(path / "curves.png") as expected:
        np.testing.assert_array_equal(own, np.asarray(expected))
    assert page.tags <= {
        *("div", "p", "b", "br", "code", "img", "details", "summary"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }


def test_a_run_without_an_epoch_or_a_picture_shows_what_there_is(tmp_path):
    path = tmp_path / "new"
    path.mkdir()
    config = json.loads((FIXTURES / "interrupted" / "capsule-seed0" / "config.json").read_text())
    config["dataset"]["name"] = "<i>faces"
    (path / "config.json").write_text(json.dumps(config))
    page = Page(load_run(path)._repr_html_())
    assert page.pictures == []
    assert "capsule GAN on <i>faces, seed 0: not finished, 0 of " in page.text
    assert "i" not in page.tags


def test_an_interrupted_run_shows_its_curves_so_far():
    run = load_run(FIXTURES / "interrupted" / "capsule-seed0")
    page = Page(run._repr_html_())
    assert len(pictures(page)) == 2
    assert "not finished, 1 of " in page.text
