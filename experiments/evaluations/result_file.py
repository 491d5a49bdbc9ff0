"""A JSON file of results that grows while an evaluation runs, and that it goes on from."""

import contextlib
import json
from pathlib import Path

from capsgan_keras import files
from capsgan_keras.files import LOCK, file_in_the_way, write_json
from capsgan_keras.runs.lock import working
from capsgan_keras.runs.provenance import git_commit, versions
from experiments.errors import EvaluationError, OtherResultsError
from experiments.evaluations.results import check_results, results_from
from experiments.settings.differences import differences
from experiments.settings.evaluations import result_format

_ADVICE = "Move the file away or choose another --output"


class ResultFile:
    """The results of one evaluation, on disk.

    The file holds `format` (which evaluation), `identity` (data set, runs, settings), `versions`,
    `commit`, `finished` and `results`. One that is there already is taken up where it has the same
    identity, finished or not.

    Args:
        path: The file; its folder is made at the first writing.
        name: Name of the evaluation.
        identity: Dictionary, as JSON can hold it, of everything that the results depend on.
        overwrite: Whether a damaged file, or results of another identity, may be replaced.
        retrained: Names of runs that the same command has trained just now. Results that differ in
            these runs alone, under the same names, are stale: their networks are gone. They are
            replaced without being asked for. Any other difference shows a person's own results.

    Raises:
        OtherResultsError: (an `EvaluationError`) where the file is damaged or holds other results,
            and may not be replaced.
        EvaluationError: Where the file holds something else, or a file is in the place of its
            folder.
    """

    def __init__(self, path, name, identity, overwrite=False, retrained=()):
        self.path = Path(path).expanduser()
        self.name = name
        self.identity = json.loads(json.dumps(identity))  # tuples become lists, as when read back
        self.results = {}
        self.finished = False
        self._source = {"versions": versions(), "commit": git_commit()}
        self._before = self._bytes()
        blocked = file_in_the_way(self.path.parent)
        if blocked is not None:
            raise EvaluationError(f"--output must be a folder. Received: {blocked}, a file")
        if not self.path.exists():
            return
        try:
            content = read_json(self.path)
        except EvaluationError as error:
            self._replace_or_refuse(overwrite, error)
            return
        stored = _check_content(self.path, content, name)
        found = differences(stored["identity"], self.identity)
        if not found:
            try:
                check_results(self.path, name, stored)
            except EvaluationError as error:
                self._replace_or_refuse(overwrite, error)
                return
            self.results, self.finished = stored["results"], stored["finished"]
        elif not overwrite and not self._only_of(retrained, found):
            lines = (f"{name}: {_short(there)}, {_short(here)}" for name, there, here in found)
            different = "\n  ".join(lines)
            raise OtherResultsError(
                f"{self.path}: holds results of other runs or settings. {_ADVICE}, or replace them "
                f"by --overwrite. There and here:\n  {different}"
            )

    def _replace_or_refuse(self, overwrite, error):
        if not overwrite:
            raise OtherResultsError(f"{error}\n{_ADVICE}, or replace it by --overwrite") from error

    def _only_of(self, retrained, found):
        """Return whether all differences are of these runs, which have kept their names."""
        runs = enumerate(self.identity.get("runs", ()))
        stale = {f"runs[{index}]" for index, run in runs if run["name"] in retrained}
        parts = [name.partition(".") for name, _, _ in found]
        return all(run in stale and key != "name" for run, _, key in parts)

    def _bytes(self):
        return self.path.read_bytes() if self.path.is_file() else None

    @contextlib.contextmanager
    def filling(self):
        """Hold the file's lock while the block computes and writes.

        Raises:
            InUseError: Where another process holds it.
            EvaluationError: Where another process has written the file since it was read.
        """
        with working(self.path.with_name(f"{LOCK}-{self.path.name}")):
            if self._bytes() != self._before:
                raise EvaluationError(
                    f"{self.path}: another command has written it since this one began. Give this "
                    "one again"
                )
            yield

    def write(self, finished=False):
        """Write `results`.

        Args:
            finished: Whether nothing is missing any more.

        Raises:
            OSError: Where the file cannot be written.
        """
        self.finished = finished
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "format": result_format(self.name),
            "finished": finished,
            "identity": self.identity,
            **self._source,
            "results": self.results,
        }
        write_json(self.path, content)

    def discard(self):
        """Remove what this command alone has written, which no command could go on with."""
        if self._before is None:
            self.path.unlink(missing_ok=True)

    def read(self):
        """Return the finished results of an evaluation of runs, as `read_results` does."""
        return read_results(self.path, self.name)


def read_results(path, name):
    """Return the results that a finished file of an evaluation of runs holds.

    Args:
        path: The file.
        name: Name of the evaluation.

    Returns:
        `MetricResults`, `ErrorResults` or `QualityResults` of `experiments.evaluations.results`.

    Raises:
        EvaluationError: Where the file is damaged, not finished or holds something else.
    """
    return finished_results(path, name, read_json(path))


def finished_results(path, name, content):
    """Return the results that a file holds whose content was read; as `read_results`."""
    if not _check_content(path, content, name)["finished"]:
        raise EvaluationError(f"{path}: is not finished; the command that began it goes on with it")
    return results_from(path, name, content)


def read_content(path, name):
    """Return the content of a result file, as JSON gives it.

    Args:
        path: The file.
        name: Name of the evaluation that it must be of.

    Raises:
        EvaluationError: Where it holds something else.
    """
    return _check_content(path, read_json(path), name)


def read_json(path):
    """Return the content of a JSON file.

    Raises:
        EvaluationError: Where it is damaged.
    """
    try:
        return files.read_json(path)
    except ValueError as error:
        raise EvaluationError(f"{path}: could not be read. {error}") from error


def _check_content(path, content, name):
    """Return the content of a result file, refuse any other; arguments as in `read_content`."""
    parts = {"format", "finished", "identity", "results"}
    missing = parts - content.keys() if isinstance(content, dict) else parts
    if missing:
        raise EvaluationError(f"{path}: holds no results: it lacks {', '.join(sorted(missing))}")
    if content["format"] != result_format(name):
        raise EvaluationError(
            f"{path}: holds results of {content['format']}, not of {result_format(name)}"
        )
    return content


def _short(value):
    if isinstance(value, list) and value and isinstance(value[0], dict) and "name" in value[0]:
        return " ".join(part["name"] for part in value)
    return json.dumps(value)
