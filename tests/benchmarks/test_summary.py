import json
from pathlib import Path

import pytest

from benchmarks import __main__ as everything
from benchmarks import aims, summary
from benchmarks.measuring import FOLDER

ROOT = Path(__file__).parents[2]
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


def step_row(step, precision, median=1234.5, share=None):
    return {
        "step": step,
        "precision": precision,
        "images_per_second": {"median": median},
        "times_textbook_float32": SPREAD,
        "share_of_limit": share,
    }


def training_result(*models, best=3e11, **settings):
    rates = {"matmul": 4e11, "convolution": best}
    settings = {"image_shape": [28, 28, 1], "steps": 8, "repeats": 5} | settings
    return {"settings": settings, "best_rates": {"float32": rates}, "models": list(models)}


def model_of(name, *rows, batch_size=4, **more):
    return {
        "model": name,
        "batch_size": batch_size,
        "multiply_adds": 2_000_000,
        "operations": {"float32": [{"operation": "Conv2D", "share": 0.5}]},
        "steps": list(rows),
        **more,
    }


def test_the_training_table_has_rows_for_what_was_timed(tmp_path):
    share = {"matmul": 0.2, "convolution": 0.25}
    model = model_of(
        "capsule", step_row("simultaneous", "float32", share=share), step_row("textbook", "float32")
    )
    write(tmp_path, "training-mnist.json", training_result(model))
    text = summary.markdown(tmp_path)
    assert (
        "| ours, simultaneous, one-product capsule, float32 | 1,234 [2.00 (1.00-3.00)], 25% |"
        in text
    )
    assert "| textbook, float32 | 1,234 [2.00 (1.00-3.00)] |" in text
    assert "bfloat16" not in text
    assert "8 steps at a time, 5 rounds." in text
    assert "matrices 400, convolutions 300 GFLOP/s" in text
    assert "`Conv2D` 50%" in text
    assert "50 epochs" not in text  # measured on a CPU
    assert (
        "- reached: training step, 28x28x1, capsule GAN, default networks, batch 4, fastest, "
        "faster than the textbook's in float32 2.00 times (aim: at least 2 times)" in text
    )


def test_columns_are_named_by_model_and_batch_and_models_are_compared(tmp_path):
    models = [
        model_of(name, step_row("textbook", "float32", rate), batch_size=batch)
        for batch, name, rate in (
            (8, "capsule", 100.0),
            (8, "convolutional", 200.0),
            (16, "capsule", 300.0),
        )
    ]
    write(tmp_path, "training-mnist-tuned.json", training_result(*models, networks="tuned"))
    text = summary.markdown(tmp_path)
    assert "28x28x1, the experiments' networks, TensorFlow 2" in text
    assert (
        "| step | capsule GAN, batch 8 | convolutional GAN, batch 8 | "
        "capsule / convolutional, batch 8 | capsule GAN, batch 16 |" in text
    )
    assert (
        "| textbook, float32 | 100 [2.00 (1.00-3.00)] | 200 [2.00 (1.00-3.00)] | 0.50 | 300 "
        in text
    )


def test_a_full_training_on_an_accelerator(tmp_path):
    models = [
        model_of("capsule", step_row("scan", "float32", 30_000.0), step_row("fit", "float32", 1e4)),
        model_of("convolutional", step_row("scan", "float32", 60_000.0)),
    ]
    versions = {"backend": "jax 0.9", "keras": "3"}
    machine = MACHINE | {"devices": ["gpu:0"], "versions": versions}
    result = training_result(*models) | {"machine": machine}
    write(tmp_path, "training-mnist-jax.json", result)
    text = summary.markdown(tmp_path)
    assert "JAX 0.9: images per second" in text
    assert "capsule GAN 100 s, convolutional GAN 50 s, together 150 s." in text
    assert "rates 150 s (aim: at most 180 s)" in text
    assert "2 cores of Chip, gpu:0, jax 0.9" in text


def test_the_rate_of_a_steps_own_convolutions_and_its_work(tmp_path):
    model = model_of(
        "capsule",
        step_row("simultaneous", "float32", 1000.0),
        multiply_adds_alternating=3_000_000,
        convolutions={"float32": {"rate": 5e10}},
    )
    best = {"median": 3e11, "min": 2e11, "max": 4e11}
    write(tmp_path, "training-cifar10.json", training_result(model, best=best))
    text = summary.markdown(tmp_path)
    assert "convolutions 300 (200-400) GFLOP/s" in text
    assert "timed alone 50, the whole simultaneous step 4 GFLOP/s" in text
    assert "2 million multiply-adds an image, the alternating one 3 million (1.50 times" in text


def test_growth_has_a_value_for_each_size(tmp_path):
    exponent = {"median": 1.0, "min": 0.5, "max": 1.5}
    rates = [{"median": 1500.0, "min": 1000.0, "max": 2000.0}, {"median": 7, "min": 7, "max": 7}]
    result = {
        "settings": {"repeats": 3, "table_repeats": 1},
        "batch": {"capsule": {"sizes": [16, 32], "images_per_second": rates, "exponent": exponent}},
        "side": {"capsule": {"sizes": [16], "images_per_second": rates[:1], "exponent": None}},
        "memory": {
            "capsule": {"sizes": [16, 32], "peak_bytes": [2**20, None], "exponent": None},
        },
        "points": {
            "sizes": [10_000, 20_000],
            "seconds": [{"median": 2.0, "min": 2.0, "max": 2.0}] * 2,
            "peak_bytes": [3 * 2**20, 4 * 2**20],
            "seconds_exponent": {"median": 1.2, "min": 1.2, "max": 1.2},
            "bytes_exponent": None,
        },
    }
    write(tmp_path, "growth.json", result)
    text = summary.markdown(tmp_path)
    assert "| batch | 16 | 32 | exponent |" in text
    assert (
        "| capsule: images/s, exponent of a step's seconds | 1,500 (1,000-2,000) | 7 | "
        "1.00 (0.50-1.50) |" in text
    )
    assert "| side of the images | 16 | exponent |" in text
    assert "images/s, exponent of a step's seconds | 1,500 (1,000-2,000) | - |" in text
    assert "| capsule: MiB of a step | 1 | - | - |" in text
    assert "| seconds of a table for one model | 2.0 | 2.0 | 1.20 |" in text
    assert "| MiB of it | 3 | 4 | - |" in text
    assert "3 rounds, the tables 1." in text


def semi_supervised(repeats, **ratio):
    one = {
        "data": "mnist",
        "points": 2_000,
        "n_labelled": [4, 40],
        "n_test": 400,
        "differing_labels": [0, 1],
        "package_table_seconds": SPREAD,
        "scikit_learn_table_seconds": SPREAD,
        "ratio": ratio,
        "peak_bytes": {"package": 2**20, "scikit-learn": 2**21},
    }
    return {"settings": {"draws": 5, "models": 2, "repeats": repeats}, "results": [one]}


def test_one_round_has_no_interval(tmp_path):
    result = semi_supervised(1, median=9.8, min=9.8, max=9.8)
    write(tmp_path, "semi_supervised.json", result)
    text = summary.markdown(tmp_path)
    assert "9.8 times, one round; 1 of 800 labels differ" in text
    assert "whole table for one model 1 MiB, one cell of scikit-learn's" in text
    assert "- missed: label-spreading table, mnist, 2,000" in text
    result = semi_supervised(3, median=9.8, min=9.0, max=10.0)
    write(tmp_path, "semi_supervised.json", result)
    assert "9.8 (9.0-10.0) times, 3 rounds; " in summary.markdown(tmp_path)


def ways(einsum, map_fn, memory):
    return {
        "layer": {"milliseconds": SPREAD, "times_as_slow": {"median": 1.0}, "memory": memory},
        "einsum": {"milliseconds": SPREAD, "times_as_slow": {"median": einsum}, "memory": 100},
        "map_fn": {"milliseconds": SPREAD, "times_as_slow": {"median": map_fn}, "memory": 100},
    }


def test_the_worst_of_the_capsule_layers_counts():
    result = {
        "shapes": {
            "a": {"num_capsule": 10, "ways": ways(3.0, 4.0, 40)},
            "b": {"num_capsule": 10, "ways": ways(2.0, 9.0, 60)},
            "c": {"num_capsule": 1, "ways": ways(1.0, 30.0, 90)},
        }
    }
    found = [(aim.measured, aim.aim, aim.reached) for aim in aims.of_capsules(result)]
    assert found == [
        (2.0, 1.3, True),
        (2.0, 2.5, False),
        (0.6, 0.5, False),
        (4.0, 5, False),
        (30.0, 20, True),
    ]
    result["shapes"]["a"]["ways"]["layer"]["memory"] = None
    assert 0.5 not in [aim.aim for aim in aims.of_capsules(result)]


@pytest.mark.parametrize("folder", ["typo", "."])
def test_a_folder_without_results_is_refused(folder, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("<!-- benchmarks -->\ntable\n<!-- end of benchmarks -->\n")
    assert summary.main([str(tmp_path / folder), "--readme", str(readme)]) == 2
    assert "must have results of the benchmarks. Received: " in capsys.readouterr().err
    assert "table" in readme.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "7",
        "{",
        '{"machine": []}',
        json.dumps({"machine": MACHINE, "help": 1}),
        json.dumps({"machine": MACHINE, "help": {"seconds": {"median": "x"}}, "first_step": {}}),
    ],
)
def test_a_file_of_another_origin_is_refused_in_one_line(text, tmp_path, capsys):
    (tmp_path / "startup.json").write_text(text)
    assert summary.main([str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert "startup.json must be as the benchmark writes it" in printed
    assert printed.count("\n") == 1


def test_a_file_without_the_part_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(everything.subprocess, "run", lambda *a, **k: pytest.fail("measured"))
    write(tmp_path, "semi_supervised.json", semi_supervised(3, **SPREAD))
    readme = tmp_path / "README.md"
    readme.write_text("text\n")
    assert summary.main([str(tmp_path), "--readme", str(readme)]) == 2
    assert "must have a part between <!-- benchmarks -->" in capsys.readouterr().err
    assert everything.main(["--readme", str(readme)]) == 2
    assert "must have a part between <!-- benchmarks -->" in capsys.readouterr().err
    assert readme.read_text() == "text\n"
    assert everything.main(["--readme", str(tmp_path / "none.md")]) == 2
    assert "No such file" in capsys.readouterr().err


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
