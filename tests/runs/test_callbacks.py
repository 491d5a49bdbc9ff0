import csv
import os

import numpy as np
from PIL import Image

from capsgan_keras.plotting import image_grid
from capsgan_keras.runs import RunDirectory, WriteRun, sample_images

SHAPE = (16, 16, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, *SHAPE), "uint8")


def test_write_run_writes_each_epoch(build_gan, tmp_path):
    gan, directory = build_gan(), RunDirectory(tmp_path / "run")
    directory.create({})
    writer = WriteRun(directory, sample_seed=5)
    fitted = gan.fit(IMAGES, epochs=2, batch_size=4, verbose=0, callbacks=[writer])
    assert writer.history == fitted.history
    with (directory.path / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["g_loss"]) for row in rows] == fitted.history["g_loss"]
    checkpoint = directory.newest_checkpoint()
    assert checkpoint.epoch == 2
    assert checkpoint.history == fitted.history
    assert checkpoint.seconds == writer.seconds > 0.0
    loaded = checkpoint.load_gan()
    for ours, theirs in zip(loaded.get_weights(), gan.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with Image.open(directory.path / "samples" / "epoch-0002.png") as image:
        grid = image_grid(sample_images(gan, 5), 10, 10)[..., 0]
        np.testing.assert_array_equal(np.asarray(image), grid)
    assert sorted(os.listdir(directory.path / "samples")) == ["epoch-0001.png", "epoch-0002.png"]


def test_write_run_goes_on_from_what_was_before(build_gan, tmp_path):
    gan, directory = build_gan(), RunDirectory(tmp_path / "run")
    directory.create({})
    before = {name: [0.5, 0.25] for name in ("d_loss", "g_loss", "d_real", "d_fake", "d_accuracy")}
    writer = WriteRun(directory, 0, history=before, seconds=100.0)
    gan.fit(IMAGES, initial_epoch=2, epochs=3, batch_size=4, verbose=0, callbacks=[writer])
    checkpoint = directory.newest_checkpoint()
    assert checkpoint.epoch == 3
    assert checkpoint.history["d_loss"][:2] == [0.5, 0.25]
    assert len(checkpoint.history["d_loss"]) == 3
    assert checkpoint.seconds > 100.0


def test_writing_samples_does_not_change_training(build_gan, tmp_path):
    watched, alone = build_gan(), build_gan()
    directory = RunDirectory(tmp_path / "run")
    directory.create({})
    for gan, callbacks in ((watched, [WriteRun(directory, 0)]), (alone, [])):
        gan.fit(IMAGES, epochs=2, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
    for ours, theirs in zip(watched.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
