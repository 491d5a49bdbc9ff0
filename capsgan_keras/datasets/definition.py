"""The definition of a data set with a name: all that the package knows of it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SourcedArrays = Sequence[tuple[str, np.ndarray]]
"""The arrays `x_train, y_train, x_test, y_test`, each after the file or package it came from."""

NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, kw_only=True)
class DatasetDefinition:
    """All that the package knows of a data set with a name.

    `load_dataset` takes the images from the first of these that has them:

    1. `load`, where it is given. No file is looked for then.
    2. The file `NAME.npz` with the arrays `x_train, y_train, x_test, y_test`.
    3. `read_folder`.
    4. `download`.

    The file and `read_folder` are tried in the folder `data_dir`, in its sub-folder `NAME` and in
    `subfolders`. All functions return the four arrays, each after the file that it came from:
    uint8 images `(n, height, width)` or `(n, height, width, channels)`, integer labels `(n,)`.
    `register_dataset` shows an example.

    Attributes:
        name: Letters, digits, `_` and `-`: what `load_dataset` and `--dataset` take.
        title: The name in reports, such as `"CIFAR-10"`.
        image_shape: `(height, width, channels)`.
        class_names: The name of each label.
        terms: Source, licence and terms of use, which model cards quote.
        minimum_accuracy: In [0, 1]. A classifier that measures sample quality must reach it on the
            test images.
        files: What `read_folder` reads, in words, for messages.
        subfolders: Further folders below `data_dir` to look into.
        read_folder: Function of a folder that reads the images, or returns None where the folder
            has none of the files.
        load: Function that loads the images from an installed package.
        download: Function that gets the images where no folder has them.
        stored_shape: Shape of the stored images where it is not `image_shape`, to which they are
            resized.
        hub_name: Its name on the Hugging Face hub, `"owner/name"`, for the heads of model cards;
            empty where it has none.

    Raises:
        ValueError: If `name` has other characters.
    """

    name: str
    title: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    terms: str
    minimum_accuracy: float = 0.0
    files: str = ""
    subfolders: tuple[str, ...] = ()
    read_folder: Callable[[Path], SourcedArrays | None] | None = None
    load: Callable[[], SourcedArrays] | None = None
    download: Callable[[], SourcedArrays] | None = None
    stored_shape: tuple[int, int, int] | None = None
    hub_name: str = ""

    def __post_init__(self) -> None:
        """Check the name, of which files and folders are called."""
        if not re.fullmatch(r"[\w-]+", self.name):
            raise ValueError(
                f"`name` must have letters, digits, _ and - only. Received: name={self.name!r}"
            )

    @property
    def accepted_files(self) -> str:
        """What is looked for and where, in words."""
        files = [f"{self.name}.npz with {', '.join(NPZ_NAMES)}"]
        files += [self.files] if self.files else []
        places = ", ".join(f"{place}/" for place in (self.name, *self.subfolders))
        return f"{', or '.join(files)}, in the folder itself or in {places}"

    def folders(self, data_dir: Path) -> list[Path]:
        """Return the folders to look into, in order."""
        return [data_dir / place for place in ("", self.name, *self.subfolders)]
