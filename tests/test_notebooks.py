"""The notebooks run from a clean start, and what they keep is fit to be read by others."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MACHINE = re.compile(r"/(home|root|tmp|work|Users|private|var)/|[A-Z]:\\|site-packages")
NO_TERMINAL = "--IPKernelApp.capture_fd_output=False"
"""What TensorFlow's libraries write on the terminal, of the machine's hardware, stays there."""
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def _outputs(cells):
    return [output for cell in cells for output in cell.get("outputs", [])]


def _check_outputs(cells):
    kinds = {output["output_type"] for output in _outputs(cells)}
    assert kinds <= {"stream", "display_data", "execute_result"}
    # In a notebook TensorFlow logs to the standard output.
    streams = [o for o in _outputs(cells) if o["output_type"] == "stream"]
    assert [o for o in streams if o["name"] == "stderr" or "WARNING" in str(o["text"])] == []
    assert any("image/png" in output.get("data", {}) for output in _outputs(cells))
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["execution_count"] is not None, cell["source"]
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_readme_lists_every_notebook():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(notebooks/([^)]+)\)", text)
    assert linked == [path.name for path in NOTEBOOKS]
    assert linked


@each_notebook
def test_the_first_cell_says_what_comes_and_how_long_it_takes(path):
    first = _cells(path)[0]
    assert first["cell_type"] == "markdown"
    text = "".join(first["source"])
    assert text.startswith(f"# {path.stem.partition('-')[0]}. ")
    assert re.search(r"At the end you will have\b", text)
    assert re.search(r"It takes .*\b(seconds|minutes?)\b", text)


@each_notebook
def test_outputs_are_kept_from_one_run_from_top_to_bottom(path):
    _check_outputs(_cells(path))


@each_notebook
def test_nothing_tells_of_the_machine(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for output in _outputs(notebook["cells"]):
        output.get("data", {}).pop("image/png", None)  # base64 may hold any letters
    assert MACHINE.findall(json.dumps(notebook)) == []


@each_notebook
def test_files_are_small(path):
    assert path.stat().st_size <= 1_000_000


@pytest.mark.long
@each_notebook
def test_runs_from_a_clean_start(path, tmp_path):
    copy = tmp_path / path.name
    shutil.copy(path, copy)
    environment = {"NOTEBOOK_EPOCHS": "2", "PYTHONPATH": str(ROOT)}
    convert = [sys.executable, "-m", "nbconvert", "--execute", "--inplace", "--to", "notebook"]
    result = subprocess.run(
        [*convert, f"--ExecutePreprocessor.extra_arguments={NO_TERMINAL}", copy],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    _check_outputs(_cells(copy))
