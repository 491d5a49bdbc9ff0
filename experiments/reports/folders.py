"""All results below a folder, as objects."""

import dataclasses
from pathlib import Path

from experiments.errors import EvaluationError
from experiments.evaluations.result_file import finished_results, read_json
from experiments.evaluations.results import (
    EpochResults,
    ErrorResults,
    MetricResults,
    QualityEpochResults,
    QualityResults,
)
from experiments.reports.paper import TITLES
from experiments.settings.evaluations import EVALUATIONS, OVER_EPOCHS, SEMI_SUPERVISED


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluations:
    """The results right in one folder.

    Attributes:
        folder: The folder.
        gam, semi_supervised, sample_quality: The results of each evaluation, or None.
        gam_epochs, quality_epochs: Both over the epochs of training, or None.
        more_errors: Semi-supervised tables with the other kernel.
    """

    folder: Path
    gam: MetricResults | None = None
    semi_supervised: ErrorResults | None = None
    sample_quality: QualityResults | None = None
    gam_epochs: EpochResults | None = None
    quality_epochs: QualityEpochResults | None = None
    more_errors: tuple[ErrorResults, ...] = ()

    @property
    def all(self):
        """The results that are there, as a list."""
        results = [getattr(self, name) for name in (*EVALUATIONS, *OVER_EPOCHS)]
        return [each for each in (*results, *self.more_errors) if each is not None]

    @property
    def error_tables(self):
        """The semi-supervised tables of both kernels that are there, as a list."""
        return [each for each in (self.semi_supervised, *self.more_errors) if each is not None]

    @property
    def has_rbf_errors(self):
        """Whether there is a table with the RBF kernel and runs of both models."""
        return bool(self._rbf_tables)

    @property
    def rbf_errors(self):
        """The table with the RBF kernel and runs of both models.

        That with a chosen gamma, if there is such.

        Raises:
            EvaluationError: Where there is none.
        """
        if not self.has_rbf_errors:
            raise EvaluationError(
                f"{self.folder}: must hold errors on {self.dataset} with --kernel rbf, of both "
                "models, to be added to a table"
            )
        return max(self._rbf_tables, key=lambda each: bool(each.choices))

    @property
    def _rbf_tables(self):
        return [
            each
            for each in self.more_errors
            if each.settings["kernel"] == "rbf" and all(each.runs_of(model) for model in TITLES)
        ]

    @property
    def settings_name(self):
        """What the settings are called: as the folder, or "ours" in that of the data set."""
        name = self.folder.name
        return "ours" if name == self.dataset else name.replace("-", " ")

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
    folders, others = {}, []
    for path in sorted(folder.rglob("*.json")):
        name, _, variant = path.stem.partition("-")
        if name not in (*EVALUATIONS, *OVER_EPOCHS) or (variant and name != SEMI_SUPERVISED):
            continue
        content = read_json(path)
        if isinstance(content, dict) and "format" in content:  # not another program's of that name
            results = finished_results(path, name, content)
            found = folders.setdefault(path.parent, {})
            if variant:
                found["more_errors"] = (*found.get("more_errors", ()), results)
            else:
                found[name] = results
        else:
            others.append(str(path))
    if not folders:
        wanted = ", ".join(f"{name}.json" for name in EVALUATIONS)
        instead = f". Not such results: {', '.join(others)}" if others else ""
        raise EvaluationError(f"{folder}: holds no results: no {wanted}{instead}")
    return {place: Evaluations(folder=place, **files) for place, files in folders.items()}
