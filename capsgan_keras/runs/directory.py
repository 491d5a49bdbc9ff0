"""The run directory: what a training run leaves, and what it goes on from.

| file | holds |
|---|---|
| `config.json` | settings, versions, commit, data set |
| `history.csv` | the logs of each epoch |
| `samples/epoch-0001.png` ... | 100 images from the same latents after each epoch |
| `kept/epoch-0005.keras` ... | the networks of some epochs, where the run keeps them |
| `checkpoint/epoch-0001/` | the last epoch's `gan.keras` and `state.json`, to resume from |
| `curves.png` | the history as a figure |
| `gan.keras`, `generator.keras`, `encoder.keras` | the trained networks; encoders of BiGANs alone |
| `metrics.json` | final values, time, sizes of the networks; written last: the run is finished |
| `README.md` | a model card |

Every file is written under another name and then renamed, and a checkpoint is renamed as a folder.
So a kill at any moment leaves a directory that can be read and resumed.
"""

import csv
import io
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from capsgan_keras.checks import check_kind
from capsgan_keras.files import (
    LOCK,
    file_in_the_way,
    names_in,
    refuse_pipe,
    remove_partial,
    replacing,
    write_json,
    write_text,
)
from capsgan_keras.gan import GAN
from capsgan_keras.gan.saving import copy_of
from capsgan_keras.plotting import image_grid, save_figure, save_image
from capsgan_keras.runs.checkpoint import Checkpoint
from capsgan_keras.runs.models import file_checksum
from capsgan_keras.runs.records import (
    CONFIG,
    METRICS,
    STATE,
    RunError,
    check_kinds,
    check_parts,
    read_record,
)
from capsgan_keras.training.averages import averaged
from capsgan_keras.types import History

FORMAT = "capsgan_keras run 1"
SAMPLE_ROWS, SAMPLE_COLUMNS = 10, 10
KEPT = "kept"


def sample_images(gan: GAN, seed: int) -> np.ndarray:
    """Return the images of a run's sample grid, uint8 `(100, height, width, channels)`.

    Args:
        gan: The GAN that generates them.
        seed: Integer that sets the latents.
    """
    check_kind(GAN, "a GAN of this package", gan=gan)
    return gan.generate(SAMPLE_ROWS * SAMPLE_COLUMNS, seed=seed)


def write_grid(folder: Path, epoch: int, images: np.ndarray, rows: int, columns: int) -> None:
    """Write the grid of an epoch's images, uint8 `(rows * columns, height, width, channels)`."""
    save_image(folder / f"epoch-{epoch:04d}.png", image_grid(images, rows, columns))


class RunDirectory:
    """A run's folder: its files are written and read here.

    Args:
        path: The folder, which need not exist.
    """

    format = FORMAT
    """What `config.json` says that the folder is."""
    network = "gan.keras"
    """The file of a checkpoint that holds the networks."""

    def __init__(self, path: str | os.PathLike) -> None:
        check_kind((str, os.PathLike), "a path", path=path)
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
        others = names_in(self.path)
        if others:
            raise RunError(
                f"{self.path}: is no run: it holds {', '.join(others[:3])}, and no config.json"
            )
        return False

    def check_place(self) -> None:
        """Raise a `RunError` where the folder lies in that of a run that has ended."""
        for folder in Path(os.path.abspath(self.path)).parents:
            if (folder / "config.json").is_file() and (folder / "metrics.json").is_file():
                raise RunError(
                    f"{self.path}: lies in {folder}, the folder of a run that has ended. Choose "
                    "another"
                )

    @property
    def lock(self) -> Path:
        """The file that a process holds while it writes the run."""
        return self.path / LOCK

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
        config = read_record(path)
        if not isinstance(config, dict) or config.get("format") != self.format:
            raise RunError(
                f"{path}: is not the config of a run: it lacks the format {self.format!r}"
            )
        settings, dataset = ("model", "seed", "precision"), ("name", "source", "checksum")
        for part, needed in {"settings": settings, "dataset": dataset}.items():
            check_parts(path, config, [part])
            check_parts(path, config[part], needed)
        check_kinds(path, config, CONFIG)
        return config

    def read_metrics(self) -> dict[str, Any]:
        """Return what `finish` was given.

        Raises:
            RunError: Where the file is damaged.
        """
        path = self.path / "metrics.json"
        metrics = read_record(path)
        check_parts(path, metrics, ["epochs", "final", "parameters"])
        check_kinds(path, metrics, METRICS)
        return metrics

    def read_history(self) -> History:
        """Return the logs of all epochs, without their numbers.

        Raises:
            RunError: Where the file is damaged.
        """
        path = self.path / "history.csv"
        try:
            refuse_pipe(path)
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
        except OSError as error:
            raise RunError(f"{path}: could not be read. {error}") from error
        except (ValueError, csv.Error) as error:
            raise RunError(f"{path}: is damaged. {error}") from error

    def newest_checkpoint(self) -> Checkpoint | None:
        """Return the last complete `Checkpoint`, or None where no epoch was finished.

        Raises:
            RunError: Where it is damaged, or epochs were finished and their checkpoint is gone.
        """
        folders = self._by_epoch("checkpoint", "")
        if not folders:
            self._check_nothing_lost()
            return None
        epoch = max(folders)
        path = folders[epoch] / "state.json"
        state = read_record(path)
        check_parts(path, state, ["epoch", "seconds", "history"])
        check_kinds(path, state, STATE)
        if state["epoch"] != epoch:
            raise RunError(
                f"{path}: is of epoch {state['epoch']}, and its folder of epoch {epoch}. Give the "
                "folder its own name again"
            )
        logs = state["history"], state["seconds"], state.get("gan_checksum")
        return Checkpoint(folders[epoch], epoch, *logs, self.network)

    def _check_nothing_lost(self) -> None:
        """Raise a `RunError` where there is no checkpoint though an epoch was finished.

        A kill in the first epoch leaves the empty folder of checkpoints, which is made before all
        else, and at most that epoch's samples and history.
        """
        folder, state = self.path / "checkpoint", "does not exist"
        history = self.read_history() if (self.path / "history.csv").exists() else {}
        rows = max(map(len, history.values()), default=0)
        epochs = max([rows, *self._by_epoch("samples", ".png")])
        others = []
        if folder.exists():
            others = names_in(folder)
            state = f"holds {', '.join(others[:3])}" if others else "is empty"
        if others or epochs > 1 or (epochs and not folder.exists()):
            raise RunError(
                f"{self.path}: holds samples or history of {epochs} epochs, and no checkpoint to "
                f"go on from: {folder} {state}. Put its checkpoint back, or move the run away to "
                "start from the beginning"
            )

    # ---- writing

    def create(self, config: dict[str, Any]) -> None:
        """Make the folder with its `config.json`.

        Args:
            config: Dictionary of what JSON can hold.

        Raises:
            RunError: Where it would lie in the folder of a run that has ended.
            OSError: Where the folder cannot be made.
        """
        self.check_place()
        self.path.mkdir(parents=True, exist_ok=True)
        remove_partial(self.path)
        write_json(self.path / "config.json", {"format": self.format} | config)

    def write_samples(self, epoch: int, images: np.ndarray) -> None:
        """Write the grid of an epoch's images, uint8 `(100, height, width, channels)`."""
        folder = self.path / "samples"
        # Before the first file of an epoch: where it is missing later, it was lost.
        (self.path / "checkpoint").mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        write_grid(folder, epoch, images, SAMPLE_ROWS, SAMPLE_COLUMNS)

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
            gan.save(partial / self.network)
            state = {"epoch": epoch, "seconds": seconds, "history": history}
            state["gan_checksum"] = file_checksum(partial / self.network)
            write_json(partial / "state.json", state)
        self._remove_checkpoints(keep=newest)

    def keep(self, gan: GAN, epoch: int) -> None:
        """Keep an epoch's networks as they are shown, without optimizers."""
        folder = self.path / KEPT
        folder.mkdir(exist_ok=True)
        with averaged(gan), replacing(folder / f"epoch-{epoch:04d}.keras") as partial:
            copy_of(gan).save(partial)

    @property
    def kept(self) -> dict[int, Path]:
        """The files of the kept networks, by their epochs."""
        return dict(sorted(self._by_epoch(KEPT, ".keras").items()))

    def restore(self, checkpoint: Checkpoint, images: np.ndarray) -> None:
        """Bring the other files to the state of a checkpoint, whatever a kill has left.

        Args:
            checkpoint: Where the run goes on.
            images: The sample images of that epoch.
        """
        for folder in (self.path, *(self.path / part for part in ("samples", KEPT, "checkpoint"))):
            remove_partial(folder)
        self._remove_checkpoints(keep=checkpoint.path)
        for files in (self._by_epoch("samples", ".png"), self.kept):
            for epoch, path in files.items():
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
        alone = {name: getattr(gan, name) for name in gan.networks if name != "discriminator"}
        for name, model in {"gan": gan, **alone}.items():
            with replacing(self.path / f"{name}.keras") as partial:
                model.save(partial)
        write_text(self.path / "README.md", card)
        write_json(self.path / "metrics.json", metrics)

    def _by_epoch(self, folder: str, suffix: str) -> dict[int, Path]:
        """Return the paths in a folder that are named after an epoch, by that epoch."""
        try:
            paths = list((self.path / folder).iterdir())
        except FileNotFoundError:
            return {}
        except OSError as error:  # a glob would find nothing, and say nothing
            raise RunError(f"{self.path / folder}: could not be read. {error}") from error
        matches = ((re.fullmatch(rf"epoch-(\d+){suffix}", path.name), path) for path in paths)
        return {int(match[1]): path for match, path in matches if match}

    def _remove_checkpoints(self, keep: Path) -> None:
        for path in self._by_epoch("checkpoint", "").values():
            if path != keep:
                shutil.rmtree(path)
