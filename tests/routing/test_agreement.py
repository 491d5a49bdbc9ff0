import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras.routing.agreement import check_routings, dynamic_routing, squash, vector_length

LOW_PRECISION = ["float32", "bfloat16", "float16"]


def squash_loop(vector):
    squared = float(np.sum(vector**2))
    return squared / (1 + squared) * vector / np.sqrt(squared)


def routing_loop(predictions, routings, leaky=False, bias=None):
    """Procedure 1 of Sabour et al., written out for one sample after another."""
    batch, n_out, n_in, dim = predictions.shape
    result = np.zeros((batch, n_out, dim))
    for b in range(batch):
        logits = np.zeros((n_in, n_out))
        for _ in range(routings):
            couplings = np.zeros((n_in, n_out))
            for i in range(n_in):
                exponentials = np.exp(logits[i])
                couplings[i] = exponentials / (exponentials.sum() + (1.0 if leaky else 0.0))
            for j in range(n_out):
                total = sum(couplings[i, j] * predictions[b, j, i] for i in range(n_in))
                result[b, j] = squash_loop(total if bias is None else total + bias[j])
            for i in range(n_in):
                for j in range(n_out):
                    logits[i, j] += predictions[b, j, i] @ result[b, j]
    return result


@pytest.fixture
def predictions():
    return np.random.default_rng(1).normal(size=(3, 4, 6, 5)).astype("float32")


@pytest.mark.parametrize("routings", [1, 2, 3, 5])
@pytest.mark.parametrize("leaky", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_dynamic_routing_is_procedure_1(predictions, routings, leaky, with_bias):
    bias = np.random.default_rng(2).normal(size=(4, 5)).astype("float32") if with_bias else None
    result = dynamic_routing(predictions, routings=routings, leaky=leaky, bias=bias)
    expected = routing_loop(predictions.astype("float64"), routings, leaky, bias)
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, atol=1e-5)


def test_stopping_gradients_changes_no_value(predictions):
    np.testing.assert_array_equal(
        dynamic_routing(predictions, stop_gradients=True), dynamic_routing(predictions)
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="float64 needs a switch on JAX")
def test_gradients_flow_through_all_iterations(predictions, gradient):
    values = predictions[:1, :2, :3, :2].astype("float64")

    def total(votes):
        return ops.sum(ops.square(dynamic_routing(votes, routings=3) - 0.3))

    step = 1e-6
    numeric = np.zeros_like(values)
    for index in np.ndindex(values.shape):
        up, down = values.copy(), values.copy()
        up[index] += step
        down[index] -= step
        numeric[index] = (float(total(up)) - float(total(down))) / (2 * step)
    np.testing.assert_allclose(gradient(total, values), numeric, atol=1e-7)


def test_stopped_gradients_hold_the_couplings_constant(predictions, gradient):
    """Then only the last weighted sum has a gradient, with the last couplings in it."""
    votes = predictions.astype("float64")
    capsules = routing_loop(votes, 1)
    logits = np.einsum("bjid,bjd->bji", votes, capsules)
    exponentials = np.exp(logits)
    couplings = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype("float32")

    def last_sum(votes):
        return ops.sum(ops.square(squash(ops.einsum("bji,bjid->bjd", couplings, votes)) - 0.3))

    def stopped(votes):
        routed = dynamic_routing(votes, routings=2, stop_gradients=True)
        return ops.sum(ops.square(routed - 0.3))

    def full(votes):
        return ops.sum(ops.square(dynamic_routing(votes, routings=2) - 0.3))

    expected = gradient(last_sum, predictions)
    np.testing.assert_allclose(gradient(stopped, predictions), expected, atol=1e-6)
    assert np.abs(gradient(full, predictions) - expected).max() > 1e-3


@pytest.mark.parametrize("routings", [0, -1, 2.5, "3", None])
def test_routings_must_be_a_positive_integer(predictions, routings):
    with pytest.raises(ValueError, match=r"`routings` must be an integer of at least 1.*Received"):
        dynamic_routing(predictions, routings=routings)


@pytest.mark.parametrize("routings", [2.0, True])
def test_numbers_equal_to_integers_are_refused_too(routings):
    with pytest.raises(ValueError, match=r"`routings` must be an integer of at least 1.*Received"):
        check_routings(routings)


def test_predictions_must_have_four_dimensions(predictions):
    with pytest.raises(ValueError, match=r"`predictions` must have the shape.*\(3, 4, 6\)"):
        dynamic_routing(predictions[..., 0])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a TensorFlow property")
def test_routing_is_a_tf_function_and_nests_in_one(predictions):
    import tensorflow as tf

    assert isinstance(dynamic_routing, tf.types.experimental.PolymorphicFunction)
    nested = tf.function(lambda votes: dynamic_routing(votes, routings=2))
    np.testing.assert_allclose(nested(predictions), routing_loop(predictions, 2), atol=1e-5)


class Routes(keras.layers.Layer):
    """A user's layer, with a bias of its own."""

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(input_shape[1], input_shape[-1]))

    def call(self, predictions):
        return dynamic_routing(predictions, routings=2, bias=self.bias)


def test_a_layers_variable_is_taken_as_bias(predictions):
    inputs = keras.Input(predictions.shape[1:])
    layer = Routes()
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", loss="mse")
    before = ops.convert_to_numpy(layer.bias)
    expected = routing_loop(predictions, 2, bias=before)
    np.testing.assert_allclose(model.predict(predictions, verbose=0), expected, atol=1e-5)
    model.fit(predictions, np.ones_like(expected), verbose=0)
    assert np.all(ops.convert_to_numpy(layer.bias) != before)


def test_functional_models_are_put_together_of_it(predictions):
    inputs = keras.Input(predictions.shape[1:])
    model = keras.Model(inputs, dynamic_routing(squash(inputs), leaky=True))
    assert model.output_shape == (None, 4, 5)
    votes = ops.convert_to_numpy(squash(predictions))
    expected = routing_loop(votes, 3, leaky=True)
    np.testing.assert_allclose(model.predict(predictions, verbose=0), expected, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="a tf.function there")
def test_routing_is_a_plain_function_elsewhere():
    import types

    assert isinstance(dynamic_routing, types.FunctionType)


def test_squash_has_the_length_of_equation_1():
    vectors = np.random.default_rng(0).normal(size=(50, 7)) * np.logspace(-3, 3, 50)[:, None]
    vectors = vectors.astype("float32")
    squashed = ops.convert_to_numpy(squash(vectors))
    lengths = np.linalg.norm(vectors, axis=-1)
    np.testing.assert_allclose(
        np.linalg.norm(squashed, axis=-1), lengths**2 / (1 + lengths**2), rtol=1e-4
    )
    cosines = np.sum(squashed * vectors, -1) / lengths / np.linalg.norm(squashed, axis=-1)
    np.testing.assert_allclose(cosines, 1.0, atol=1e-5)


def test_squash_takes_any_axis():
    vectors = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")
    moved = np.moveaxis(np.asarray(squash(np.moveaxis(vectors, 1, -1))), -1, 1)
    np.testing.assert_allclose(squash(vectors, axis=1), moved, atol=1e-7)


def test_vector_length_is_the_norm():
    vectors = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("float32")
    np.testing.assert_allclose(vector_length(vectors), np.linalg.norm(vectors, axis=-1), rtol=1e-6)
    np.testing.assert_allclose(
        vector_length(vectors, axis=1), np.linalg.norm(vectors, axis=1), rtol=1e-6
    )


@pytest.mark.parametrize("dtype", LOW_PRECISION)
def test_zero_vectors_have_finite_values_and_gradients(dtype, gradient):
    zeros = np.zeros((2, 3), "float32")

    def squashed(x):
        return ops.sum(ops.cast(squash(ops.cast(x, dtype)), "float32"))

    def length(x):
        return ops.sum(vector_length(ops.cast(x, dtype)))

    def routed(x):
        return ops.sum(ops.cast(dynamic_routing(ops.cast(x, dtype)[None, :, None, :]), "float32"))

    np.testing.assert_array_equal(ops.convert_to_numpy(squash(zeros)), 0.0)
    assert float(length(zeros)) == pytest.approx(0.0, abs=1e-5)
    for function in (squashed, length, routed):
        slopes = gradient(function, zeros)
        assert np.all(np.isfinite(slopes))
        np.testing.assert_allclose(slopes, 0.0, atol=1e-6)


@pytest.mark.parametrize("dtype", LOW_PRECISION)
def test_low_precision_is_computed_in_float32(dtype):
    """In float16 the squares of 300 and of 1e-4 leave the range of numbers."""
    vectors = ops.cast(np.array([[300.0, 400.0], [3e-4, 4e-4]], "float32"), dtype)
    lengths = vector_length(vectors)
    assert keras.backend.standardize_dtype(lengths.dtype) == "float32"
    np.testing.assert_allclose(lengths, [500.0, 5e-4], rtol=1e-2)
    assert squash(vectors).dtype == vectors.dtype


LARGEST = {"float16": 6.5e4, "bfloat16": 3.3e38, "float32": 3.4e38, "float64": 1.7e308}
DTYPES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name == "float64" and keras.backend.backend() == "jax", reason="needs a switch on JAX"
        ),
    )
    for name in LARGEST
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [1.0, 1e-1, 1e-2, 1e-4, 1e-8, 1e-16, 1e-25])
def test_the_largest_vectors_have_a_length_of_one(dtype, share, gradient):
    """No square on the way leaves the range: in values and gradients."""
    single = "float64" if dtype == "float64" else "float32"
    length = max(LARGEST[dtype] * share, 1e3)
    vectors = (np.array([[0.6, 0.0, -0.8], [0.0, 1.0, 0.0]]) * length).astype(single)
    typed = ops.cast(vectors, dtype)
    squashed = ops.convert_to_numpy(ops.cast(squash(typed), single))
    np.testing.assert_allclose(squashed, vectors / length, atol=1e-2 if dtype != single else 1e-5)
    lengths = ops.convert_to_numpy(vector_length(typed))
    np.testing.assert_allclose(lengths, length, rtol=1e-2 if dtype != single else 1e-6)

    def first(x):
        return ops.sum(ops.cast(squash(ops.cast(x, dtype)), single)[0] * np.arange(1, 4))

    def whole(x):
        return ops.sum(vector_length(ops.cast(x, dtype)))

    np.testing.assert_allclose(gradient(first, vectors), 0.0, atol=4 / length)
    np.testing.assert_allclose(gradient(whole, vectors), vectors / length, atol=1e-2)


def test_the_gradient_of_squash_is_alike_on_both_sides_of_the_scaling(gradient):
    """With s the length: across the direction 1 / s, up to 1 / s^2."""
    slopes = [
        gradient(lambda x: squash(x)[0, 1], np.array([[length, 0.0]], "float32"))[0, 1] * length
        for length in (9.9e8, 1.01e9)
    ]
    np.testing.assert_allclose(slopes, 1.0, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "int16", "uint8", "bool"])
@pytest.mark.parametrize("function", [squash, vector_length, dynamic_routing])
def test_arrays_of_integers_are_refused_by_name(function, dtype):
    with pytest.raises(ValueError, match=rf"must be floating-point numbers. Received: .*{dtype}"):
        function(np.ones((2, 3, 4, 5), dtype))


def test_integers_of_python_become_floats():
    np.testing.assert_allclose(vector_length([[3, 4]]), [5.0])
    np.testing.assert_allclose(squash([[3, 4]]), np.array([[3, 4]]) * 5 / 26, rtol=1e-6)
    assert dynamic_routing([[[[1, 2]]]]).shape == (1, 1, 2)
