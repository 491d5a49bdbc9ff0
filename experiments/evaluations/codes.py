"""How well classes are predicted from the codes of encoders, kept in a result file."""

import dataclasses
import warnings

import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from capsgan_keras.evaluation import (
    SemiSupervisedCell,
    SemiSupervisedSettings,
    draw_labelled,
    nearest_neighbour_error,
    semi_supervised_error,
)
from capsgan_keras.evaluation.images import flatten
from experiments.errors import EvaluationError
from experiments.evaluations.from_json import restore
from experiments.evaluations.result_file import ResultFile, read_content
from experiments.settings.encoders import CODES, METHODS

PIXELS, PRINCIPAL = "pixels", "pca"
"""Names of what stands beside the codes: raw pixels, and their principal components."""
_LARGEST_ITERATIONS = 1_000


@dataclasses.dataclass(frozen=True)
class CodeResults:
    """The errors of all representations.

    Attributes:
        dataset: Name of the data set.
        n_labelled: Numbers of labelled images.
        errors: For each representation and each method of `METHODS`, and each number of labelled
            images, the errors of all draws.
        latent_dim: Components of a code.
        runs: Names of the runs.
    """

    dataset: str
    n_labelled: tuple[int, ...]
    errors: dict[str, dict[str, tuple[tuple[float, ...], ...]]]
    latent_dim: int
    runs: tuple[str, ...]


def check_codes(settings, dataset):
    """Refuse, before anything is trained, an evaluation that the images cannot serve.

    Args:
        settings: `experiments.settings.encoders.CodeSettings`.
        dataset: `capsgan_keras.datasets.Dataset`.

    Raises:
        EvaluationError: Where there are no labels, no test images, or too few images.
    """
    largest = max(settings.n_labelled)
    lacks = None
    if dataset.y_train is None or dataset.y_test is None or not len(dataset.x_test):
        lacks = "labelled training and test images"
    elif len(dataset.x_train) <= largest:
        count = len(dataset.x_train)
        lacks = f"more than {largest:,} training images (--n-labelled), having {count:,}"
    if lacks:
        raise EvaluationError(
            f"the codes of {dataset.name!r} cannot be evaluated, for it lacks {lacks}. Train with "
            "--no-evaluate"
        )


def evaluate_codes(finished_runs, settings, path, overwrite=False, verbose=1):
    """Compute what is missing from the result file.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns` of BiGANs whose codes
            have one dimension.
        settings: `experiments.settings.encoders.CodeSettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: As in Keras: 1 for a progress bar, 2 for a line at its end.

    Returns:
        The `CodeResults`.

    Raises:
        EvaluationError: Where the images cannot serve, or `path` holds other results.
        ValueError: Where a setting is refused.
        OSError: Where the file cannot be written.
    """
    check_codes(settings, finished_runs.dataset)
    given = dataclasses.asdict(settings)
    table = SemiSupervisedSettings(settings.n_labelled, settings.draws)
    (latent_dim,) = {run.config["settings"]["latent_dim"] for run in finished_runs.runs.values()}
    identity = finished_runs.describe() | {"settings": given | {"latent_dim": latent_dim}}
    file = ResultFile(path, CODES, identity, overwrite, finished_runs.retrained)
    if not file.finished:
        with file.filling():
            _fill(file, finished_runs, table, settings.n_unlabelled, latent_dim, verbose)
    return read_codes(path)


def read_codes(path):
    """Return the `CodeResults` that a finished file holds.

    Raises:
        EvaluationError: Where it is damaged, not finished or holds something else.
    """
    content = read_content(path, CODES)
    if not content["finished"]:
        raise EvaluationError(f"{path}: is not finished; the command that began it goes on with it")
    try:
        identity = content["identity"]
        parts = {
            "dataset": identity["dataset"]["name"],
            "n_labelled": identity["settings"]["n_labelled"],
            "latent_dim": identity["settings"]["latent_dim"],
            "runs": [run["name"] for run in identity["runs"]],
            "errors": content["results"]["errors"],
        }
    except (TypeError, KeyError) as error:
        raise EvaluationError(f"{path}: holds no errors of codes: it lacks {error}") from error
    return restore(CodeResults, parts, str(path))


def _fill(file, finished_runs, table, n_unlabelled, latent_dim, verbose):
    dataset = finished_runs.dataset
    cells = file.results.setdefault("cells", {})
    names = [PIXELS, PRINCIPAL, *finished_runs.runs]
    wanted = len(table.n_labelled) * table.draws
    total = len(names) * len(METHODS) * wanted
    progress = keras.utils.Progbar(total, verbose=verbose, unit_name="cell")
    for name in names:
        keys = {method: f"{name}: {method}" for method in METHODS}
        missing = [method for method in METHODS if len(cells.get(keys[method], ())) < wanted]
        if not missing:
            continue
        features = _representation(name, finished_runs, latent_dim)
        labels = dataset.y_train, dataset.y_test
        pool, test = zip(_unit_range(*features), labels, strict=True)
        for method in missing:
            done = cells.setdefault(keys[method], [])

            def keep(cell, done=done):
                done.append(cell.to_dict())
                file.write()
                count = sum(map(len, cells.values()))
                progress.update(count, finalize=count == total)

            options = {"finished": [SemiSupervisedCell(**cell) for cell in done], "on_cell": keep}
            if method == "nearest":
                nearest_neighbour_error(pool, test, table, **options)
            elif method == "spreading":
                semi_supervised_error(
                    "pool", pool, test, table, n_unlabelled=n_unlabelled, **options
                )
            else:
                linear_probe(pool, test, table, **options)
    errors = {
        name: {method: _errors(cells[f"{name}: {method}"], table) for method in METHODS}
        for name in names
    }
    file.results.clear()
    file.results["errors"] = errors
    file.write(finished=True)


def _errors(cells, table):
    """Return the errors of cells as lists, one for each number of labelled images."""
    by_cell = {(cell["n_labelled"], cell["draw"]): cell["error"] for cell in cells}
    return [[by_cell[n, draw] for draw in range(table.draws)] for n in table.n_labelled]


def _representation(name, finished_runs, latent_dim):
    """Return what classes are predicted from: vectors of all training and of all test images."""
    dataset = finished_runs.dataset
    if name in finished_runs.runs:
        gan = finished_runs.runs[name].gan
        return gan.encode(dataset.x_train), gan.encode(dataset.x_test)
    images = dataset.x_train, dataset.x_test
    pixels = [flatten(each).astype("float32") / 255 for each in images]
    if name == PIXELS:
        return pixels
    principal = PCA(latent_dim, random_state=0).fit(pixels[0])
    return [principal.transform(each) for each in pixels]


def _unit_range(pool, test):
    """Return vectors as images of one row, moved and scaled as a whole to [0, 1].

    This changes no distance but by one factor, so that neighbours stay what they are.
    """
    low = min(pool.min(), test.min())
    span = max(pool.max(), test.max()) - low
    scaled = (np.clip((each - low) / span, 0.0, 1.0) for each in (pool, test))
    return [each[:, np.newaxis, np.newaxis, :] for each in scaled]


def linear_probe(pool, test, table, finished=(), on_cell=None):
    """Return the errors of logistic regression on labelled vectors, as cells.

    Vectors are centred by the mean of the pool, and divided by one number, which makes the mean
    square of their components 1. So the regression's penalty weighs as much for vectors of every
    scale.

    Args:
        pool: Vectors as images `(n, 1, 1, dim)`, and their classes.
        test: Likewise.
        table: `SemiSupervisedSettings`, of which the numbers and the draws are taken.
        finished: Cells that are not computed again.
        on_cell: Function that is called with each cell.
    """
    (x_pool, y_pool), (x_test, y_test) = pool, test
    x_pool, x_test = flatten(x_pool).astype("float64"), flatten(x_test).astype("float64")
    mean = x_pool.mean(axis=0)
    scale = np.sqrt(np.mean(np.square(x_pool - mean)))
    done = {(cell.n_labelled, cell.draw): cell for cell in finished}
    for n in table.n_labelled:
        for draw in range(table.draws):
            if (n, draw) in done:
                continue
            labelled = draw_labelled(y_pool, n, draw, table.seed, table.stratified)
            probe = LogisticRegression(max_iter=_LARGEST_ITERATIONS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # becomes `converged`
                probe.fit((x_pool[labelled] - mean) / scale, y_pool[labelled])
            error = float(np.mean(probe.predict((x_test - mean) / scale) != y_test))
            iterations = int(np.max(probe.n_iter_))
            converged = iterations < _LARGEST_ITERATIONS
            cell = SemiSupervisedCell(n, draw, error, 0, 0, iterations, converged)
            done[n, draw] = cell
            if on_cell is not None:
                on_cell(cell)
    return list(done.values())
