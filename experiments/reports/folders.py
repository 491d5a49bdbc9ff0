"""All results below a folder, as objects."""

import dataclasses
from pathlib import Path

from experiments.errors import EvaluationError
from experiments.evaluations.result_file import finished_results, read_json
from experiments.evaluations.results import ErrorResults, MetricResults, QualityResults
from experiments.settings.evaluations import EVALUATIONS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluations:
    """The results right in one folder.

    Attributes:
        folder: The folder.
        gam, semi_supervised, sample_quality: The results of each evaluation, or None.
    """

    folder: Path
    gam: MetricResults | None = None
    semi_supervised: ErrorResults | None = None
    sample_quality: QualityResults | None = None

    @property
    def all(self):
        """The results that are there, as a list."""
        results = (getattr(self, name) for name in EVALUATIONS)
        return [each for each in results if each is not None]

    @property
    def dataset(self):
        """The data set's name."""
        return self.all[0].dataset.name

    @property
    def runs(self):
        """The records of all runs, as a dictionary from their names."""
        return {run.name: run for results in self.all for run in results.runs}


def read_folders(folder):
    """Return the results below a folder.

    Args:
        folder: Where to look.

    Returns:
        Dictionary from each folder with results to its `Evaluations`.

    Raises:
        EvaluationError: Where there are none, or some are damaged or not finished.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise EvaluationError(f"{folder}: is not a folder that exists")
    folders = {}
    for path in sorted(folder.rglob("*.json")):
        if path.stem not in EVALUATIONS:
            continue
        content = read_json(path)
        if isinstance(content, dict) and "format" in content:  # not another program's of that name
            results = finished_results(path, path.stem, content)
            folders.setdefault(path.parent, {})[path.stem] = results
    if not folders:
        wanted = ", ".join(f"{name}.json" for name in EVALUATIONS)
        raise EvaluationError(f"{folder}: holds no results: no {wanted}")
    return {place: Evaluations(folder=place, **files) for place, files in folders.items()}
