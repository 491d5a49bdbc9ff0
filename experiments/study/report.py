"""The study's table and figure, from its JSON files alone."""

import base64
import io

import numpy as np
from matplotlib import image
from matplotlib.figure import Figure

from capsgan_keras.files import write_text
from capsgan_keras.plotting import save_figure
from experiments.errors import EvaluationError
from experiments.evaluations.result_file import read_results
from experiments.reports.tables import CONTROLS as CONTROL_TITLES
from experiments.reports.tables import NETWORKS, table
from experiments.study.__main__ import CONTROLS, KIND, PROOF, ROUTINGS
from experiments.study.cases import CASES, RATES
from experiments.study.measuring import BORDER, DEAD, LAST_SHARE
from experiments.study.sentences import mean_and_deviation, recognised, sentences


def write_report(folder):
    """Write `study.md` and `study.png` beside the files of a study.

    Args:
        folder: Where they are, a `Path`.

    Returns:
        The text of `study.md` and where it lies.

    Raises:
        EvaluationError: Where there are no runs, or files are damaged or of different studies.
        OSError: Where a file cannot be read or written.
    """
    runs, controls, routings = read_study(folder)
    text = markdown(runs, controls, routings)
    save_figure(folder / "study.png", figure(runs))
    write_text(folder / "study.md", text)
    return f"{text}\nIn {folder / 'study.md'} and study.png"


def read_study(folder):
    """Read the files of a study, finished or not.

    Args:
        folder: Where they are, a `Path`.

    Returns:
        Three parts: a dictionary from the names of the cases that have runs, in the order of
        `CASES`, to the contents of their files, by seed; one from the names of data sets to the
        contents of the files of controls; and the content of the comparison of routings, or None.

    Raises:
        EvaluationError: As `write_report`.
    """
    runs = {}
    for case in CASES:
        paths = folder.glob(f"{case.name}-seed*.json")
        contents = [read_results(path, KIND) for path in paths]
        if contents:
            runs[case.name] = sorted(contents, key=lambda content: content["identity"]["seed"])
    if not runs:
        raise EvaluationError(f"{folder}: holds no runs of the study")
    controls = [read_results(path, CONTROLS) for path in sorted(folder.glob("controls-*.json"))]
    controls = {content["identity"]["dataset"]["name"]: content for content in controls}
    path = folder / f"{PROOF}.json"
    routings = read_results(path, ROUTINGS) if path.exists() else None
    everything = [*(run for each in runs.values() for run in each), *controls.values()]
    if any(each["identity"]["sizes"] != _sizes(runs) for each in everything):
        raise EvaluationError(f"{folder}: holds runs or controls of different sizes")
    return runs, controls, routings


def _sizes(runs):
    return next(iter(runs.values()))[0]["identity"]["sizes"]


def markdown(runs, controls, routings):
    """Return the study as Markdown: its sentences, its table, and what its columns are.

    Args:
        runs, controls, routings: What `read_study` returned.
    """
    cases = [case for case in CASES if case.name in runs]
    sizes = _sizes(runs)
    n = sizes["n_labelled"]
    heads = [
        "question",
        "setting",
        "name",
        "data",
        "seeds",
        "parameters of D",
        "D(real)",
        "D(generated)",
        "balance",
        "generators dead",
        "recognised",
        "recognised in proportion",
        "Fréchet distance",
        f"error, n = {n}",
        "border",
        "s a run",
    ]
    lines = [_line(case, runs[case.name]) for case in cases]
    for name, content in controls.items():
        lines += _control_lines(name, content["results"], len(heads))
    parts = [
        "# Study",
        "Made by `python -m experiments.study --report` from the JSON files in this folder.",
        *sentences(runs),
        table(heads, lines),
        _notes(sizes, runs),
    ]
    if routings is not None:
        parts.append(_routings(routings["results"]))
    parts.append("![D's outputs and the recognised share](study.png)")
    return "\n\n".join(parts) + "\n"


def _line(case, runs):
    results = [run["results"] for run in runs]
    measured = [result["measured"] for result in results if result["measured"]]
    lives = [result["life"] for result in results]
    dead = [life["died_at"] for life in lives if life["died"]]
    sizes = {result["parameters"][NETWORKS[1]] for result in results}
    return [
        case.question,
        case.change,
        f"`{case.name}`",
        runs[0]["identity"]["dataset"]["name"],
        str(len(runs)),
        " / ".join(f"{size:,}" for size in sorted(sizes)),
        _mean([life["d_real"] for life in lives]),
        _mean([life["d_fake"] for life in lives]),
        f"{results[0]['equilibrium']:.3f}",
        f"{len(dead)} of {len(runs)}"
        + (f" (after step {', '.join(map(str, dead))})" if dead else ""),
        _mean([each["recognised"]["confident"] for each in measured]),
        _mean([each["recognised"]["in_proportion"] for each in measured]),
        _mean([each["frechet_distance"] for each in measured], 2),
        _mean([each["label_spreading"]["mean"][0] for each in measured], 4),
        _mean([each["border_contrast"] for each in measured], 1),
        f"{np.mean([result['seconds']['training'] for result in results]):.0f}",
    ]


def _mean(values, digits=3):
    """Return the mean and deviation of the values that are there, as a text."""
    values = [value for value in values if value is not None]
    return mean_and_deviation(values, digits) if values else "none"


def _control_lines(name, results, width):
    empty = [""] * width
    lines = []
    real = [
        "control",
        "test images",
        "",
        name,
        *[""] * 6,
        f"{results['recognised']['confident']:.3f}",
        f"{results['recognised']['in_proportion']:.3f}",
        "",
        "",
        f"{results['border_contrast']:.1f}",
        "",
    ]
    lines.append(real)
    for control, spreading in results["label_spreading"].items():
        line = ["control", CONTROL_TITLES[control], "", name, *empty[4:]]
        line[13] = f"{spreading['mean'][0]:.4f}"
        lines.append(line)
    return lines


def _notes(sizes, runs):
    precisions = {
        run["identity"]["settings"]["precision"] for each in runs.values() for run in each
    }
    return (
        f"Runs of {sizes['steps']:,} steps with constant learning rates, "
        f"{' and '.join(sorted(precisions))}; mean ± standard deviation over the seeds. D(real), "
        f"D(generated): mean outputs in training over the last {LAST_SHARE:.0%} of the steps; "
        "balance: the best D's output where real and generated images are alike. A generator is "
        f"dead where D(generated) is below {DEAD:g} and less than {DEAD:g} of its images are "
        "recognised in proportion; the step is the last before D(generated) stayed below. "
        f"Recognised: the share of {sizes['n_samples']:,} images of which a classifier is sure "
        "(above 0.9), noise too; in proportion: each class counted up to its share among the test "
        "images, so that images of one class count for no more than that. Fréchet distance: in the "
        "classifier's features, not an Inception network's. Error: label spreading with "
        f"{sizes['n_labelled']} labelled and {sizes['n_unlabelled']:,} generated images, mean of "
        f"{sizes['draws']} draws. Border: deviation over the images of the pixels at most {BORDER} "
        "from the edge, in grey levels."
    )


def _routings(results):
    lines = []
    for pair in results.values():
        low, high = pair["routings"]
        lines.append(f"{low} and {high}: {pair['different']:,} of {pair['numbers']:,}")
    package, computed, leaky = lines
    steps = results["package"]["steps"]
    return (
        f"Numbers of the weights that differ in any bit after {steps} steps with one final "
        f"capsule. Routings {package}, in the package's layer; routings {computed}, with every "
        f"coupling computed. With leaky routing, where couplings are not 1, routings {leaky}."
    )


def figure(runs):
    """Draw D's outputs over the steps for each ratio of rates, and every setting's recognition.

    Args:
        runs: The first part of what `read_study` returned.

    Returns:
        A `matplotlib.figure.Figure` that belongs to no window.
    """
    drawn = Figure(figsize=(14.0, 9.0), layout="constrained")
    curves, bars = drawn.subfigures(2, 1, height_ratios=(1.0, 1.1))
    grid = curves.subplots(2, len(RATES), height_ratios=(6, 1), squeeze=False)
    for (ratio, name), axes, strip in zip(RATES.items(), *grid, strict=True):
        axes.set(title=f"rate of D to that of G: {ratio}", xlabel="step", ylim=(-0.02, 1.02))
        strip.set_axis_off()
        for index, run in enumerate(runs.get(name, ())):
            _draw_curve(axes, run["results"], first=index == 0)
        if name in runs:
            axes.legend(fontsize="small")
        _draw_images(strip, runs.get(name, ()))
    grid[0, 0].set_ylabel("D's mean output")
    _draw_recognition(bars.subplots(), runs)
    return drawn


def _draw_curve(axes, results, first):
    curve = results["curve"]
    for key, color, label in (("d_real", "C0", "real"), ("d_fake", "C1", "generated")):
        label = label if first else None
        axes.plot(curve["step"], curve[key], color=color, alpha=0.8, label=label)
    if first:
        axes.axhline(results["equilibrium"], color="grey", linestyle="--", label="balance")
    died_at = results["life"]["died_at"]
    if died_at is not None:
        axes.axvline(died_at, color="C3", linestyle=":")


def _draw_images(axes, runs):
    shown = [run["results"]["measured"]["images"] for run in runs if run["results"]["measured"]]
    if shown:
        pixels = image.imread(io.BytesIO(base64.b64decode(shown[0])), format="png")
        axes.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0)


def _draw_recognition(axes, runs):
    for position, each in enumerate(runs.values()):
        shares = recognised(each)
        dead = [run["results"]["life"]["died"] for run in each]
        axes.bar(position, np.mean(shares), color="C0", alpha=0.35)
        for share, is_dead in zip(shares, dead, strict=True):
            axes.plot(position, share, "C3x" if is_dead else "C0o")
    axes.set_xticks(range(len(runs)), list(runs), rotation=30, ha="right")
    axes.set(
        title="recognised images, each class up to its share among the real ones "
        "(bar: mean, points: seeds, crosses: dead generators)",
        ylabel="share",
        ylim=(0.0, 1.0),
    )
    axes.grid(axis="y", alpha=0.3)
