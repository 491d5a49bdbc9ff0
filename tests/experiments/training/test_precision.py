import types

import keras
import pytest

from experiments.training import precision


def cpuinfo(tmp_path, flags):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nmodel name\t: some\nflags\t\t: {flags}\nbugs\t\t: none\n")
    return path


def test_cpu_flags_are_whole_words(tmp_path):
    assert precision.cpu_flags(cpuinfo(tmp_path, "fpu avx512f avx512_bf16 amx_bf16")) == [
        "avx512_bf16",
        "amx_bf16",
    ]
    assert precision.cpu_flags(cpuinfo(tmp_path, "fpu avx512f avx512_bf16x amx_tile")) == []
    assert precision.cpu_flags(tmp_path / "missing") == []


def test_what_is_asked_for_is_taken():
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        assert precision.resolve_precision(policy)[0] == policy


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tests TensorFlow's branch")
@pytest.mark.parametrize(
    ("capability", "flags", "expected"),
    [
        (None, ["avx512_bf16"], "mixed_bfloat16"),
        (None, [], "float32"),
        ((8, 0), [], "mixed_bfloat16"),
        ((9, 0), [], "mixed_bfloat16"),
        ((7, 5), ["avx512_bf16"], "float32"),
    ],
)
def test_auto_on_tensorflow(monkeypatch, capability, flags, expected):
    import tensorflow as tf

    gpus = [] if capability is None else ["gpu"]
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert precision.resolve_precision("auto")[0] == expected


@pytest.mark.parametrize(
    ("platform", "capability", "expected"),
    [
        ("cpu", None, "float32"),
        ("tpu", None, "mixed_bfloat16"),
        ("gpu", "9.0", "mixed_bfloat16"),
        ("gpu", "7.5", "float32"),
        ("gpu", "gfx90a", "float32"),
    ],
)
def test_auto_on_jax(monkeypatch, platform, capability, expected):
    import jax

    device = types.SimpleNamespace(platform=platform, compute_capability=capability)
    monkeypatch.setattr(jax, "devices", lambda: [device])
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert precision.resolve_precision("auto")[0] == expected
