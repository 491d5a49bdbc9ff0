"""What result files hold, as one object each, from the JSON file to tables and figures."""

import dataclasses
from pathlib import Path
from typing import Any

from capsgan_keras.evaluation import (
    GamResult,
    SampleQuality,
    SemiSupervisedResult,
    TournamentResult,
)
from experiments.errors import EvaluationError
from experiments.evaluations.from_json import restore
from experiments.settings.evaluations import (
    GAM,
    SAMPLE_QUALITY,
    SEMI_SUPERVISED,
    test_images_name,
)


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class ErrorResults(Results):
    """The semi-supervised table: errors of each run and control.

    `choices` has the settings that were chosen for each number of labelled images, if any.
    """

    tables: dict[str, SemiSupervisedResult]
    choices: tuple[dict[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class QualityResults(Results):
    """The quality of each run's images."""

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
    SEMI_SUPERVISED: (ErrorResults, _errors),
    SAMPLE_QUALITY: (QualityResults, dict),
}
"""The object of each evaluation, and the function that gives its parts from what JSON holds."""
