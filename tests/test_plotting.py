import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from capsgan_keras import plotting

HISTORY = {
    "d_loss": [0.3, 0.2, 0.1],
    "g_loss": [0.1, 0.2, 0.4],
    "d_real": [0.6, 0.7, 0.8],
    "d_fake": [0.5, 0.4, 0.3],
    "d_accuracy": [0.5, 0.7, 0.9],
}


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("gap", [0, 1, 3])
def test_image_grid_lays_images_out_row_by_row(channels, gap):
    images = np.random.default_rng(0).integers(0, 255, (7, 4, 5, channels), "uint8")
    grid = plotting.image_grid(images, 2, 3, gap=gap)
    assert grid.dtype == np.uint8
    assert grid.shape == (2 * 4 + gap, 3 * 5 + 2 * gap, channels)
    covered = np.zeros(grid.shape, bool)
    for index in range(6):
        row, column = divmod(index, 3)
        top, left = row * (4 + gap), column * (5 + gap)
        tile = (slice(top, top + 4), slice(left, left + 5))
        np.testing.assert_array_equal(grid[tile], images[index])
        covered[tile] = True
    assert np.all(grid[~covered] == 255)


@pytest.mark.parametrize(
    ("images", "arguments", "message"),
    [
        (np.zeros((4, 8, 8, 1), "float32"), {}, "`images` must be uint8"),
        (np.zeros((4, 8, 8), "uint8"), {}, "`images` must be uint8"),
        (np.zeros((4, 8, 8, 2), "uint8"), {}, "`images` must be uint8"),
        (np.zeros((3, 8, 8, 1), "uint8"), {}, "at least 4 of them"),
        (np.zeros((4, 8, 8, 1), "uint8"), {"rows": 0}, "`rows` must be a positive integer"),
        (np.zeros((4, 8, 8, 1), "uint8"), {"gap": -1}, "`gap`"),
    ],
)
def test_image_grid_refuses(images, arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.image_grid(images, **{"rows": 2, "columns": 2} | arguments)


@pytest.mark.parametrize("channels", [1, 3])
def test_image_figure_shows_the_grid_with_its_labels_at_the_images_centres(channels):
    images = np.random.default_rng(0).integers(0, 255, (6, 4, 8, channels), "uint8")
    figure = plotting.image_figure(images, 2, 3, row_labels=(0.5, "b"), column_labels="xyz")
    (axes,) = figure.axes
    (shown,) = axes.images
    grid = plotting.image_grid(images, 2, 3)
    np.testing.assert_array_equal(np.asarray(shown.get_array()).reshape(grid.shape), grid)
    assert shown.get_clim() == (0, 255)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0.5", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y", "z"]
    # An image of 4 rows begins every 6 rows, one of 8 columns every 10 columns.
    np.testing.assert_array_equal(axes.get_yticks(), [1.5, 7.5])
    np.testing.assert_array_equal(axes.get_xticks(), [3.5, 13.5, 23.5])


@pytest.mark.parametrize("labels", [{"row_labels": "ab"}, {"column_labels": [1]}])
def test_image_figure_refuses_other_numbers_of_labels(labels):
    (name,) = labels
    with pytest.raises(ValueError, match=f"`{name}` must have . entries. Received:"):
        plotting.image_figure(np.zeros((6, 4, 4, 1), "uint8"), 3, 2, **labels)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_save_image_keeps_every_pixel(tmp_path, channels, mode):
    image = np.random.default_rng(0).integers(0, 256, (6, 9, channels), "uint8")
    plotting.save_image(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as read:
        assert read.mode == mode
        np.testing.assert_array_equal(np.asarray(read).reshape(image.shape), image)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_training_curves_draw_the_history():
    figure = plotting.training_curves(HISTORY, equilibrium=0.63)
    drawn = {}
    for axes in figure.axes:
        for line in axes.get_lines():
            drawn[line.get_label()] = line
    for key, label in {
        "d_loss": "discriminator",
        "g_loss": "generator",
        "d_real": "real images",
        "d_fake": "generated images",
        "d_accuracy": "cut at 0.5",
    }.items():
        np.testing.assert_array_equal(drawn[label].get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(drawn[label].get_ydata(), HISTORY[key])
    np.testing.assert_array_equal(drawn["equilibrium"].get_ydata(), [0.63, 0.63])
    assert drawn["equilibrium"].axes is drawn["real images"].axes


def test_training_curves_without_an_equilibrium_and_of_one_epoch():
    history = {name: values[:1] for name, values in HISTORY.items()}
    figure = plotting.training_curves(history)
    labels = [line.get_label() for axes in figure.axes for line in axes.get_lines()]
    assert "equilibrium" not in labels
    assert all(line.get_marker() == "." for axes in figure.axes for line in axes.get_lines())


def test_training_curves_refuse_a_history_that_lacks_a_log():
    with pytest.raises(ValueError, match="`history` lacks d_fake, g_loss"):
        plotting.training_curves({k: HISTORY[k] for k in ("d_loss", "d_real", "d_accuracy")})


def test_figures_are_written_without_pyplot(tmp_path):
    backend = matplotlib.get_backend(auto_select=False)
    loaded = "matplotlib.pyplot" in sys.modules
    plotting.save_figure(tmp_path / "a.png", plotting.training_curves(HISTORY), dpi=50)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (600, 180)
        assert len(image.convert("RGB").getcolors(100_000)) > 10  # not blank
    assert ("matplotlib.pyplot" in sys.modules) == loaded
    assert matplotlib.get_backend(auto_select=False) == backend


def test_scores_are_drawn_beyond_1():
    history = HISTORY | {"d_real": [0.5, 2.0, 3.0]}
    axes = {axes.get_title(): axes for axes in plotting.training_curves(history, 0.0).axes}
    assert axes["discriminator's output"].get_ylim()[1] >= 3.0
    labels = [line.get_label() for line in axes["discriminator's accuracy"].get_lines()]
    assert labels == ["cut at the equilibrium"]
