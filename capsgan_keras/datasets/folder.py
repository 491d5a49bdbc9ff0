"""Folders of images."""

from pathlib import Path
from typing import Any

import numpy as np

from capsgan_keras.datasets.dataset import DatasetError
from capsgan_keras.datasets.files import reading
from capsgan_keras.datasets.pixels import check_size, image_to_array
from capsgan_keras.files import readable

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# Pillow otherwise tries all its decoders, some of which start other programs (EPS).
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")


def read_folder(
    folder: Path, image_size: tuple[int, int] | None, channels: int | None
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...] | None]:
    """Read the images of a folder, sorted by class and file name; see `load_dataset`.

    Names that begin with a dot and files without one of `EXTENSIONS` are passed over.

    Returns:
        Images, labels and the names of the classes. The last two are None without sub-folders.

    Raises:
        DatasetError: If there are no images, images both beside and in sub-folders, folders
            further down, images of several sizes without `image_size`, or a damaged image.
    """
    loose, class_folders = _list_folder(folder)
    if loose and class_folders:
        raise DatasetError(
            f"{folder}: holds both images and sub-folders; either put every image into the "
            f"sub-folder of its class, or have no sub-folders. Received: {loose[0].name} beside "
            f"{class_folders[0].name}/"
        )
    if not class_folders:
        return _read_images(_at_least_one(folder, loose), image_size, channels), None, None
    files_by_class = [_list_class(class_folder) for class_folder in class_folders]
    files = [path for class_files in files_by_class for path in class_files]
    labels = np.repeat(np.arange(len(class_folders)), [len(paths) for paths in files_by_class])
    images = _read_images(files, image_size, channels)
    return images, labels.astype(np.int64), tuple(readable(path.name) for path in class_folders)


def _list_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the image files and the sub-folders of a folder, each sorted by name."""
    with reading(folder, "a folder of images"):
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        folders = [path for path in entries if path.is_dir()]
        images = [path for path in entries if path.suffix.lower() in EXTENSIONS and path.is_file()]
    return images, folders


def _list_class(folder: Path) -> list[Path]:
    images, folders = _list_folder(folder)
    if folders:
        raise DatasetError(
            f"{folder}: is taken for a class because it is a sub-folder, and a class may hold "
            f"images only, no folders. Received: {folders[0].name}/"
        )
    return _at_least_one(folder, images)


def _at_least_one(folder: Path, images: list[Path]) -> list[Path]:
    if not images:
        raise DatasetError(f"{folder}: holds no image files ({', '.join(EXTENSIONS)})")
    return images


def _read_images(
    files: list[Path], image_size: tuple[int, int] | None, channels: int | None
) -> np.ndarray:
    if image_size is not None:
        check_size(len(files), (*image_size, channels or 3))
    first = read_image(files[0], image_size, channels or 3)
    images = np.empty((len(files), *first.shape), np.uint8)
    for index, path in enumerate(files):
        image = read_image(path, image_size, channels or 3)
        if image.shape != first.shape:
            raise DatasetError(
                f"{path}: is an image of another size than {files[0]}; pass "
                "`image_size=(height, width)` to resize all to one size. Received: "
                f"{image.shape[:2]} and {first.shape[:2]} (height, width)"
            )
        images[index] = image
    # One image after the other: the first coloured one ends it.
    if channels is None and all((image == image[..., :1]).all() for image in images):
        return images[..., :1].copy()
    return images


def read_image(path: Path, image_size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """Read one image as uint8 `(height, width, channels)`; of several frames or pages the first.

    The orientation that a camera noted in the file is applied.

    Raises:
        DatasetError: If the file is damaged, of a format not in `FORMATS`, or has more than 8
            bits per channel.
    """
    # Only folders of images need Pillow.
    from PIL import Image

    with (
        reading(path, f"an image ({', '.join(FORMATS)})"),
        open(path, "rb") as stream,
        Image.open(stream, formats=FORMATS) as image,
    ):
        # Pillow clips such values at 255 instead of scaling them.
        if image.mode.startswith(("I", "F")):
            raise DatasetError(
                f"{path}: images must have 8 bits per channel. Received: mode={image.mode!r}"
            )
        upright = _turn_upright(image)
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
        return image_to_array(upright, image_size, channels)


def _turn_upright(image: Any) -> Any:
    """Return a Pillow image as its noted orientation says.

    `PIL.ImageOps.exif_transpose` would write all other entries again, and fail at a wrong one.
    """
    from PIL import ExifTags, Image  # only folders of images need Pillow

    image.load()
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # what is noted beside the pixels may be damaged in any way
        orientation = None
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image
