import importlib.util

import keras
import numpy as np
import pytest
from PIL import Image

from capsgan_keras import CapsuleGAN
from capsgan_keras.callbacks import SampleGrid
from capsgan_keras.plotting import image_grid

SHAPE = (16, 16, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, *SHAPE), "uint8")


def build_gan(**options):
    networks = {"generator_options": {"filters": (4, 3)}, "discriminator_options": {"filters": 4}}
    gan = CapsuleGAN(SHAPE, 5, seed=0, **networks)
    gan.compile(keras.optimizers.Adam(1e-2, **options))
    return gan


def fit(gan, *callbacks, epochs):
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    gan.fit(IMAGES, epochs=epochs, callbacks=list(callbacks), **options)


def test_a_folder_gets_a_grid_of_every_few_epochs(tmp_path):
    watched = build_gan(use_ema=True, ema_momentum=0.9)
    options = {"rows": 2, "columns": 3, "seed": 5, "truncation": 0.8}
    fit(watched, SampleGrid(2, path=tmp_path / "new" / "grids", **options), epochs=4)
    folder = tmp_path / "new" / "grids"
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-0002.png", "epoch-0004.png"]
    grids = []
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            grids.append(np.asarray(image))
    assert np.any(grids[0] != grids[1])
    # Training ends with the averages, which the last grid has shown.
    images = watched.generate(6, seed=5, truncation=0.8)
    np.testing.assert_array_equal(grids[1], image_grid(images, 2, 3)[..., 0])


def test_tensorboard_gets_it_beside_its_scalars(tmp_path):
    tensorboard = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pytest.importorskip("tensorflow")
    gan = build_gan()
    logs = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    grid = SampleGrid(to="tensorboard", path=tmp_path, rows=2, columns=3)
    fit(gan, logs, grid, epochs=2)
    for folder in ("train", "samples"):  # TensorBoard reads one growing file in a folder
        assert len(list((tmp_path / folder).iterdir())) == 1
    events = tensorboard.EventAccumulator(str(tmp_path / "samples"), {"tensors": 0}).Reload()
    assert events.Tags()["tensors"] == ["samples"]
    found = events.Tensors("samples")
    assert [event.step for event in found] == [0, 1]
    width, height, png = found[1].tensor_proto.string_val[:3]
    assert (int(width), int(height)) == (3 * 18 - 2, 2 * 18 - 2)
    (tmp_path / "last.png").write_bytes(png)
    with Image.open(tmp_path / "last.png") as image:
        pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels, image_grid(gan.generate(6, seed=0), 2, 3)[..., 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "`every` must be a positive integer"),
        ({"to": "disk"}, "`to` must be one of 'folder', 'tensorboard'"),
        ({"rows": 0}, "`rows`"),
        ({"seed": None}, "`seed` must be a whole number of at least 0. Received: seed=None"),
        ({"seed": -1}, "`seed`"),
        ({"truncation": 0}, "`truncation`"),
        ({"path": ""}, "`path`"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SampleGrid(**arguments)


@pytest.mark.parametrize("package", ["tensorflow", "tensorboard"])
def test_what_tensorboard_needs_is_named(package, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else found(name)
    )
    with pytest.raises(ImportError, match=f"pip install {package}"):
        SampleGrid(to="tensorboard")


def test_default_places():
    assert str(SampleGrid().path) == "samples"
    assert str(SampleGrid(to="tensorboard").path) == "logs"


@pytest.mark.parametrize("to", ["folder", "tensorboard"])
def test_what_cannot_be_written_is_refused_before_the_first_epoch(to, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    gan = build_gan()
    before = gan.get_weights()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match=r"`path` must lead to a folder, and .*file is a file"):
            fit(gan, SampleGrid(to=to, path=path), epochs=1)
    for old, new in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    with pytest.raises(ValueError, match="`model` must be a GAN of this package"):
        model.fit(np.ones((2, 2)), np.ones(2), callbacks=[SampleGrid(to=to)], verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
