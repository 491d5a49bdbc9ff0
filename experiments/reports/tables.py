"""Markdown tables of results, as read from their JSON files."""

import numpy as np

from capsgan_keras.evaluation import TournamentResult, TournamentRow
from experiments.reports.paper import ERRORS, METRIC, TITLES

NETWORKS = ("generator", "discriminator")
SIZES = ("parameters of G", "parameters of D")
CONTROLS = {
    "nearest_labelled": "no images: nearest labelled image",
    "labels_only": "no images: label spreading on the labels",
    "real_unlabelled": "real images",
}

DIFFERENCE = "CapsuleGAN less convolutional GAN, 95 % interval"
WELCH = "The intervals are Welch's, over the seeds"

QUALITY = {
    "recognised with confidence > 0.9": (".3f", lambda q: [q["confident"]["confident"]]),
    "smallest and largest share of a class": (
        ".3f",
        lambda q: [min(q["class_shares"]), max(q["class_shares"])],
    ),
    "entropy of the classes (nats)": (".3f", lambda q: [q["class_entropy"]]),
    "classifier score": (".2f", lambda q: [q["classifier_score"]]),
    "Fréchet distance": (".2f", lambda q: [q["frechet_distance"]]),
    "kernel distance": (".4g", lambda q: [q["kernel_distance"]]),
    "precision / recall": (
        ".3f",
        lambda q: [q["manifold"]["precision"], q["manifold"]["recall"]],
    ),
    "density / coverage": (
        ".3f",
        lambda q: [q["manifold"]["density"], q["manifold"]["coverage"]],
    ),
    "distance to the nearest training image, over that of test images": (
        ".3f",
        lambda q: [q["memorising"]["ratio"]],
    ),
}
"""What the table of sample quality shows of each run: titles, formats and numbers."""


def parameters(runs, part):
    """Return the number of a network's parameters in some runs, as a text.

    Args:
        runs: What a result file says of them.
        part: `"generator"` or `"discriminator"`.
    """
    counts = [run.get("parameters", {}).get(part) for run in runs]
    texts = ["not recorded" if count is None else f"{count:,}" for count in counts]
    return " / ".join(dict.fromkeys(texts))


def metric_tables(identity, results, brief=False):
    """Return the tables of `gam.json`.

    Args:
        identity: What the file says of the runs and settings.
        results: Its results.
        brief: Whether to leave out single pairs and runs where a model has several.
    """
    settings = identity["settings"]
    runs = {run["name"]: run for run in identity["runs"]}
    parts = []
    groups = [[name for name in runs if runs[name]["model"] == model] for model in TITLES]
    if all(groups) and len(runs) > 2:
        sizes = _sizes(*([runs[name] for name in group] for group in groups))
        parts = [_group_table(identity["dataset"]["name"], results, settings, groups, sizes)]
        if brief:
            return of_validation(identity, parts[0])
    parts += [_pair_table(identity["dataset"]["name"], results, settings, runs)]
    parts += [_matrix(results["rows"][cut], cut, runs) for cut in results["rows"]]
    return of_validation(identity, "\n\n".join(parts))


def of_validation(identity, text):
    """Return a text about test images, with their name where the runs held out others for them.

    Args:
        identity: What a result file says of the runs.
        text: It speaks of test images.
    """
    held_out = "validation" in identity["dataset"]
    return text.replace("test image", "validation image") if held_out else text


def _pair_table(dataset, results, settings, runs):
    lines = _paper_lines(dataset, "paper", "not stated")
    for pair in results["pairs"]:
        lines.append(
            [
                f"{pair['a']} against {pair['b']}",
                _cut(pair),
                _ratio(pair["r_samples"], pair["r_samples_interval"]),
                _ratio(pair["r_test"], pair["r_test_interval"]),
                *(f"{pair['auc'][side]:.3f}" for side in ("d_a", "d_b")),
                {"a": pair["a"], "b": pair["b"], "tie": "none"}[pair["winner"]],
                *_sizes([runs[pair["a"]]], [runs[pair["b"]]]),
            ]
        )
    heads = ["a against b", "cut", "r_samples", "r_test", "AUC of D_a", "AUC of D_b", "winner"]
    heads += [f"parameters of {part}" for part in ("G", "D_a", "D_b")]
    return (
        f"{table(heads, lines)}\n\n{settings['n_samples']:,} images of each generator; in brackets "
        "bootstrap 95 % intervals; b wins where r_samples < 1 and r_test is within "
        f"{settings['tolerance']:g} of 1. "
        "AUC: the area under the ROC curve between test images and the other model's."
    )


def _paper_lines(dataset, *first):
    """Return the line of the paper's ratios after some first cells, or none where it has none."""
    paper = METRIC.get(dataset)
    if not paper:
        return []
    ratios = [f"{paper[name]:.2f}" for name in ("r_samples", "r_test")]
    return [[*first, *ratios, "", "", "", *["not stated"] * 3]]


def _sizes(a, b):
    """Return the parameters of the generators of both groups of runs, and of D_a and D_b."""
    discriminators = [parameters(runs, "discriminator") for runs in (a, b)]
    return [parameters([*a, *b], "generator"), *discriminators]


def _cut(pair):
    named = isinstance(pair["cut"], str)
    digits = 3 if named else 4  # a calibrated one is found to about 1e-4
    numbers = ", ".join(dict.fromkeys(f"{cut:.{digits}g}" for cut in pair["cuts"]))
    return f"{pair['cut']} ({numbers})" if named else numbers


def _ratio(value, interval=None):
    if value is None:
        return "undefined (denominator 0)"
    bounds = "" if interval is None else f" [{', '.join(map(_bound, interval))}]"
    return f"{value:.3f}{bounds}"


def _bound(value):
    return "none" if value is None else f"{value:.3f}"


def _group_table(dataset, results, settings, groups, sizes):
    lines = _paper_lines(dataset, "the paper, cut not stated")
    for cut, rows in results["rows"].items():
        summary = tournament_result(rows, settings).compare_groups(*groups)
        wins = summary["wins"]
        pairs = [pair for pair in results["pairs"] if pair["cut"] == cut]
        lines.append(
            [
                f"ours, cut {'0.5' if cut == 'paper' else cut}",
                *(_mean(summary[name], pairs, name) for name in ("r_samples", "r_test")),
                *(
                    f"{np.mean([pair['auc'][side] for pair in pairs]):.3f}"
                    for side in ("d_a", "d_b")
                ),
                f"{wins['b']} / {wins['a']} / {wins['tie']}",
                *sizes,
            ]
        )
    heads = ["", "r_samples", "r_test", *(f"AUC of D, {title}" for title in TITLES.values())]
    heads += ["pairs won by CapsuleGAN / convolutional GAN / none"]
    heads += [
        f"parameters of {part}" for part in ("G", *(f"D, {title}" for title in TITLES.values()))
    ]
    n = len(groups[0]) * len(groups[1])
    return (
        f"{table(heads, lines)}\n\nMean, standard deviation and range over {n} pairs of seeds, "
        "which share their runs; "
        f"{settings['n_samples']:,} images of each generator. CapsuleGAN wins a pair where "
        f"r_samples < 1 and r_test is within {settings['tolerance']:g} of 1. AUC: the area under "
        "the ROC curve between test images and the other model's."
    )


def _mean(summary, pairs, name):
    if summary["mean"] is None:
        return "undefined"
    ratios = [pair[name] for pair in pairs if pair[name] is not None]
    mean = _with_deviation(summary["mean"], summary["deviation"], ".3f")
    return f"{mean} ({min(ratios):.3f} to {max(ratios):.3f})"


def _with_deviation(mean, deviation, spec):
    return f"{mean:{spec}}" + ("" if deviation is None else f" ± {deviation:{spec}}")


def difference(a, b, spec):
    """Return how much larger the second of two groups is, with Welch's 95 % interval, as a text.

    Args:
        a: Numbers, one for each seed.
        b: The same of the other group.
        spec: Format of a number.
    """
    from scipy import stats

    # Not by `ttest_ind`, which warns where the values of one group are equal.
    variances = np.array([np.var(values, ddof=1) / len(values) for values in (a, b)])
    middle, total = np.mean(b) - np.mean(a), variances.sum()
    if total == 0:
        return f"{middle:+{spec}}"
    freedom = total**2 / sum(variances**2 / [len(a) - 1, len(b) - 1])
    low, high = stats.t.interval(0.95, freedom, middle, np.sqrt(total))
    return f"{middle:+{spec}} [{low:+{spec}}, {high:+{spec}}]"


def tournament_result(rows, settings):
    """Return the `TournamentResult` of one cut's rows in `gam.json`."""
    return TournamentResult(
        tuple(TournamentRow(**row) for row in rows),
        settings["tolerance"],
        settings["n_samples"],
        0,
        settings["seed"],
    )


def _matrix(rows, cut, runs):
    names = [row["name"] for row in rows]
    lines = [
        [
            f"D of {row['name']}",
            f"{row['on_test']:.3f}",
            *(f"{row['on_samples'][name]:.3f}" for name in names),
            *(parameters([runs[row["name"]]], part) for part in NETWORKS),
        ]
        for row in rows
    ]
    heads = [f"accuracy, cut {cut}", "test images", *(f"G of {name}" for name in names)]
    return table([*heads, *SIZES], lines)


def error_table(identity, results):
    """Return the table of `semi_supervised.json`.

    Args:
        identity: What the file says of the runs and settings.
        results: Its results.
    """
    settings = identity["settings"]
    numbers, tables = settings["n_labelled"], results["tables"]
    lines, groups = [], []
    paper = ERRORS.get(identity["dataset"]["name"], {})
    for model in paper:
        errors = [paper[model].get(n) for n in numbers]
        cells = ["" if error is None else f"{error:.4f}" for error in errors]
        lines.append([f"{TITLES[model]}, paper", *cells, "not stated", "not stated"])
    for model, title in TITLES.items():
        runs = [run for run in identity["runs"] if run["model"] == model]
        if runs:
            title += ", ours" + (f", {len(runs)} seeds" if len(runs) > 1 else "")
            sizes = [parameters(runs, part) for part in NETWORKS]
            lines.append([title, *_errors([tables[run["name"]] for run in runs]), *sizes])
        if len(runs) > 1:
            groups.append(np.transpose([tables[run["name"]]["mean"] for run in runs]))
    compared = len(groups) == len(TITLES)
    if compared:
        cells = [difference(*errors, ".4f") for errors in zip(*groups, strict=True)]
        lines.append([DIFFERENCE, *cells, "", ""])
    lines += [[CONTROLS[name], *_errors([tables[name]]), "none", "none"] for name in CONTROLS]
    heads = ["unlabelled images", *(f"n = {n:,}" for n in numbers), *SIZES]
    draws = settings["draws"]
    note = (
        f"Error on the {tables['labels_only']['n_test']:,} test images, mean ± standard deviation "
        f"over {draws} draws of the n labelled images "
        f"({'the same number from each class' if settings['stratified'] else 'plain random'}), "
        f"with several seeds over the seeds' means; {settings['n_unlabelled']:,} unlabelled images"
        f"{_real_images(tables['real_unlabelled'], settings)}. {_spreading(settings, results)}"
    )
    note += f" {WELCH}." if compared else ""
    return of_validation(identity, f"{table(heads, lines)}\n\n{note}{_unreached(tables)}")


def _errors(tables):
    means = np.array([result["mean"] for result in tables])
    deviations = means.std(axis=0, ddof=1) if len(tables) > 1 else tables[0]["deviation"]
    pairs = zip(means.mean(axis=0), deviations, strict=True)
    return [_with_deviation(mean, deviation, ".4f") for mean, deviation in pairs]


def _real_images(result, settings):
    used = {cell["n_unlabelled"] for cell in result["cells"]}
    if used == {settings["n_unlabelled"]}:
        return ""
    return f" (real ones, as far as there are: {min(used):,} to {max(used):,})"


def _spreading(settings, results):
    choices = results.get("choices", [settings])
    neighbours, alphas = (
        ", ".join(f"{choice[name]:g}" for choice in choices) for name in ("n_neighbors", "alpha")
    )
    how = ", chosen on training images" if "choices" in results else ""
    how += " for each n" if len(choices) > 1 else ""
    return (
        f"Label spreading: kernel {settings['kernel']}, {neighbours} neighbours, alpha "
        f"{alphas}{how}, at most {settings['max_iter']} iterations, raw pixels."
    )


def _unreached(tables):
    unreached = {
        name: sum(cell["unreached"] for cell in result["cells"]) for name, result in tables.items()
    }
    parts = [f"{CONTROLS.get(name, name)} {count}" for name, count in unreached.items() if count]
    if not parts:
        return " Every test image was reached by a label."
    return f" Test images that no label reached, in all draws together: {', '.join(parts)}."


def quality_table(identity, results, brief=False):
    """Return the table of `sample_quality.json`.

    Args:
        identity: What the file says of the runs.
        results: Its results.
        brief: Whether to leave out single runs where a model has several.
    """
    measured = results["quality"]
    columns, groups = {}, []
    for model, title in TITLES.items():
        runs = [run for run in identity["runs"] if run["model"] == model]
        if len(runs) > 1:
            groups.append([measured[run["name"]] for run in runs])
            columns[f"{title}, {len(runs)} seeds"] = runs
        if len(runs) == 1 or not brief:
            columns |= {run["name"]: [run] for run in runs}
    lines = [
        [
            title,
            *(
                _quality(title, [measured[run["name"]] for run in runs])
                for runs in columns.values()
            ),
        ]
        for title in QUALITY
    ]
    for title, part in zip(SIZES, NETWORKS, strict=True):
        lines.append([title, *(parameters(runs, part) for runs in columns.values())])
    heads = ["", *columns]
    compared = len(groups) == len(TITLES)
    if compared:
        cells = [DIFFERENCE, *(_compared(title, *groups) for title in QUALITY), *[""] * len(SIZES)]
        heads, *lines = ([*row, cell] for row, cell in zip([heads, *lines], cells, strict=True))
    first = next(iter(measured.values()))
    accuracy = first["classifier"]["test_accuracy"]
    several = any(len(runs) > 1 for runs in columns.values())
    spread = "; mean ± standard deviation over the seeds" if several else ""
    spread += f". {WELCH}" if compared else ""
    return of_validation(
        identity,
        f"{table(heads, lines)}\n\n{first['n_samples']:,} samples against "
        f"{first['n_real']:,} test images, in the feature space of a classifier with "
        f"{accuracy:.2%} on the test images; not an Inception network's{spread}.",
    )


def _quality(title, measured):
    """Return the cell of a measure of one run, or of its mean over several."""
    spec, numbers = QUALITY[title]
    texts = []
    for values in zip(*map(numbers, measured), strict=True):
        if None in values:
            texts.append(_ratio(None))
            continue
        deviation = np.std(values, ddof=1) if len(values) > 1 else None
        texts.append(_with_deviation(np.mean(values), deviation, spec))
    return _joined(title, texts)


def _compared(title, *groups):
    """Return the cell of a measure's differences between two groups of runs."""
    spec, numbers = QUALITY[title]
    texts = []
    for values in zip(*(zip(*map(numbers, group), strict=True) for group in groups), strict=True):
        undefined = any(None in group for group in values)
        texts.append("undefined" if undefined else difference(*values, spec.replace("4g", "2g")))
    return _joined(title, texts)


def _joined(title, texts):
    return (" / " if "/" in title else ", ").join(texts)


def run_summary(name, files):
    """Return what evaluations say of one run.

    Args:
        name: The run's.
        files: Dictionary from the evaluation to the content of its file, as in
            `experiments.report.read_folders`.

    Returns:
        Dictionary from the name of a measure to a text.
    """
    summary = {}
    if "gam" in files:
        for pair in files["gam"]["results"]["pairs"]:
            if name in (pair["a"], pair["b"]):
                ratios = [_ratio(pair[r], pair[f"{r}_interval"]) for r in ("r_samples", "r_test")]
                title = f"{pair['a']} against {pair['b']}, cut {_cut(pair)}: r_samples, r_test"
                summary[title] = ", ".join(ratios)
    if "semi_supervised" in files:
        table_of_errors = files["semi_supervised"]
        numbers = table_of_errors["identity"]["settings"]["n_labelled"]
        found = table_of_errors["results"]["tables"]
        rows = zip(numbers, _errors([found[name]]), _errors([found["labels_only"]]), strict=True)
        for n, error, without in rows:
            title = f"error of label spreading, n = {n:,} (on the labels alone)"
            summary[title] = f"{error} ({without})"
    if "sample_quality" in files:
        measured = files["sample_quality"]["results"]["quality"][name]
        identity = files["sample_quality"]["identity"]
        summary |= {of_validation(identity, t): _quality(t, [measured]) for t in QUALITY}
        accuracy = f"{measured['classifier']['test_accuracy']:.2%}"
        summary[of_validation(identity, "accuracy of that classifier on test images")] = accuracy
    return summary


def table(heads, lines):
    """Return a Markdown table.

    Args:
        heads: Texts of the first line.
        lines: Lists of as many texts.
    """
    lines = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
