from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def pytest_generate_tests(metafunc):
    """Run tests with an argument `page` on every page."""
    if "page" in metafunc.fixturenames:
        names = [page.relative_to(ROOT).as_posix() for page in PAGES]
        metafunc.parametrize("page", PAGES, ids=names)
