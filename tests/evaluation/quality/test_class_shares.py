import json

import numpy as np
import pytest

from capsgan_keras.evaluation import (
    class_shares,
    classifier_score,
    confident_shares,
    share_entropy,
)


def one_hot(*classes, num_classes=4):
    return np.eye(num_classes)[list(classes)]


def test_shares_count_the_most_probable_classes():
    probabilities = np.array([[0.6, 0.4, 0], [0.2, 0.5, 0.3], [0.9, 0.1, 0], [0.4, 0.35, 0.25]])
    assert class_shares(probabilities).tolist() == [0.75, 0.25, 0]


def test_entropy_is_largest_for_equal_shares_and_0_for_one_class():
    assert share_entropy(np.full(8, 1 / 8)) == pytest.approx(np.log(8))
    assert share_entropy([0, 1, 0]) == 0
    assert share_entropy([0.5, 0.5, 0]) == pytest.approx(np.log(2))


def test_classifier_score_runs_from_1_to_the_number_of_classes():
    assert classifier_score(one_hot(0, 1, 2, 3)) == pytest.approx(4)
    assert classifier_score(one_hot(2, 2, 2)) == pytest.approx(1)
    assert classifier_score(np.full((5, 4), 0.25)) == pytest.approx(1)
    assert classifier_score(one_hot(0, 1, 1, 0)) == pytest.approx(2)


def test_classifier_score_has_its_closed_form_between():
    # Each sample has p of its class; the marginal is even: KL = log 2 - H(p).
    p = 0.8
    score = classifier_score([[p, 1 - p], [1 - p, p]])
    assert score == pytest.approx(2 * p**p * (1 - p) ** (1 - p))


def test_confident_shares_are_of_all_samples_and_of_the_sure_ones():
    probabilities = [[0.95, 0.05, 0], [0.9, 0.1, 0], [0, 0.91, 0.09], [0.3, 0.3, 0.4]]
    shares = confident_shares(probabilities)
    assert shares.confident == 0.5  # 0.9 itself is not above 0.9
    assert shares.classes == (0.25, 0.25, 0)
    assert shares.classes_of_confident == (0.5, 0.5, 0)
    assert confident_shares(probabilities, threshold=0.35).classes == (0.5, 0.25, 0.25)
    assert json.loads(json.dumps(shares.to_dict()))["threshold"] == 0.9


def test_no_sure_sample_leaves_their_classes_open():
    shares = confident_shares(np.full((3, 2), 0.5))
    assert (shares.confident, shares.classes) == (0, (0, 0))
    assert shares.classes_of_confident is None


@pytest.mark.parametrize(
    "probabilities",
    [np.ones(3), np.ones((0, 3)), np.ones((2, 3)), [[1.5, -0.5]], [[np.nan, 1.0]]],
)
def test_what_is_no_probability_is_refused(probabilities):
    for measure in (class_shares, classifier_score, confident_shares):
        with pytest.raises(ValueError, match=r"`probabilities` must .* Received"):
            measure(probabilities)


@pytest.mark.parametrize(
    "shares", [[np.nan, 1.0], [-0.5, 1.5], [0.5, 0.6], [2, 2], [np.inf, 0], [], [[0.5, 0.5]], 1.0]
)
def test_entropy_is_of_shares_alone(shares):
    with pytest.raises(ValueError, match="Received"):
        share_entropy(shares)
