import json
import os
import shutil

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

from capsgan_keras import CapsuleGAN
from capsgan_keras.models import build_capsule_discriminator, build_generator
from capsgan_keras.runs import RunDirectory, RunError, load_run, sample_images

HISTORY = {"d_loss": [0.1 + 0.2, 1e-9], "g_loss": [0.25, 1.0]}
ONE_EPOCH = {name: values[:1] for name, values in HISTORY.items()}


CONFIG = {
    "settings": {"model": "capsule", "seed": 0, "precision": "float32"},
    "dataset": {"name": "digits", "source": "digits", "checksum": "0" * 64},
}
METRICS = {"epochs": 2, "final": {}, "parameters": {}}


@pytest.fixture(scope="module")
def gan():
    shape = (16, 16, 1)
    gan = CapsuleGAN(
        shape,
        latent_dim=4,
        generator=build_generator(shape, 4, filters=(4, 4), seed=0),
        discriminator=build_capsule_discriminator(
            shape, filters=4, n_channels=1, dropout=0.5, seed=0
        ),
        seed=0,
    )
    gan.compile()
    gan.fit(np.zeros((4, *shape), "uint8"), batch_size=2, verbose=0)
    return gan


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "runs" / "capsule-seed0")
    directory.create(CONFIG)
    return directory


def values(gan):
    variables = [*gan.variables, *gan.optimizer.variables]
    return {f"{i} {v.path}": keras.ops.convert_to_numpy(v) for i, v in enumerate(variables)}


def assert_same_gan(ours, theirs):
    ours, theirs = values(ours), values(theirs)
    assert len(ours) == len(theirs)
    for (name, value), expected in zip(ours.items(), theirs.values(), strict=True):
        np.testing.assert_array_equal(value, expected, err_msg=name)


# ---- checkpoints


def test_a_checkpoint_brings_back_everything(directory, gan):
    assert directory.newest_checkpoint() is None
    directory.write_checkpoint(gan, 2, HISTORY, 12.5)
    checkpoint = directory.newest_checkpoint()
    assert (checkpoint.epoch, checkpoint.history, checkpoint.seconds) == (2, HISTORY, 12.5)
    assert_same_gan(checkpoint.load_gan(), gan)


def test_only_the_newest_checkpoint_stays(directory, gan):
    directory.write_checkpoint(gan, 1, ONE_EPOCH, 1.0)
    directory.write_checkpoint(gan, 2, HISTORY, 2.0)
    assert os.listdir(directory.path / "checkpoint") == ["epoch-0002"]


def test_epochs_are_compared_as_numbers(directory, gan):
    directory.write_checkpoint(gan, 9999, ONE_EPOCH, 1.0)
    kept = directory.path / "checkpoint" / "epoch-9999"
    shutil.copytree(kept, directory.path / "copy")
    directory.write_checkpoint(gan, 10000, HISTORY, 2.0)
    (directory.path / "copy").rename(kept)
    assert directory.newest_checkpoint().epoch == 10000


def test_a_checkpoint_that_could_not_be_written_leaves_the_one_before(directory, gan, monkeypatch):
    directory.write_checkpoint(gan, 1, ONE_EPOCH, 1.0)

    def half(path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gan, "save", half)
    with pytest.raises(OSError, match="No space left"):
        directory.write_checkpoint(gan, 2, HISTORY, 2.0)
    assert os.listdir(directory.path / "checkpoint") == ["epoch-0001"]
    assert_same_gan(directory.newest_checkpoint().load_gan(), gan)


def test_damaged_checkpoints_are_named(directory, gan):
    directory.write_checkpoint(gan, 1, ONE_EPOCH, 1.0)
    folder = directory.path / "checkpoint" / "epoch-0001"
    os.truncate(folder / "gan.keras", 1000)
    with pytest.raises(RunError, match=r"epoch-0001/gan\.keras: could not be loaded"):
        directory.newest_checkpoint().load_gan()
    (folder / "gan.keras").write_text("rubbish")
    with pytest.raises(RunError, match=r"gan\.keras: could not be loaded. It is no archive"):
        directory.newest_checkpoint().load_gan()
    for text in ("{", '{"epoch": 1}', "[]"):
        (folder / "state.json").write_text(text)
        with pytest.raises(RunError, match=r"epoch-0001/state\.json"):
            directory.newest_checkpoint()


def test_restore_undoes_what_came_after_the_checkpoint(directory, gan):
    directory.write_checkpoint(gan, 1, ONE_EPOCH, 1.0)
    images = sample_images(gan, 0)
    for epoch in (1, 2, 3):
        directory.write_samples(epoch, images[::-1])
    directory.write_history(HISTORY)
    for leftover in (".writing-a.json", "samples/.writing-epoch-0004.png"):
        (directory.path / leftover).write_text("half")
    (directory.path / "checkpoint" / ".writing-epoch-0002").mkdir()
    (directory.path / "checkpoint" / "epoch-0000").mkdir()

    directory.restore(directory.newest_checkpoint(), images)
    assert os.listdir(directory.path / "checkpoint") == ["epoch-0001"]
    assert os.listdir(directory.path / "samples") == ["epoch-0001.png"]
    assert not list(directory.path.rglob(".writing-*"))
    assert directory.read_history() == ONE_EPOCH
    restored = (directory.path / "samples" / "epoch-0001.png").read_bytes()
    directory.write_samples(1, images)
    assert (directory.path / "samples" / "epoch-0001.png").read_bytes() == restored


# ---- history


def test_history_comes_back_exactly(directory):
    directory.write_history(HISTORY)
    text = (directory.path / "history.csv").read_text()
    assert text == "epoch,d_loss,g_loss\n1,0.30000000000000004,0.25\n2,1e-09,1.0\n"
    assert directory.read_history() == HISTORY


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "It is empty"),
        ("epoch,d_loss\n1\n", "Its head is 'epoch,d_loss', a row '1'"),
        ("epoch,d_loss\n1,high\n", ".*'high'"),
    ],
)
def test_a_damaged_history_is_named(directory, text, problem):
    (directory.path / "history.csv").write_text(text)
    with pytest.raises(RunError, match=rf"history\.csv: is damaged. {problem}"):
        directory.read_history()


# ---- loading


def test_an_unfinished_run_is_that_of_its_checkpoint(directory, gan):
    directory.write_checkpoint(gan, 1, ONE_EPOCH, 1.0)
    directory.write_history(HISTORY)  # a kill came before the second checkpoint
    run = load_run(str(directory.path))
    assert not run.finished
    assert run.metrics is None
    assert run.history == ONE_EPOCH
    assert run.config["settings"] == CONFIG["settings"]
    assert_same_gan(run.gan, gan)
    assert run.gan is run.gan


def test_a_finished_run(directory, gan):
    directory.write_history(HISTORY)
    directory.finish(gan, METRICS, Figure(), "the card")
    run = load_run(directory.path)
    assert run.finished
    assert run.path == directory.path
    assert run.metrics == METRICS
    assert run.history == HISTORY
    assert_same_gan(run.gan, gan)
    assert (run.path / "README.md").read_text() == "the card"
    generator = keras.saving.load_model(run.path / "generator.keras")
    latents = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(
        generator.predict(latents, verbose=0), gan.predict(latents, verbose=0)
    )


def test_a_run_is_finished_only_when_all_is_written(directory, gan, monkeypatch):
    directory.write_checkpoint(gan, 2, HISTORY, 1.0)

    def fail(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gan.generator, "save", fail, raising=False)
    with pytest.raises(OSError, match="No space left"):
        directory.finish(gan, METRICS, Figure(), "the card")
    assert not load_run(directory.path).finished


def test_a_run_before_its_first_epoch_has_no_gan(directory):
    run = load_run(directory.path)
    assert run.history == {}
    with pytest.raises(RunError, match="holds no model yet"):
        run.gan  # noqa: B018


def test_folders_that_are_no_runs(directory, tmp_path):
    with pytest.raises(RunError, match=r"nothing: is no run: the folder does not exist"):
        load_run(tmp_path / "nothing")
    with pytest.raises(RunError, match=r"runs: is no run, but holds some: capsule-seed0"):
        load_run(tmp_path / "runs")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".writing-config.json").write_text("{")
    with pytest.raises(RunError, match=r"empty: is no run: the folder is empty"):
        load_run(tmp_path / "empty")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"foreign: is no run: it holds notes\.txt"):
        load_run(tmp_path / "foreign")
    with pytest.raises(RunError, match=r"notes\.txt is a file"):
        load_run(tmp_path / "foreign" / "notes.txt")


@pytest.mark.parametrize("config", ['{"settings": {}}', "[1]", "{", '{"format": "another"}'])
def test_a_config_of_something_else_is_named(directory, config):
    (directory.path / "config.json").write_text(config)
    with pytest.raises(RunError, match=r"config\.json"):
        load_run(directory.path)


def test_a_config_without_a_part_is_named(directory):
    path = directory.path / "config.json"
    config = json.loads(path.read_text())
    del config["dataset"]["checksum"]
    path.write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"config\.json: is damaged: it lacks 'checksum'"):
        load_run(directory.path)


def test_an_empty_folder_becomes_a_run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".writing-config.json").write_text("{")
    directory = RunDirectory(tmp_path / "run")
    assert not directory.exists
    directory.create({"settings": {}})
    assert directory.exists
    assert os.listdir(directory.path) == ["config.json"]
    assert json.loads((directory.path / "config.json").read_text())["settings"] == {}
