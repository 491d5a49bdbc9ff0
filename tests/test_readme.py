"""Pages and reports say what the files in `results/` say."""

from pathlib import Path

import pytest

from experiments.reports.folders import read_folders
from experiments.reports.pages import fill
from experiments.reports.pages import page as page_of
from experiments.study.report import fill as fill_study

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = ("README.md", "docs/findings.md", "docs/results/mnist.md", "docs/results/cifar10.md")


@pytest.mark.parametrize("page", PAGES)
def test_pages_and_results_agree(page):
    results = read_folders(RESULTS)
    text = (ROOT / page).read_text(encoding="utf-8")
    assert fill(ROOT / page, RESULTS, results) == text


def test_reports_and_results_agree():
    for folder, evaluations in read_folders(RESULTS).items():
        written = (folder / "report.md").read_text(encoding="utf-8")
        assert page_of(evaluations) == written


def test_the_studys_page_and_results_agree():
    page = ROOT / "docs" / "results" / "study.md"
    assert fill_study(page, RESULTS / "study") == page.read_text(encoding="utf-8")
