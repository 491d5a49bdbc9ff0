"""What the settings of evaluations say of options that change nothing."""

import pytest

from experiments.settings.evaluations import TableSettings


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, []),
        ({"gamma": 0.3}, ["--gamma 0.3 has no effect with the kernel knn"]),
        ({"kernel": "rbf", "gamma": 0.3}, []),
        (
            {"kernel": "rbf", "n_neighbors": 3},
            ["--n-neighbors 3 has no effect with the kernel rbf"],
        ),
        (
            {"choose_settings": True, "n_neighbors": 3, "alpha": 0.5},
            [
                "--n-neighbors 3 has no effect with --choose-settings",
                "--alpha 0.5 has no effect with --choose-settings",
            ],
        ),
        ({"choose_settings": True, "kernel": "rbf", "alpha": 0.5}, []),
    ],
)
def test_options_without_effect_are_named(options, named):
    assert TableSettings(**options).without_effect == named
