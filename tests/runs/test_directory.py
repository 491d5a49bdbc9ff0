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


# ---- checkpoints that are lost, or of something else


def edit(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def two_epochs(directory, gan):
    for epoch, history in ((1, ONE_EPOCH), (2, HISTORY)):
        directory.write_samples(epoch, sample_images(gan, 0))
        directory.write_history(history)
        directory.write_checkpoint(gan, epoch, history, 1.0)
    return directory.path / "checkpoint" / "epoch-0002"


@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (lambda folder: shutil.rmtree(folder.parent), "does not exist"),
        (lambda folder: shutil.rmtree(folder), "is empty"),
        (lambda folder: folder.rename(folder.with_name("old-0002")), "holds old-0002"),
        (lambda folder: folder.rename(folder.with_name("epoch-0002.bak")), "holds epoch-0002.bak"),
    ],
)
@pytest.mark.parametrize("without", [[], ["samples"], ["history.csv"]])
def test_what_was_done_without_a_checkpoint_is_no_new_run(directory, gan, lose, said, without):
    lose(two_epochs(directory, gan))
    for name in without:
        path = directory.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(RunError, match=rf"of 2 epochs, and no checkpoint .* {said}\. Put its"):
        directory.newest_checkpoint()


def test_the_one_epoch_of_a_removed_folder_is_lost_too(directory, gan):
    directory.write_samples(1, sample_images(gan, 0))
    assert directory.newest_checkpoint() is None  # killed before the first checkpoint
    directory.write_history(ONE_EPOCH)
    assert directory.newest_checkpoint() is None
    shutil.rmtree(directory.path / "checkpoint")
    with pytest.raises(RunError, match="of 1 epochs, and no checkpoint"):
        directory.newest_checkpoint()


@pytest.mark.parametrize("name", ["checkpoint", "samples"])
def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(
    directory, gan, name, monkeypatch
):
    folder = two_epochs(directory, gan)
    shutil.rmtree(folder)
    listed = type(folder).iterdir

    def refuse(path):
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(type(folder), "iterdir", refuse)
    with pytest.raises(RunError, match=rf"{name}: could not be read\. .*Permission denied"):
        directory.newest_checkpoint()


def test_a_model_that_cannot_be_read_is_not_called_damaged(directory, gan, monkeypatch):
    checkpoint_file = two_epochs(directory, gan) / "gan.keras"
    checkpoint = directory.newest_checkpoint()
    opened = type(checkpoint_file).open

    def refuse(path, *arguments, **options):
        if path == checkpoint_file:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(type(checkpoint_file), "open", refuse)
    with pytest.raises(RunError, match=r"could not be loaded.*Permission denied"):
        checkpoint.load_gan()


def test_a_renamed_epoch_is_refused(directory, gan):
    folder = two_epochs(directory, gan)
    folder.rename(folder.with_name("epoch-0007"))
    with pytest.raises(RunError, match="is of epoch 2, and its folder of epoch 7"):
        load_run(directory.path)


@pytest.mark.parametrize(
    "history",
    [
        {"d_loss": [0.5], "g_loss": [0.5]},
        {"d_loss": [0.5, 0.5], "g_loss": [0.5]},
        {"d_loss": [0.5, 0.5, 0.5]},
        {},
        None,
        [],
        {"d_loss": None},
        {"d_loss": [0.5, None]},
        {"d_loss": [0.5, "high"]},
        {"d_loss": [0.5, float("nan")]},
    ],
)
def test_a_history_that_does_not_fit_its_checkpoint_is_refused(directory, gan, history):
    path = two_epochs(directory, gan) / "state.json"
    edit(path, history=history)
    with pytest.raises(RunError, match=r"epoch-0002/state\.json: is damaged"):
        load_run(directory.path)


def test_another_models_file_is_refused(directory, gan):
    path = two_epochs(directory, gan) / "gan.keras"
    other = keras.models.clone_model(gan)
    other.compile()
    other.save(path)
    with pytest.raises(RunError, match="is not the file that was saved"):
        load_run(directory.path).gan  # noqa: B018
    state = json.loads((path.parent / "state.json").read_text())
    del state["gan_checksum"]  # a checkpoint of an older version
    (path.parent / "state.json").write_text(json.dumps(state))
    config = directory.read_config()
    assert load_run(directory.path).gan is not None
    for part, values, said in (
        ("settings", {"model": "convolutional"}, "class must be ConvolutionalGAN"),
        ("settings", {"latent_dim": 7}, "latent_dim must be 7"),
        ("dataset", {"image_shape": [28, 28, 1]}, r"image_shape must be \[28, 28, 1\]"),
    ):
        edit(directory.path / "config.json", **{part: config[part] | values})
        with pytest.raises(RunError, match=f"is not the model of this run. Its {said}"):
            load_run(directory.path).gan  # noqa: B018
        edit(directory.path / "config.json", **{part: config[part]})


@pytest.fixture
def finished(directory, gan):
    directory.write_history(HISTORY)
    sizes = {"generator": gan.generator, "discriminator": gan.discriminator}
    sizes = {name: part.count_params() for name, part in sizes.items()}
    directory.finish(gan, METRICS | {"parameters": sizes}, Figure(), "the card")
    return directory.path


def test_a_finished_run_with_another_network_is_refused(finished):
    assert load_run(finished).gan is not None
    edit(finished / "metrics.json", parameters={"generator": 1, "discriminator": 2})
    with pytest.raises(RunError, match="Its parameters must be"):
        load_run(finished).gan  # noqa: B018


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_refused(finished, gan, value):
    broken = keras.models.clone_model(gan)
    weights = broken.get_weights()
    weights[-1][...] = value
    broken.set_weights(weights)
    keras.Model.save(broken, finished / "gan.keras")
    with pytest.raises(RunError, match=r"gan\.keras: is damaged: its weight \S+ is not finite"):
        load_run(finished).gan  # noqa: B018


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("config.json", {"settings": CONFIG["settings"] | {"seed": "0"}}, "settings.seed is '0'"),
        ("config.json", {"settings": CONFIG["settings"] | {"epochs": None}}, "settings.epochs is"),
        ("config.json", {"dataset": CONFIG["dataset"] | {"image_shape": [1, "2"]}}, r"shape\[1\]"),
        ("config.json", {"dataset": CONFIG["dataset"] | {"name": []}}, r"dataset.name is \[\]"),
        ("config.json", {"versions": None}, "versions is None"),
        ("config.json", {"versions": {"keras": 3}}, "versions.keras is 3"),
        ("metrics.json", {"parameters": None}, "parameters is None"),
        ("metrics.json", {"parameters": {"generator": "many"}}, "parameters.generator is 'many'"),
        ("metrics.json", {"final": {"d_loss": float("nan")}}, "final.d_loss is nan"),
        ("metrics.json", {"final": []}, r"final is \[\]"),
        ("metrics.json", {"epochs": True}, "epochs is True"),
        ("metrics.json", {"epochs": 3}, "history.csv: is damaged: 3 epochs are done"),
        ("metrics.json", {"seconds": "a while"}, "seconds is 'a while'"),
    ],
)
def test_records_of_the_wrong_kind_are_named(finished, name, values, said):
    edit(finished / name, **values)
    with pytest.raises(RunError, match=said):
        load_run(finished)


@pytest.mark.parametrize("name", ["config.json", "metrics.json"])
def test_records_of_great_depth_are_refused(finished, name):
    (finished / name).write_text("[" * 200_000 + "]" * 200_000)
    with pytest.raises(RunError, match=rf"{name}: could not be read.*too deep"):
        load_run(finished)


def test_a_missing_history_is_named(finished):
    (finished / "history.csv").unlink()
    with pytest.raises(RunError, match=r"history\.csv: could not be read"):
        load_run(finished)
