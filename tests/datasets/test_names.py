"""Names of files that are no UTF-8, as Linux allows them."""

import os
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from capsgan_keras import load_dataset
from capsgan_keras.plotting import save_figure


@pytest.mark.skipif(sys.platform != "linux", reason="other systems want UTF-8 in names of files")
@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_images_under_such_names_are_read_and_can_be_drawn(tmp_path, kind):
    path = tmp_path / os.fsdecode(b"images\xff")
    if kind == "npz":
        path = path.with_suffix(".npz")
        np.savez(path, x=np.zeros((2, 16, 16), np.uint8))
    else:
        for name in (b"cats\xfe", b"dogs"):
            (path / os.fsdecode(name)).mkdir(parents=True)
            with open(path / os.fsdecode(name) / os.fsdecode(b"\xfd.png"), "wb") as stream:
                Image.new("L", (16, 16)).save(stream, "PNG")
    dataset = load_dataset(path)
    assert len(dataset.x_train) == 2
    assert dataset.name == r"images\udcff"
    assert dataset.class_names == (None if kind == "npz" else (r"cats\udcfe", "dogs"))
    figure = Figure()
    figure.suptitle(" ".join([dataset.name, *(dataset.class_names or ())]))
    save_figure(tmp_path / "figure.png", figure)
