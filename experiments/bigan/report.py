"""The table of the errors of codes, and the figures beside it."""

import numpy as np

from capsgan_keras import BiCoGAN
from capsgan_keras.datasets.registry import dataset_title
from capsgan_keras.files import write_text
from capsgan_keras.plotting import save_figure
from experiments.bigan.figures import reconstructions, walks, wanted_classes
from experiments.evaluations.codes import PIXELS, PRINCIPAL
from experiments.reports.text import mean_and_deviation, table
from experiments.settings.encoders import METHODS


def write_report(results, finished_runs, folder):
    """Write `codes.md` and the figures beside a result file; return the text.

    Args:
        results: `experiments.evaluations.codes.CodeResults`.
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns` of the same runs.
        folder: Where the result file lies, a `Path`.
    """
    text = code_table(results)
    gans = {name: run.gan for name, run in finished_runs.runs.items()}
    images = finished_runs.dataset.x_test
    figures = {"reconstructions": reconstructions(gans, images)}
    figures |= {f"walks-{name}": walks(gan, images) for name, gan in gans.items()}
    of_classes = {name: gan for name, gan in gans.items() if isinstance(gan, BiCoGAN)}
    figures |= {f"classes-{name}": wanted_classes(gan) for name, gan in of_classes.items()}
    for name, figure in figures.items():
        save_figure(folder / f"{name}.png", figure)
    write_text(folder / "codes.md", text + "\n")
    names = ", ".join(f"{name}.png" for name in figures)
    return f"{text}\n\nIn {folder}: codes.json, codes.md, {names}"


def code_table(results):
    """Return the table of the errors, as Markdown: a line for each kind of codes.

    Runs of one model are one line: the mean over their seeds of each seed's mean over the draws,
    with the deviation over the seeds; for a single run, pixels and principal components the
    deviation is over the draws.

    Args:
        results: `experiments.evaluations.codes.CodeResults`.
    """
    lines = {PIXELS: [PIXELS], f"{PRINCIPAL}, {results.latent_dim} components": [PRINCIPAL]}
    for name in results.runs:
        lines.setdefault(f"{name.rpartition('-seed')[0] or name}", []).append(name)
    heads = [f"{title}, n = {n:,}" for title in METHODS.values() for n in results.n_labelled]
    cells = []
    for title, names in lines.items():
        seeds = f" ({len(names)} seeds)" if len(names) > 1 else ""
        cells.append([title + seeds, *_errors(results, names)])
    title = f"Test errors from codes on {dataset_title(results.dataset)}; mean ± deviation"
    return f"{title}\n\n{table(['codes', *heads], cells)}"


def _errors(results, names):
    for method in METHODS:
        for index in range(len(results.n_labelled)):
            draws = [results.errors[name][method][index] for name in names]
            values = draws[0] if len(names) == 1 else [np.mean(each) for each in draws]
            yield mean_and_deviation(values, ".4f")
