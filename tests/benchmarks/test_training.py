import collections
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.measuring import DisagreementError
from benchmarks.reference import capsules
from benchmarks.training import limit, steps
from benchmarks.training.comparison import check_step
from benchmarks.training.networks import IMAGE_SHAPES, MODELS, TINY, TUNED, new_gan

SMALL = replace(TUNED["mnist"], **TINY)
CONVOLUTIONS = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter")


def convolutions_of(concrete):
    """Count the convolutions of a graph that its results need, by kind and shape."""
    graph = concrete.graph
    needed = {tensor.op for tensor in concrete.outputs} | set(graph.control_outputs)
    needed |= {op for op in graph.get_operations() if "Assign" in op.type}
    ahead = list(needed)
    while ahead:
        op = ahead.pop()
        new = {tensor.op for tensor in op.inputs} | set(op.control_inputs)
        ahead += new - needed
        needed |= new
    return collections.Counter(
        (op.type, tuple(op.outputs[0].shape)) for op in needed if op.type in CONVOLUTIONS
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dataset", TUNED)
def test_the_limit_has_the_convolutions_of_the_step(dataset, model):
    gan = new_gan(TUNED[dataset], model)
    images = tf.zeros((4, *IMAGE_SHAPES[dataset]), tf.uint8)
    step = tf.function(gan.train_step, autograph=False).get_concrete_function((images,))
    alone = limit.convolutions_alone(gan, 4, "float32")
    counted = convolutions_of(alone.func.get_concrete_function(*alone.args))
    assert counted == convolutions_of(step)
    assert sum(counted.values()) >= 25


@pytest.mark.parametrize("transposed", [False, True])
def test_the_passes_of_a_convolution(transposed):
    kind = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    layer = kind(3, 3, strides=2, padding="same", use_bias=False)
    inputs = tf.random.stateless_normal((2, 8, 8, 4), (1, 2))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = layer(inputs)
        total = tf.reduce_sum(value * value) / 2  # whose gradient is the value
    to_inputs, to_kernel = tape.gradient(total, [inputs, layer.kernel.value])
    one = limit._Pass(layer, inputs.shape, "float32", to_inputs=2)
    given = inputs, layer.kernel.value, value, 2.0 * value
    assert [tensor.shape for tensor in one.tensors] == [tensor.shape for tensor in given]
    results = one.compute(*given)
    expected = value, to_kernel, [to_inputs, 2.0 * to_inputs]
    for result, wanted in zip(tf.nest.flatten(results), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-4, atol=1e-5)


def test_the_networks_are_the_experiments():
    settings = TUNED["mnist"]
    gan = new_gan(settings, "capsule", "mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    assert gan.latent_dim == settings.latent_dim
    assert gan.discriminator.get_layer("primary_capsules").compute_dtype == "bfloat16"
    again = new_gan(settings, "capsule")
    assert again.generator_optimizer.use_ema
    for one, other in zip(gan.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ratios_are_taken_within_a_round():
    seconds = {
        ("textbook", "float32"): [6.0, 8.0, 5.0],
        ("simultaneous", "float32"): [2.0, 4.0, 5.0],
        ("convolutions", "float32"): [1.0, 3.0, 1.0],
        ("simultaneous", "mixed_bfloat16"): [1.0, 1.0, 1.0],
    }
    row = steps.row("simultaneous", "float32", seconds, images=20)
    assert row["images_per_second"] == {"median": 5.0, "min": 4.0, "max": 10.0}
    assert row["times_textbook"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert row["convolutions_share"] == {"median": 0.5, "min": 0.2, "max": 0.75}
    row = steps.row("simultaneous", "mixed_bfloat16", seconds, images=20)
    assert row["times_textbook"] == {"median": 6.0, "min": 5.0, "max": 8.0}
    assert row["convolutions_share"] is None  # not timed in this precision
    row = steps.row("convolutions", "float32", seconds, images=20)
    assert row["times_textbook"] is None


def test_bfloat16_is_timed_where_the_hardware_has_it(monkeypatch):
    asked = []
    monkeypatch.setattr(steps, "measure", lambda *arguments: asked.append(arguments[2]))
    for policy in ("float32", "mixed_bfloat16"):
        monkeypatch.setattr(steps, "resolve_precision", lambda auto, policy=policy: (policy, ""))
        steps.run()
        assert list(asked[-1]) == list(dict.fromkeys(["float32", policy]))


@pytest.mark.long
def test_a_step_is_checked_and_timed():
    precisions = ("float32", "mixed_bfloat16")
    result = steps.measure(SMALL, "capsule", precisions, steps=2, rounds=3)
    assert result["batch_size"] == TINY["batch_size"]
    assert list(result["differences"]) == [
        f"{update} {precision}"
        for precision in precisions
        for update in ("alternating", "simultaneous")
    ]
    names = ["textbook", "convolutions", "alternating", "simultaneous"]
    found = [(row["step"], row["precision"]) for row in result["steps"]]
    assert found == [(name, precision) for precision in precisions for name in names]
    for row in result["steps"]:
        rates = row["images_per_second"]
        assert 0 < rates["min"] <= rates["median"] <= rates["max"]
    assert result["steps"][0]["times_textbook"] == {"median": 1.0, "min": 1.0, "max": 1.0}


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dataset", TUNED)
def test_the_tuned_networks_agree(dataset, model):
    images = np.random.default_rng(1).integers(0, 256, (64, *IMAGE_SHAPES[dataset]), dtype=np.uint8)
    for update in ("alternating", "simultaneous"):
        check_step(new_gan(TUNED[dataset], model), images, update, "float32")


def test_nothing_is_timed_where_values_differ(monkeypatch):
    monkeypatch.setattr(capsules, "_squash", lambda vectors: vectors)
    monkeypatch.setattr(steps, "time_in_turn", lambda *arguments: pytest.fail("timed"))
    with pytest.raises(DisagreementError, match="The alternating step in float32"):
        steps.measure(SMALL, "capsule", ("float32",), steps=1, rounds=1)
