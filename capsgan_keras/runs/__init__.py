"""Run directories: what a training run leaves, and how it is read again."""

from capsgan_keras.runs.directory import (
    FORMAT,
    SAMPLE_COLUMNS,
    SAMPLE_ROWS,
    Checkpoint,
    Run,
    RunDirectory,
    RunError,
    load_run,
    sample_images,
)

__all__ = [
    "FORMAT",
    "SAMPLE_COLUMNS",
    "SAMPLE_ROWS",
    "Checkpoint",
    "Run",
    "RunDirectory",
    "RunError",
    "load_run",
    "sample_images",
]
