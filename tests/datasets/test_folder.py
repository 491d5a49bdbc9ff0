import os
import re

import numpy as np
import pytest
from PIL import Image, ImageOps

from capsgan_keras.datasets import DatasetError, load_dataset
from capsgan_keras.datasets.folder import read_image


@pytest.fixture
def pixels():
    """Three coloured images of 6x5 pixels."""
    return np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3), np.uint8)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def test_loose_images_in_the_order_of_their_names(tmp_path, pixels):
    for name, image in zip(("b.png", "a.PNG", "c.bmp"), pixels, strict=True):
        save(tmp_path / "my.images" / name, image)
    dataset = load_dataset(tmp_path / "my.images")
    np.testing.assert_array_equal(dataset.x_train, pixels[[1, 0, 2]])
    assert dataset.name == "my.images"
    assert dataset.y_train is None
    assert dataset.class_names is None
    assert dataset.x_test.shape == (0, 6, 5, 3)
    assert dataset.y_test is None


def test_subfolders_are_classes(tmp_path, pixels):
    save(tmp_path / "dogs" / "2.png", pixels[0])
    save(tmp_path / "dogs" / "1.png", pixels[1])
    save(tmp_path / "cats" / "9.png", pixels[2])
    dataset = load_dataset(str(tmp_path))
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.y_train.tolist() == [0, 1, 1]
    assert dataset.y_train.dtype == np.int64
    np.testing.assert_array_equal(dataset.x_train, pixels[[2, 1, 0]])


def test_hidden_and_other_files_are_passed_over(tmp_path, pixels):
    save(tmp_path / "a" / "1.png", pixels[0])
    save(tmp_path / "a" / ".2.png", pixels[1])
    save(tmp_path / ".cache" / "deep" / "3.png", pixels[2])
    (tmp_path / "README.txt").write_text("not an image")
    (tmp_path / "a" / "labels.csv").write_text("not an image")
    dataset = load_dataset(tmp_path)
    assert dataset.class_names == ("a",)
    np.testing.assert_array_equal(dataset.x_train, pixels[:1])


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "gif", "webp", "tif", "tiff", "ppm"])
def test_reads_common_formats(tmp_path, extension):
    grey = np.full((8, 8, 3), 100, np.uint8)
    save(tmp_path / f"image.{extension}", grey)
    images = load_dataset(tmp_path, channels=3).x_train
    assert images.shape == (1, 8, 8, 3)
    assert np.abs(images.astype(int) - 100).max() <= 2


def test_channels_are_inferred(tmp_path, pixels):
    grey = pixels[..., 0]
    save(tmp_path / "1.png", grey[0])
    # The same grey values stored as red, green and blue are grey, too.
    save(tmp_path / "2.png", np.repeat(grey[1][..., np.newaxis], 3, axis=-1))
    np.testing.assert_array_equal(load_dataset(tmp_path).x_train, grey[:2, ..., np.newaxis])
    save(tmp_path / "3.png", pixels[2])
    images = load_dataset(tmp_path).x_train
    np.testing.assert_array_equal(images[:2], np.repeat(grey[:2, ..., np.newaxis], 3, axis=-1))
    np.testing.assert_array_equal(images[2], pixels[2])


def test_channels_on_request(tmp_path):
    rgba = np.array([[[200, 0, 0, 17], [9, 9, 9, 255]]], np.uint8)
    save(tmp_path / "1.png", rgba)
    assert load_dataset(tmp_path, channels=4).x_train[0].tolist() == rgba.tolist()
    assert load_dataset(tmp_path, channels=3).x_train[0].tolist() == rgba[..., :3].tolist()
    assert load_dataset(tmp_path, channels=1).x_train[0].tolist() == [[[60], [9]]]
    assert load_dataset(tmp_path).image_shape == (1, 2, 3)


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "1.png", transparency=bytes([7, 255]))
    rgba = [[[10, 20, 30, 7], [40, 50, 60, 255]]]
    assert load_dataset(tmp_path, channels=4).x_train[0].tolist() == rgba
    assert load_dataset(tmp_path).x_train[0].tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_orientation_of_the_camera_is_applied(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to show it upright
    save(tmp_path / "1.png", pixels[0], exif=exif)
    images = load_dataset(tmp_path).x_train
    np.testing.assert_array_equal(images[0], np.rot90(pixels[0], -1))


def test_resizes_on_request(tmp_path):
    # Left half black, right half white, in two sizes.
    for size in (8, 40):
        image = np.zeros((size, size), np.uint8)
        image[:, size // 2 :] = 255
        save(tmp_path / f"{size}.png", image)
    images = load_dataset(tmp_path, image_size=(4, 32)).x_train
    assert images.shape == (2, 4, 32, 1)
    assert (images[:, :, :12] == 0).all()
    assert (images[:, :, 20:] == 255).all()
    assert load_dataset(tmp_path, image_size=16, channels=3).image_shape == (16, 16, 3)


def test_several_sizes_need_image_size(tmp_path, pixels):
    save(tmp_path / "a" / "1.png", pixels[0])
    save(tmp_path / "b" / "2.png", pixels[1, :4])
    pattern = r"2\.png: .*than .*1\.png; pass `image_size=.*Received: \(4, 5\) and \(6, 5\)"
    with pytest.raises(DatasetError, match=pattern):
        load_dataset(tmp_path)


def test_images_beside_class_folders(tmp_path, pixels):
    save(tmp_path / "cats" / "1.png", pixels[0])
    save(tmp_path / "2.png", pixels[1])
    with pytest.raises(DatasetError, match=r"both images and sub-folders.*2\.png beside cats/"):
        load_dataset(tmp_path)


def test_folders_further_down(tmp_path, pixels):
    save(tmp_path / "train" / "cats" / "1.png", pixels[0])
    pattern = rf"{re.escape(str(tmp_path / 'train'))}: .*no folders. Received: cats/"
    with pytest.raises(DatasetError, match=pattern):
        load_dataset(tmp_path)


def test_class_folder_without_images(tmp_path, pixels):
    save(tmp_path / "cats" / "1.png", pixels[0])
    (tmp_path / "dogs").mkdir()
    with pytest.raises(DatasetError, match=r"dogs: holds no image files \(\.bmp, "):
        load_dataset(tmp_path)


def test_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    pattern = rf"^{re.escape(str(tmp_path))}: holds no image files"
    with pytest.raises(DatasetError, match=pattern):
        load_dataset(tmp_path)


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_more_than_8_bits_are_refused(tmp_path, extension):
    save(tmp_path / f"1.{extension}", np.full((4, 4), 40000, np.uint16))
    with pytest.raises(DatasetError, match=rf"1\.{extension}: .*8 bits per channel.*'I;16'"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"\x89PNG\r\n\x1a\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
    ],
)
def test_files_that_are_no_images(tmp_path, pixels, content):
    save(tmp_path / "1.png", pixels[0])
    (tmp_path / "2.png").write_bytes(content)
    with pytest.raises(DatasetError, match=r"2\.png: could not be read as an image"):
        load_dataset(tmp_path)


def test_other_formats_are_not_tried(tmp_path, pixels):
    save(tmp_path / "1.png", pixels[0], format="PCX")
    with Image.open(tmp_path / "1.png") as image:
        assert image.format == "PCX"
    with pytest.raises(DatasetError, match=r"1\.png: could not be read as an image \(BMP, GIF"):
        load_dataset(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads every file")
def test_unreadable_folder(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0)
    with pytest.raises(DatasetError, match=r"closed: .*PermissionError"):
        load_dataset(folder)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
@pytest.mark.parametrize("block", [
    bytes([0x9A, 0x82, 10, 0, 1, 0, 0, 0, 26, 0, 0, 0]),  # a rational, below: -1 / 0
    bytes([0x0F, 0x01, 4, 0, 1, 0, 0, 0, 7, 0, 0, 0]),  # a number in a tag of text
    bytes([0x0F, 0x01, 99, 0, 255, 255, 255, 255, 255, 255, 255, 255]),  # no known type
])  # fmt: skip
def test_wrong_notes_of_a_camera_hide_no_pixels(tmp_path, pixels, suffix, block):
    head = b"Exif\0\0II*\0" + bytes([8, 0, 0, 0, 1, 0])
    exif = head + block + bytes(4) + (-1).to_bytes(4, "little", signed=True) + bytes(4)
    (tmp_path / "wrong").mkdir()
    save(tmp_path / "wrong" / f"1.{suffix}", pixels[0], exif=exif)
    (tmp_path / "none").mkdir()
    save(tmp_path / "none" / f"1.{suffix}", pixels[0])
    wrong, none = (load_dataset(tmp_path / name).x_train for name in ("wrong", "none"))
    np.testing.assert_array_equal(wrong, none)


@pytest.mark.parametrize("orientation", range(10))
def test_each_orientation_is_applied_as_pillow_does(tmp_path, pixels, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "1.png", pixels[0], exif=exif)
    with Image.open(tmp_path / "1.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "1.png", None, 3), expected)
