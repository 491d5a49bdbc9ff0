import json

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN, ConvolutionalGAN
from capsgan_keras.evaluation import (
    Remembered,
    TournamentRow,
    generative_adversarial_metric,
    tournament,
)
from capsgan_keras.losses import MarginLoss

SHAPE = (4, 4, 1)


class Player:
    """Generates even grey images and takes an image's grey for its probability of being real.

    Its images are `base`, `base + 1`, ... and so on up to `base + spread`, in equal numbers, and
    `slope` flips or steepens its judgement.
    """

    def __init__(self, base, spread=9, slope=1.0, loss=None):
        self.base, self.spread, self.slope = base, spread, slope
        if loss is not None:
            self.loss = loss

    def generate(self, n, seed=None):
        grey = self.base + np.random.default_rng(seed).permutation(n) % (self.spread + 1)
        return np.broadcast_to(grey.astype(np.uint8)[:, None, None, None], (n, *SHAPE))

    def discriminate(self, images):
        grey = images.reshape(len(images), -1)[:, 0] / 100
        return np.clip(0.5 + self.slope * (grey - 0.5), 0, 1)


def grey_images(*levels):
    return np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), *SHAPE))


def test_accuracies_and_ratios_follow_equations_4_and_5():
    a = Player(base=45)  # greys 45 to 54: half of them below the cut
    b = Player(base=48)  # greys 48 to 57: a fifth of them below the cut
    x_test = grey_images(49, 50, 51, 52, 40, 60, 70, 80)  # six of eight at or above it
    result = generative_adversarial_metric(a, b, x_test, n_samples=1_000)
    assert result.accuracies == {
        "d_a_on_g_b": 0.2,
        "d_b_on_g_a": 0.5,
        "d_a_on_test": 0.75,
        "d_b_on_test": 0.75,
    }
    assert result.r_samples == pytest.approx(0.4)
    assert result.r_test == 1
    assert result.winner == "b"
    assert (result.cut, result.cuts) == ("paper", (0.5, 0.5))
    swapped = generative_adversarial_metric(b, a, x_test, n_samples=1_000)
    assert swapped.r_samples == pytest.approx(2.5)
    assert swapped.winner == "a"


def test_a_score_at_the_cut_counts_as_real():
    a, b = Player(base=50, spread=0), Player(base=49, spread=0)
    result = generative_adversarial_metric(a, b, grey_images(50, 50), n_samples=10)
    assert result.accuracies["d_b_on_g_a"] == 0
    assert result.accuracies["d_a_on_g_b"] == 1
    assert result.accuracies["d_a_on_test"] == 1


def test_cuts_can_be_numbers_pairs_or_calibrated():
    a = Player(base=45, loss=keras.losses.BinaryCrossentropy())
    b = Player(base=55, loss=MarginLoss())
    x_test = grey_images(*range(30, 80))

    def accuracies(cut):
        result = generative_adversarial_metric(a, b, x_test, n_samples=100, cut=cut)
        return result.cuts, list(result.accuracies.values())

    assert accuracies(0.6) == ((0.6, 0.6), [0.5, 1.0, 0.4, 0.4])
    assert accuracies((0.58, 0.48)) == ((0.58, 0.48), [0.3, 0.3, 0.44, 0.64])
    cuts, values = accuracies("calibrated")
    assert cuts == pytest.approx((0.5, 19 / 30), abs=1e-4)
    assert values == [0.0, 1.0, 0.6, 0.32]  # greys from 64 on are at or above 0.6333


def test_far_off_test_ratio_is_a_tie_within_a_stated_tolerance():
    a, b = Player(base=45), Player(base=48, slope=0.999)
    x_test = grey_images(50, 60, 49, 49)
    b.discriminate = lambda images: np.where(images[:, 0, 0, 0] >= 49, 0.7, 0.2)
    strict = generative_adversarial_metric(a, b, x_test, n_samples=100)
    assert strict.r_test == 0.5
    assert strict.winner == "tie"
    loose = generative_adversarial_metric(a, b, x_test, n_samples=100, tolerance=0.5)
    assert loose.winner == "b"
    assert loose.tolerance == 0.5


def test_equal_models_tie():
    result = generative_adversarial_metric(
        Player(45), Player(45), grey_images(50, 60), n_samples=100
    )
    assert result.r_samples == 1
    assert result.winner == "tie"


def test_zero_denominators_are_reported_as_such():
    # All of a's images fool b, and b calls no test image real.
    a, b = Player(base=80), Player(base=20)
    b.discriminate = lambda images: (images[:, 0, 0, 0] > 75).astype(float)
    result = generative_adversarial_metric(a, b, grey_images(60, 70), n_samples=50)
    assert result.accuracies == {
        "d_a_on_g_b": 1.0,
        "d_b_on_g_a": 0.0,
        "d_a_on_test": 1.0,
        "d_b_on_test": 0.0,
    }
    assert result.r_samples is None
    assert result.r_test is None
    assert result.r_samples_interval == (None, None)
    assert result.winner == "tie"
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["r_samples"] is None
    # With sound answers on the test set, fooling the other altogether wins.
    result = generative_adversarial_metric(a, b, grey_images(80, 90), n_samples=50)
    assert (result.r_samples, result.r_test, result.winner) == (None, 1, "a")


def test_intervals_are_those_of_the_bootstrap():
    a, b = Player(base=45), Player(base=48)
    x_test = grey_images(*range(200))
    b.discriminate = lambda images: (images[:, 0, 0, 0] >= 60).astype(float)
    result = generative_adversarial_metric(a, b, x_test, n_samples=2_000)
    assert result.accuracies["d_b_on_g_a"] == 1
    # 0.2 with the standard error of 2,000 draws; the denominator does not vary.
    half_width = 1.96 * np.sqrt(0.2 * 0.8 / 2_000)
    assert result.r_samples_interval == pytest.approx(
        (0.2 - half_width, 0.2 + half_width), abs=2e-3
    )
    # Resample the test images themselves: both discriminators see the same ones.
    rng = np.random.default_rng(1)
    right = np.stack([np.arange(200) >= 50, np.arange(200) >= 60])
    drawn = right[:, rng.integers(0, 200, (20_000, 200))].mean(axis=-1)
    expected = np.quantile(drawn[0] / drawn[1], [0.025, 0.975])
    assert result.r_test_interval == pytest.approx(tuple(expected), abs=6e-3)


def test_area_under_the_curve_stands_beside_the_cut():
    a, b = Player(base=10), Player(base=90, slope=-1.0)
    result = generative_adversarial_metric(a, b, grey_images(*range(40, 60)), n_samples=100)
    # a takes b's light images for more real than the test images; b sees a's dark ones so too.
    assert result.auc == {"d_a": 0.0, "d_b": 0.0}
    result = generative_adversarial_metric(a, a, grey_images(*range(40, 60)), n_samples=100)
    assert result.auc == {"d_a": 1.0, "d_b": 1.0}


def test_batches_do_not_change_the_result():
    a, b, x_test = Player(45), Player(47, slope=1.1), grey_images(*range(40, 71))
    whole = generative_adversarial_metric(a, b, x_test, n_samples=101)
    parts = generative_adversarial_metric(a, b, x_test, n_samples=101, batch_size=7)
    assert parts == whole


def test_a_remembered_model_works_once_for_both_cuts():
    calls = []

    class Counted(Player):
        def generate(self, n, seed=None):
            calls.append(("generate", n))
            return super().generate(n, seed)

        def discriminate(self, images):
            calls.append(("discriminate", len(images)))
            return super().discriminate(images)

    plain = Player(45, loss=MarginLoss()), Player(48, loss=MarginLoss())
    models = [Remembered(Counted(base, loss=MarginLoss())) for base in (45, 48)]
    x_test = grey_images(*range(40, 90))
    for cut in ("paper", "calibrated"):
        found = generative_adversarial_metric(*models, x_test, n_samples=100, cut=cut)
        assert found == generative_adversarial_metric(*plain, x_test, n_samples=100, cut=cut)
        assert sorted(calls) == sorted(
            2 * [("discriminate", 50), ("discriminate", 100), ("generate", 100)]
        )
    assert not np.array_equal(*(models[0].generate(100, seed=seed) for seed in (0, 1)))
    bare = Remembered(Player(45))
    with pytest.raises(ValueError, match=r"attribute `loss`"):
        generative_adversarial_metric(bare, bare, x_test, n_samples=10, cut="calibrated")


def test_the_packages_own_gans_are_compared():
    x_test = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 1), dtype=np.uint8)
    gans = [gan(image_shape=(16, 16, 1), latent_dim=4) for gan in (ConvolutionalGAN, CapsuleGAN)]
    result = generative_adversarial_metric(*gans, x_test, n_samples=20, cut="calibrated")
    assert result.cuts == pytest.approx((0.5, 19 / 30), abs=1e-4)
    scores = [gan.discriminate(x_test) for gan in gans]
    assert result.accuracies["d_a_on_test"] == np.mean(scores[0] >= result.cuts[0])
    assert result.accuracies["d_b_on_test"] == np.mean(scores[1] >= result.cuts[1])
    of_b = gans[0].discriminate(gans[1].generate(20, seed=0))
    assert result.accuracies["d_a_on_g_b"] == np.mean(of_b < result.cuts[0])


class WithoutLoss(Player):
    loss = None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cut": "median"}, r"Received: 'median'"),
        ({"cut": True}, r"Received: True"),
        ({"cut": (0.5, 0.5, 0.5)}, r"two numbers\. Received: cut=\(0\.5, 0\.5, 0\.5\)"),
        ({"cut": "calibrated"}, r"attribute `loss`.*Received: gan_a of type Player"),
        ({"cut": "calibrated", "gan_a": WithoutLoss(45)}, r"gan_a of type WithoutLoss"),
        ({"n_samples": 0}, r"Received: n_samples=0"),
        ({"tolerance": True}, r"`tolerance` must be .*Received: tolerance=True"),
        ({"tolerance": -0.1}, r"`tolerance` must be at least 0\. Received: tolerance=-0\.1"),
        ({"tolerance": np.inf}, r"`tolerance` must be a finite number"),
        ({"x_test": np.zeros((2, *SHAPE))}, r"`x_test` must be uint8.*dtype=float64"),
        ({"x_test": np.zeros((2, 5, 4, 1), np.uint8)}, r"gan_a\.generate.*\(50, 4, 4, 1\)"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"gan_a": Player(45), "gan_b": Player(45), "x_test": grey_images(50)}
    arguments |= {"n_samples": 50} | change
    with pytest.raises(ValueError, match=message):
        generative_adversarial_metric(**arguments)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda images: np.full(len(images), 1.5), r"gan_b\.discriminate.*from 1\.5 to 1\.5"),
        (lambda images: np.full(len(images), np.nan), r"from nan to nan"),
        (lambda images: np.full((len(images), 1), 0.5), r"shape \(50,\).*shape \(50, 1\)"),
    ],
)
def test_bad_scores_are_named(answer, message):
    b = Player(45)
    b.discriminate = answer
    with pytest.raises(ValueError, match=message):
        generative_adversarial_metric(Player(45), b, grey_images(50), n_samples=50)


def test_too_few_generated_images_are_named():
    b = Player(45)
    b.generate = lambda n, seed: Player(45).generate(3)
    with pytest.raises(ValueError, match=r"gan_b\.generate.*50\. Received: 3 images"):
        generative_adversarial_metric(Player(45), b, grey_images(50), n_samples=50)


@pytest.fixture
def runs():
    return {"conv-0": Player(45), "conv-1": Player(47), "caps-0": Player(48, slope=1.2)}


def test_tournament_agrees_with_the_metric_of_each_pair(runs):
    x_test = grey_images(*range(40, 70))
    result = tournament(runs, x_test, n_samples=200, seed=5)
    assert result.names == ("conv-0", "conv-1", "caps-0")
    assert result.accuracies.shape == result.aucs.shape == (3, 3)
    for a in result.names:
        for b in result.names:
            pair = generative_adversarial_metric(runs[a], runs[b], x_test, n_samples=200, seed=5)
            compared = result.compare(a, b)
            assert compared["r_samples"] == pair.r_samples
            assert compared["r_test"] == pair.r_test
            assert compared["winner"] == pair.winner
            i, j = result.names.index(a), result.names.index(b)
            assert result.accuracies[i, j] == pair.accuracies["d_a_on_g_b"]
            assert result.test_accuracies[i] == pair.accuracies["d_a_on_test"]
            assert result.aucs[i, j] == pair.auc["d_a"]
    saved = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert len(saved["pairs"]) == 6


def test_groups_of_seeds_are_summarised_over_all_pairs(runs):
    result = tournament(runs, grey_images(*range(40, 70)), n_samples=200)
    summary = result.compare_groups(["conv-0", "conv-1"], ["caps-0"])
    # Below 50 lie 2 of 10 of the capsule GAN's greys, and 5 and 3 of 10 of the others'.
    np.testing.assert_allclose(summary["r_samples"]["mean"], (0.2 / 0.5 + 0.2 / 0.3) / 2)
    np.testing.assert_allclose(
        summary["r_samples"]["deviation"], (0.2 / 0.3 - 0.2 / 0.5) / np.sqrt(2)
    )
    assert summary["wins"] == {"a": 0, "b": 2, "tie": 0}
    runs["dark"] = Player(0)
    runs["blind"] = Player(45)
    runs["blind"].discriminate = lambda images: np.ones(len(images))
    result = tournament(runs, grey_images(*range(40, 70)), n_samples=200)
    summary = result.compare_groups(["dark"], ["blind", "conv-0"])
    assert summary["r_samples"]["undefined"] == 1
    assert summary["r_samples"]["mean"] == pytest.approx(0.5)
    assert summary["r_samples"]["deviation"] is None


def test_tournament_cuts_can_differ_by_run(runs):
    cuts = {"conv-0": 0.52, "conv-1": "paper", "caps-0": 0.4}
    result = tournament(runs, grey_images(50), n_samples=100, cut=cuts)
    assert [row.cut for row in result.rows] == [0.52, 0.5, 0.4]
    assert result.accuracies[0, 0] == pytest.approx(0.7)


def test_interrupted_tournament_goes_on(runs):
    x_test = grey_images(*range(40, 70))
    whole = tournament(runs, x_test, n_samples=100)
    kept = [TournamentRow(**json.loads(json.dumps(row.to_dict()))) for row in whole.rows[:2]]
    computed = []
    result = tournament(runs, x_test, n_samples=100, finished=kept, on_row=computed.append)
    assert result == whole
    assert [row.name for row in computed] == ["caps-0"]
    # A new run has no column in the rows kept, so they are computed again.
    runs["caps-1"] = Player(44)
    computed.clear()
    tournament(runs, x_test, n_samples=100, finished=kept, on_row=computed.append)
    assert len(computed) == 4


def test_tournament_of_one_is_refused():
    with pytest.raises(ValueError, match=r"two models or more\. Received: runs=\['only'\]"):
        tournament({"only": Player(45)}, grey_images(50))
