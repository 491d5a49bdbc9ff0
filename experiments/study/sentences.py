"""What the study comes to: sentences whose figures are those of its runs."""

import numpy as np

from experiments.settings.training import LOSSES, MODELS
from experiments.study.cases import CAPSULES, CASES, LOSS, RATES, ROUTING

_BASE = RATES["1/4"]
"""The case that the others are single changes of."""


def recognised(runs):
    """Return the share of recognised images, in proportion, of each run, as an array.

    Args:
        runs: The contents of the files of one case. A run that diverged counts as 0.
    """
    measured = [run["results"]["measured"] for run in runs]
    return np.array([each["recognised"]["in_proportion"] if each else 0.0 for each in measured])


def are_apart(one, other):
    """Say whether all values of one array lie on one side of all of another's."""
    return one.min() > other.max() or one.max() < other.min()


def mean_and_deviation(values, digits=3):
    """Return the mean and, of several values, the standard deviation, as a text."""
    text = f"{np.mean(values):.{digits}f}"
    return text + (f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else "")


def sentences(runs):
    """Say what the runs answer: capsules or loss, the ratio of the rates, the kind of capsules.

    Args:
        runs: A dictionary from the names of cases to the contents of their files.

    Returns:
        A list of texts, at most three: one for each question whose settings all have runs.
    """
    made = _losses(runs), _rates(runs), _capsules(runs)
    return [sentence for sentence in made if sentence]


def _losses(runs):
    names = {(case.model, case.settings.loss): case.name for case in CASES if case.question == LOSS}
    if not runs.keys() >= set(names.values()):
        return None
    by_seed = {
        name: dict(zip(_seeds(runs[name]), recognised(runs[name]), strict=True))
        for name in names.values()
    }
    seeds = sorted(set.intersection(*map(set, by_seed.values())))
    if not seeds:
        return None
    shares = np.array(
        [[[by_seed[names[m, loss]][s] for s in seeds] for loss in LOSSES] for m in MODELS]
    )
    of_model, of_loss = shares.mean(axis=(1, 2)), shares.mean(axis=(0, 2))
    models = _listed(
        f"{share:.3f} with the {m} D" for m, share in zip(MODELS, of_model, strict=True)
    )
    losses = _listed(
        f"{share:.3f} with {loss}" for loss, share in zip(LOSSES, of_loss, strict=True)
    )
    text = (
        f"Capsules or loss ({shares.size} runs, {len(seeds)} for each of six settings): over the "
        f"losses {models} of the images are recognised in proportion, over both discriminators "
        f"{losses}"
    )
    if len(seeds) > 1 and shares.var() > 0.0:
        of_model, of_loss, of_six = (
            means.var() / shares.var() for means in (of_model, of_loss, shares.mean(axis=2))
        )
        both = max(of_six - of_model - of_loss, 0.0)
        text += (
            f"; of the variance {of_model:.0%} lie between the discriminators, {of_loss:.0%} "
            f"between the losses, {both:.0%} in what a loss does with one discriminator and not "
            f"with the other, and {max(1.0 - of_six, 0.0):.0%} between the seeds of a setting"
        )
    return text + "."


def _rates(runs):
    if not runs.keys() >= set(RATES.values()):
        return None
    shares = _listed(f"{_spread(runs[name])} at {ratio}" for ratio, name in RATES.items())
    all_runs = [run for name in RATES.values() for run in runs[name]]
    died = sum(run["results"]["life"]["died"] for run in all_runs)
    return (
        "Rate of D to that of G (recognised in proportion, in brackets the number of seeds): "
        f"{shares}; {died} of {len(all_runs)} generators died."
    )


def _capsules(runs):
    names = [case.name for case in CASES if case.question in (CAPSULES, ROUTING)]
    if not runs.keys() >= {_BASE, *names}:
        return None
    shares = _listed(f"{_spread(runs[name])} with {name}" for name in names)
    text = (
        "Capsules (recognised in proportion, in brackets the number of seeds): "
        f"{_spread(runs[_BASE])} with the base, {shares}"
    )
    base = recognised(runs[_BASE])
    compared = {name: recognised(runs[name]) for name in names if len(runs[name]) > 1}
    if len(base) > 1 and compared:
        others = _listed(name for name, each in compared.items() if are_apart(each, base))
        text += (
            f"; all seeds lie on one side of all of the base's with {others or 'none'} of "
            f"the {len(compared)} that have several"
        )
    return text + "."


def _seeds(runs):
    return [run["identity"]["seed"] for run in runs]


def _spread(runs):
    return f"{mean_and_deviation(recognised(runs))} ({len(runs)})"


def _listed(texts):
    *first, last = [*texts] or [""]
    return f"{', '.join(first)} and {last}" if first else last
