import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras.layers import CapsuleLayer
from capsgan_keras.routing import (
    InvertedDotProductRouting,
    SelfAttentionRouting,
    blockwise,
    dynamic_routing,
    in_graph,
)
from capsgan_keras.routing.blockwise import route_inputs

if keras.backend.backend() != "tensorflow":
    pytest.skip("routing of predictions there", allow_module_level=True)

BATCH, NUM_INPUT, INPUT_DIM, NUM_CAPSULE, DIM_CAPSULE = 3, 7, 5, 4, 6
rng = np.random.default_rng(0)
INPUTS = rng.normal(scale=0.5, size=(BATCH, NUM_INPUT, INPUT_DIM)).astype("float32")
KERNEL = rng.normal(scale=0.5, size=(NUM_INPUT, INPUT_DIM, NUM_CAPSULE, DIM_CAPSULE)).astype(
    "float32"
)
BIAS = rng.normal(size=(NUM_CAPSULE, DIM_CAPSULE)).astype("float32")
TARGETS = rng.normal(size=(BATCH, NUM_CAPSULE, DIM_CAPSULE)).astype("float32")


@pytest.fixture(params=[1, 3, 100], ids="{} blocks".format)
def blocks(request, monkeypatch):
    """Cut these inputs into some number of blocks, not all of one size; at most one a capsule."""
    numbers = BATCH * NUM_INPUT * INPUT_DIM * NUM_CAPSULE
    monkeypatch.setattr(blockwise, "BLOCK", numbers / request.param)
    retrace()
    yield min(request.param, NUM_INPUT)
    retrace()


def retrace():
    """Forget the graphs that were made for another size of blocks."""
    blockwise.route_inputs = in_graph(blockwise.route_inputs.python_function)


def by_predictions(inputs, kernel, bias=None, **options):
    return dynamic_routing(ops.einsum("bid,idjk->bjik", inputs, kernel), bias=bias, **options)


@pytest.mark.parametrize("routings", [1, 3])
@pytest.mark.parametrize("options", [{}, {"leaky": True}, {"stop_gradients": True}], ids=str)
@pytest.mark.parametrize("with_bias", [False, True])
def test_values_and_gradients_are_those_of_the_predictions(
    blocks, routings, options, with_bias, gradient
):
    options = {"routings": routings, **options}
    values = {"inputs": INPUTS, "kernel": KERNEL} | ({"bias": BIAS} if with_bias else {})

    def blockwise_routing(**values):
        return blockwise.route_inputs(**values, **options)

    def reference(**values):
        return by_predictions(**values, **options)

    np.testing.assert_allclose(blockwise_routing(**values), reference(**values), atol=1e-6)
    for name in values:

        def slope(route, name=name):
            def loss(changed):
                return ops.sum(TARGETS * route(**values | {name: changed}))

            return gradient(loss, values[name])

        np.testing.assert_allclose(slope(blockwise_routing), slope(reference), atol=5e-6)


@pytest.mark.parametrize("options", [{}, {"leaky": True}, {"stop_gradients": True}], ids=str)
def test_gradients_of_gradients_are_those_of_the_predictions(options):
    """As a gradient penalty takes them."""
    import tensorflow as tf

    def penalty_gradients(route):
        inputs, kernel = tf.constant(INPUTS), tf.constant(KERNEL)
        with tf.GradientTape() as outer:
            outer.watch([inputs, kernel])
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                loss = tf.reduce_sum(TARGETS * route(inputs, kernel, bias=BIAS, **options))
            penalty = tf.reduce_sum(tf.square(inner.gradient(loss, inputs)))
        return outer.gradient(penalty, [inputs, kernel])

    ours, expected = penalty_gradients(route_inputs), penalty_gradients(by_predictions)
    for one, other in zip(ours, expected, strict=True):
        assert np.abs(other).max() > 0.1
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_there_are_not_more_blocks_in_large_batches():
    shape = (100, 4, 2, 3)
    cut = blockwise._blocks(ops.ones((10 * blockwise.BLOCK // 800, 100, 4)), ops.ones(shape))
    assert len(cut) // 2 == 10
    cut = blockwise._blocks(ops.ones((100 * blockwise.BLOCK // 800, 100, 4)), ops.ones(shape))
    assert len(cut) // 2 == blockwise.MOST_BLOCKS


def test_inputs_are_cut_into_that_many_blocks(blocks):
    cut = blockwise._blocks(ops.convert_to_tensor(INPUTS), ops.convert_to_tensor(KERNEL))
    assert len(cut) == 2 * blocks
    assert sum(block.shape[1] for block in cut[:blocks]) == BATCH * NUM_INPUT
    assert all(block.shape[0] == INPUT_DIM for block in cut[:blocks])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_routed_in_float32(dtype, gradient):
    """The only rounding is that of the inputs and of the result."""
    inputs, kernel = (ops.cast(array, dtype) for array in (INPUTS, KERNEL))
    result = route_inputs(inputs, kernel)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    exact = route_inputs(ops.cast(inputs, "float32"), ops.cast(kernel, "float32"))
    np.testing.assert_array_equal(
        ops.convert_to_numpy(ops.cast(result, "float32")),
        ops.convert_to_numpy(ops.cast(ops.cast(exact, dtype), "float32")),
    )


def test_zero_inputs_and_large_logits_stay_finite(gradient):
    def loss(inputs):
        return ops.sum(route_inputs(inputs, KERNEL, leaky=True))

    for inputs in (np.zeros_like(INPUTS), 1e4 * INPUTS):
        assert np.isfinite(ops.convert_to_numpy(loss(inputs)))
        assert np.isfinite(gradient(loss, inputs)).all()


def test_routings_must_be_a_positive_integer():
    with pytest.raises(ValueError, match="`routings` must be an integer of at least 1"):
        route_inputs(INPUTS, KERNEL, routings=0)


def test_a_model_for_any_batch_gives_each_batch_the_same():
    inputs = keras.Input(INPUTS.shape[1:])
    layer = CapsuleLayer(NUM_CAPSULE, DIM_CAPSULE)
    model = keras.Model(inputs, layer(inputs))
    many = np.tile(INPUTS, (40, 1, 1))
    np.testing.assert_allclose(
        model.predict(many, batch_size=50, verbose=0)[-3:], layer(INPUTS), atol=1e-6
    )
    kernel = ops.reshape(layer.kernel, KERNEL.shape)
    np.testing.assert_allclose(layer(INPUTS), by_predictions(INPUTS, kernel), atol=1e-6)


@pytest.mark.parametrize("kind", [None, SelfAttentionRouting, InvertedDotProductRouting])
def test_it_is_a_tf_function_whose_graph_holds_no_predictions(kind):
    """Neither forward nor backward does any tensor have the size of the predictions."""
    import tensorflow as tf

    inputs = tf.zeros((16, 600, 8))
    kernel = tf.zeros((600, 8, 10, 16))
    assert hasattr(route_inputs, "get_concrete_function")
    route = route_inputs
    if kind is not None:
        routing = kind()
        routing.build((None, 10, 600, 16))
        route = routing.route_inputs

    @tf.function
    def slopes(inputs, kernel):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            total = tf.reduce_sum(route(inputs, kernel))
        return tape.gradient(total, [inputs, kernel])

    graph = slopes.get_concrete_function(inputs, kernel).graph
    functions = [graph, *(f.graph for f in graph._functions.values() if hasattr(f, "graph"))]
    sizes = [
        tensor.shape.num_elements()
        for function in functions
        for operation in function.get_operations()
        for tensor in operation.outputs
        if tensor.shape.is_fully_defined()
    ]
    assert max(sizes) == kernel.shape.num_elements() < 16 * 600 * 10 * 16
