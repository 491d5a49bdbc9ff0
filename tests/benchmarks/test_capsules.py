import json

import numpy as np
import pytest

from benchmarks import alternatives, capsules
from capsgan_keras.routing.agreement import squash

TINY = ["--batch-size", "3", "--calls", "1", "--repeats", "2"]


@pytest.fixture
def small(monkeypatch):
    """One layer of few capsules."""
    monkeypatch.setattr(capsules, "SHAPES", {"small": (6, 3)})


def test_attention_routes_as_the_formula_says():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2, 5, 4)).astype("float32")
    layer = alternatives.AttentionCapsules(3, 6)
    layer.build(inputs.shape)
    layer.prior.assign(rng.normal(size=(3, 5)))
    kernel = np.asarray(layer.kernel).reshape(5, 4, 3, 6)
    for sample, result in zip(inputs, np.asarray(layer(inputs)), strict=True):
        votes = np.stack([[sample[i] @ kernel[i, :, j] for i in range(5)] for j in range(3)])
        agreement = np.array(
            [[sum(v @ other for other in votes[j]) for v in votes[j]] for j in range(3)]
        ) / np.sqrt(6)
        couplings = np.exp(agreement) / np.exp(agreement).sum(axis=0) + np.asarray(layer.prior)
        sums = np.einsum("ji,jik->jk", couplings, votes).astype("float32")
        np.testing.assert_allclose(result, squash(sums), atol=1e-5)


@pytest.mark.parametrize("precision", capsules.PRECISIONS)
def test_the_ways_agree_and_attention_does_not(precision):
    steps = {way: capsules.make_step(way, 6, 3, 4, precision) for way in capsules.available_ways()}
    differences = capsules.check(steps, capsules.TOLERANCES[precision])
    assert list(differences) == ["layer", "map_fn"]
    assert all(value.any() for value in steps["layer"]())
    steps["layer"] = steps["attention"]
    with pytest.raises(capsules.DisagreementError, match="layer differs from einsum"):
        capsules.check(steps, capsules.TOLERANCES[precision])


def test_the_command(tmp_path, capsys, monkeypatch, small):
    asked = []

    def memory_of(module, arguments):
        asked.append((module, *arguments[:4]))
        return 3 * 2**20

    monkeypatch.setattr(capsules, "memory_of", memory_of)
    path = tmp_path / "new" / "capsules.json"
    assert capsules.main([*TINY, "--output", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "small: 6 -> 3 x 16" in printed
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["settings"]["batch_size"] == 3
    ways = result["shapes"]["small"]["ways"]
    assert list(ways) == ["layer", "einsum", "map_fn", "attention"]
    assert ways["layer"]["times_as_slow"] == {"median": 1.0, "min": 1.0, "max": 1.0}
    for way, row in ways.items():
        assert 0 < row["milliseconds"]["min"] <= row["milliseconds"]["median"]
        assert row["memory"] == 3 * 2**20
        assert ("benchmarks.capsules", "--memory-of", way, "--shape", "small") in asked


def test_memory_is_measured_in_a_process_of_its_own():
    options = capsules.parse(["--shape", "discriminator", "--batch-size", "64"])
    layer, einsum = (
        capsules.child_memory(way, "discriminator", options) for way in ("layer", "map_fn")
    )
    assert 0 < layer < einsum


def test_nothing_is_timed_where_values_differ(tmp_path, capsys, monkeypatch, small):
    monkeypatch.setattr(alternatives, "squash", lambda vectors: vectors)
    monkeypatch.setattr(alternatives, "dynamic_routing", lambda votes, routings: votes[:, :, 0])
    monkeypatch.setattr(capsules, "time_in_turn", lambda *arguments: pytest.fail("timed"))
    path = tmp_path / "capsules.json"
    assert capsules.main([*TINY, "--output", str(path)]) == 1
    assert "error: layer differs from einsum" in capsys.readouterr().err
    assert not path.exists()


def test_a_folder_to_write_to_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(capsules, "measure", lambda *arguments: pytest.fail("measured"))
    assert capsules.main([*TINY, "--output", str(tmp_path)]) == 2
    assert "Is a directory" in capsys.readouterr().err


def test_other_backends_are_refused(tmp_path, run_python):
    path = tmp_path / "new" / "speed.json"
    printed = run_python(
        f"""
import contextlib, sys
from benchmarks import capsules, growth
with contextlib.redirect_stderr(sys.stdout):
    for module in (capsules, growth):
        assert module.main(["--output", {str(path)!r}]) == 2
    assert capsules.main(["--memory-of", "layer"]) == 2
""",
        KERAS_BACKEND="numpy",
    )
    assert printed.count("Received: backend 'numpy'") == 3
    assert not path.parent.exists()
