"""A JSON file of results that grows while an evaluation runs, and that it goes on from."""

import json
from pathlib import Path

from capsgan_keras.files import file_in_the_way, write_json
from capsgan_keras.runs.provenance import git_commit, versions
from experiments.errors import EvaluationError


class ResultFile:
    """The results of one evaluation, on disk.

    The file holds `format` (which evaluation), `identity` (data set, runs, settings), `versions`,
    `commit`, `finished` and `results`. One that is there already is taken up where it has the same
    identity, finished or not.

    Args:
        path: The file; its folder is made at the first writing.
        kind: Name of the evaluation.
        identity: Dictionary, as JSON can hold it, of everything that the results depend on.
        overwrite: Whether a damaged file, or results of another identity, may be replaced.

    Raises:
        EvaluationError: Where the file holds something else, or is damaged or holds other results
            and `overwrite` is not given; where a file is in the place of its folder.
    """

    def __init__(self, path, kind, identity, overwrite=False):
        self.path = Path(path).expanduser()
        self.kind = kind
        self.identity = json.loads(json.dumps(identity))  # tuples become lists, as when read back
        self.results = {}
        self.finished = False
        self._source = {"versions": versions(), "commit": git_commit()}
        blocked = file_in_the_way(self.path.parent)
        if blocked is not None:
            raise EvaluationError(f"--output must be a folder. Received: {blocked}, a file")
        if not self.path.exists():
            return
        try:
            content = read_json(self.path)
        except EvaluationError as error:
            if overwrite:
                return
            advice = "Choose another --output, or replace the file by --overwrite"
            raise EvaluationError(f"{error}\n{advice}") from error
        stored = check_results(self.path, content, kind)
        differences = differences_between(stored["identity"], self.identity)
        if not differences:
            self.results, self.finished = stored["results"], stored["finished"]
        elif not overwrite:
            differences = "\n  ".join(differences)
            raise EvaluationError(
                f"{self.path}: holds results of other runs or settings. Choose another --output, "
                f"or replace them by --overwrite. There and here:\n  {differences}"
            )

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
            "format": self.kind,
            "finished": finished,
            "identity": self.identity,
            **self._source,
            "results": self.results,
        }
        write_json(self.path, content)


def read_results(path, kind=None):
    """Return the content of a result file.

    Args:
        path: The file.
        kind: The evaluation that it must be of; None for any.

    Raises:
        EvaluationError: Where it holds something else.
    """
    return check_results(path, read_json(path), kind)


def read_json(path):
    """Return the content of a JSON file.

    Raises:
        EvaluationError: Where it is damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvaluationError(f"{path}: could not be read. {error}") from error


def check_results(path, content, kind):
    """Return the content of a result file, refuse any other; arguments as in `read_results`."""
    parts = {"format", "finished", "identity", "results"}
    missing = parts - content.keys() if isinstance(content, dict) else parts
    if missing:
        raise EvaluationError(f"{path}: holds no results: it lacks {', '.join(sorted(missing))}")
    if kind not in (None, content["format"]):
        raise EvaluationError(f"{path}: holds results of {content['format']}, not of {kind}")
    return content


def differences_between(stored, asked, name=""):
    """Return a line for each value that two JSON values have not in common.

    A key that one of them lacks counts as null there: settings that the package did not have yet
    when a file was written, and whose default is None, make no difference.
    """
    if isinstance(stored, dict) and isinstance(asked, dict):
        keys = list(dict.fromkeys([*stored, *asked]))
        parts = [
            (f"{name}.{key}" if name else key, stored.get(key), asked.get(key)) for key in keys
        ]
    elif isinstance(stored, list) and isinstance(asked, list) and len(stored) == len(asked):
        pairs = enumerate(zip(stored, asked, strict=True))
        parts = [(f"{name}[{index}]", *pair) for index, pair in pairs]
    else:
        return [] if stored == asked else [f"{name}: {_short(stored)}, {_short(asked)}"]
    return [line for key, *pair in parts for line in differences_between(*pair, key)]


def _short(value):
    if isinstance(value, list) and value and isinstance(value[0], dict) and "name" in value[0]:
        return " ".join(part["name"] for part in value)
    return json.dumps(value)
