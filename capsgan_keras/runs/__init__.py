"""Run directories: what a training run leaves, and how it is read again."""

from capsgan_keras.runs.callbacks import WriteRun
from capsgan_keras.runs.directory import (
    FORMAT,
    SAMPLE_COLUMNS,
    SAMPLE_ROWS,
    Checkpoint,
    RunDirectory,
    RunError,
    sample_images,
)
from capsgan_keras.runs.reading import Run, load_run

__all__ = [
    "FORMAT",
    "SAMPLE_COLUMNS",
    "SAMPLE_ROWS",
    "Checkpoint",
    "Run",
    "RunDirectory",
    "RunError",
    "WriteRun",
    "load_run",
    "sample_images",
]
