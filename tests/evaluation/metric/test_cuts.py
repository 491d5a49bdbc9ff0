import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras.evaluation.metric.cuts import calibrated_cut, resolve_cut
from capsgan_keras.losses import MarginLoss


@pytest.mark.parametrize(
    ("m_plus", "m_minus", "weight"), [(0.9, 0.1, 0.5), (0.9, 0.1, 1.0), (0.8, 0.3, 0.1)]
)
def test_margin_loss_has_the_cut_of_its_closed_form(m_plus, m_minus, weight):
    loss = MarginLoss(m_plus=m_plus, m_minus=m_minus, down_weighting=weight)
    expected = (m_plus + weight * m_minus) / (1 + weight)
    assert calibrated_cut(loss) == pytest.approx(expected, abs=1e-12)
    # The search, which knows nothing of the loss, finds it too.
    assert calibrated_cut(lambda t, y: loss.call(t, y)) == pytest.approx(expected, abs=1e-4)


def test_default_margin_loss_is_cut_at_19_thirtieths():
    assert calibrated_cut(MarginLoss()) == pytest.approx(19 / 30, abs=1e-4)


@pytest.mark.parametrize("options", [{}, {"from_logits": True}, {"label_smoothing": 0.2}])
def test_cross_entropy_is_cut_at_one_half(options):
    loss = keras.losses.BinaryCrossentropy(**options)
    assert calibrated_cut(loss) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("kind", ["BinaryCrossentropy", "MeanSquaredError"])
def test_symmetric_losses_are_cut_at_one_half_exactly(kind):
    assert calibrated_cut(getattr(keras.losses, kind)()) == 0.5


def test_names_of_losses_will_do():
    assert calibrated_cut("mean_squared_error") == pytest.approx(0.5, abs=1e-4)


def test_logits_of_a_lopsided_loss_are_turned_into_a_probability():
    class Lopsided(keras.losses.Loss):
        """Weighs generated images three times: the best probability is 1 / 4."""

        from_logits = True

        def call(self, y_true, y_pred):
            real = y_true * ops.softplus(-y_pred)
            return ops.mean(real + 3 * (1 - y_true) * ops.softplus(y_pred), axis=-1)

    assert calibrated_cut(Lopsided()) == pytest.approx(0.25, abs=1e-4)


def test_flat_minimum_gives_its_middle():
    def hinge(y_true, y_pred):  # nothing to pay between 0.2 and 0.6
        return y_true * ops.relu(0.2 - y_pred) + (1 - y_true) * ops.relu(y_pred - 0.6)

    assert calibrated_cut(hinge) == pytest.approx(0.4, abs=1e-4)


def test_the_size_of_a_loss_does_not_matter():
    for factor in (1e-4, 1e4):
        cut = calibrated_cut(lambda t, y, factor=factor: factor * MarginLoss().call(t, y))
        assert cut == pytest.approx(19 / 30, abs=1e-4)


def test_missing_and_infinite_losses_are_refused():
    with pytest.raises(ValueError, match="Received: loss=None"):
        calibrated_cut(None)
    with pytest.raises(ValueError, match="`loss` must be finite"):
        calibrated_cut(lambda t, y: ops.log(y * 0) + 0 * t)


@pytest.mark.parametrize("cut", [2, -1, 1.0001, -1e-9])
def test_cuts_outside_of_probabilities_are_refused(cut):
    with pytest.raises(ValueError, match=rf"probability, in \[0, 1\]\. Received: cut={cut}"):
        resolve_cut(cut, None, "gan_a")


@pytest.mark.parametrize("cut", [np.nan, np.inf, True, "half", None])
def test_what_is_no_cut_is_refused(cut):
    with pytest.raises(ValueError, match=rf"a number or a pair of numbers\. Received: {cut!r}$"):
        resolve_cut(cut, None, "gan_a")


@pytest.mark.parametrize("cut", [0, 1, 0.25, np.float32(0.5)])
def test_cuts_within_are_taken(cut):
    assert resolve_cut(cut, None, "gan_a") == float(cut)


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", keras.losses.CategoricalCrossentropy(from_logits=True)]
)
def test_a_loss_of_two_categories_is_cut_between_them(loss):
    assert calibrated_cut(loss) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("no such loss", "must be a Keras loss, its name, or a function"),
        (7, "must be a Keras loss, its name, or a function"),
        (lambda: 0.0, "must be a function .* which fails"),
        (lambda y_true, y_pred: "low", "must be a function .* which fails"),
        (lambda y_true, y_pred: ops.mean(y_pred), "must be a function .* which fails"),
        (lambda y_true, y_pred: 0.0 * y_pred, "must depend on the outputs"),
        (lambda y_true, y_pred: y_pred * np.nan, "must be finite"),
        ("sparse_categorical_crossentropy", "must take targets 0 and 1"),
    ],
)
def test_what_cannot_be_cut_is_refused_by_name(loss, message):
    with pytest.raises(ValueError, match=f"`loss` {message}"):
        calibrated_cut(loss)
