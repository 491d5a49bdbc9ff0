"""What pages name exists: files, anchors, modules; and the site shows every page."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PATH = re.compile(
    r"`((?:benchmarks|capsgan_keras|docs|experiments|notebooks|results|tests)/[^`\s<]*)`"
)


def anchors(text):
    """Return the anchors of a page's headings, as a repository browser and MkDocs name them."""
    headings = _HEADING.findall(_FENCED.sub("", text))
    words = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"\s+", "-", word) for word in words}


def test_linked_files_and_anchors_exist(page):
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    missing = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        found = target.is_file() and (
            not anchor or anchor in anchors(target.read_text(encoding="utf-8"))
        )
        missing += [] if found else [link]
    assert missing == []


def test_named_files_and_folders_exist(page):
    text = page.read_text(encoding="utf-8")
    assert [name for name in _PATH.findall(text) if not list(ROOT.glob(name.rstrip("/")))] == []


def test_named_modules_exist(page):
    text = page.read_text(encoding="utf-8")
    names = re.findall(r"python -m ((?:experiments|benchmarks)(?:\.\w+)?)", text)
    places = [ROOT / name.replace(".", "/") for name in names]
    runnable = [
        place.with_suffix(".py").is_file() or (place / "__main__.py").is_file() for place in places
    ]
    assert [name for name, runs in zip(names, runnable, strict=True) if not runs] == []


def test_readme_is_short():
    text = README.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert 60 < len(lines) <= 190
    assert 4_000 < len(text.encode()) <= 13_000
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_the_navigation_lists_every_page():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"(\S+\.md)$", text.partition("\nnav:\n")[2], re.MULTILINE)
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted([*pages, "README.md", "CONTRIBUTING.md"])


def test_every_report_is_linked():
    linked = set()
    for page in (ROOT / "docs" / "results").glob("*.md"):
        links = re.findall(r"\]\(([^)\s]+report\.md)\)", page.read_text(encoding="utf-8"))
        linked |= {(page.parent / link).resolve() for link in links}
    assert linked == set((ROOT / "results").rglob("report.md"))


def test_citations_have_what_citing_needs():
    cff = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for part in ("version: ", "date-released: 20", "value: this repository", "2018"):
        assert part in cff
    entries = re.findall(r"^@(\w+)\{", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert entries == ["article", "software"]
