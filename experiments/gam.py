"""Let the discriminators of finished runs judge each other's images: the metric of section 5.2.

The generative adversarial metric of the paper (arXiv 1802.06167, equations 4 and 5) for each pair
of a convolutional GAN and a CapsuleGAN, with the paper's cut and with each loss's own balance, and
all discriminators against all generators.

    python -m experiments.gam runs/mnist/convolutional-seed0 runs/mnist/capsule-seed0

Writes gam.json, which `python -m experiments.report` reads. `python -m experiments.mnist --seeds 3`
trains the runs and ends with it. The paper has r_samples 0.79 and r_test
1.0 on MNIST, 1.0 and 0.72 on CIFAR-10. Time: about 30 s for two runs on 2 CPU cores.
"""

import argparse
import dataclasses
import sys

from experiments.command_line import evaluation as evaluation_command
from experiments.settings.evaluations import CUTS, MetricSettings, result_format

KIND = result_format("gam")


def main(argv=None):
    """Run the command line and return the exit status."""
    defaults = MetricSettings()
    command = evaluation_command.parser("gam", __doc__)
    command.add_argument(
        "--samples",
        type=int,
        default=defaults.n_samples,
        help=f"images that each model generates (default: {defaults.n_samples})",
    )
    command.add_argument(
        "--cut",
        nargs="+",
        type=_cut,
        default=list(defaults.cuts),
        help="scores from which on an image counts as real: paper (0.5), calibrated (where each "
        "loss has its balance) or numbers, one metric for each (default: paper calibrated)",
    )
    command.add_argument("--seed", type=int, default=defaults.seed, help="sets the images (0)")
    command.add_argument(
        "--tolerance",
        type=float,
        default=defaults.tolerance,
        help="how far from 1 r_test may be for there to be a winner (default: 0.1)",
    )

    def evaluate(arguments, finished_runs, path):
        settings = MetricSettings(
            n_samples=arguments.samples,
            cuts=tuple(arguments.cut),
            seed=arguments.seed,
            tolerance=arguments.tolerance,
        )
        return play(finished_runs, settings, path, arguments.overwrite, arguments.verbose)

    return evaluation_command.main(command, argv, evaluate)


def _cut(word):
    try:
        return word if word in CUTS else float(word)
    except ValueError:
        expected = f"{', '.join(CUTS)} or a number from 0 to 1"
        raise argparse.ArgumentTypeError(f"must be {expected}. Received: {word}") from None


def play(finished_runs, settings, path, overwrite=False, verbose=1):
    """Compute what is missing from the result file, and return its tables as Markdown.

    Args:
        finished_runs: `experiments.evaluations.finished_runs.FinishedRuns`, two or more.
        settings: `MetricSettings`.
        path: The result file.
        overwrite: Whether results of other runs or settings may be replaced.
        verbose: 1 for a progress bar.

    Raises:
        EvaluationError: Where there is a single run, or no test image, or `path` holds others.
        ValueError: Where the metric refuses a setting.
        OSError: Where the file cannot be written.
    """
    from experiments.errors import EvaluationError
    from experiments.evaluations.result_file import ResultFile
    from experiments.reports.tables import metric_tables

    runs, x_test = finished_runs.runs, finished_runs.dataset.x_test
    if len(runs) < 2:
        raise EvaluationError(f"The metric needs two runs or more. Received: {', '.join(runs)}")
    if not len(x_test):
        raise EvaluationError(
            f"{finished_runs.dataset.name}: the metric needs test images, and there are none"
        )
    identity = finished_runs.describe() | {"settings": dataclasses.asdict(settings)}
    file = ResultFile(path, KIND, identity, overwrite)
    if not file.finished:
        _fill(file, runs, x_test, settings, verbose)
    return metric_tables(file.identity, file.results)


def _fill(file, runs, x_test, settings, verbose):
    import keras

    from capsgan_keras.evaluation import (
        Remembered,
        TournamentRow,
        generative_adversarial_metric,
        tournament,
    )
    from capsgan_keras.plotting import image_grid, png
    from capsgan_keras.runs.directory import SAMPLE_COLUMNS, SAMPLE_ROWS, sample_images

    models = {name: Remembered(run.gan) for name, run in runs.items()}
    pairs = opponents({name: run.config["settings"]["model"] for name, run in runs.items()})
    results = file.results
    results.setdefault("grids", {})
    results.setdefault("pairs", [])
    rows = results.setdefault("rows", {})
    done = [(pair["a"], pair["b"], pair["cut"]) for pair in results["pairs"]]
    total = len(runs) + (len(pairs) + len(runs)) * len(settings.cuts)
    progress = keras.utils.Progbar(total, verbose=verbose, unit_name="part")

    def keep():
        file.write()
        parts = sum(map(len, (results["grids"], results["pairs"], *rows.values())))
        progress.update(parts, finalize=parts == total)

    for name, run in runs.items():
        if name not in results["grids"]:
            seed = run.config["settings"]["seed"]
            grid = image_grid(sample_images(run.gan, seed), SAMPLE_ROWS, SAMPLE_COLUMNS)
            results["grids"][name] = {"seed": seed, "png": png(grid)}
            keep()
    for cut in settings.cuts:
        options = {
            "n_samples": settings.n_samples,
            "cut": cut,
            "seed": settings.seed,
            "tolerance": settings.tolerance,
        }
        for a, b in pairs:
            if (a, b, cut) not in done:
                result = generative_adversarial_metric(models[a], models[b], x_test, **options)
                results["pairs"].append({"a": a, "b": b} | result.to_dict() | {"cut": cut})
                keep()
        its_rows = rows.setdefault(str(cut), [])

        def on_row(row, its_rows=its_rows):
            its_rows.append(row.to_dict())
            keep()

        finished = [TournamentRow(**row) for row in its_rows]
        tournament(models, x_test, **options, finished=finished, on_row=on_row)
    file.write(finished=True)


def opponents(models):
    """Return the pairs `(a, b)` of runs that the metric compares.

    Args:
        models: Dictionary from a run's name to its model.

    Returns:
        Every convolutional GAN as a with every CapsuleGAN as b, as in the paper; where all runs
        are of one model, every two runs in their order.
    """
    convolutional = [name for name, model in models.items() if model == "convolutional"]
    capsule = [name for name, model in models.items() if model == "capsule"]
    if convolutional and capsule:
        return [(a, b) for a in convolutional for b in capsule]
    names = list(models)
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]


if __name__ == "__main__":
    sys.exit(main())
