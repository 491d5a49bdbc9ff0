"""The study's table and figure, from its files alone."""

import base64
import io
import re
from pathlib import Path

import numpy as np
from matplotlib import image
from matplotlib.figure import Figure

from capsgan_keras.files import write_text
from capsgan_keras.plotting import save_figure
from experiments.errors import EvaluationError
from experiments.reports.error_tables import CONTROLS
from experiments.reports.text import mean_and_deviation, parameters, table
from experiments.study.cases import CASES, RATES
from experiments.study.measures import BORDER, DEAD, LAST_SHARE
from experiments.study.records import read_study

_PART = re.compile(r"(<!-- study -->\n).*?(<!-- end of study -->)", re.DOTALL)
_PAIRS = {"package": "package's layer", "computed": "computed couplings", "leaky": "leaky routing"}


def write_report(folder, pages=()):
    """Write `study.md` and `study.png` beside a study's files, fill pages, and return the text."""
    study = read_study(folder)
    texts = {folder / "study.md": page(study)} | {path: fill(path, folder) for path in pages}
    if study.runs:
        save_figure(folder / "study.png", figure(study))
    for path, text in texts.items():
        write_text(path, text)
    return f"{page(study)}\nIn {folder / 'study.md'}"


def page(study):
    """Return what `study.md` says of a `Study`."""
    parts = ["# Study", "Made by `python -m experiments.study --report` from the JSON files here."]
    if study.runs:
        parts += [study_table(study), _notes(study)]
    for name, pair in study.routings.items():
        few, many = pair.routings
        result = f"{pair.different:,} of {pair.numbers:,} weights differ in any bit"
        how = f"{_PAIRS.get(name, name)}, {pair.steps} steps, routings {few} and {many}"
        parts.append(f"One final capsule, {how}: {result}.")
    return "\n\n".join(parts) + "\n"


def _notes(study):
    n = study.sizes
    precisions = {run.precision for runs in study.runs.values() for run in runs}
    return f"""\
- Runs of {n.steps:,} steps, {" and ".join(sorted(precisions))}. Mean ± deviation over the seeds.
- D(real), D(generated): mean outputs in training over the last {LAST_SHARE:.0%} of the steps.
- Balance: the best D's output where real and generated images are alike.
- Dead: after the step D(generated) stays below {DEAD:g}; the share in proportion is below it, too.
- Recognised: the share of {n.n_samples:,} images of which a classifier is sure (above 0.9).
- In proportion: each class counted up to its share among the test images.
- Fréchet distance: in the classifier's features, not an Inception network's.
- Error: label spreading, {n.n_labelled} labels, {n.n_unlabelled:,} images of G, {n.draws} draws.
- Border: deviation over the images of pixels at most {BORDER} from the edge, in grey levels.

![D's outputs and the recognised share](study.png)"""


def fill(path, folder):
    """Return a Markdown file's text with the table of a study's folder between its marks.

    Raises:
        EvaluationError: Where there is no such file, no mark in it, or no run of the study.
    """
    text = Path(path).read_text(encoding="utf-8") if Path(path).is_file() else ""
    if not _PART.search(text):
        raise EvaluationError(f"--readme: no file with a part <!-- study -->. Received: {path}")
    return _PART.sub(lambda part: f"{part[1]}{study_table(read_study(folder))}\n{part[2]}", text)


def study_table(study):
    """Return the table of all cases and controls, as Markdown."""
    if not study.runs:
        raise EvaluationError("the study's table needs runs, and there are none")
    lines = [_cells(case, study.runs[case.name]) for case in CASES if case.name in study.runs]
    for controls in study.controls:
        common = {"question": "control", "data": controls.dataset}
        images = {
            "recognised": _mean([controls], "confident"),
            "recognised in proportion": _mean([controls], "in_proportion"),
            "border": _mean([controls], "border_contrast", ".1f"),
        }
        lines.append(common | {"setting": "test images"} | images)
        for name, title in CONTROLS.items():
            lines.append(common | {"setting": title, "error": _mean([controls], name, ".4f")})
    heads = {head: head for head in lines[0]} | {"error": f"error, n = {study.sizes.n_labelled}"}
    return table(list(heads.values()), [[line.get(head, "") for head in heads] for line in lines])


def _cells(case, runs):
    dead = [str(run.died_at) for run in runs if run.died]
    after = f" (after step {', '.join(dead)})" if dead else ""
    return {
        "question": case.question,
        "setting": case.change,
        "name": f"`{case.name}`",
        "data": runs[0].dataset,
        "seeds": str(len(runs)),
        "parameters of D": parameters(runs, "discriminator"),
        "D(real)": _mean(runs, "d_real"),
        "D(generated)": _mean(runs, "d_fake"),
        "balance": f"{runs[0].equilibrium:.3f}",
        "generators dead": f"{len(dead)} of {len(runs)}{after}",
        "recognised": _mean(runs, "confident"),
        "recognised in proportion": _mean(runs, "in_proportion"),
        "Fréchet distance": _mean(runs, "frechet_distance", ".2f"),
        "error": _mean(runs, "error", ".4f"),
        "border": _mean(runs, "border_contrast", ".1f"),
        "s a run": f"{np.mean([run.seconds for run in runs]):.0f}",
    }


def _mean(records, name, spec=".3f"):
    values = [value for each in records if (value := getattr(each, name)) is not None]
    return mean_and_deviation(values, spec) if values else "none"


def figure(study):
    """Draw D's outputs over the steps for each ratio of rates, and every case's recognition."""
    drawn = Figure(figsize=(14.0, 9.0), layout="constrained")
    curves, bars = drawn.subfigures(2, 1, height_ratios=(1.0, 1.1))
    grid = curves.subplots(2, len(RATES), height_ratios=(6, 1), squeeze=False)
    for (ratio, name), axes, strip in zip(RATES.items(), *grid, strict=True):
        axes.set(title=f"rate of D to that of G: {ratio}", xlabel="step", ylim=(-0.02, 1.02))
        strip.set_axis_off()
        _draw_runs(axes, strip, study.runs.get(name, ()))
    grid[0, 0].set_ylabel("D's mean output")
    axes = bars.subplots()
    for position, runs in enumerate(study.runs.values()):
        shares = [run.in_proportion or 0.0 for run in runs]  # none where training diverged
        axes.bar(position, np.mean(shares), color="C0", alpha=0.35)
        for run, share in zip(runs, shares, strict=True):
            axes.plot(position, share, "C3x" if run.died else "C0o")
    title = "recognised images, each class up to its share among the real ones "
    title += "(bar: mean, points: seeds, crosses: dead generators)"
    axes.set_xticks(range(len(study.runs)), list(study.runs), rotation=30, ha="right")
    axes.set(title=title, ylabel="share", ylim=(0.0, 1.0))
    axes.grid(axis="y", alpha=0.3)
    return drawn


def _draw_runs(axes, strip, runs):
    for run in runs:
        axes.plot(run.steps, run.real_curve, color="C0", alpha=0.8, label="real")
        axes.plot(run.steps, run.fake_curve, color="C1", alpha=0.8, label="generated")
        if run is runs[0]:
            axes.axhline(run.equilibrium, color="grey", linestyle="--", label="balance")
            axes.legend(fontsize="small")
        if run.died_at is not None:
            axes.axvline(run.died_at, color="C3", linestyle=":")
    for png in [run.images for run in runs if run.images][:1]:
        pixels = image.imread(io.BytesIO(base64.b64decode(png)), format="png")
        strip.imshow(pixels, cmap="gray", vmin=0.0, vmax=1.0)
