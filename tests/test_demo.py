"""The command of the installed package: train on digits, and say where the pictures are."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capsgan_keras import CapsuleGAN, demo, load_dataset, load_run
from capsgan_keras.gan.settings import TUNED
from capsgan_keras.training.callbacks import NonFiniteError


@pytest.fixture
def few_digits(monkeypatch):
    """Let the demo train on 64 digits."""
    digits = load_dataset("digits")
    few = dataclasses.replace(digits, x_train=digits.x_train[:64], y_train=digits.y_train[:64])
    monkeypatch.setattr(demo, "load_dataset", {"digits": few}.__getitem__)
    return few


def test_the_demo_leaves_a_run_and_says_where(few_digits, tmp_path, capsys):
    folder = tmp_path / "it's new"
    assert demo.main(["--folder", str(folder), "--epochs", "2", "--seed", "3"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    # No terminal: Keras's line for each epoch, and no bar that is drawn again and again.
    assert re.findall(r"^Epoch \d/2\n1/1 - .*d_loss: ", output.out, re.MULTILINE)
    assert "\r" not in output.out
    assert f"In {folder}:\n  samples/epoch-0002.png " in output.out
    with Image.open(folder / "samples" / "epoch-0002.png") as picture:
        assert picture.size == (298, 298)

    run = load_run(folder)
    assert run.finished
    assert len(run.history["d_loss"]) == run.metrics["epochs"] == 2
    assert run.config["dataset"]["checksum"] == few_digits.checksum
    tuned = CapsuleGAN.tuned("digits", seed=3)
    for name, value in {"latent_dim": 28, "capsule_filters": [64, 128]}.items():
        assert run.config["settings"][name] == value
    assert run.gan.generator.count_params() == tuned.generator.count_params()
    assert run.gan.discriminator.count_params() == tuned.discriminator.count_params()
    rate = run.gan.generator_optimizer.get_config()["learning_rate"]["config"]
    assert rate["warmup_steps"] + rate["decay_steps"] == 2  # those of this run
    lines = output.out.rpartition("Next, in Python:\n")[2].splitlines()
    names = {}
    exec("\n".join(line.strip() for line in lines), names)
    np.testing.assert_array_equal(names["images"].shape, (64, 28, 28, 1))

    before = (folder / "metrics.json").read_bytes()
    assert demo.main(["--folder", str(folder), "--epochs", "1"]) == 2
    assert "holds a run already. Choose another folder" in capsys.readouterr().err
    assert (folder / "metrics.json").read_bytes() == before


def test_what_goes_wrong_has_a_status_and_a_message(few_digits, tmp_path, capsys, monkeypatch):
    arguments = ["--folder", str(tmp_path / "run")]
    assert demo.main([*arguments, "--epochs", "0"]) == 2
    assert "python -m capsgan_keras.demo: error: `epochs` must be" in capsys.readouterr().err
    assert demo.main([*arguments, "--seed", "-1"]) == 2
    assert "error: `seed` must be" in capsys.readouterr().err
    for error, status, message in (
        (KeyboardInterrupt(), 130, "Whole epochs are kept"),
        (NonFiniteError("g_loss is nan"), 1, "error: g_loss is nan"),
        (OSError(28, "No space left"), 2, "No space left"),
    ):

        def fail(*_, error=error, **__):
            raise error

        monkeypatch.setattr(CapsuleGAN, "fit", fail)
        assert demo.main([*arguments[:1], str(tmp_path / f"{status}")]) == status
        assert message in capsys.readouterr().err


def test_the_package_lists_it(capsys):
    from capsgan_keras.__main__ import TEXT

    assert "python -m capsgan_keras.demo" in TEXT
    assert (Path(demo.__file__).parent / "demo.py").is_file()
    assert TUNED[demo.DATASET].latent_dim == 28
