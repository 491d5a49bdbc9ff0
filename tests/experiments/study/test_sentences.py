from itertools import product

import numpy as np
import pytest

from experiments.settings.training import LOSSES, MODELS
from experiments.study.cases import CASES
from experiments.study.sentences import recognised, sentences

SIX = [f"{model}-{loss}" for model in MODELS for loss in LOSSES]


def fake(name, shares, died=()):
    """The contents of the files of a case, as far as sentences need them; None: diverged."""
    return [
        {
            "identity": {"case": name, "seed": seed},
            "results": {
                "measured": None if x is None else {"recognised": {"in_proportion": x}},
                "life": {"died": seed in died},
            },
        }
        for seed, x in enumerate(shares)
    ]


def six(effect_of_model=0.0, effect_of_loss=0.0, both=0.0, noise=0.0, seeds=3):
    """Six settings whose shares differ by what is said, and whose seeds are -noise, 0, noise."""
    runs = {}
    for (m, model), (k, loss) in product(enumerate(MODELS), enumerate(LOSSES)):
        mean = 0.5 + effect_of_model * m + (effect_of_loss + both * (2 * m - 1)) * (k - 1)
        name = f"{model}-{loss}"
        runs[name] = fake(name, mean + noise * np.arange(-1, seeds - 1))
    return runs


@pytest.mark.parametrize(
    ("effects", "percents"),
    [
        ({"effect_of_model": 0.2}, (100, 0, 0, 0)),
        ({"effect_of_loss": 0.1}, (0, 100, 0, 0)),
        ({"both": 0.1}, (0, 0, 100, 0)),
        ({"noise": 0.1}, (0, 0, 0, 100)),
        # Variances: 0.01 between the discriminators, 0.1 ** 2 * 2 / 3 between the seeds.
        ({"effect_of_model": 0.2, "noise": 0.1}, (60, 0, 0, 40)),
    ],
)
def test_the_variance_goes_to_what_makes_it(effects, percents):
    (sentence,) = sentences(six(**effects))
    shown = [int(word.strip("%")) for word in sentence.split() if word.endswith("%")]
    assert shown == list(percents)
    assert "-0%" not in sentence


def test_means_are_over_the_seeds_that_all_six_have():
    runs = six(effect_of_model=0.2)
    runs[SIX[0]] += fake(SIX[0], [None] * 4)[3:]  # a fourth seed, which only this one has
    (sentence,) = sentences(runs)
    assert "18 runs, 3 for each" in sentence
    assert "0.500 with the capsule D and 0.700 with the convolutional D" in sentence
    (sentence,) = sentences(six(seeds=1, noise=0.1))
    assert "%" not in sentence  # one seed has no variance of its own
    assert "nan" not in sentences(six())[0]  # nor have equal runs


def test_sentences_wait_for_their_settings():
    runs = six()
    del runs[SIX[-1]]
    assert sentences(runs) == []
    assert sentences({}) == []


def test_rates_and_capsules_have_their_means_their_dead_and_who_is_apart():
    runs = {case.name: fake(case.name, [0.5, 0.6]) for case in CASES}
    runs["rate-1"] = fake("rate-1", [0.0, None], died=(1,))
    runs["batch-norm"] = fake("batch-norm", [0.3, 0.49])
    runs["two-capsules"] = fake("two-capsules", [0.9])  # one seed says nothing
    _, rates, capsules = sentences(runs)
    assert "0.000 ± 0.000 (2) at 1, 0.550 ± 0.071 (2) at 1/2" in rates
    assert "1 of 8 generators died" in rates
    assert "0.395 ± 0.134 (2) with batch-norm" in capsules
    assert "0.900 (1) with two-capsules" in capsules
    assert capsules.endswith("all of the base's with batch-norm of the 3 that have several.")
    for name in ("batch-norm", "wide-capsules", "leaky-routing"):
        runs[name] = runs[name][:1]
    assert sentences(runs)[2].endswith("0.900 (1) with two-capsules.")  # nothing to be told apart


def test_a_run_that_diverged_recognises_nothing():
    np.testing.assert_array_equal(recognised(fake("rate-1", [0.5, None])), [0.5, 0.0])
