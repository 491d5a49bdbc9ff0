"""What result files hold, as one object each, from the JSON file to tables and figures."""

import dataclasses
from pathlib import Path
from typing import Any

from capsgan_keras.evaluation import (
    GamResult,
    SampleQuality,
    SemiSupervisedCell,
    SemiSupervisedResult,
    SemiSupervisedSettings,
    TournamentResult,
    TournamentRow,
)
from experiments.evaluations.from_json import restore
from experiments.settings.evaluations import (
    GAM,
    SAMPLE_QUALITY,
    SEMI_SUPERVISED,
    test_images_name,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a result file says of a run.

    Attributes:
        name: Its name in the tables.
        model: `"capsule"` or `"convolutional"`.
        seed, epochs, batch_size, precision: As in its settings.
        gan_checksum: SHA-256 of its networks.
        parameters: Dictionary from `"generator"` and `"discriminator"` to their numbers of
            parameters; None in files of older versions.
    """

    name: str
    model: str
    seed: int
    epochs: int
    batch_size: int
    precision: str
    gan_checksum: str
    parameters: dict[str, int] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """What a result file says of the images: name, checksum, how many were held out."""

    name: str
    checksum: str
    validation: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
    """The results of one evaluation.

    Attributes:
        path: The file.
        dataset: `DatasetRecord`.
        runs: Tuple of `RunRecord`.
        settings: Dictionary of the evaluation's settings.
    """

    path: Path
    dataset: DatasetRecord
    runs: tuple[RunRecord, ...]
    settings: dict[str, Any]

    @property
    def test_images(self):
        """What the images are called that the runs did not learn from."""
        return test_images_name(self.dataset.validation)

    def runs_of(self, model):
        """Return the records of one model's runs, as a list."""
        return [run for run in self.runs if run.model == model]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """The metric of two runs.

    Attributes:
        a, b: Names of the runs.
        cut: `"paper"`, `"calibrated"` or a number.
        result: `capsgan_keras.evaluation.GamResult`.
    """

    a: str
    b: str
    cut: str | float
    result: GamResult


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """Images of one run: a PNG file in base64, and the seed of the latents."""

    seed: int
    png: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricResults(Results):
    """The generative adversarial metric.

    Attributes:
        pairs: Tuple of `Pair`.
        tournaments: Dictionary from a cut to its `capsgan_keras.evaluation.TournamentResult`.
        grids: Dictionary from a run's name to its `Grid`.
    """

    pairs: tuple[Pair, ...]
    tournaments: dict[str, TournamentResult]
    grids: dict[str, Grid]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ErrorResults(Results):
    """The semi-supervised table.

    Attributes:
        tables: Dictionary from a run or control to its
            `capsgan_keras.evaluation.SemiSupervisedResult`.
        choices: Dictionaries of the settings that were chosen for each number of labelled
            images; none where they were given.
    """

    tables: dict[str, SemiSupervisedResult]
    choices: tuple[dict[str, Any], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityResults(Results):
    """Sample quality.

    Attributes:
        quality: Dictionary from a run's name to its `capsgan_keras.evaluation.SampleQuality`.
    """

    quality: dict[str, SampleQuality]


def results_from(path, name, content):
    """Return the results that a finished file holds.

    Args:
        path: The file.
        name: Name of the evaluation.
        content: What the file holds, as JSON gives it.

    Returns:
        `MetricResults`, `ErrorResults` or `QualityResults`.

    Raises:
        EvaluationError: Where the file holds something else than such results.
    """
    identity = restore(_Identity, content["identity"], f"{path}: identity")
    common = {
        "path": Path(path),
        "dataset": identity.dataset,
        "runs": identity.runs,
        "settings": identity.settings,
    }
    values = restore(_CONTENTS[name], content["results"], f"{path}: results")
    return values.results(common)


@dataclasses.dataclass(frozen=True)
class _Identity:
    dataset: DatasetRecord
    runs: tuple[RunRecord, ...]
    settings: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class _MetricContent:
    grids: dict[str, Grid]
    pairs: tuple[dict[str, Any], ...]
    rows: dict[str, tuple[TournamentRow, ...]]

    def results(self, common):
        pairs = tuple(_pair(pair, f"{common['path']}: pairs") for pair in self.pairs)
        first = pairs[0].result
        tournaments = {
            cut: TournamentResult(rows, first.tolerance, first.n_samples, first.n_test, first.seed)
            for cut, rows in self.rows.items()
        }
        return MetricResults(**common, pairs=pairs, tournaments=tournaments, grids=self.grids)


def _pair(pair, where):
    names = {"a", "b"}
    result = {name: value for name, value in pair.items() if name not in names}
    cut = result.get("cut")
    # What the metric was asked for; a number is called "given" by the result itself.
    restored = restore(GamResult, result | {"cut": cut if isinstance(cut, str) else "given"}, where)
    return Pair(
        **{name: restore(str, pair.get(name), f"{where}.{name}") for name in names},
        cut=restore(str | float, cut, f"{where}.cut"),
        result=restored,
    )


@dataclasses.dataclass(frozen=True)
class _Table:
    method: str
    unlabelled: str
    settings: SemiSupervisedSettings
    n_test: int
    cells: tuple[SemiSupervisedCell, ...]


@dataclasses.dataclass(frozen=True)
class _ErrorContent:
    tables: dict[str, _Table]
    choices: tuple[dict[str, Any], ...] = ()

    def results(self, common):
        tables = {
            name: SemiSupervisedResult(**vars(table), labelled_indices=())
            for name, table in self.tables.items()
        }
        return ErrorResults(**common, tables=tables, choices=self.choices)


@dataclasses.dataclass(frozen=True)
class _QualityContent:
    quality: dict[str, SampleQuality]

    def results(self, common):
        return QualityResults(**common, quality=self.quality)


_CONTENTS = {GAM: _MetricContent, SEMI_SUPERVISED: _ErrorContent, SAMPLE_QUALITY: _QualityContent}
