"""Runs that learn the shares of categories at their end."""

import json
import shutil

import numpy as np
from PIL import Image

from capsgan_keras.models.generator import category_offsets
from capsgan_keras.plotting import image_grid
from capsgan_keras.runs import SAMPLE_COLUMNS, SAMPLE_ROWS, load_run, sample_images

OPTIONS = ("--model", "capsule", "--learn-category-shares")


def test_the_last_grid_shows_the_shares_that_are_saved(train, tmp_path):
    assert train(*OPTIONS) == 0

    run = load_run(tmp_path / "runs" / "capsule-seed0")
    _, offsets = category_offsets(run.gan.generator).get_weights()
    assert np.any(offsets)
    grid = image_grid(sample_images(run.gan, 0), SAMPLE_ROWS, SAMPLE_COLUMNS)
    shown = np.asarray(Image.open(run.path / "samples" / "epoch-0002.png"))
    np.testing.assert_array_equal(shown, grid[..., 0] if grid.shape[-1] == 1 else grid)


def test_a_run_killed_before_its_end_learns_them_when_resumed(train, tmp_path):
    assert train(*OPTIONS) == 0
    path = tmp_path / "runs" / "capsule-seed0"
    weights = load_run(path).gan.get_weights()
    grid = (path / "samples" / "epoch-0002.png").read_bytes()
    for name in ("metrics.json", "README.md", "curves.png", "gan.keras", "generator.keras"):
        (path / name).unlink()

    assert train(*OPTIONS, "--resume") == 0

    for before, after in zip(weights, load_run(path).gan.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert (path / "samples" / "epoch-0002.png").read_bytes() == grid


def test_without_categories_there_is_nothing_to_learn(train, tmp_path, capsys):
    assert train(*OPTIONS, "--latent-categories", "0") == 0

    run = load_run(tmp_path / "runs" / "capsule-seed0")
    assert category_offsets(run.gan.generator) is None
    assert run.config["settings"]["learn_category_shares"] is None
    assert "`--learn-category-shares` does nothing" in capsys.readouterr().err


def test_a_run_of_an_older_version_goes_on_with_equal_shares(train, tmp_path):
    assert train("--model", "capsule", "--epochs", "1") == 0
    path = tmp_path / "runs" / "capsule-seed0"
    config = json.loads((path / "config.json").read_text())
    del config["settings"]["learn_category_shares"]
    config["settings"]["epochs"] = 2
    (path / "config.json").write_text(json.dumps(config))
    for name in ("metrics.json", "README.md", "curves.png", "gan.keras", "generator.keras"):
        (path / name).unlink()

    assert train(*OPTIONS, "--resume") == 0

    run = load_run(path)
    assert run.finished
    assert category_offsets(run.gan.generator) is None


def test_a_run_of_an_older_version_without_an_epoch_begins_anew(train, tmp_path):
    path = tmp_path / "runs" / "capsule-seed0"
    assert train(*OPTIONS) == 0
    config = json.loads((path / "config.json").read_text())
    shutil.rmtree(path)
    path.mkdir()
    del config["settings"]["learn_category_shares"]
    (path / "config.json").write_text(json.dumps(config))

    assert train(*OPTIONS, "--resume") == 0

    run = load_run(path)
    assert np.any(category_offsets(run.gan.generator).get_weights()[1])
    assert run.config["settings"]["learn_category_shares"] is True
