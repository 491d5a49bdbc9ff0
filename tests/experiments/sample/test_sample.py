import functools
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from capsgan_keras import CapsuleGAN, load_run
from capsgan_keras.files import read_json
from capsgan_keras.gan.latents import Latents
from capsgan_keras.models import build_generator
from capsgan_keras.runs import checkpoint as checkpoints
from capsgan_keras.runs.directory import RunDirectory
from experiments.sample import networks, writing
from experiments.sample.__main__ import kind_of, main
from experiments.sample.networks import find_networks

RUNS = Path(__file__).parents[2] / "fixtures" / "version-0.1.0"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of a few images, so that a test has several of them."""
    monkeypatch.setattr(writing, "BATCH", 4)
    monkeypatch.setattr(writing, "BLOCK", 8)


LOAD = functools.cache(networks.load_model)


@pytest.fixture(autouse=True)
def load_once(monkeypatch):
    """Load a file once for all tests: a loaded model is traced once, too."""
    monkeypatch.setattr(networks, "load_model", LOAD)


@pytest.fixture(scope="module")
def generators(tmp_path_factory):
    """The files of two generators, of grey and of coloured images."""
    folder = tmp_path_factory.mktemp("generators")
    for name, channels in (("grey", 1), ("coloured", 3)):
        generator = build_generator((16, 16, channels), 5, filters=(4, 3), seed=0)
        generator.save(folder / f"{name}.keras")
    return folder


@pytest.fixture
def sample(generators, tmp_path):
    """Run the command on a generator's file and return its exit status."""

    def call(*arguments, output="samples", source=generators / "grey.keras"):
        words = [source, "--output", tmp_path / output, "--verbose", 0, *arguments]
        return main(list(map(str, words)))

    return call


def expected(path, n, seed=0, truncation=None):
    """The images of a generator by the plain way: all latents in one pass."""
    model = keras.saving.load_model(path)
    outputs = model.predict(Latents(5, seed, truncation).draw(n), verbose=0)
    return np.rint((outputs + 1.0) * 127.5).astype(int)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def read(folder):
    """The images of a folder, by their names."""
    return {path.name: pixels(path) for path in sorted(folder.glob("[0-9]*.png"))}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("name", "mode"), [("grey", "L"), ("coloured", "RGB")])
def test_a_folder(name, mode, sample, generators, tmp_path, capsys):
    assert sample("--n", 19, source=generators / f"{name}.keras") == 0
    folder = tmp_path / "samples"
    assert "000000.png to 000018.png" in capsys.readouterr().out
    assert sorted(contents(folder)) == [*(f"{k:06d}.png" for k in range(19)), "samples.json"]
    with Image.open(folder / "000018.png") as image:
        assert image.mode == mode
    images = np.stack(list(read(folder).values())).astype(int)
    difference = images - expected(generators / f"{name}.keras", 19).reshape(images.shape)
    assert np.abs(difference).max() <= 1  # rounding: batches are of another size
    record = read_json(folder / "samples.json")
    assert record["n"] == 19
    assert record["identity"]["seed"] == 0


def test_images_depend_neither_on_their_number_nor_on_blocks(generators, tmp_path, monkeypatch):
    by_batch = build_generator((16, 16, 1), 5, (4, 3), batch_statistics=True, seed=0)
    by_batch.save(tmp_path / "statistics.keras")
    for path in (generators / "grey.keras", tmp_path / "statistics.keras"):
        found, ours = {}, find_networks(path)
        for n, block in ((21, 8), (5, 8), (18, 12)):
            monkeypatch.setattr(writing, "BLOCK", block)
            stream = writing.ImageStream(ours, n, 3, truncation=0.5)
            blocks = [images for _, images in stream.blocks()]
            assert max(map(len, blocks)) <= block
            found[n, block] = np.concatenate(blocks)
            assert found[n, block].shape == (n, 16, 16, 1)
        for (n, _), images in found.items():
            np.testing.assert_array_equal(images, found[21, 8][:n])


@pytest.mark.parametrize("done", [0, 11, 20])
def test_an_interrupted_folder_is_completed(done, sample, tmp_path, monkeypatch):
    assert sample("--n", 21, "--seed", 4, output="whole") == 0
    written, save = [], writing.save_image

    def interrupted(path, image, sync):
        if len(written) == done:
            path.with_name(f".writing-{path.name}").write_bytes(b"half")  # as a kill leaves it
            raise OSError(28, "No space left on device")
        written.append(path)
        save(path, image, sync)

    monkeypatch.setattr(writing, "save_image", interrupted)
    assert sample("--n", 21, "--seed", 4) == 2
    monkeypatch.setattr(writing, "save_image", save)
    folder = tmp_path / "samples"
    assert len(read(folder)) == done
    if done:
        written[0].write_bytes(written[0].read_bytes()[:-20])  # as a power cut may leave it
    computed = []
    predict = writing.predict_in_chunks

    def count(model, latents, *arguments, **options):
        computed.append(len(latents))
        return predict(model, latents, *arguments, **options)

    monkeypatch.setattr(writing, "predict_in_chunks", count)
    assert sample("--n", 21, "--seed", 4) == 0
    assert contents(folder) == contents(tmp_path / "whole")
    assert sum(computed) == {0: 24, 11: 24, 20: 16}[done]  # whole blocks stay
    computed.clear()
    assert sample("--n", 21, "--seed", 4) == 0
    assert computed == []  # a complete folder takes no pass


def test_a_larger_number_adds_images(sample, tmp_path):
    assert sample("--n", 5) == 0
    before = contents(tmp_path / "samples")
    assert sample("--n", 12) == 0
    after = contents(tmp_path / "samples")
    assert {
        name: after[name] for name in before if name != "samples.json"
    }.items() <= before.items()
    assert len(after) == 13
    assert sample("--n", 12, output="whole") == 0
    assert after == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("arguments", "name", "reason"),
    [
        (["--n", 9, "--seed", 1], "grey", "it holds other images: seed 0 there, 1 now"),
        (["--n", 9, "--truncation", 0.5], "grey", "truncation None there, 0.5 now"),
        (["--n", 9], "coloured", "it holds other images: networks "),
        (["--n", 8], "grey", "it holds more images than 8, such as 000008.png"),
    ],
)
def test_images_are_never_mixed(arguments, name, reason, sample, generators, tmp_path, capsys):
    assert sample("--n", 9) == 0
    before = contents(tmp_path / "samples")
    options = {"source": generators / f"{name}.keras"}
    assert sample(*arguments, **options) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert "--overwrite" in error
    assert contents(tmp_path / "samples") == before


def test_overwriting_leaves_what_a_new_folder_has(sample, tmp_path):
    assert sample("--n", 9) == 0
    assert sample("--n", 5, "--seed", 1, "--overwrite") == 0
    assert sample("--n", 5, "--seed", 1, output="new") == 0
    assert contents(tmp_path / "samples") == contents(tmp_path / "new")


@pytest.mark.parametrize("name", ["photo.jpg", "000002.png", "2.png", "notes.txt"])
def test_files_of_others_are_never_touched(name, sample, tmp_path, capsys):
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / name).write_bytes(b"mine")
    for more in ([], ["--overwrite"]):
        assert sample("--n", 3, *more) == 2
        assert f"holds files that this command did not write: {name}" in capsys.readouterr().err
        assert contents(folder) == {name: b"mine"}


def test_a_folder_with_the_name_of_an_image_is_not_touched(sample, tmp_path, capsys):
    assert sample("--n", 3) == 0
    (tmp_path / "samples" / "000001.png").unlink()
    (tmp_path / "samples" / "000001.png").mkdir()
    for more in ([], ["--overwrite"]):
        assert sample("--n", 3, *more) == 2
        assert "did not write: 000001.png" in capsys.readouterr().err
    assert (tmp_path / "samples" / "000000.png").exists()


def test_a_damaged_record(sample, tmp_path, capsys):
    assert sample("--n", 2) == 0
    (tmp_path / "samples" / "samples.json").write_text("{")
    assert sample("--n", 2) == 2
    assert "samples.json is damaged" in capsys.readouterr().err
    assert sample("--n", 2, "--overwrite") == 0


def test_an_npz_file(sample, generators, tmp_path, monkeypatch, capsys):
    assert sample("--n", 19, "--seed", 2, "--format", "npz", output="samples.npz") == 0
    with np.load(tmp_path / "samples.npz") as archive:
        assert archive.files == ["arr_0"]
        images = archive["arr_0"]
    assert images.dtype == np.uint8
    assert images.shape == (19, 16, 16, 1)
    assert np.abs(images - expected(generators / "grey.keras", 19, seed=2)).max() <= 1
    before = contents(tmp_path)
    assert sample("--n", 3, output="samples.npz") == 2
    assert "is there already" in capsys.readouterr().err

    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writing, "predict_in_chunks", fail)
        assert sample("--n", 3, "--overwrite", output="samples.npz") == 2
    assert contents(tmp_path) == before  # neither half a file nor the old one's loss
    assert sample("--n", 3, "--overwrite", output="samples.npz") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "samples.npz")["arr_0"].shape, (3, 16, 16, 1))


def test_a_log_gets_one_line_and_no_bar(generators, tmp_path, capsys):
    source, output = generators / "grey.keras", tmp_path / "samples"
    assert main([str(source), "--output", str(output), "--n", "20"]) == 0
    printed = capsys.readouterr().out
    assert "20/20" in printed
    assert not {"\b", "\r", "\x1b"} & set(printed)


def test_a_grid(sample, generators, tmp_path, capsys):
    coloured = generators / "coloured.keras"
    assert sample("--n", 11, output="grid.png", source=coloured) == 0
    grid = pixels(tmp_path / "grid.png").astype(int)
    assert grid.shape == (3 * 18 - 2, 4 * 18 - 2, 3)
    images = expected(coloured, 11)
    assert np.abs(grid[18:34, 36:52] - images[6]).max() <= 1
    assert (grid[36:, 54:] == 255).all()
    assert sample("--n", 11, output="grid.png", source=coloured) == 2
    assert sample("--n", 10_001, output="other.png") == 2
    assert "`n` must be at most 10,000 for one picture" in capsys.readouterr().err
    assert sorted(contents(tmp_path)) == ["grid.png"]


def test_runs_say_which_epoch(tmp_path, capsys):
    run = RUNS / "interrupted" / "capsule-seed0"
    words = [run, "--n", 4, "--output", tmp_path / "samples", "--verbose", 0]
    assert main(list(map(str, words))) == 0
    assert "capsule-seed0, epoch 1 of 2: 4 images" in capsys.readouterr().out
    images = np.stack(list(read(tmp_path / "samples").values()))[..., np.newaxis]
    np.testing.assert_array_equal(images, load_run(run).gan.generate(4, seed=0))


def test_a_kept_epoch(tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(RUNS / "finished" / "capsule-seed0", run)
    RunDirectory(run).keep(load_run(run).gan, 1)
    assert find_networks(run, 1).text == f"{run}, epoch 1 of 2"
    assert find_networks(run).epoch == 2
    assert main([str(run), "--epoch", "3", "--output", str(tmp_path / "samples")]) == 2
    assert "keeps epochs [1]" in capsys.readouterr().err


def test_a_checkpoint_that_is_replaced_while_it_is_read(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(RUNS / "interrupted" / "capsule-seed0", folder)
    run, newest = load_run(folder), RunDirectory.newest_checkpoint
    asked = []

    def replaced_meanwhile(run_directory):
        checkpoint = newest(run_directory)
        asked.append(checkpoint.epoch)
        if len(asked) == 1:
            gan = checkpoint.load_gan()
            run_directory.write_checkpoint(gan, 2, {"d_loss": [1.0, 1.0]}, 1.0)
        return checkpoint

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "newest_checkpoint", replaced_meanwhile)
        assert run.newest()[1] == 2
    assert asked == [1, 2]

    def replaced_after_loading(path):
        gan = load_model(path)
        if path.parent.name == "epoch-0002":
            RunDirectory(folder).write_checkpoint(gan, 3, {"d_loss": [1.0] * 3}, 1.0)
        return gan

    load_model = checkpoints.load_model
    monkeypatch.setattr(checkpoints, "load_model", replaced_after_loading)
    assert run.newest()[1] == 3


def test_what_comes_with_the_package(tmp_path, capsys):
    output = tmp_path / "grid.png"
    assert main(["mnist/capsule", "--n", "2", "--output", str(output), "--verbose", "0"]) == 0
    assert "mnist/capsule, epoch 14 of 14: 2 images of (28, 28, 1)" in capsys.readouterr().out
    assert main(["./mnist/capsule/", "--n", "2", "--output", str(tmp_path / "other.png")]) == 0
    assert "mnist/capsule/, epoch 14 of 14: 2 images of (28, 28, 1)" in capsys.readouterr().out
    assert main(["mnist/other", "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert "mnist/other: is neither a run's folder" in error
    assert "cifar10/convolutional" in error


def test_a_file_of_a_gan_gives_what_its_generator_gives(tmp_path):
    options = {"generator_options": {"filters": (4, 3)}, "discriminator_options": {"filters": 4}}
    gan = CapsuleGAN((16, 16, 1), 5, seed=0, **options)
    gan.save(tmp_path / "gan.keras")
    gan.generator.save(tmp_path / "generator.keras")
    files = [find_networks(tmp_path / f"{name}.keras") for name in ("gan", "generator")]
    assert files[0].checksum() == files[1].checksum()
    gan.generator.set_weights([weight + 0.1 for weight in gan.generator.get_weights()])
    gan.generator.save(tmp_path / "other.keras")
    assert find_networks(tmp_path / "other.keras").checksum() != files[0].checksum()


def test_a_file_without_a_generator(sample, tmp_path, capsys):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "dense.keras")
    assert sample(source=tmp_path / "dense.keras") == 2
    assert "holds no generator" in capsys.readouterr().err
    assert not (tmp_path / "samples").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n", 0], "`n` must be a whole number of at least 1"),
        (["--seed", -1], "`seed` must be a whole number of at least 0"),
        (["--truncation", 0], "`truncation` must be at least 0.01"),
        (["--epoch", 1], "a file has no kept epochs"),
        (["--format", "npz"], "must end with .npz for --format npz"),
        (["--output", "images.jpg"], "`output` must be a folder, or a file that ends with .npz"),
    ],
)
def test_wrong_arguments(arguments, message, sample, tmp_path, capsys):
    assert sample(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m experiments.sample: error: ")
    assert message in error
    assert list(tmp_path.iterdir()) == []


def test_the_ending_decides():
    kinds = {"a": "folder", "a.npz": "npz", "a.PNG": "grid", "run.1": "folder"}
    assert {name: kind_of(name) for name in kinds} == kinds
    assert kind_of("a", "png") == "folder"
    with pytest.raises(ValueError, match="be a folder, or end with"):
        kind_of("a.npz", "png")


def test_a_place_that_cannot_be(sample, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.npz").mkdir()
    for output in ("file", "file/samples", "file/samples.npz", "folder.npz"):
        assert sample("--n", 1, output=output) == 2
        assert "a file" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.npz"]
