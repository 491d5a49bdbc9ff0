import importlib.util

import numpy as np
import pytest
from PIL import Image

from capsgan_keras import load_run


def test_logs_of_a_run(train, tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    array_of = pytest.importorskip("tensorboard.util.tensor_util").make_ndarray
    assert train("--model", "capsule", "--tensorboard") == 0
    run = load_run(tmp_path / "runs" / "capsule-seed0")

    def events(folder):
        path = str(run.path / "tensorboard" / folder)
        return reading.EventAccumulator(path, {"tensors": 0}).Reload()

    scalars = events("train")
    for name, values in run.history.items():
        logged = scalars.Tensors(f"epoch_{name}")
        assert [array_of(event.tensor_proto) for event in logged] == pytest.approx(values)
    rates = {tag for tag in scalars.Tags()["tensors"] if "learning_rate" in tag}
    assert rates == {f"epoch_learning_rate_adam_{name}" for name in ("generator", "discriminator")}
    pngs = [event.tensor_proto.string_val[2] for event in events("samples").Tensors("samples")]
    (tmp_path / "last.png").write_bytes(pngs[1])
    with (
        Image.open(tmp_path / "last.png") as logged,
        Image.open(run.path / "samples" / "epoch-0002.png") as written,
    ):
        np.testing.assert_array_equal(np.asarray(logged), np.asarray(written))
    text = events("settings").Tensors("settings")[0].tensor_proto.string_val[0].decode()
    assert "| latent_dim | 8 |" in text
    assert "| precision | float32 |" in text
    assert "tensorboard" not in run.config["settings"]


def test_without_tensorboard_it_is_refused_before_anything_is_written(
    train, tmp_path, monkeypatch, capsys
):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorboard" else found(name)
    )
    assert train("--tensorboard") == 2
    assert "--tensorboard: Logs for TensorBoard need tensorboard" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
