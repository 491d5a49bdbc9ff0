import json
import sys

import pytest

from benchmarks import __main__ as command
from benchmarks import label_spreading, report, running
from benchmarks.measuring import DisagreementError


@pytest.fixture
def module(monkeypatch):
    """The benchmark of the capsule layer, which measures nothing."""

    class Module:
        asked = None

        @classmethod
        def run(cls, quick):
            cls.asked = quick
            return {"batch_size": 1, "rounds": 1, "layers": {}}

    monkeypatch.setitem(sys.modules, running.MODULES["capsules"], Module)
    return Module


def test_results_are_written_and_shown(module, tmp_path, capsys):
    path = tmp_path / "new" / "speed.json"
    assert command.main(["capsules", "capsules", "--quick", "--output", str(path)]) == 0
    assert module.asked is True
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["quick"] is True
    assert result["capsules"]["layers"] == {}
    assert result["machine"]["cores"] >= 1
    assert result["machine"]["processor"]
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    assert "| last layer of |" in printed
    assert f"Written to {path}" in printed


def test_only_a_whole_run_replaces_the_published_results(monkeypatch):
    asked = []
    monkeypatch.setattr(running, "run", lambda *arguments: asked.append(arguments))
    for arguments in ([], ["growth"], ["--quick"]):
        command.main(arguments)
    assert [(names, output) for names, _, output, _ in asked] == [
        (list(report.SECTIONS), report.RESULTS),
        (["growth"], None),
        (list(report.SECTIONS), None),
    ]


def test_values_that_differ_end_the_run(module, tmp_path, capsys, monkeypatch):
    def run(quick):
        raise DisagreementError("other values")

    monkeypatch.setattr(module, "run", run)
    path = tmp_path / "speed.json"
    assert command.main(["capsules", "--output", str(path)]) == 1
    assert capsys.readouterr().err == "python -m benchmarks: error: other values\n"
    assert not path.exists()


def test_missing_data_are_told_in_a_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CAPSGAN_DATA_DIR", str(tmp_path / "none"))
    assert command.main(["label_spreading"]) == 2
    assert "python -m benchmarks: error: " in capsys.readouterr().err


@pytest.mark.parametrize("path", ["", "file/speed.json"])
def test_a_file_that_cannot_be_written_shows_before_the_work(path, module, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command.main(["capsules", "--output", str(tmp_path / path)]) == 2
    assert "error: " in capsys.readouterr().err
    assert module.asked is None


def test_unknown_names_are_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(["growth", "gam"])
    assert stop.value.code == 2
    assert "Received: gam" in capsys.readouterr().err


def test_every_section_has_a_benchmark():
    assert list(running.MODULES) == list(report.SECTIONS)
    assert running.MODULES["label_spreading"] == label_spreading.__name__


def test_help_does_not_wait_for_keras(run_python):
    printed = run_python(
        """
import sys
from benchmarks import __main__, report
for module in (__main__, report):
    try:
        module.main(["--help"])
    except SystemExit as stop:
        assert stop.code == 0
assert not {"keras", "tensorflow", "numpy"} & set(sys.modules)
"""
    )
    for name in report.SECTIONS:
        assert f"\n{name} " in printed


@pytest.mark.long
def test_all_of_them_run_quickly(run_python, tmp_path):
    path = tmp_path / "speed.json"
    script = f"""
import sys
from benchmarks.__main__ import main
sys.exit(main(["--quick", "--output", {str(path)!r}]))
"""
    printed = run_python(script)
    results = json.loads(path.read_text(encoding="utf-8"))
    assert report.page(results).startswith("# Speed")
    for name in report.SECTIONS:
        assert f"{name}: " in printed
        assert results[name]["minutes"] < 5


@pytest.mark.long
def test_on_jax_the_packages_step_is_timed_alone(run_python, tmp_path):
    path = tmp_path / "speed.json"
    script = f"""
import contextlib, sys
from benchmarks.__main__ import main
with contextlib.redirect_stderr(sys.stdout):
    assert main(["growth", "--quick"]) == 2
assert main(["training", "--quick", "--output", {str(path)!r}]) == 0
"""
    printed = run_python(script, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    assert "Received: backend 'jax', growth" in printed
    training = json.loads(path.read_text(encoding="utf-8"))["training"]
    for models in training["datasets"].values():
        for measured in models.values():
            assert measured["differences"] == {}
            rows = measured["steps"]
            assert {row["step"] for row in rows} == {"alternating", "simultaneous"}
            assert all(row["times_textbook"] is None for row in rows)
