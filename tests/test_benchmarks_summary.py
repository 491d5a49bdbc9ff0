import json
from pathlib import Path

import pytest

from benchmarks import __main__ as everything
from benchmarks import summary
from benchmarks.measuring import FOLDER

ROOT = Path(__file__).parents[1]
MACHINE = {"cores": 2, "cpu": "Chip", "versions": {"backend": "tensorflow 2", "keras": "3"}}
SPREAD = {"median": 2.0, "min": 1.0, "max": 3.0}


def write(folder, name, result):
    (folder / name).write_text(json.dumps({"machine": MACHINE, **result}), encoding="utf-8")


def test_readme_and_results_agree():
    readme = ROOT / "README.md"
    text = summary.markdown(ROOT / FOLDER)
    assert text
    assert summary.fill(readme, text) == readme.read_text(encoding="utf-8")


def test_the_capsule_layers_table(tmp_path):
    way = {"milliseconds": SPREAD, "times_as_slow": {"median": 1.5}, "memory": 3 * 2**20}
    shape = {"num_input_capsules": 6, "num_capsule": 3, "ways": {"layer": way, "einsum": way}}
    settings = {"batch_size": 4, "routings": 3, "precision": "float32"}
    write(tmp_path, "capsules.json", {"settings": settings, "shapes": {"small": shape}})
    text = summary.markdown(tmp_path)
    assert "| layer | `CapsuleLayer` | predictions by einsum |" in text
    assert "| 6 -> 3 x 16 | 2.0 (1.0-3.0) [1.5], 3 MiB | 2.0 (1.0-3.0) [1.5], 3 MiB |" in text
    assert "`capsules.json`: 2 cores of Chip, tensorflow 2, Keras 3." in text


def test_the_training_table_has_rows_for_what_was_timed(tmp_path):
    def row(step, precision, share):
        return {
            "step": step,
            "precision": precision,
            "images_per_second": {"median": 1234.5},
            "times_textbook_float32": SPREAD,
            "share_of_limit": share,
        }

    model = {
        "model": "capsule",
        "batch_size": 4,
        "multiply_adds": 2_000_000,
        "operations": {"float32": [{"operation": "Conv2D", "share": 0.5}]},
        "steps": [
            row("simultaneous", "float32", {"matmul": 0.2, "convolution": 0.25}),
            row("textbook", "float32", None),
        ],
    }
    best = {"float32": {"matmul": 4e11, "convolution": 3e11}}
    settings = {"image_shape": [28, 28, 1]}
    result = {"settings": settings, "best_rates": best, "models": [model]}
    write(tmp_path, "training-mnist.json", result)
    text = summary.markdown(tmp_path)
    assert "| simultaneous | 1,234 [2.00 (1.00-3.00)], 25% |" in text
    assert "| textbook step, float32 | 1,234 [2.00 (1.00-3.00)] |" in text
    assert "bfloat16" not in text
    assert "matrices 400, convolutions 300 GFLOP/s" in text
    assert "`Conv2D` 50%" in text


def test_nothing_measured_gives_no_table(tmp_path):
    assert summary.markdown(tmp_path) == ""


def test_a_file_without_the_part_is_refused(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("text\n")
    assert summary.main([str(tmp_path), "--readme", str(readme)]) == 2
    assert "no part <!-- benchmarks --> to replace" in capsys.readouterr().err
    assert readme.read_text() == "text\n"


@pytest.mark.parametrize("status", [0, 1])
def test_all_run_and_failures_are_named(status, capsys, monkeypatch):
    ran = []

    def run(command, check):
        ran.append(command[2:])
        return type("Done", (), {"returncode": status if command[-1] == "two" else 0})

    monkeypatch.setattr(everything.subprocess, "run", run)
    monkeypatch.setattr(everything, "RUNS", {"a": (["a"], ["a", "two"]), "b": (["b"],)})
    assert everything.main([]) == status
    assert ran == [["benchmarks.a"], ["benchmarks.a", "two"], ["benchmarks.b"]]
    assert ("failed: a two" in capsys.readouterr().err) == bool(status)
    ran.clear()
    everything.main(["--only", "b"])
    assert ran == [["benchmarks.b"]]
