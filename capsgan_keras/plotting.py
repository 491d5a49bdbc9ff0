"""Image grids and training curves: functions that compute them, and functions that write them."""

import base64
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from capsgan_keras.checks import (
    check_finite,
    check_kind,
    check_positive,
    check_unit,
    check_whole,
)
from capsgan_keras.files import replacing, usable_path

__all__ = [
    "coupling_figure",
    "image_figure",
    "image_grid",
    "png",
    "save_figure",
    "save_image",
    "training_curves",
]


def image_grid(images: np.ndarray, rows: int, columns: int, gap: int = 2) -> np.ndarray:
    """Lay images out in a grid, row by row, on white.

    Args:
        images: uint8 `(n, height, width, channels)`, 1, 3 or 4 channels; the first
            `rows * columns` are used.
        rows: Positive integer.
        columns: Positive integer.
        gap: Pixels between two images, 0 or more.

    Returns:
        uint8 `(rows * (height + gap) - gap, columns * (width + gap) - gap, channels)`.

    Raises:
        ValueError: On images of another kind, or too few of them.

    Example:

    ```python
    from capsgan_keras import load_dataset
    from capsgan_keras.plotting import image_grid

    digits = load_dataset("digits", image_size=16)
    grid = image_grid(digits.x_train, rows=2, columns=5)  # uint8 (34, 88, 1)
    ```
    """
    check_positive(rows=rows, columns=columns)
    check_whole(gap=gap)
    check_kind(np.ndarray, "an array", images=images)
    fits = images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1] in (1, 3, 4)
    if not fits or len(images) < rows * columns:
        raise ValueError(
            f"`images` must be uint8 of shape (n, height, width, 1, 3 or 4), at least "
            f"{rows * columns} of them. Received: images of dtype {images.dtype} and shape "
            f"{images.shape}"
        )
    height, width, channels = images.shape[1:]
    grid = np.full((rows, height + gap, columns, width + gap, channels), 255, np.uint8)
    tiles = images[: rows * columns].reshape(rows, columns, height, width, channels)
    grid[:, :height, :, :width] = tiles.transpose(0, 2, 1, 3, 4)
    grid = grid.reshape(rows * (height + gap), columns * (width + gap), channels)
    return grid[: grid.shape[0] - gap, : grid.shape[1] - gap]


def save_image(path: str | os.PathLike, image: np.ndarray, sync: bool = True) -> None:
    """Write an image as PNG.

    Args:
        path: The file to write.
        image: uint8 `(height, width, channels)`, 1, 3 or 4 channels.
        sync: Whether to wait until the disk has it, which takes the most of the time.

    Raises:
        ValueError: On another path or image.
        OSError: Where the file cannot be written.

    Example:

    ```python
    import numpy as np

    from capsgan_keras.plotting import save_image

    save_image("black.png", np.zeros((16, 16, 1), "uint8"))
    ```
    """
    picture = _picture(image)
    with replacing(usable_path(path), sync) as partial:
        picture.save(partial, format="PNG")


def png(image: np.ndarray) -> str:
    """Return an image as a PNG file in base64, a text that JSON can hold.

    Args:
        image: uint8 `(height, width, channels)`, 1, 3 or 4 channels.

    Raises:
        ValueError: On another image.

    Example:

    ```python
    import base64

    import numpy as np

    from capsgan_keras.plotting import png

    text = png(np.zeros((16, 16, 1), "uint8"))
    base64.b64decode(text)[1:4]  # b"PNG"
    ```
    """
    stream = io.BytesIO()
    _picture(image).save(stream, format="PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _picture(image: np.ndarray) -> Image.Image:
    check_kind(np.ndarray, "an array", image=image)
    fits = image.dtype == np.uint8 and image.ndim == 3 and image.shape[-1] in (1, 3, 4)
    if not fits or image.size == 0:
        raise ValueError(
            "`image` must be uint8 of shape (height, width, 1, 3 or 4). "
            f"Received: image of dtype {image.dtype} and shape {image.shape}"
        )
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def image_figure(
    images: np.ndarray,
    rows: int,
    columns: int,
    row_labels: Sequence[Any] | None = None,
    column_labels: Sequence[Any] | None = None,
    inches: float = 0.7,
) -> Figure:
    """Draw images in a grid, enlarged, with words or numbers at its rows and columns.

    Args:
        images: As in `image_grid`.
        rows: As in `image_grid`.
        columns: As in `image_grid`.
        row_labels: `rows` objects, written at the left; None writes nothing.
        column_labels: `columns` objects, written above; None writes nothing.
        inches: Positive number: the height of one image.

    Returns:
        A `matplotlib.figure.Figure` that belongs to no window; a notebook shows it.

    Raises:
        ValueError: As `image_grid`, and where there are more or fewer labels.

    Example:

    ```python
    from capsgan_keras import load_dataset
    from capsgan_keras.plotting import image_figure

    digits = load_dataset("digits", image_size=16)
    figure = image_figure(digits.x_train, 1, 4, column_labels=digits.y_train[:4])
    ```
    """
    check_finite(inches=inches)
    if inches <= 0:
        raise ValueError(f"`inches` must be above 0. Received: inches={inches}")
    gap = 2
    grid = image_grid(images, rows, columns, gap)
    height, width = np.shape(images)[1:3]
    words = 0.0 if row_labels is None else 1.0
    figure = Figure(
        figsize=(words + columns * inches * width / height, rows * inches), layout="constrained"
    )
    axes = figure.subplots()
    axes.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    for name, labels, count, side, set_ticks in (
        ("row_labels", row_labels, rows, height, axes.set_yticks),
        ("column_labels", column_labels, columns, width, axes.set_xticks),
    ):
        labels = [""] * count if labels is None else labels
        check_kind(Iterable, "several words or numbers, or None", **{name: labels})
        labels = [str(label) for label in labels]
        if len(labels) != count:
            raise ValueError(
                f"`{name}` must have {count} entries. Received: {name} of length {len(labels)}"
            )
        set_ticks(np.arange(count) * (side + gap) + (side - 1) / 2, labels)
    return figure


def coupling_figure(
    images: np.ndarray, couplings: np.ndarray, class_names: Sequence[Any] | None = None
) -> Figure:
    """Draw how strongly the capsules of images are coupled to each class.

    Each image has a row: the image, then a map for each class. A square of a map is a place of the
    image, with the mean over its types of capsules. Where there is one place alone, a square is a
    type, row by row. All maps have one scale of colours.

    Args:
        images: As in `image_grid`, n of them.
        couplings: Numbers `(n, num_classes, height, width, types)`, as
            `capsgan_keras.models.CapsuleClassifier.couplings` returns them.
        class_names: `num_classes` words or numbers, written above; None for the numbers from 0.

    Returns:
        A `matplotlib.figure.Figure` that belongs to no window.

    Raises:
        ValueError: On images of another kind, or arguments that do not fit each other.

    Example:

    ```python
    from capsgan_keras import load_dataset
    from capsgan_keras.models import CapsNet
    from capsgan_keras.plotting import coupling_figure

    digits = load_dataset("digits").x_test[:3]
    network = CapsNet((28, 28, 1), 10, filters=8, n_channels=2)  # not trained
    figure = coupling_figure(digits, network.couplings(digits))
    ```
    """
    pictures = [image_grid(images[index : index + 1], 1, 1) for index in range(len(images))]
    maps = np.asarray(couplings, np.float64)
    if maps.ndim != 5 or len(maps) != len(images) or 0 in maps.shape:
        raise ValueError(
            f"`couplings` must have the shape ({len(images)}, num_classes, height, width, types). "
            f"Received: couplings of shape {maps.shape}"
        )
    names = range(maps.shape[1]) if class_names is None else class_names
    if len(names) != maps.shape[1]:
        raise ValueError(
            f"`class_names` must have {maps.shape[1]} entries. "
            f"Received: class_names of length {len(names)}"
        )
    maps = _in_squares(maps[:, :, 0, 0]) if maps.shape[2:4] == (1, 1) else maps.mean(axis=-1)
    rows, columns = len(images), maps.shape[1] + 1
    figure = Figure(figsize=(0.8 * columns + 1, 0.9 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    scale = {"vmin": np.nanmin(maps), "vmax": np.nanmax(maps)}
    for row in range(rows):
        axes[row, 0].imshow(pictures[row], cmap="gray", vmin=0, vmax=255)
        for column in range(1, columns):
            drawn = axes[row, column].imshow(maps[row, column - 1], cmap="viridis", **scale)
            if row == 0:
                axes[row, column].set_title(names[column - 1], fontsize="small")
    for each in axes.flat:
        each.set(xticks=[], yticks=[])
    figure.colorbar(drawn, ax=axes, shrink=0.8)
    return figure


def _in_squares(values: np.ndarray) -> np.ndarray:
    """Lay out the last axis in rows, about as many as columns; what is left over is NaN."""
    count = values.shape[-1]
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    room = [(0, 0)] * (values.ndim - 1) + [(0, rows * columns - count)]
    return np.pad(values, room, constant_values=np.nan).reshape(*values.shape[:-1], rows, columns)


def training_curves(
    history: Mapping[str, Sequence[float]], equilibrium: float | None = None
) -> Figure:
    """Draw the losses, the discriminator's mean outputs and its accuracy over the epochs.

    Args:
        history: The logs of `GAN.fit`, as in `keras.callbacks.History.history`: `d_loss`,
            `g_loss`, `d_real`, `d_fake` and `d_accuracy`, each with one number an epoch.
        equilibrium: Number in [0, 1], drawn as a line: the best discriminator's output where
            generated images are distributed as real ones. 0.6333 for the margin loss, 0.5 for
            cross-entropy; None draws no line.

    Returns:
        A `matplotlib.figure.Figure` that belongs to no window.

    Raises:
        ValueError: Where a log is missing, or `equilibrium` is no such number.

    Example:

    ```python
    from capsgan_keras.plotting import training_curves

    names = ("d_loss", "g_loss", "d_real", "d_fake", "d_accuracy")
    figure = training_curves({name: [0.6, 0.5] for name in names}, equilibrium=0.6333)
    ```
    """
    panels: dict[str, dict[str, str]] = {
        "loss": {"d_loss": "discriminator", "g_loss": "generator"},
        "discriminator's output": {"d_real": "real images", "d_fake": "generated images"},
        "discriminator's accuracy": {"d_accuracy": "cut at 0.5"},
    }
    check_kind(Mapping, "a dictionary of logs", history=history)
    missing = sorted({key for logs in panels.values() for key in logs} - set(history))
    if missing:
        raise ValueError(f"`history` lacks {', '.join(missing)}. Received: {list(history)}")
    outputs = [value for key in ("d_real", "d_fake") for value in history[key]]
    scores = not all(0.0 <= value <= 1.0 for value in outputs)
    if equilibrium is not None:
        (check_finite if scores else check_unit)(equilibrium=equilibrium)
    if scores:
        panels["discriminator's accuracy"] = {"d_accuracy": "cut at the equilibrium"}
    figure = Figure(figsize=(12.0, 3.6), layout="constrained")
    for axes, (title, logs) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for key, label in logs.items():
            epochs = np.arange(1, len(history[key]) + 1)
            axes.plot(epochs, history[key], marker=".", label=label)
        axes.set(xlabel="epoch", title=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if "d_accuracy" in logs or ("d_real" in logs and not scores):
            axes.set_ylim(-0.02, 1.02)
        if "d_real" in logs and equilibrium is not None:
            axes.axhline(equilibrium, color="grey", linestyle="--", label="equilibrium")
        axes.legend()
    return figure


def save_figure(path: str | os.PathLike, figure: Figure, dpi: int = 120) -> None:
    """Write a matplotlib figure as PNG, PDF or SVG.

    Args:
        path: The file to write. Its suffix, .pdf or .svg, says the format; any other is PNG.
        figure: The figure.
        dpi: Positive integer: dots per inch.

    Raises:
        ValueError: On another path, figure or number.
        OSError: Where the file cannot be written.

    Example:

    ```python
    from matplotlib.figure import Figure

    from capsgan_keras.plotting import save_figure

    save_figure("empty.png", Figure())
    ```
    """
    path = usable_path(path)
    check_kind(Figure, "a matplotlib figure", figure=figure)
    check_positive(dpi=dpi)
    suffix = os.path.splitext(path)[1][1:].lower()
    with replacing(path) as partial:
        figure.savefig(partial, format=suffix if suffix in ("pdf", "svg") else "png", dpi=dpi)
