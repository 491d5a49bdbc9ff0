import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras.layers import CapsuleLayer, Length, Mask, PrimaryCap
from capsgan_keras.routing.agreement import dynamic_routing, squash

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(4, 12, 10, 3)).astype("float32")
CAPSULES = RNG.normal(size=(4, 6, 5)).astype("float32")
WEIGHT_OPTIONS = {
    "kernel_initializer": "he_normal",
    "kernel_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "bias_initializer": "ones",
    "bias_regularizer": "l1",
    "bias_constraint": "non_neg",
}


@pytest.mark.parametrize(
    ("options", "output_shape"),
    [
        ({"kernel_size": 3, "strides": 2}, (4, 5 * 4 * 2, 8)),
        ({"kernel_size": (3, 5), "padding": "same"}, (4, 12 * 10 * 2, 8)),
    ],
)
def test_primary_cap(check_layer, options, output_shape):
    check_layer(PrimaryCap, {"dim_capsule": 8, "n_channels": 2} | options, IMAGES, output_shape, 2)


def test_primary_cap_is_a_convolution_grouped_and_squashed():
    layer = PrimaryCap(4, 3, kernel_size=3, strides=2)
    capsules = ops.convert_to_numpy(layer(IMAGES))
    features = ops.conv(IMAGES, layer.convolution.kernel, strides=2, data_format="channels_last")
    expected = squash(np.asarray(features).reshape(4, -1, 4))
    np.testing.assert_allclose(capsules, expected, atol=1e-5)
    assert np.linalg.norm(capsules, axis=-1).max() < 1.0


def test_one_capsule_sums_in_float32():
    """In float16 this sum is beyond what it holds."""
    layer = CapsuleLayer(1, 16, kernel_initializer="ones", dtype="mixed_float16")
    capsules = ops.convert_to_numpy(layer(np.full((1, 512, 8), 30.0, "float16")))
    np.testing.assert_allclose(capsules, 0.25, rtol=1e-3)
    assert capsules.dtype == np.float16


def test_primary_cap_of_unknown_size():
    symbolic = PrimaryCap(4, 3, kernel_size=3)(keras.Input((None, None, 3)))
    assert symbolic.shape == (None, None, 4)
    model = keras.Model(inputs := keras.Input((None, None, 3)), PrimaryCap(4, 3, 3)(inputs))
    assert model.predict(IMAGES, verbose=0).shape == (4, 10 * 8 * 3, 4)


@pytest.mark.parametrize("routing", ["dynamic", "leaky"])
@pytest.mark.parametrize("num_capsule", [1, 3])
@pytest.mark.parametrize("use_bias", [False, True])
def test_capsule_layer(check_layer, routing, num_capsule, use_bias):
    arguments = {
        "num_capsule": num_capsule,
        "dim_capsule": 7,
        "routings": 2,
        "routing": routing,
        "use_bias": use_bias,
    }
    check_layer(CapsuleLayer, arguments, CAPSULES, (4, num_capsule, 7), 1 + use_bias)


@pytest.mark.parametrize("routings", [1, 2, 3, 6])
@pytest.mark.parametrize("use_bias", [False, True])
def test_one_capsule_equals_the_general_path(routings, use_bias, gradient):
    """One output capsule: the one product has the values and gradients of routing."""
    layer = CapsuleLayer(
        1, 7, routings=routings, use_bias=use_bias, bias_initializer="random_normal"
    )
    layer.build(CAPSULES.shape)
    kernel = ops.convert_to_numpy(layer.kernel.value)

    def general(inputs, kernel):
        weights = ops.reshape(kernel, (6, 5, 1, 7))
        predictions = ops.einsum("bid,idjk->bjik", inputs, weights)
        bias = ops.reshape(layer.bias, (1, 7)) if use_bias else None
        return dynamic_routing(predictions, routings=routings, bias=bias)

    def short(inputs, kernel):
        outputs, _ = layer.stateless_call(
            [kernel, *[weight.value for weight in layer.trainable_variables[1:]]], [], inputs
        )
        return outputs

    def loss(function, inputs, kernel):
        return ops.sum(ops.square(function(inputs, kernel) - 0.2))

    np.testing.assert_allclose(layer(CAPSULES), general(CAPSULES, kernel), atol=1e-6)
    for index, values in enumerate((CAPSULES, kernel)):

        def slope(function, index=index, values=values):
            def of_one(x):
                return loss(function, x, kernel) if index == 0 else loss(function, CAPSULES, x)

            return gradient(of_one, values)

        np.testing.assert_allclose(slope(short), slope(general), atol=2e-6)


@pytest.mark.parametrize("routings", [2, 3])
def test_leaky_routing_acts_on_one_capsule(routings):
    layer = CapsuleLayer(1, 7, routings=routings, routing="leaky", kernel_initializer="ones")
    once = CapsuleLayer(1, 7, routings=1, routing="leaky", kernel_initializer="ones")
    assert float(ops.max(ops.abs(layer(CAPSULES) - once(CAPSULES)))) > 1e-3


@pytest.mark.parametrize("layer_class", [PrimaryCap, CapsuleLayer])
def test_weight_options_are_used_and_saved(layer_class):
    arguments = {
        PrimaryCap: {"dim_capsule": 8, "n_channels": 2, "kernel_size": 3},
        CapsuleLayer: {"num_capsule": 2, "dim_capsule": 7, "use_bias": True},
    }[layer_class]
    inputs = IMAGES if layer_class is PrimaryCap else CAPSULES
    layer = layer_class(**arguments, **WEIGHT_OPTIONS)
    layer(inputs)
    kernel, bias = layer.weights
    assert kernel.regularizer is not None
    assert kernel.constraint is not None
    kernel, bias = ops.convert_to_numpy(kernel), ops.convert_to_numpy(bias)
    np.testing.assert_array_equal(bias, 1.0)
    expected = 0.01 * np.sum(np.square(kernel)) + 0.01 * np.sum(np.abs(bias))
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-4)
    again = layer_class.from_config(layer.get_config())
    for option in WEIGHT_OPTIONS:
        kept, original = getattr(again, option), getattr(layer, option)
        assert type(kept) is type(original)
        assert kept.get_config() == original.get_config()


def test_every_argument_comes_back_from_the_config():
    layer = CapsuleLayer(
        2, 3, routings=5, routing="leaky", use_bias=True, stop_gradients=True, name="caps"
    )
    again = CapsuleLayer.from_config(layer.get_config())
    for name in ("num_capsule", "dim_capsule", "routings", "routing", "use_bias"):
        assert getattr(again, name) == getattr(layer, name)
    assert again.stop_gradients is True
    assert again.name == "caps"


def test_capsule_layer_needs_known_capsules():
    with pytest.raises(ValueError, match=r"known number .* input capsules.*\(None, None, 8\)"):
        CapsuleLayer(2, 4)(keras.Input((None, 8)))
    with pytest.raises(ValueError, match=r"CapsuleLayer expects capsules of shape"):
        CapsuleLayer(2, 4)(keras.Input((8,)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_capsule": 0, "dim_capsule": 4}, r"`num_capsule` .*num_capsule=0"),
        ({"num_capsule": 2, "dim_capsule": -1}, r"`dim_capsule` .*dim_capsule=-1"),
        ({"num_capsule": 2, "dim_capsule": 4, "routings": 0}, r"`routings` .*routings=0"),
        ({"num_capsule": 2, "dim_capsule": 4, "routing": "none"}, r"'dynamic', 'leaky'.*'none'"),
    ],
)
def test_capsule_layer_names_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CapsuleLayer(**arguments)


def test_length(check_layer):
    check_layer(Length, {}, CAPSULES, (4, 6), 0, output_dtype="float32")
    np.testing.assert_allclose(Length()(CAPSULES), np.linalg.norm(CAPSULES, axis=-1), rtol=1e-6)


def test_mask_keeps_the_longest(check_layer):
    check_layer(Mask, {}, CAPSULES, (4, 30), 0)
    masked = ops.convert_to_numpy(Mask()(CAPSULES)).reshape(4, 6, 5)
    longest = np.linalg.norm(CAPSULES, axis=-1).argmax(axis=-1)
    for sample, index in enumerate(longest):
        np.testing.assert_array_equal(masked[sample, index], CAPSULES[sample, index])
        assert np.count_nonzero(masked[sample]) == 5


def test_mask_keeps_the_named_capsule(check_layer):
    labels = np.eye(6, dtype="float32")[[0, 5, 2, 2]]
    check_layer(Mask, {}, [CAPSULES, labels], (4, 30), 0)
    masked = ops.convert_to_numpy(Mask()([CAPSULES, labels])).reshape(4, 6, 5)
    np.testing.assert_array_equal(masked, CAPSULES * labels[..., None])


def test_mask_names_wrong_shapes():
    with pytest.raises(ValueError, match=r"The mask must have the shape \(batch, 6\)"):
        Mask()([CAPSULES, np.ones((4, 5), "float32")])
    with pytest.raises(ValueError, match=r"Mask needs a known number"):
        Mask()(keras.Input((None, 5)))


KINDS_OF_MASKS = {
    "one-hot": np.eye(6)[[0, 5, 2, 2]],
    "class numbers in rows": np.eye(6)[[0, 5, 2, 2]] * np.array([[1], [7], [2], [250]]),
    "probabilities": np.eye(6)[[0, 5, 2, 2]] * 0.3 + 0.1,
    "several ones": np.array([[1] * 6, [0, 0, 0, 0, 0, 1], [0, 0, 1, 1, 0, 1], [0, 0, 1, 0, 1, 0]]),
    "negative": np.eye(6)[[0, 5, 2, 2]] - 2.0,
}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "float32"])
@pytest.mark.parametrize("kind", KINDS_OF_MASKS)
def test_exactly_one_capsule_is_kept_as_it_is(kind, dtype):
    mask = KINDS_OF_MASKS[kind]
    if not np.array_equal(mask, mask.astype(dtype).astype(mask.dtype)):
        pytest.skip("values that this dtype does not hold")
    masked = ops.convert_to_numpy(Mask()([CAPSULES, mask.astype(dtype)])).reshape(4, 6, 5)
    for row, capsules, kept in zip(masked, CAPSULES, [0, 5, 2, 2], strict=True):
        np.testing.assert_array_equal(row[kept], capsules[kept])
        assert np.count_nonzero(row.any(axis=-1)) == 1


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32"])
@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 6), (3, 6), (6,), (4, 6, 1), ()])
def test_masks_of_another_shape_are_refused_at_each_call(shape, dtype):
    layer = Mask()
    layer(CAPSULES)  # built without a mask
    with pytest.raises(ValueError, match=r"must have the shape \(batch, 6\): one-hot.*Received"):
        layer([CAPSULES, np.ones(shape, dtype)])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (PrimaryCap(4, 2, 3), (2, 8, 8, 1)),
        (CapsuleLayer(1, 4), (2, 3, 4)),
        (CapsuleLayer(3, 4), (2, 3, 4)),
        (Length(), (2, 3, 4)),
        (Mask(), (2, 3, 4)),
    ],
)
def test_layers_refuse_integers_by_name(layer, shape):
    with pytest.raises(ValueError, match=r"must be floating-point numbers. Received: .*int32"):
        layer(np.ones(shape, "int32"))


def test_an_unknown_number_of_capsules_is_said_of_any_input():
    with pytest.raises(ValueError, match=r"give the input a fixed number of capsules"):
        CapsuleLayer(2, 4)(keras.Input((None, 8)))


@pytest.mark.parametrize("shape", [(2, 10, 3), (2, 7, 6), (2, 5, 7), (2, 30)])
def test_a_built_layer_refuses_other_capsules(shape):
    """Ten capsules of 3 hold as many numbers as five of 6, whose weights they would meet."""
    layer = CapsuleLayer(3, 4)
    layer(ops.ones((2, 5, 6)))
    with pytest.raises(ValueError, match="incompatible with the layer"):
        layer(ops.ones(shape))
    assert layer(ops.ones((7, 5, 6))).shape == (7, 3, 4)
