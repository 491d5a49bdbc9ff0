"""The run directory: what a training run leaves, and what it goes on from.

| file | holds |
|---|---|
| `config.json` | settings, versions, commit, data set |
| `history.csv` | the logs of each epoch |
| `samples/epoch-0001.png` ... | 100 images from the same latents after each epoch |
| `checkpoint/epoch-0001/` | the last epoch's `gan.keras` and `state.json`, to resume from |
| `curves.png` | the history as a figure |
| `gan.keras`, `generator.keras` | the trained networks |
| `metrics.json` | final values, time, sizes of the networks; written last: the run is finished |
| `README.md` | a model card |

Every file is written under another name and then renamed, and a checkpoint is renamed as a folder.
So a kill at any moment leaves a directory that can be read and resumed.
"""

import csv
import dataclasses
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from capsgan_keras.files import (
    PARTIAL,
    file_in_the_way,
    remove_partial,
    replacing,
    write_json,
    write_text,
)
from capsgan_keras.gan import GAN
from capsgan_keras.plotting import image_grid, save_figure, save_image
from capsgan_keras.types import History

FORMAT = "capsgan_keras run 1"
SAMPLE_ROWS, SAMPLE_COLUMNS = 10, 10


class RunError(ValueError):
    """A folder that is not the run that it was taken for, or a file of a run that is damaged."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        path: Its folder.
        epoch: Number of epochs done.
        history: The logs of these epochs.
        seconds: Seconds that these epochs took.
    """

    path: Path
    epoch: int
    history: History
    seconds: float

    def load_gan(self) -> GAN:
        """Return the GAN, compiled, with its moments and seeds.

        Raises:
            RunError: Where the file is damaged.
        """
        return load_model(self.path / "gan.keras")


def sample_images(gan: GAN, seed: int) -> np.ndarray:
    """Return the images of a run's sample grid, uint8 `(100, height, width, channels)`.

    Args:
        gan: The GAN that generates them.
        seed: Integer that sets the latents.
    """
    return gan.generate(SAMPLE_ROWS * SAMPLE_COLUMNS, seed=seed)


class RunDirectory:
    """A run's folder: its files are written and read here.

    Args:
        path: The folder, which need not exist.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    # ---- reading

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run, finished or not.

        Raises:
            RunError: Where it is a file, or a folder of other things.
        """
        blocked = file_in_the_way(self.path)
        if blocked is not None:
            raise RunError(f"{self.path}: is not the folder of a run: {blocked} is a file")
        if not self.path.exists():
            return False
        if (self.path / "config.json").is_file():
            return True
        runs = sorted(config.parent.name for config in self.path.glob("*/config.json"))
        if runs:
            raise RunError(f"{self.path}: is no run, but holds some: {', '.join(runs)}")
        others = [p.name for p in self.path.iterdir() if not p.name.startswith(PARTIAL)]
        if others:
            raise RunError(
                f"{self.path}: is no run: it holds {', '.join(sorted(others)[:3])}, "
                "and no config.json"
            )
        return False

    @property
    def finished(self) -> bool:
        """Whether the run has ended."""
        return (self.path / "metrics.json").is_file()

    def read_config(self) -> dict[str, Any]:
        """Return the dictionary that `create` was given.

        Raises:
            RunError: Where `config.json` is damaged or belongs to something else.
        """
        path = self.path / "config.json"
        config = _read_json(path)
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise RunError(f"{path}: is not the config of a run: it lacks the format {FORMAT!r}")
        settings, dataset = ("model", "seed", "precision"), ("name", "source", "checksum")
        for part, needed in {"settings": settings, "dataset": dataset}.items():
            _check_parts(path, config, [part])
            _check_parts(path, config[part], needed)
        return config

    def read_metrics(self) -> dict[str, Any]:
        """Return what `finish` was given.

        Raises:
            RunError: Where the file is damaged.
        """
        path = self.path / "metrics.json"
        metrics = _read_json(path)
        _check_parts(path, metrics, ["epochs", "final", "parameters"])
        return metrics

    def read_history(self) -> History:
        """Return the logs of all epochs, without their numbers.

        Raises:
            RunError: Where the file is damaged.
        """
        path = self.path / "history.csv"
        try:
            with path.open(newline="", encoding="utf-8") as stream:
                lines = list(csv.reader(stream))
            if not lines:
                raise ValueError("It is empty")
            names, *rows = lines
            for row in rows:
                if len(row) != len(names):
                    raise ValueError(f"Its head is {','.join(names)!r}, a row {','.join(row)!r}")
            columns = zip(*([float(value) for value in row] for row in rows), strict=True)
            return {
                name: list(values)
                for name, values in zip(names, columns, strict=True)
                if name != "epoch"
            }
        except ValueError as error:
            raise RunError(f"{path}: is damaged. {error}") from error

    def newest_checkpoint(self) -> Checkpoint | None:
        """Return the last complete `Checkpoint`, or None where no epoch was finished.

        Raises:
            RunError: Where it is damaged.
        """
        folders = self._by_epoch("checkpoint")
        if not folders:
            return None
        epoch = max(folders)
        path = folders[epoch] / "state.json"
        state = _read_json(path)
        try:
            return Checkpoint(folders[epoch], epoch, state["history"], state["seconds"])
        except (KeyError, TypeError) as error:
            raise RunError(f"{path}: is damaged: it lacks history or seconds") from error

    # ---- writing

    def create(self, config: dict[str, Any]) -> None:
        """Make the folder with its `config.json`.

        Args:
            config: Dictionary of what JSON can hold.

        Raises:
            OSError: Where the folder cannot be made.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        remove_partial(self.path)
        write_json(self.path / "config.json", {"format": FORMAT} | config)

    def write_samples(self, epoch: int, images: np.ndarray) -> None:
        """Write the grid of an epoch's images, uint8 `(100, height, width, channels)`."""
        folder = self.path / "samples"
        folder.mkdir(exist_ok=True)
        grid = image_grid(images, SAMPLE_ROWS, SAMPLE_COLUMNS)
        save_image(folder / f"epoch-{epoch:04d}.png", grid)

    def write_history(self, history: History) -> None:
        """Write the logs of all epochs so far."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *history])
        rows = zip(*history.values(), strict=True)
        writer.writerows([epoch, *values] for epoch, values in enumerate(rows, start=1))
        write_text(self.path / "history.csv", text.getvalue())

    def write_checkpoint(self, gan: GAN, epoch: int, history: History, seconds: float) -> None:
        """Write a checkpoint, then remove the older ones.

        Args:
            gan: The GAN, compiled.
            epoch: Number of epochs done.
            history: The logs of these epochs.
            seconds: Seconds that these epochs took.
        """
        folder = self.path / "checkpoint"
        folder.mkdir(exist_ok=True)
        newest = folder / f"epoch-{epoch:04d}"
        with replacing(newest) as partial:
            partial.mkdir()
            gan.save(partial / "gan.keras")
            state = {"epoch": epoch, "seconds": seconds, "history": history}
            write_json(partial / "state.json", state)
        self._remove_checkpoints(keep=newest)

    def restore(self, checkpoint: Checkpoint, images: np.ndarray) -> None:
        """Bring the other files to the state of a checkpoint, whatever a kill has left.

        Args:
            checkpoint: Where the run goes on.
            images: The sample images of that epoch.
        """
        for folder in (self.path, self.path / "samples", self.path / "checkpoint"):
            remove_partial(folder)
        self._remove_checkpoints(keep=checkpoint.path)
        for epoch, path in self._by_epoch("samples").items():
            if epoch > checkpoint.epoch:
                path.unlink()
        self.write_samples(checkpoint.epoch, images)
        self.write_history(checkpoint.history)

    def finish(self, gan: GAN, metrics: dict[str, Any], curves: Figure, card: str) -> None:
        """Write the files that only a finished run has.

        Args:
            gan: The trained GAN.
            metrics: Dictionary of what JSON can hold.
            curves: The training curves.
            card: The model card, a text.
        """
        save_figure(self.path / "curves.png", curves)
        for name, model in (("gan.keras", gan), ("generator.keras", gan.generator)):
            with replacing(self.path / name) as partial:
                model.save(partial)
        write_text(self.path / "README.md", card)
        write_json(self.path / "metrics.json", metrics)

    def _by_epoch(self, folder: str) -> dict[int, Path]:
        """Return the paths in a folder that are named after an epoch, by that epoch."""
        return {
            int(match[1]): path
            for path in self.path.glob(f"{folder}/epoch-*")
            if (match := re.fullmatch(r"epoch-(\d+)", path.stem))
        }

    def _remove_checkpoints(self, keep: Path) -> None:
        for path in self._by_epoch("checkpoint").values():
            if path != keep:
                shutil.rmtree(path)


def load_model(path: Path) -> GAN:
    """Load a `.keras` file of a run.

    Raises:
        RunError: Where the file is damaged.
    """
    if path.is_file() and not zipfile.is_zipfile(path):  # Keras would say that there is no file
        raise RunError(f"{path}: could not be loaded. It is no archive as Keras writes it")
    try:
        return keras.saving.load_model(path)
    # Keras, zipfile and h5py raise errors of many kinds on damaged files.
    except Exception as error:
        raise RunError(f"{path}: could not be loaded. {type(error).__name__}: {error}") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: could not be read. {error}") from error


def _check_parts(path: Path, value: Any, names: Iterable[str]) -> None:
    lacking = [name for name in names if not isinstance(value, dict) or name not in value]
    if lacking:
        raise RunError(f"{path}: is damaged: it lacks {', '.join(map(repr, lacking))}")
