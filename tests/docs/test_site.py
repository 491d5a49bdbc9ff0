"""The site is built strictly, shows every public name, and asks no other host for anything."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs the extra docs")

ROOT = Path(__file__).parents[2]
PACKAGES = ("layers", "losses", "models", "routing", "evaluation", "datasets", "runs", "plotting")
MODULES = ("capsgan_keras", *(f"capsgan_keras.{package}" for package in PACKAGES))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def public_names(module):
    """Return `__all__`, or where there is none the names that a module defines itself."""
    module = importlib.import_module(module)
    defined = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    return set(getattr(module, "__all__", defined))


@pytest.mark.parametrize("module", MODULES)
def test_a_page_shows_every_public_name(site, module):
    folder = site / "api" / module.partition(".")[2]
    shown = re.findall(
        rf'id="{re.escape(module)}\.(\w+)"', (folder / "index.html").read_text(encoding="utf-8")
    )
    public = public_names(module) - {"__version__"}
    assert set(shown) <= public
    assert public - set(shown) <= {name for name in public if name.isupper()}  # constants


def test_figures_reports_and_notebooks_are_there(site):
    for name in ("mnist/report/index.html", "mnist/gam.png", "study/study.png"):
        assert (site / "results" / name).is_file()
    assert len(list((site / "notebooks").glob("*.ipynb"))) == 7
    assert "Ten lines" in (site / "index.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_other_hosts(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)\b[^>]*\bsrc=[\"']?([^\"' >]+)", text)
        loaded += re.findall(r"<link\b[^>]*stylesheet[^>]*", text)
        assert loaded
        assert [source for source in loaded if "//" in source] == []
