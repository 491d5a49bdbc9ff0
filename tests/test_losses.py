import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras.losses import MarginLoss


def test_values_are_those_of_the_formula():
    lengths = np.array([[0.95, 0.3], [0.4, 0.05], [0.0, 0.999]], "float32")
    classes = np.array([[1, 0], [1, 0], [0, 1]], "float32")
    per_sample = MarginLoss(reduction=None)(classes, lengths)
    expected = [0.5 * 0.2**2, 0.5**2, 0.0]
    np.testing.assert_allclose(per_sample, expected, atol=1e-7)
    assert float(MarginLoss()(classes, lengths)) == pytest.approx(np.mean(expected))


def test_margins_and_weight_are_used():
    loss = MarginLoss(m_plus=0.8, m_minus=0.2, down_weighting=2.0, reduction=None)
    values = loss(np.array([[1.0], [0.0]]), np.array([[0.5], [0.5]]))
    np.testing.assert_allclose(values, [0.3**2, 2.0 * 0.3**2], atol=1e-6)


def test_best_answer_at_equal_densities_is_0_6333():
    lengths = np.linspace(0, 1, 100_001, dtype="float32")[:, None]
    loss = MarginLoss(reduction=None)
    total = np.asarray(loss(np.ones_like(lengths), lengths)) + np.asarray(
        loss(np.zeros_like(lengths), lengths)
    )
    assert lengths[total.argmin(), 0] == pytest.approx((0.9 + 0.1 * 0.5) / 1.5, abs=1e-3)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_best_answer_follows_the_densities(share):
    """l* = clip((m+ p + m- lambda q) / (p + lambda q), m-, m+), p and q the two densities."""
    p, q = share, 1 - share
    lengths = np.linspace(0, 1, 100_001, dtype="float64")[:, None]
    loss = MarginLoss(reduction=None, dtype="float64")
    if keras.backend.backend() == "jax":
        pytest.skip("float64 needs a switch on JAX")
    total = p * np.asarray(loss(np.ones_like(lengths), lengths)) + q * np.asarray(
        loss(np.zeros_like(lengths), lengths)
    )
    expected = np.clip((0.9 * p + 0.1 * 0.5 * q) / (p + 0.5 * q), 0.1, 0.9)
    assert lengths[total.argmin(), 0] == pytest.approx(expected, abs=1e-4)


def test_the_best_discriminators_loss_is_a_divergence_of_the_densities():
    """0.64/3 - 0.64 * 2/9 * sum((p - q)^2 / (2 p + q)): largest where the densities are equal."""
    p, q = np.random.default_rng(0).dirichlet(np.ones(6), size=2)
    lengths = np.linspace(0, 1, 20_001, dtype="float32")[:, None]
    loss = MarginLoss(reduction=None)
    on_real = np.asarray(loss(np.ones_like(lengths), lengths))
    on_generated = np.asarray(loss(np.zeros_like(lengths), lengths))
    least = sum((a * on_real + b * on_generated).min() for a, b in zip(p, q, strict=True))
    divergence = np.sum((p - q) ** 2 / (2 * p + q))
    assert divergence > 0.1
    assert least == pytest.approx(0.64 / 3 - 0.64 * 2 / 9 * divergence, abs=1e-5)


def test_sample_weights_and_reductions_work_as_in_keras():
    classes, lengths = np.ones((2, 1)), np.array([[0.4], [0.9]])
    assert float(MarginLoss(reduction="sum")(classes, lengths)) == pytest.approx(0.25)
    weighted = MarginLoss()(classes, lengths, sample_weight=np.array([3.0, 1.0]))
    assert float(weighted) == pytest.approx(0.375)


def test_half_precision_predictions_are_taken_in_float32():
    lengths = ops.cast(np.array([[0.9004]], "float32"), "float16")
    value = MarginLoss(reduction=None)(np.zeros((1, 1)), lengths)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"


def test_config_round_trip():
    loss = MarginLoss(0.8, 0.2, 0.7, reduction="sum", name="other")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert isinstance(again, MarginLoss)
    assert again.get_config() == loss.get_config()
    assert (again.m_plus, again.m_minus, again.down_weighting) == (0.8, 0.2, 0.7)


def test_usable_in_any_compile():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("sgd", loss=MarginLoss())
    x, y = np.ones((4, 3), "float32"), np.eye(2, dtype="float32")[[0, 1, 0, 1]]
    before = model.evaluate(x, y, verbose=0)
    assert before == pytest.approx(float(MarginLoss()(y, model.predict(x, verbose=0))), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"m_plus": 0.1, "m_minus": 0.5}, "m_plus=0.1"),
        ({"m_plus": 1.5}, "m_plus=1.5"),
        ({"m_minus": -0.1}, "m_minus=-0.1"),
        ({"down_weighting": 0.0}, "down_weighting=0.0"),
        ({"down_weighting": float("inf")}, "down_weighting=inf"),
        ({"down_weighting": float("nan")}, "down_weighting=nan"),
        ({"m_plus": float("nan")}, "m_plus=nan"),
    ],
)
def test_impossible_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=f"Received: .*{named}"):
        MarginLoss(**arguments)


def test_flat_labels_fit_a_single_output():
    lengths = np.array([[0.2], [0.8]], "float32")
    loss = MarginLoss()
    flat, column = loss(np.array([1, 0]), lengths), loss(np.array([[1], [0]]), lengths)
    assert float(flat) == float(column)


@pytest.mark.parametrize("shape", [(4, 3), (1, 2), (2,), (1,), (8, 2)])
def test_shapes_must_be_the_same(shape):
    with pytest.raises(ValueError, match=r"`y_true` must have the shape of `y_pred`"):
        MarginLoss()(np.ones(shape), np.ones((4, 2)))


@pytest.mark.parametrize(
    ("targets", "outputs"), [((1, 1), (4, 1)), ((1,), (4, 1)), ((4, 1), (1, 1)), ((2, 3), (4, 3))]
)
def test_the_batches_must_be_the_same(targets, outputs):
    with pytest.raises(ValueError, match=r"`y_true` must have the shape of `y_pred`.*Received"):
        MarginLoss()(np.ones(targets), np.ones(outputs))


@pytest.mark.parametrize("name", ["m_plus", "m_minus", "down_weighting"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, "0.5", None, True])
def test_margins_and_weight_must_be_finite_numbers(name, value):
    with pytest.raises(ValueError, match=f"Received: .*{name}="):
        MarginLoss(**{name: value})
