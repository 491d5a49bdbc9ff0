"""What other measures say of a tournament's scores."""

import dataclasses

import numpy as np
import pytest

from capsgan_keras.evaluation import TournamentResult, TournamentRow, tournament

NAMES = ("a0", "a1", "b0", "b1")
ACCURACIES = np.array(
    [[0.5, 0.6, 0.8, 0.7], [0.4, 0.5, 0.9, 0.3], [0.7, 0.2, 0.5, 0.6], [0.1, 0.3, 0.2, 0.5]]
)


def result(accuracies=ACCURACIES, names=NAMES, n_samples=1_000):
    rows = tuple(
        TournamentRow(name, 0.5, 0.9, dict(zip(names, row, strict=True)), dict.fromkeys(names, 0.5))
        for name, row in zip(names, accuracies, strict=True)
    )
    return TournamentResult(rows, 0.1, n_samples, 10, 0)


def test_battle_asks_for_the_images_alone():
    # D of a0 is right about 0.8 of b0's images, D of b0 about 0.7 of a0's.
    assert result().battle("a0", "b0") == "a"
    assert result().battle("b0", "a0") == "b"
    assert result().compare("a0", "b0")["winner"] == "a"
    blind = dataclasses.replace(result().rows[2], on_test=0.1)
    rows = (*result().rows[:2], blind, result().rows[3])
    other = dataclasses.replace(result(), rows=rows)
    assert other.compare("a0", "b0")["winner"] == "tie"  # r_test is 9
    assert other.battle("a0", "b0") == "a"
    even = result(np.full((4, 4), 0.5))
    assert even.battle("a0", "b0") == even.battle("b0", "a0") == "b"  # above 1 for a, else b


def test_error_rates_are_those_of_the_other_models_discriminators():
    rates = result().error_rates([["a0", "a1"], ["b0", "b1"]])
    np.testing.assert_allclose(rates["average"], [0.6, 0.75, 0.15, 0.5])
    np.testing.assert_allclose(rates["worst"], [0.3, 0.7, 0.1, 0.3])
    alone = result().error_rates()
    np.testing.assert_allclose(alone["average"][0], 1 - (0.4 + 0.7 + 0.1) / 3)
    np.testing.assert_allclose(alone["worst"], [0.3, 0.4, 0.1, 0.3])


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            [["a0", "a1"], ["b0"]],
            r"must hold each run once.*Received: \[\['a0', 'a1'\], \['b0'\]\]",
        ),
        ([["a0", "a1", "b0", "b1"], ["a0"]], "must hold each run once"),
        ([list(NAMES)], "`groups` must be two or more"),
        ([[], list(NAMES)], "`groups` must be two or more, none empty"),
    ],
)
def test_wrong_groups_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        result().error_rates(groups)


class Player:
    """A GAN that gives every image of a generator the same probability."""

    def __init__(self, own, told, outputs="probability"):
        self.own, self.told = own, told
        self.discriminator_outputs = outputs

    def generate(self, n, seed=None):
        return np.full((n, 2, 2, 1), self.own, np.uint8)

    def discriminate(self, images):
        return np.array([self.told[grey] for grey in images[:, 0, 0, 0]])


def players(**options):
    test = np.array([[[[200]]], [[[201]]]], np.uint8) + np.zeros((2, 2, 2, 1), np.uint8)
    a = Player(1, {1: 0.4, 2: 0.6, 200: 0.9, 201: 0.8}, **options)
    b = Player(2, {1: 0.3, 2: 0.5, 200: 0.7, 201: 1.0})
    return tournament({"a": a, "b": b}, test, n_samples=5, cut=0.5)


def test_the_log_ratio_is_that_of_the_objectives():
    found = players()

    def objective(test, generated):
        return np.log(test).mean() + np.log(1 - generated)

    on_a, on_b = objective([0.9, 0.8], 0.4), objective([0.9, 0.8], 0.6)
    b_on_a, b_on_b = objective([0.7, 1.0], 0.3), objective([0.7, 1.0], 0.5)
    expected = np.log((on_b / on_a) / (b_on_a / b_on_b))
    assert found.log_ratio("a", "b") == pytest.approx(expected)
    assert found.log_ratio("b", "a") == pytest.approx(-expected)
    assert expected > 0  # both discriminators take b's images rather for real


def test_there_is_no_log_ratio_of_scores_or_of_older_results():
    assert players(outputs="score").log_ratio("a", "b") is None
    assert result().log_ratio("a0", "b0") is None


def test_certain_discriminators_have_finite_logs():
    test = np.zeros((2, 2, 2, 1), np.uint8)
    sure = {name: Player(grey, {0: 0.0, 1: 1.0, 2: 1.0}) for name, grey in (("a", 1), ("b", 2))}
    found = tournament(sure, test, n_samples=3)
    assert found.rows[0].log_on_test == pytest.approx(np.log(1e-7))
    assert found.log_ratio("a", "b") == pytest.approx(0)


def test_ratings_are_odds():
    """With games of odds that ratings explain, they are found again."""
    true = {"d": np.array([120.0, -30, 60]), "g": np.array([-100.0, 40, -90])}
    accuracies = 1 / (1 + 10 ** ((true["g"] - true["d"][:, np.newaxis]) / 400))
    np.fill_diagonal(accuracies, 0.0)  # no games against one's own generator
    found = result(accuracies, ("x", "y", "z"), n_samples=100_000).ratings()
    np.testing.assert_allclose(found["discriminators"], true["d"], atol=0.1)
    np.testing.assert_allclose(found["generators"], true["g"], atol=0.1)


def test_ratings_stay_finite_where_one_wins_every_game():
    ratings = result(np.ones((2, 2)), ("x", "y")).ratings()
    assert ratings["discriminators"].min() > 400 > -400 > ratings["generators"].max()
    np.testing.assert_allclose(ratings["discriminators"].sum() + ratings["generators"].sum(), 0)
    assert np.isfinite([*ratings["generators"], *ratings["discriminators"]]).all()


@pytest.mark.parametrize("measure", ["compare", "battle", "log_ratio"])
def test_unknown_runs_are_named(measure):
    with pytest.raises(
        ValueError, match=r"must be runs of the tournament.*Received: a='a0', b='z'"
    ):
        getattr(result(), measure)("a0", "z")


@pytest.mark.parametrize("groups", [5, "a0", [5, 6], ["a0", "b0"]])
def test_groups_are_lists_of_names(groups):
    with pytest.raises(ValueError, match=r"`groups` must be a list of lists of names"):
        result().error_rates(groups)


@pytest.mark.parametrize(
    ("groups", "name"),
    [((5, ["b0"]), "group_a"), (("a0", ["b0"]), "group_a"), ((["a0"], 5), "group_b")],
)
def test_a_group_is_a_list_of_names(groups, name):
    with pytest.raises(ValueError, match=rf"`{name}` must be a list of names"):
        result().compare_groups(*groups)


@pytest.mark.parametrize("groups", [([], ["b0"]), (["a0", "a0"], ["b0"]), (["a0"], ["a0", "b0"])])
def test_groups_name_each_run_once(groups):
    with pytest.raises(ValueError, match=r"must name runs, each once\. Received: group_a="):
        result().compare_groups(*groups)
