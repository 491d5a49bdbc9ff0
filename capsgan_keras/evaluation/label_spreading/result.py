"""Results of a semi-supervised table."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from capsgan_keras.evaluation.label_spreading.settings import SemiSupervisedSettings
from capsgan_keras.evaluation.record import Record
from capsgan_keras.html import html_table


@dataclass(frozen=True)
class SemiSupervisedCell(Record):
    """One finished cell of the table; see `semi_supervised_error`.

    Attributes:
        draw: Number of the draw, from 0.
        error: Share of the test images that are classified wrongly.
        n_unlabelled: Number of unlabelled images used.
        unreached: Number of test images that no label reached.
        iterations: Iterations of label spreading; 0 for the nearest neighbour.
        converged: Whether label spreading converged within `max_iter` iterations.
    """

    n_labelled: int
    draw: int
    error: float
    n_unlabelled: int
    unreached: int = 0
    iterations: int = 0
    converged: bool = True


@dataclass(frozen=True, eq=False)
class SemiSupervisedResult:
    """A finished table: errors of all numbers of labelled images and all draws.

    See `semi_supervised_error`.

    Attributes:
        method: `"label spreading"` or `"nearest labelled image"`.
        unlabelled: `"given"`, `"pool"` or `"none"`: where the unlabelled images came from.
        n_test: Number of test images, all of which were classified.
        cells: The cells, row by row.
        labelled_indices: For each number of labelled images and each draw, which images of the
            pool were labelled, int64 `(n_labelled,)`.
    """

    method: str
    unlabelled: str
    settings: SemiSupervisedSettings
    n_test: int
    cells: tuple[SemiSupervisedCell, ...]
    labelled_indices: tuple[tuple[np.ndarray, ...], ...]

    def _table(self, attribute: str) -> np.ndarray:
        rows = len(self.settings.n_labelled)
        return np.array([getattr(cell, attribute) for cell in self.cells]).reshape(rows, -1)

    @property
    def errors(self) -> np.ndarray:
        """Errors in [0, 1], `(len(n_labelled), draws)`."""
        return self._table("error")

    @property
    def unreached(self) -> np.ndarray:
        """Numbers of test images that no label reached, of the shape of `errors`."""
        return self._table("unreached")

    @property
    def n_unlabelled(self) -> np.ndarray:
        """Numbers of unlabelled images used, of the shape of `errors`."""
        return self._table("n_unlabelled")

    @property
    def converged(self) -> np.ndarray:
        """Whether label spreading converged, of the shape of `errors`."""
        return self._table("converged")

    @property
    def n_labelled(self) -> tuple[int, ...]:
        """Numbers of labelled images."""
        return self.settings.n_labelled

    @property
    def max_iter(self) -> int:
        """Largest number of iterations."""
        return self.settings.max_iter

    @property
    def mean(self) -> np.ndarray:
        """Mean error over the draws, `(len(n_labelled),)`."""
        return self.errors.mean(axis=1)

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation over the draws (n - 1); NaN where there is one draw only."""
        errors = self.errors
        if errors.shape[1] == 1:
            return np.full(len(errors), np.nan)
        return errors.std(axis=1, ddof=1)

    def to_dict(self, labelled_indices: bool = False) -> dict[str, Any]:
        """Return the result as JSON can hold it.

        Args:
            labelled_indices: Whether to include the labelled images' indices, which the settings
                and the pool's labels determine (see `draw_labelled`).
        """
        result = {
            "method": self.method,
            "unlabelled": self.unlabelled,
            "settings": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self.settings).items()
            },
            "n_test": self.n_test,
            "errors": self.errors.tolist(),
            "mean": self.mean.tolist(),
            "deviation": [None if np.isnan(value) else float(value) for value in self.deviation],
            "cells": [cell.to_dict() for cell in self.cells],
        }
        if labelled_indices:
            result["labelled_indices"] = [
                [indices.tolist() for indices in row] for row in self.labelled_indices
            ]
        return result

    def _repr_html_(self) -> str:
        """Return what a notebook shows: mean errors over the draws, a row for each number."""
        rows = zip(
            self.n_labelled,
            self.mean.tolist(),
            [None if np.isnan(value) else value for value in self.deviation.tolist()],
            self.n_unlabelled.mean(axis=1).tolist(),
            self.unreached.sum(axis=1).tolist(),
            strict=True,
        )
        header = ("labels", "mean error", "deviation", "unlabelled images", "unreached, all draws")
        caption = (
            f"{self.method}, {self.n_test:,} test images, {self.errors.shape[1]} draws, "
            f"unlabelled images: {self.unlabelled}"
        )
        return html_table(header, rows, caption)
