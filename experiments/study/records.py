"""What the files of a study hold: the place of each value, its type, and one object of all."""

import dataclasses
from typing import Annotated, get_type_hints

from experiments.errors import EvaluationError
from experiments.evaluations.from_json import restore
from experiments.evaluations.result_file import read_content
from experiments.study.cases import CASES, PROOF, StudySizes

RUN, CONTROLS, ROUTINGS = "study", "study controls", "study routings"


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """One case with one seed. What was measured of its images is None where training diverged."""

    case: Annotated[str, "identity.case"]
    seed: Annotated[int, "identity.seed"]
    precision: Annotated[str, "identity.settings.precision"]
    dataset: Annotated[str, "identity.dataset.name"]
    sizes: Annotated[StudySizes, "identity.sizes"]
    parameters: Annotated[dict[str, int], "results.parameters"]
    seconds: Annotated[float, "results.seconds.training"]
    steps: Annotated[tuple[int, ...], "results.curve.step"]
    real_curve: Annotated[tuple[float, ...], "results.curve.d_real"]
    fake_curve: Annotated[tuple[float, ...], "results.curve.d_fake"]
    equilibrium: Annotated[float, "results.equilibrium"]
    d_real: Annotated[float | None, "results.life.d_real"]
    d_fake: Annotated[float | None, "results.life.d_fake"]
    died: Annotated[bool, "results.life.died"]
    died_at: Annotated[int | None, "results.life.died_at"]
    confident: Annotated[float | None, "results.measured.recognised.confident"]
    in_proportion: Annotated[float | None, "results.measured.recognised.in_proportion"]
    frechet_distance: Annotated[float | None, "results.measured.frechet_distance"]
    error: Annotated[tuple[float] | None, "results.measured.label_spreading.mean"]
    border_contrast: Annotated[float | None, "results.measured.border_contrast"]
    images: Annotated[str | None, "results.measured.images"]


@dataclasses.dataclass(frozen=True)
class Controls:
    """What stands beside the generators of one data set: test images, and label spreading."""

    dataset: Annotated[str, "identity.dataset.name"]
    sizes: Annotated[StudySizes, "identity.sizes"]
    confident: Annotated[float, "results.recognised.confident"]
    in_proportion: Annotated[float, "results.recognised.in_proportion"]
    border_contrast: Annotated[float, "results.border_contrast"]
    nearest_labelled: Annotated[tuple[float], "results.label_spreading.nearest_labelled.mean"]
    labels_only: Annotated[tuple[float], "results.label_spreading.labels_only.mean"]
    real_unlabelled: Annotated[tuple[float], "results.label_spreading.real_unlabelled.mean"]


@dataclasses.dataclass(frozen=True)
class RoutingPair:
    """Two trainings with different numbers of routings, and how many of their weights differ."""

    routings: tuple[int, int]
    steps: int
    numbers: int
    different: int


@dataclasses.dataclass(frozen=True)
class Study:
    """All files of a study: the runs of each case by seed, controls, the pairs of routings."""

    runs: dict[str, list[StudyRun]]
    controls: list[Controls]
    routings: dict[str, RoutingPair]
    sizes: StudySizes | None


def read_study(folder):
    """Return the `Study` that a folder holds, finished or not.

    Raises:
        EvaluationError: Where there is nothing of it, or files are damaged or of different sizes.
    """
    paths = sorted(folder.glob("[!.]*-seed*.json"))
    runs = [_read_named(StudyRun, RUN, path, "{0.case}-seed{0.seed}") for path in paths]
    paths = sorted(folder.glob("controls-*.json"))
    controls = [_read_named(Controls, CONTROLS, path, "controls-{0.dataset}") for path in paths]
    routings = {}
    for path in folder.glob(f"{PROOF}.json"):
        results = read_content(path, ROUTINGS)["results"]
        routings = restore(dict[str, RoutingPair], results, str(path))
    if not runs and not routings:
        raise EvaluationError(f"{folder}: holds no runs of the study")
    sizes = list({each.sizes for each in [*runs, *controls]}) or [None]
    if len(sizes) > 1:
        raise EvaluationError(f"{folder}: holds runs or controls of different sizes")
    runs.sort(key=lambda run: run.seed)
    by_case = {case.name: [run for run in runs if run.case == case.name] for case in CASES}
    made = {name: its_runs for name, its_runs in by_case.items() if its_runs}
    return Study(made, controls, routings, sizes[0])


def _read_named(record, kind, path, name):
    """Return what a file holds; refuse it under the name of another, as a copy would have."""
    held = read_record(record, kind, path)
    if path.stem != name.format(held):
        raise EvaluationError(f"{path}: is of another name, {name.format(held)}.json: a copy?")
    return held


def read_record(record, kind, path):
    """Return what a file of some kind holds, a `StudyRun` or `Controls`, each value checked."""
    content, values = read_content(path, kind), {}
    for name, hint in get_type_hints(record, include_extras=True).items():
        (place,), value = hint.__metadata__, content
        for key in place.split("."):
            if isinstance(value, dict) and key not in value:
                raise EvaluationError(f"{path}: lacks {place}")
            value = value[key] if isinstance(value, dict) else None
        values[name] = restore(hint.__origin__, value, f"{path}: {place}")
    return record(**values)
