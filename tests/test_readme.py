"""Pages and reports say what the files in `results/` say."""

from pathlib import Path

import pytest

from experiments import report

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = ("README.md", "docs/results/mnist.md", "docs/results/cifar10.md")


@pytest.mark.parametrize("page", PAGES)
def test_pages_and_results_agree(page):
    results = report.read_folders(RESULTS)
    text = (ROOT / page).read_text(encoding="utf-8")
    assert report.fill(ROOT / page, RESULTS, results) == text


def test_reports_and_results_agree():
    for folder, files in report.read_folders(RESULTS).items():
        written = (folder / "report.md").read_text(encoding="utf-8")
        assert report.page(folder, files) == written
