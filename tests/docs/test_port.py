"""The port of CapsNet-Keras's `capsulenet.py` is short, and runs."""

import runpy
from pathlib import Path

import keras
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "docs" / "port_capsulenet.py"


def test_the_port_is_short_and_runs(tmp_path, monkeypatch, capsys):
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) < 30
    monkeypatch.chdir(tmp_path)
    main = runpy.run_path(str(SCRIPT))["main"]
    main("digits", epochs=2, filters=4, n_channels=1, decoder_units=(8,))
    assert 0.0 < float(capsys.readouterr().out.partition("test accuracy: ")[2].split()[0]) <= 1.0
    log = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["epoch", "0", "1"]
    for name in ("real.png", "recon.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (10 * 30 - 2, 5 * 30 - 2)
    network = keras.saving.load_model(tmp_path / "trained_model.keras")
    assert network.num_classes == 10
