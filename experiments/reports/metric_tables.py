"""The tables of the generative adversarial metric."""

from collections import Counter

import numpy as np

from experiments.evaluations.opponents import opponents
from experiments.reports.paper import METRIC, RATIOS, TITLES
from experiments.reports.text import (
    DIFFERENCE,
    NETWORKS,
    SIZES,
    WELCH,
    difference,
    mean_and_deviation,
    number,
    parameters,
    table,
    welch,
)
from experiments.settings.evaluations import cut_name

_PLAYERS = {"b": TITLES["capsule"], "a": TITLES["convolutional"]}
"""The sides of a pair of both models, in the order in which tables count what each has won."""


def metric_tables(results, brief=False):
    """Return the tables of the metric, as Markdown.

    Args:
        results: `experiments.evaluations.results.MetricResults`.
        brief: Whether to leave out single pairs and runs where a model has several.
    """
    groups = [[run.name for run in results.runs_of(model)] for model in TITLES]
    several = all(groups) and len(results.runs) > 2
    parts = [_group_table(results, groups)] if several else []
    if min(map(len, groups)) > 1:
        parts += [_measures_table(results, groups)]
    if not (brief and several):
        parts += [_pair_table(results)]
        parts += [_matrix(results, cut) for cut in results.tournaments]
    return "\n\n".join(parts)


def _pair_table(results):
    runs = {run.name: run for run in results.runs}
    lines = _paper_lines(results, "paper", "not stated")
    for pair in results.pairs:
        result = pair.result
        ratios = [
            number(getattr(result, ratio), ".3f", getattr(result, f"{ratio}_interval"))
            for ratio in RATIOS
        ]
        lines.append(
            [
                f"{pair.a} against {pair.b}",
                cut_title(pair),
                *ratios,
                *(f"{result.auc[side]:.3f}" for side in ("d_a", "d_b")),
                {"a": pair.a, "b": pair.b, "tie": "none"}[result.winner],
                *_sizes([runs[pair.a]], [runs[pair.b]]),
            ]
        )
    heads = ["a against b", "cut", *RATIOS, "AUC of D_a", "AUC of D_b", "winner"]
    heads += [f"parameters of {part}" for part in ("G", "D_a", "D_b")]
    return (
        f"{table(heads, lines)}\n\n{results.settings['n_samples']:,} images of each generator; in "
        "brackets bootstrap 95 % intervals; b wins where r_samples < 1 and r_test is within "
        f"{results.settings['tolerance']:g} of 1. AUC: the area under the ROC curve between "
        f"{results.test_images} and the other model's."
    )


def _paper_lines(results, *first):
    """Return the line of the paper's ratios after some first cells, or none where it has none."""
    paper = METRIC.get(results.dataset.name)
    if not paper:
        return []
    return [[*first, *(f"{paper[name]:.2f}" for name in RATIOS), "", "", "", *["not stated"] * 3]]


def _sizes(a, b):
    """Return the parameters of the generators of both groups of runs, and of D_a and D_b."""
    discriminators = [parameters(runs, "discriminator") for runs in (a, b)]
    return [parameters([*a, *b], "generator"), *discriminators]


def cut_title(pair):
    """Return a pair's cut, and the numbers that it stands for, as a text."""
    calibrated = pair.cut == "calibrated"
    digits = 3 if calibrated else 4  # a calibrated one is found to about 1e-4
    numbers = ", ".join(dict.fromkeys(f"{cut:.{digits}g}" for cut in pair.result.cuts))
    return f"{pair.cut} ({numbers})" if calibrated else numbers


def _group_table(results, groups):
    lines = _paper_lines(results, "the paper, cut not stated")
    sizes = _sizes(*(results.runs_of(model) for model in TITLES))
    for cut, tournament in results.tournaments.items():
        wins = tournament.compare_groups(*groups)["wins"]
        pairs = [pair.result for pair in results.pairs if str(pair.cut) == cut]
        lines.append(
            [
                f"ours, cut {cut_name(cut)}",
                *(_mean_and_range([getattr(pair, name) for pair in pairs]) for name in RATIOS),
                *(f"{np.mean([pair.auc[side] for pair in pairs]):.3f}" for side in ("d_a", "d_b")),
                _wins(_PLAYERS, wins),
                *sizes,
            ]
        )
    titles = TITLES.values()
    heads = ["", *RATIOS, *(f"AUC of D, {title}" for title in titles)]
    heads += [_wins_head(_PLAYERS)]
    heads += [f"parameters of {part}" for part in ("G", *(f"D, {title}" for title in titles))]
    return (
        f"{table(heads, lines)}\n\nMean, standard deviation and range over "
        f"{len(groups[0]) * len(groups[1])} pairs of seeds, which share their runs; "
        f"{results.settings['n_samples']:,} images of each generator. CapsuleGAN wins a pair where "
        f"r_samples < 1 and r_test is within {results.settings['tolerance']:g} of 1. AUC: the area "
        f"under the ROC curve between {results.test_images} and the other model's."
    )


def epoch_table(results):
    """Return the tables of the metric over the epochs, one for each cut, as Markdown.

    Args:
        results: `experiments.evaluations.results.EpochResults`.
    """
    pairs = opponents({run.name: run.model for run in results.runs})
    paper = METRIC.get(results.dataset.name)
    tolerance = results.settings["tolerance"]
    players = _PLAYERS if all(map(results.runs_of, TITLES)) else {"a": "a", "b": "b"}
    heads = ["epoch", "cut", *RATIOS, _wins_head(players)]
    heads += ["pairs near both of the paper's ratios"] if paper else []
    lines = []
    for cut in results.cuts:
        for epoch in sorted(results.epochs, key=int):
            tournament = results.epochs[epoch][cut]
            compared = [tournament.compare(*pair) for pair in pairs]
            wins = Counter(pair["winner"] for pair in compared)
            line = [epoch, cut_name(cut)]
            line += [_mean_and_range([pair[name] for pair in compared]) for name in RATIOS]
            line += [_wins(players, wins)]
            if paper:
                near = sum(_is_near(pair, paper, tolerance) for pair in compared)
                line += [f"{near} of {len(pairs)}"]
            lines.append(line)
    note = (
        f"Mean, standard deviation and range over {len(pairs)} pairs of runs, a against b: "
        f"{', '.join(f'{a} against {b}' for a, b in pairs)}. "
        f"{results.settings['n_samples']:,} images of each generator."
    )
    if paper:
        values = ", ".join(f"{name} {paper[name]:.2f}" for name in RATIOS)
        note += f" The paper has {values}; near is within {tolerance:g} of both."
    return f"{table(heads, lines)}\n\n{note}"


def _wins_head(players):
    """Return the head of the column of `_wins`; `players` names the sides "a" and "b"."""
    return f"pairs won by {' / '.join(players.values())} / none"


def _wins(players, wins):
    return " / ".join(str(wins[side]) for side in (*players, "tie"))


def _is_near(pair, paper, tolerance):
    return all(
        pair[name] is not None and abs(pair[name] - paper[name]) <= tolerance for name in RATIOS
    )


def _measures_table(results, groups):
    lines = [
        [f"{name}, cut {cut_name(cut)}" if has_cut else name, *cells]
        for cut, tournament in results.tournaments.items()
        for name, has_cut, cells in _measures(tournament, groups)
        if has_cut or cut == [*results.tournaments][-1]
    ]
    heads = ["measure", *TITLES.values(), DIFFERENCE, "prefers"]
    return (
        f"{table(heads, lines)}\n\nOther measures on the same scores. {WELCH}; a measure prefers "
        "nobody where its interval holds 0, or where pairs disagree. battle.py: the code of the "
        "metric's inventors, without a condition on r_test. GAM-II: how often discriminators of "
        "the other model take a generator's images for real, higher is better. Log ratio: the mean "
        "over all pairs, above 0 where CapsuleGAN's generator is better. Rating: a generator's, as "
        "in chess."
    )


def _measures(tournament, groups):
    """Yield the name of each measure, whether a cut has a part in it, and its cells."""
    titles = list(TITLES.values())
    pairs = [(a, b) for a in groups[0] for b in groups[1]]
    wins = tournament.compare_groups(*groups)["wins"]
    battles = [tournament.battle(*pair) for pair in pairs]
    for name, won in (
        ("pairs won by the paper's rule", [wins["a"], wins["b"]]),
        ("pairs won by battle.py's rule", [battles.count("a"), battles.count("b")]),
    ):
        # All pairs share their runs, so one that goes the other way leaves the question open.
        all_won = len(pairs) in won
        yield name, True, [*map(str, won), "", titles[won.index(max(won))] if all_won else "nobody"]
    rates, ratings = tournament.error_rates(groups), tournament.ratings()["generators"]
    for name, values, digits in (
        ("GAM-II, average error", rates["average"], ".3f"),
        ("GAM-II, worst error", rates["worst"], ".3f"),
        ("rating of the generator", ratings, ".0f"),
    ):
        by_name = dict(zip(tournament.names, values, strict=True))
        sides = [[by_name[name] for name in group] for group in groups]
        cells = [mean_and_deviation(side, digits) for side in sides]
        yield name, True, [*cells, *_difference_and_preferred(*sides, digits)]
    logs = [tournament.log_ratio(*pair) for pair in pairs]
    if None not in logs:
        # Pairs share their runs: what differs independently are the means of each run's pairs.
        by_pair = np.reshape(logs, list(map(len, groups)))
        sides = by_pair.mean() - by_pair.mean(axis=1), by_pair.mean(axis=0)
        yield "log ratio", False, ["", "", *_difference_and_preferred(*sides, ".3f")]


def _difference_and_preferred(a, b, spec):
    """Return `difference` of the models' numbers, higher being better, and whom it prefers."""
    _, low, high = welch(a, b)
    convolutional, capsule = TITLES.values()
    preferred = capsule if low > 0 else convolutional if high < 0 else "nobody"
    return difference(a, b, spec), preferred


def _mean_and_range(ratios):
    defined = [ratio for ratio in ratios if ratio is not None]
    if not defined:
        return "undefined"
    missing = len(ratios) - len(defined)
    undefined = f"; undefined in {missing} of {len(ratios)}" if missing else ""
    extent = f"{min(defined):.3f} to {max(defined):.3f}{undefined}"
    return f"{mean_and_deviation(defined, '.3f')} ({extent})"


def _matrix(results, cut):
    runs = {run.name: run for run in results.runs}
    tournament = results.tournaments[cut]
    lines = [
        [
            f"D of {row.name}",
            f"{row.on_test:.3f}",
            *(f"{row.on_samples[name]:.3f}" for name in tournament.names),
            *(parameters([runs[row.name]], part) for part in NETWORKS),
        ]
        for row in tournament.rows
    ]
    heads = [f"accuracy, cut {cut_name(cut)}", results.test_images]
    return table([*heads, *(f"G of {name}" for name in tournament.names), *SIZES], lines)
