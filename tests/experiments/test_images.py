"""Images of one's own: what is chosen for them, and the whole command at a small size."""

import importlib.util
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import __main__ as commands
from experiments import images
from experiments.training.own_images import EPOCH_STEPS, SIDE, choose_size, divide

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("drawings", Path(__file__).with_name("drawings.py"))
drawings = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(drawings)

TINY = shlex.split(
    "--image-size 16 --steps 8 --batch-size 16 --latent-dim 8 --generator-filters 4 4 "
    "--capsule-filters 4 --n-channels 1 --convolutional-filters 4 4 --precision float32 --verbose 0"
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder of coloured drawings in three sub-folders."""
    path = tmp_path_factory.mktemp("own") / "shapes"
    drawings.write_drawings(path, 240, side=40)
    return path


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(28, 28)], None),
        ([(32, 16)], None),
        ([(16, 16), (20, 20)], SIDE),
        ([(30, 30)], SIDE),
        ([(8, 8)], SIDE),
        ([(33, 32)], SIDE),
        ([(4000, 3000)], SIDE),
    ],
)
@pytest.mark.parametrize("place", ["", "a"])
def test_a_size_is_chosen_from_the_images(sizes, side, place, tmp_path):
    (tmp_path / place).mkdir(exist_ok=True)
    for index, size in enumerate(sizes):
        Image.new("RGB", size).save(tmp_path / place / f"{index}.png")
    assert choose_size(str(tmp_path)) == side


@pytest.mark.parametrize(("shape", "side"), [((28, 28), None), ((64, 64, 3), SIDE)])
def test_a_size_is_chosen_from_an_archive(shape, side, tmp_path):
    np.savez(tmp_path / "own.npz", x_train=np.zeros((2, *shape), "uint8"))
    assert choose_size(str(tmp_path / "own.npz")) == side


@pytest.mark.parametrize("steps", [1, 50, 1000, 4000])
@pytest.mark.parametrize(
    ("count", "batch_size"), [(5, 5), (600, 64), (12_799, 64), (60_000, 64), (100, 1)]
)
def test_epochs_make_about_the_steps(steps, count, batch_size):
    passes, epochs = divide(steps, count, batch_size)
    per_epoch = passes * count // batch_size
    assert per_epoch >= min(steps, EPOCH_STEPS)
    # Not fewer passes than it takes, and to within half an epoch.
    assert passes == 1 or (passes - 1) * count < min(steps, EPOCH_STEPS) * batch_size
    assert abs(epochs * per_epoch - steps) <= max(per_epoch / 2, per_epoch - steps)


def test_a_folder_with_classes_is_trained_on_and_compared(folder, tmp_path, capsys):
    runs = tmp_path / "runs"
    arguments = [str(folder), *TINY, "--run-dir", str(runs)]
    assert images.main(arguments) == 0
    out = capsys.readouterr().out
    before, _, after = out.partition("training images of shape")
    assert "200 images to train on, 40 held out; 16 x 16, coloured" in before
    assert "12 steps of 16 images for each model, in 1 epoch" in before
    for model in ("capsule", "convolutional"):
        assert f"{model}: about 1 minute on this machine" in before
        config = json.loads((runs / f"{model}-seed0" / "config.json").read_text())
        assert config["settings"]["latent_categories"] == 0
        assert (config["settings"]["epochs"], config["settings"]["validation"]) == (1, 40)
        assert str(runs / f"{model}-seed0" / "samples" / "epoch-0001.png") in after
    assert "precision / recall" in after
    evaluated = {path.stem for path in runs.glob("evaluation/**/*.json")}
    assert evaluated == {"gam", "semi_supervised", "sample_quality"}
    next_commands = after.rpartition("Next:")[2]
    assert f"python -m experiments.report {runs / 'evaluation'}" in next_commands
    assert images.main([*arguments, "--resume"]) == 0
    out = capsys.readouterr().out
    assert "is finished already" in out
    assert "on this machine" not in out


def test_without_classes_models_are_trained_alone(folder, tmp_path, capsys):
    loose = tmp_path / "loose"
    loose.mkdir()
    for path in list(folder.rglob("*.png"))[:20]:
        (loose / path.name).write_bytes(path.read_bytes())
    arguments = [str(loose), *TINY, "--model", "capsule", "--batch-size", "64"]
    assert images.main([*arguments, "--run-dir", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    assert "20 images to train on, 0 held out" in out
    assert "steps of 20 images" in out
    assert "These are few images" in out
    kept = " ".join([*arguments, "--run-dir", str(tmp_path / "runs")])
    longer = f"{kept} --steps 10000 --run-dir {tmp_path / 'runs'}-longer"
    assert f"python -m experiments.images {longer}  # train longer" in out
    assert not list((tmp_path / "runs").glob("evaluation"))
    assert images.main([*arguments, "--evaluate", "--run-dir", str(tmp_path / "other")]) == 2
    assert "lacks labels" in capsys.readouterr().err


@pytest.mark.parametrize("stored", ["lacking", None, ["cutout"]])
def test_runs_go_on_with_the_augmentation_that_they_were_started_with(
    folder, tmp_path, stored, capsys
):
    """Those of older versions had none, and new seeds beside them are to be comparable."""
    given = [] if stored is None else ["--augmentation", *(stored if stored != "lacking" else ())]
    arguments = [str(folder), *TINY, "--model", "capsule", "--no-evaluate"]
    arguments += ["--run-dir", str(tmp_path)]
    assert images.main([*arguments, *given]) == 0
    file = tmp_path / "capsule-seed0" / "config.json"
    config = json.loads(file.read_text())
    if stored == "lacking":
        assert config["settings"].pop("augmentation") == []
    elif stored is None:
        assert len(config["settings"]["augmentation"]) == 3
        config["settings"]["augmentation"] = None
    else:
        assert config["settings"]["augmentation"] == stored
    file.write_text(json.dumps(config))
    capsys.readouterr()
    assert images.main([*arguments, "--resume", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert ("Augmentation of what discriminators see" in out) == (stored == ["cutout"])
    second = json.loads((tmp_path / "capsule-seed1" / "config.json").read_text())
    assert second["settings"]["augmentation"] == (stored if stored == ["cutout"] else [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: FOLDER"),
        ("no/such/folder", "no/such/folder"),
        ("{folder} --steps 0", "`steps` must be a whole number of at least 1"),
        ("{folder} --validation -1", "`validation` must be a whole number of at least 0"),
        ("{folder} --validation 240", "from 1 to 239"),
        ("{folder} --epochs 3", "unrecognized arguments: --epochs 3"),
        ("{folder} --image-size 18", "multiples of 4"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message, folder, capsys):
    assert images.main(shlex.split(arguments.format(folder=folder))) == 2
    assert message in capsys.readouterr().err


def test_help_needs_no_keras():
    code = (
        "import sys; from experiments import images; status = images.main(['--help']); "
        "print(status, [name for name in ('keras', 'tensorflow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.endswith("0 []\n")
    assert "(default: 4000)" in done.stdout


def test_the_commands_are_listed():
    done = subprocess.run(
        [sys.executable, "-m", "experiments"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    listed = {line.split()[2] for line in done.stdout.splitlines() if "python -m" in line}
    modules = [*(ROOT / "experiments").glob("*.py"), ROOT / "experiments/study/__main__.py"]
    texts = {path: path.read_text() for path in modules if path.stem != "__main__"}
    expected = {
        f"experiments.{path.stem}" for path, text in texts.items() if "def main(argv=None)" in text
    }
    packages = {f"experiments.{name}" for name in ("bigan", "capsnet", "sample", "study")}
    assert listed == expected | packages


def test_a_command_that_is_none_is_refused(capsys):
    assert commands.main(["nosuch"]) == 2
    assert "takes no arguments. Received: nosuch" in capsys.readouterr().err


def test_the_package_says_where_the_commands_are(run_python):
    out = run_python("import runpy; runpy.run_module('capsgan_keras', run_name='__main__')")
    assert "python -m experiments" in out
