"""README says what the files of this repository say."""

import re
from pathlib import Path

from experiments.reports.folders import read_folders
from experiments.reports.pages import fill, page

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_readme_and_results_agree():
    results = read_folders(ROOT / "results")
    text = README.read_text(encoding="utf-8")
    assert fill(README, ROOT / "results", results) == text
    marked = re.findall(r"<!-- report: (\S+) -->", text)
    linked = re.findall(r"\(results/(\S+)/report\.md\)", text)
    assert {ROOT / "results" / name for name in marked} <= set(results)
    assert {ROOT / "results" / name for name in linked} == set(results)  # those in README too


def test_reports_and_results_agree():
    for folder, evaluations in read_folders(ROOT / "results").items():
        written = (folder / "report.md").read_text(encoding="utf-8")
        assert page(evaluations) == written


def test_linked_files_exist():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_named_modules_exist():
    names = re.findall(
        r"python -m ((?:experiments|benchmarks)\.\w+)", README.read_text(encoding="utf-8")
    )
    assert names
    missing = [name for name in names if not (ROOT / f"{name.replace('.', '/')}.py").is_file()]
    assert missing == []
