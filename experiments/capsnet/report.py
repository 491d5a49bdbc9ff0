"""The table of finished runs of classifiers."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from capsgan_keras.files import write_text
from experiments.capsnet.card import MEASURES
from experiments.capsnet.directory import ClassifierDirectory
from experiments.errors import EvaluationError
from experiments.reports.text import mean_and_deviation, table

_HEADS = {
    "test_error": "test error, %",
    "affine_error": "affine error, %",
    "overlap_exact_match": "overlap, both found, %",
}
_PART = re.compile(r"(<!-- capsnet: (\S+) -->\n).*?(<!-- end of capsnet -->)", re.DOTALL)


def report(folders: Iterable[Path]) -> str:
    """Return a Markdown table of the finished runs in some folders, or below them.

    Runs that differ in nothing but their seed share a line, with the mean and the deviation.

    Raises:
        EvaluationError: Where there is none.
        RunError: Where a file is damaged.
    """
    groups: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    # The last part tells groups apart by all settings but the seed; it is not shown.
    for directory in _finished(folders):
        config, metrics = directory.read_config(), directory.read_metrics()
        settings = config["settings"]
        key = (
            config["dataset"]["name"],
            settings["model"],
            settings["width"],
            "pairs" if settings["overlap"] else "single",
            metrics["epochs"],
            tuple(metrics["image_shape"][:2]),
            json.dumps(settings | {"seed": None}, sort_keys=True),
        )
        groups[key].append(metrics)
    if not groups:
        raise EvaluationError(f"No finished run of a classifier in {', '.join(map(str, folders))}")
    measured = [name for name in MEASURES if any(name in m for g in groups.values() for m in g)]
    heads = ["data", "network", "width", "trained on", "epochs", "sides", "seeds"]
    heads += [*(_HEADS[name] for name in measured), "parameters", "s an epoch"]
    return table(heads, [_line(key, groups[key], measured) for key in sorted(groups)])


def fill(page: Path, folders: Iterable[Path]) -> None:
    """Put the table between `<!-- capsnet: NAME -->` and `<!-- end of capsnet -->` of a page.

    NAME is the last part of a folder's path.

    Raises:
        EvaluationError: Where the page has no such lines for one of the folders.
    """
    text = page.read_text(encoding="utf-8")
    by_name = {Path(folder).resolve().name: folder for folder in folders}
    lacking = set(by_name) - {match[2] for match in _PART.finditer(text)}
    if lacking:
        raise EvaluationError(
            f"{page}: lacks the lines <!-- capsnet: {min(lacking)} --> and <!-- end of capsnet -->"
        )

    def filled(match: re.Match) -> str:
        if match[2] not in by_name:
            return match[0]
        return f"{match[1]}{report([by_name[match[2]]])}\n{match[3]}"

    write_text(page, _PART.sub(filled, text))


def _line(key: tuple, runs: list[dict[str, Any]], measured: list[str]) -> list[str]:
    dataset, model, width, trained_on, epochs, sides, _ = key
    words = [dataset, model, f"{width:g}", trained_on, str(epochs), "x".join(map(str, sides))]
    numbers = []
    for name in measured:
        values = [100 * run[name] for run in runs if name in run]
        numbers.append(mean_and_deviation(values, ".2f") if values else "-")
    parameters = f"{runs[0]['parameters']['classifier']:,}"
    seconds = mean_and_deviation([run["seconds_per_epoch"] for run in runs], ".0f")
    return [*words, str(len(runs)), *numbers, parameters, seconds]


def _finished(folders: Iterable[Path]) -> list[ClassifierDirectory]:
    configs = {path for folder in folders for path in Path(folder).rglob("config.json")}
    directories = [ClassifierDirectory(path.parent) for path in sorted(configs)]
    return [directory for directory in directories if directory.finished]
