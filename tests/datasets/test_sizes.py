"""Images that would be larger than the memory are refused before the first is resized."""

import numpy as np
import pytest
from PIL import Image

from capsgan_keras import load_dataset

REFUSED = r"`image_size`=\(100000, 100000\) for \d[\d,]* images takes at least .* of memory"


@pytest.fixture
def own_images(tmp_path):
    pixels = np.zeros((4, 16, 16), np.uint8)
    np.savez(tmp_path / "own.npz", x_train=pixels)
    (tmp_path / "folder").mkdir()
    for index in range(4):
        Image.fromarray(pixels[index]).save(tmp_path / "folder" / f"{index}.png")
    return tmp_path


@pytest.mark.parametrize("source", ["digits", "own.npz", "folder"])
def test_sizes_beyond_the_memory(own_images, source):
    path = own_images / source
    with pytest.raises(ValueError, match=REFUSED):
        load_dataset(path if path.exists() else source, image_size=100_000)
