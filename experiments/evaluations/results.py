"""What result files hold, as one object each, from the JSON file to tables and figures."""

import dataclasses
from pathlib import Path
from typing import Any

from capsgan_keras.evaluation import (
    CandidateErrors,
    GamResult,
    SampleQuality,
    SemiSupervisedCell,
    SemiSupervisedResult,
    TournamentResult,
    TournamentRow,
)
from experiments.errors import EvaluationError
from experiments.evaluations.from_json import restore
from experiments.settings.evaluations import (
    CONTROLS,
    GAM,
    GAM_EPOCHS,
    QUALITY_EPOCHS,
    SAMPLE_QUALITY,
    SEMI_SUPERVISED,
    test_images_name,
)
from experiments.settings.training import MODELS


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a result file says of a run; files of older versions do not know `parameters`."""

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
    """What a result file says of the images, and how many training images were held out."""

    name: str
    checksum: str
    validation: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
    """The results of one evaluation: the images, the runs, the evaluation's settings."""

    path: Path
    dataset: DatasetRecord
    runs: tuple[RunRecord, ...]
    settings: dict[str, Any]

    def __post_init__(self):
        """Refuse parts that do not fit each other."""
        names = [run.name for run in self.runs]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"must be of runs with names of their own. Received: {names}")
        unknown = {run.model for run in self.runs} - set(MODELS)
        if unknown:
            raise ValueError(f"`model` must be one of {MODELS}. Received: {unknown}")
        self.check_parts(set(names))

    def check_parts(self, names):
        """Raise a `ValueError` unless the parts are of these runs."""
        raise NotImplementedError

    @property
    def test_images(self):
        """What the images are called that the runs did not learn from."""
        return test_images_name(self.dataset.validation)

    def runs_of(self, model):
        """Return the records of one model's runs, as a list."""
        return [run for run in self.runs if run.model == model]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """The metric of the runs `a` and `b`, with the cut that was asked for."""

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
    """The generative adversarial metric: pairs, a tournament for each cut, images of each run."""

    pairs: tuple[Pair, ...]
    tournaments: dict[str, TournamentResult]
    grids: dict[str, Grid]

    def check_parts(self, names):
        """Raise a `ValueError` unless the parts are of these runs."""
        _same("grids", names, self.grids)
        _same("rows", {str(pair.cut) for pair in self.pairs}, self.tournaments)
        for pair in self.pairs:
            if not {pair.a, pair.b} <= names or pair.result.winner not in ("a", "b", "tie"):
                raise ValueError(f"a pair must be of two runs. Received: {pair.a!r}, {pair.b!r}")
            _same("auc", {"d_a", "d_b"}, pair.result.auc)
        for cut, each in self.tournaments.items():
            _check_rows(f"rows.{cut}", names, each)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochResults(Results):
    """The metric after some epochs: a tournament for each of them and each cut."""

    epochs: dict[str, dict[str, TournamentResult]]

    @property
    def cuts(self):
        """The cuts' names in each of `epochs`, in the order of the settings."""
        return [str(cut) for cut in self.settings["cuts"]]

    def check_parts(self, names):
        """Raise a `ValueError` unless the parts are of these runs."""
        _check_epochs(self.epochs)
        for epoch, tournaments in self.epochs.items():
            _same(f"epochs.{epoch}", set(self.cuts), tournaments)
            for cut, each in tournaments.items():
                _check_rows(f"epochs.{epoch}.{cut}", names, each)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ErrorResults(Results):
    """The semi-supervised table: errors of each run and control.

    `choices` has the settings that were chosen for each number of labelled images, if any.
    """

    tables: dict[str, SemiSupervisedResult]
    choices: tuple[dict[str, Any], ...] = ()

    def check_parts(self, names):
        """Raise a `ValueError` unless the parts are of these runs."""
        _same("tables", names | set(CONTROLS), self.tables)
        numbers = restore(tuple[int, ...], self.settings.get("n_labelled"), "settings.n_labelled")
        for name, each in self.tables.items():
            cells = [(cell.n_labelled, cell.draw) for cell in each.cells]
            draws = range(each.settings.draws)
            if cells != [(n, draw) for n in each.settings.n_labelled for draw in draws]:
                raise ValueError(f"tables.{name} must have a cell for each n_labelled and draw")
            if len(each.settings.n_labelled) != len(numbers):
                raise ValueError(f"`n_labelled` must be as long as that of tables.{name}")
            _shares(f"tables.{name}", [cell.error for cell in each.cells])


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityResults(Results):
    """The quality of each run's images."""

    quality: dict[str, SampleQuality]

    def check_parts(self, names):
        """Raise a `ValueError` unless the parts are of these runs."""
        _same("quality", names, self.quality)


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityEpochResults(Results):
    """The quality of each run's images after some epochs."""

    quality_after: dict[str, dict[str, SampleQuality]]

    def check_parts(self, names):
        """Raise a `ValueError` unless the parts are of these runs."""
        _check_epochs(self.quality_after)
        for epoch, quality in self.quality_after.items():
            _same(f"quality_after.{epoch}", names, quality)


def _check_epochs(epochs):
    if not epochs or not all(epoch.isdecimal() for epoch in epochs):
        raise ValueError(f"epochs must be numbers. Received: {sorted(epochs)}")


def _check_rows(what, names, tournament):
    _same(what, names, [row.name for row in tournament.rows])
    for row in tournament.rows:
        _same(f"{what}.on_samples", names, row.on_samples)
        _shares(what, [row.on_test, *row.on_samples.values(), *row.auc.values()])


def _same(what, wanted, found):
    if len(found) != len(wanted) or set(found) != wanted:
        raise ValueError(f"{what} must be of {sorted(wanted)}. Received: {sorted(found)}")


def _shares(what, values):
    wrong = [value for value in values if not 0.0 <= value <= 1.0]
    if wrong:
        raise ValueError(f"{what} must hold numbers in [0, 1]. Received: {wrong[0]}")


@dataclasses.dataclass(frozen=True)
class _Choice:
    alpha: float
    n_neighbors: int | None = None
    gamma: float | None = None


@dataclasses.dataclass(frozen=True)
class _Unfinished:
    """What results hold while they grow, of whichever evaluation."""

    grids: dict[str, Grid] | None = None
    pairs: tuple[dict, ...] | None = None
    rows: dict[str, tuple[TournamentRow, ...]] | None = None
    cells: dict[str, tuple[SemiSupervisedCell, ...]] | None = None
    choices: tuple[_Choice, ...] | None = None
    candidates: tuple[CandidateErrors, ...] | None = None
    tables: dict[str, dict] | None = None
    quality: dict[str, SampleQuality] | None = None
    epochs: dict[str, dict[str, TournamentResult]] | None = None
    quality_after: dict[str, dict[str, SampleQuality]] | None = None

    def __post_init__(self):
        if any({"a", "b", "cut"} - pair.keys() for pair in self.pairs or ()):
            raise ValueError("a pair must have a, b and cut")


def check_results(path, name, content):
    """Refuse what cannot be taken up: finished results, or some that an evaluation goes on from.

    Args:
        path: The file.
        name: Name of the evaluation; results of others are not checked.
        content: What the file holds, as JSON gives it.

    Raises:
        EvaluationError: Where the results are not such results.
    """
    if name in _KINDS and content["finished"] is True:
        results_from(path, name, content)
    else:
        restore(bool, content["finished"], f"{path}.finished")
        restore(_Unfinished, content["results"], f"{path}.results")


def results_from(path, name, content):
    """Return the results that a finished file holds.

    Args:
        path: The file.
        name: Name of the evaluation.
        content: What the file holds, as JSON gives it.

    Returns:
        The object of that evaluation, one of the kinds of `Results` in this module.

    Raises:
        EvaluationError: Where the file holds something else than such results.
    """
    kind, parts_of = _KINDS[name]
    try:
        parts = content["identity"] | parts_of(content["results"])
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise EvaluationError(
            f"{path}: holds no results of {name} as this version writes them: "
            f"{type(error).__name__}: {error}"
        ) from error
    return restore(kind, parts | {"path": path}, f"{path}")


def _metric(results):
    # The result itself calls a cut "given" where it was a number.
    named = [pair["cut"] if isinstance(pair["cut"], str) else "given" for pair in results["pairs"]]
    pairs = [
        {"a": pair["a"], "b": pair["b"], "cut": pair["cut"], "result": pair | {"cut": cut}}
        for pair, cut in zip(results["pairs"], named, strict=True)
    ]
    common = {key: results["pairs"][0][key] for key in ("tolerance", "n_samples", "n_test", "seed")}
    tournaments = {cut: common | {"rows": rows} for cut, rows in results["rows"].items()}
    return {"pairs": pairs, "tournaments": tournaments, "grids": results["grids"]}


def _errors(results):
    tables = {name: each | {"labelled_indices": []} for name, each in results["tables"].items()}
    return results | {"tables": tables}


_KINDS = {
    GAM: (MetricResults, _metric),
    GAM_EPOCHS: (EpochResults, dict),
    SEMI_SUPERVISED: (ErrorResults, _errors),
    SAMPLE_QUALITY: (QualityResults, dict),
    QUALITY_EPOCHS: (QualityEpochResults, dict),
}
"""The object of each evaluation, and the function that gives its parts from what JSON holds."""
