"""`load_dataset`: one door to the named and to the user's own data sets."""

import os
from pathlib import Path

from capsgan_keras.checks import is_whole
from capsgan_keras.datasets import folder, npz
from capsgan_keras.datasets.dataset import Dataset, DatasetError, checked_images, checked_labels
from capsgan_keras.datasets.definition import NPZ_NAMES, DatasetDefinition, SourcedArrays
from capsgan_keras.datasets.files import reading
from capsgan_keras.datasets.pixels import MODES, convert_images
from capsgan_keras.datasets.registry import REGISTERED, find_dataset
from capsgan_keras.files import readable, usable_path

DATA_DIR_VARIABLE = "CAPSGAN_DATA_DIR"


def load_dataset(
    name_or_path: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
) -> Dataset:
    """Load a data set of images by its name, or from a file or folder.

    - `"digits"`: the 1,797 handwritten digits that come with scikit-learn, resized from 8x8 to
      28x28; the first 1,437 for training, the last 360 for testing. Needs no download.
    - `"mnist"`, `"cifar10"`: an `.npz` archive or the official files (idx; pickled batches, in a
      folder or a tar) in `data_dir`. Without it, they are looked for in the folder that the
      environment variable `CAPSGAN_DATA_DIR` names, and then in the cache of `keras.datasets`,
      which downloads them.
    - a name given to `register_dataset`, or `"module:name"` to import the module that does so.
    - a path to an `.npz` archive with the images `x_train`, `images` or `x`, and as far as there
      are any their labels `y_train`, `labels` or `y`, and `x_test`, `y_test`.
    - a path to a folder of images, with one sub-folder for each class if there are classes. A
      folder with the name of a data set is reached by `./mnist` or a `Path`.

    Args:
        name_or_path: One of the names, or a path.
        data_dir: The folder to search for a named data set.
        image_size: `(height, width)`, or one number for both, to resize all images to (bicubic).
            None keeps their size.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA) to convert all images to. None keeps the channels
            of an array; a folder of images gets 1 if all images are grey, else 3.

    Returns:
        A `Dataset`: uint8 images `(n, height, width, channels)` and int64 labels `(n,)`.

    Raises:
        DatasetError: (a `ValueError`) If the data set cannot be found, or a file of it is damaged
            or holds something else; the message names the file.
        ValueError: If `image_size` or `channels` is not one of the above.

    Example:

    ```python
    from capsgan_keras.datasets import load_dataset
    (x_train, y_train), (x_test, y_test) = load_dataset("digits", image_size=16)
    print(x_train.shape)  # (1437, 16, 16, 1)
    ```
    """
    size = _checked_image_size(image_size)
    if not isinstance(channels, int | None) or channels not in (None, *MODES):
        raise ValueError(f"`channels` must be None, 1, 3 or 4. Received: channels={channels!r}")
    # A Path is never taken for a name, so that a folder of the same name can be reached.
    definition = find_dataset(name_or_path) if isinstance(name_or_path, str) else None
    if definition is None:
        return _load_path(name_or_path, size, channels)
    return _load_named(definition, data_dir, size, channels)


def _checked_image_size(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if image_size is None:
        return None
    sides = tuple(image_size) if isinstance(image_size, tuple | list) else (image_size, image_size)
    if len(sides) != 2 or not all(is_whole(side) and side > 0 for side in sides):
        raise ValueError(
            "`image_size` must be a positive integer or a pair (height, width) of them. "
            f"Received: image_size={image_size!r}"
        )
    return int(sides[0]), int(sides[1])


def _load_path(
    path: str | os.PathLike, image_size: tuple[int, int] | None, channels: int | None
) -> Dataset:
    expected = (
        f"The data set must be one of {tuple(REGISTERED)}, the module:name of one that a "
        "module registers, or the path of an .npz file or a folder of images that exists. "
    )
    try:
        place = usable_path(path, "name_or_path")
    except ValueError as error:
        raise DatasetError(f"{expected}{error}") from error
    if not os.path.exists(place):
        raise DatasetError(f"{expected}Received: name_or_path={path!r}")
    if place.is_dir():
        images, labels, class_names = folder.read_folder(place, image_size, channels)
        return Dataset(
            readable(place.resolve().name), images, labels, images[:0], None, class_names
        )
    (x_train, y_train), (x_test, y_test) = npz.read_splits(place)
    x_train, x_test = (convert_images(x, image_size, channels) for x in (x_train, x_test))
    return Dataset(readable(place.stem), x_train, y_train, x_test, y_test)


def _load_named(
    definition: DatasetDefinition,
    data_dir: str | os.PathLike | None,
    image_size: tuple[int, int] | None,
    channels: int | None,
) -> Dataset:
    if definition.load is not None:
        arrays = definition.load()
    else:
        arrays = _search_data_dir(definition, data_dir) or _download(definition)
    stored_shape = definition.stored_shape or definition.image_shape
    size = image_size or definition.image_shape[:2]

    def checked_split(split: SourcedArrays) -> npz.Split:
        (images_from, images), (labels_from, labels) = split
        images = checked_images(images_from, images, stored_shape)
        labels = checked_labels(labels_from, labels, len(images), len(definition.class_names))
        return convert_images(images, size, channels), labels

    train, test = checked_split(arrays[:2]), checked_split(arrays[2:])
    return Dataset(definition.name, *train, *test, definition.class_names)


def _search_data_dir(
    definition: DatasetDefinition, data_dir: str | os.PathLike | None
) -> SourcedArrays | None:
    """Search `data_dir`, else the variable's folder; return None where only the latter lacks it."""
    searched = os.environ.get(DATA_DIR_VARIABLE) if data_dir is None else data_dir
    if not searched:
        if data_dir is not None:
            raise DatasetError("`data_dir` must name a folder. Received: data_dir=''")
        return None
    try:
        searched = usable_path(searched, "data_dir")
    except ValueError as error:
        raise DatasetError(str(error)) from error
    if not searched.is_dir():
        setting = f"environment variable {DATA_DIR_VARIABLE}" if data_dir is None else "data_dir"
        raise DatasetError(f"{searched}: is not a folder that exists ({setting})")
    folders = definition.folders(searched)
    for path in (place / f"{definition.name}.npz" for place in folders):
        if path.is_file():
            return _read_npz(path)
    for place in folders:
        with reading(place, f"the files of {definition.name}"):
            arrays = definition.read_folder(place) if definition.read_folder else None
        if arrays is not None:
            return arrays
    if data_dir is not None:
        looked_for = f"Looked for: {definition.accepted_files}"
        raise DatasetError(f"{searched}: does not hold {definition.name}. {looked_for}")
    return None


def _read_npz(path: Path) -> SourcedArrays:
    arrays = npz.read_arrays(path, NPZ_NAMES)
    missing = [name for name in NPZ_NAMES if name not in arrays]
    if missing:
        raise DatasetError(f"{path}: lacks the arrays {', '.join(missing)}")
    return [(f"{path}: {name}", arrays[name]) for name in NPZ_NAMES]


def _download(definition: DatasetDefinition) -> SourcedArrays:
    variable = os.environ.get(DATA_DIR_VARIABLE)
    state = f"its folder {variable} does not hold {definition.name}" if variable else "not set"
    ways = (
        "Ways to get it:\n"
        f"- name a folder that holds it by `data_dir` (--data-dir on the command line) or by the "
        f"environment variable {DATA_DIR_VARIABLE} ({state}). Accepted: "
        f"{definition.accepted_files}.\n"
        "- load 'digits' instead: real handwritten digits that need no download."
    )
    missing = f"{definition.name} was not found on this machine"
    if definition.download is None:
        raise DatasetError(f"{missing}. {ways}")
    try:
        return definition.download()
    # Keras raises a bare Exception where a download fails.
    except Exception as error:
        raise DatasetError(
            f"{missing}, which could not download it ({type(error).__name__}: {error}). {ways}\n"
            "- run once where there is a network: what keras.datasets downloads stays in "
            "~/.keras/datasets, or in $KERAS_HOME/datasets."
        ) from error
