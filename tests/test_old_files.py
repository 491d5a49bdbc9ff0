"""Models and run directories that version 0.1.0 wrote: they load, train on and are resumed."""

import importlib
import json
import shlex
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import capsgan_keras
from capsgan_keras import load_run
from experiments import digits

FILES = Path(__file__).parent / "fixtures" / "version-0.1.0"
CLASSES = {"capsule": "CapsuleGAN", "convolutional": "ConvolutionalGAN"}
STRIPES = np.stack([np.arange(256).reshape(16, 16, 1) * k % 256 for k in (1, 3, 5, 7)])
SCORES_OF_STRIPES = {
    "capsule": [0.1058500, 0.0521242, 0.0937003, 0.0499072],
    "convolutional": [0.5000854, 0.5000925, 0.4999380, 0.5000311],
}
"""From version 0.1.0. On its own images the capsule model's scores are all almost 0."""
ARGUMENTS = shlex.split(
    "--model capsule --image-size 16 --epochs 2 --batch-size 256 --latent-dim 8 "
    "--latent-categories 4 --generator-filters 4 4 --capsule-filters 4 --n-channels 1 "
    "--convolutional-filters 4 4 --precision float32 --verbose 0 --no-evaluate"
)
TOLERANCE = 1e-4
"""For what another machine computes anew, in networks whose weights are about 0.02 to 1."""


def values_of(gan):
    """Return all weights, moments and states of seeds."""
    return [ops.convert_to_numpy(v) for v in [*gan.variables, *gan.optimizer.variables]]


def classes_in(config):
    """Yield the module and the name of each of this package's classes in a Keras config."""
    if isinstance(config, dict):
        if str(config.get("module")).startswith("capsgan_keras"):
            yield config["module"], config["class_name"]
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from classes_in(part)


@pytest.fixture
def runs(tmp_path):
    """A copy of the run directories, which tests may write to."""
    for name in ("finished", "interrupted"):
        shutil.copytree(FILES / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", CLASSES)
def test_an_old_model_gives_its_images_and_scores(name):
    gan = keras.saving.load_model(FILES / f"{name}.keras")
    assert type(gan) is getattr(capsgan_keras, CLASSES[name])
    images = gan.generate(4, seed=0)
    assert np.abs(images.astype(int) - np.load(FILES / f"{name}-images.npy")).max() <= 1
    scores = gan.discriminate(np.load(FILES / f"{name}-images.npy"))
    np.testing.assert_allclose(scores, np.load(FILES / f"{name}-scores.npy"), atol=1e-5)
    scores = gan.discriminate(STRIPES.astype("uint8"))
    np.testing.assert_allclose(scores, SCORES_OF_STRIPES[name], atol=1e-5)


@pytest.mark.parametrize("name", CLASSES)
def test_an_old_model_trains_on_with_its_optimizers(name, tmp_path):
    gan = keras.saving.load_model(FILES / f"{name}.keras")
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert optimizer.beta_1 == 0.5
        assert int(optimizer.iterations) == 2
        moments = [v for v in optimizer.variables if "momentum" in v.path]
        assert min(np.abs(ops.convert_to_numpy(v)).max() for v in moments) > 0.0
    images = np.load(FILES / f"{name}-images.npy")
    gan.fit(images, batch_size=2, verbose=0)
    assert int(gan.generator_optimizer.iterations) == 4
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    for value, expected in zip(values_of(again), values_of(gan), strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("name", CLASSES)
def test_the_places_that_an_old_file_names_hold_its_classes(name):
    with zipfile.ZipFile(FILES / f"{name}.keras") as archive:
        named = set(classes_in(json.loads(archive.read("config.json"))))
    assert ("capsgan_keras.gan", CLASSES[name]) in named
    for module, class_name in named:
        assert isinstance(getattr(importlib.import_module(module), class_name), type)


def test_old_runs_are_read():
    finished, interrupted = (
        load_run(FILES / name / "capsule-seed0") for name in ("finished", "interrupted")
    )
    assert finished.finished
    assert not interrupted.finished
    assert interrupted.metrics is None
    assert finished.metrics["epochs"] == len(finished.history["d_loss"]) == 2
    assert interrupted.history == {name: log[:1] for name, log in finished.history.items()}
    for run in (finished, interrupted):
        assert run.config["versions"]["capsgan_keras"] == "0.1.0"
        assert run.config["settings"]["latent_categories"] == 4
        assert run.gan.generate(2, seed=0).shape == (2, 16, 16, 1)


def test_an_interrupted_old_run_is_resumed_to_its_end(runs):
    assert digits.main([*ARGUMENTS, "--run-dir", str(runs / "interrupted"), "--resume"]) == 0
    ours, theirs = (load_run(runs / name / "capsule-seed0") for name in ("interrupted", "finished"))
    assert ours.finished
    assert ours.history.keys() == theirs.history.keys()
    for name, log in ours.history.items():
        assert log[0] == theirs.history[name][0]  # read from the checkpoint
        assert log[1] == pytest.approx(theirs.history[name][1], abs=TOLERANCE)
    for value, expected in zip(values_of(ours.gan), values_of(theirs.gan), strict=True):
        np.testing.assert_allclose(value, expected, atol=TOLERANCE)


def test_a_finished_old_run_stays_as_it_is(runs):
    before = {path: path.read_bytes() for path in (runs / "finished").rglob("*.*")}
    assert digits.main([*ARGUMENTS, "--run-dir", str(runs / "finished"), "--resume"]) == 0
    assert {path: path.read_bytes() for path in (runs / "finished").rglob("*.*")} == before
