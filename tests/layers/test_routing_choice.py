"""`CapsuleLayer` with each routing: those with a name, and those of a user."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras.layers import CapsuleLayer, PrimaryCap
from capsgan_keras.routing import EMRouting, SelfAttentionRouting, squash

CAPSULES = np.random.default_rng(0).normal(size=(4, 6, 5)).astype("float32")
ACTIVATIONS = np.random.default_rng(1).uniform(size=(4, 6)).astype("float32")


@keras.saving.register_keras_serializable(package="tests")
def mean_vote(votes, activations):
    """A user's function: the votes' mean, weighted by the activations."""
    weights = activations / ops.sum(activations, axis=-1, keepdims=True)
    return ops.einsum("bjik,bi->bjk", votes, weights)


@keras.saving.register_keras_serializable(package="tests")
class GatedRouting(keras.layers.Layer):
    """A user's layer: a gate for each pair, and the largest activation."""

    returns_activations = True

    def build(self, votes_shape):
        self.gate = self.add_weight(name="gate", shape=(*votes_shape[1:3], 1))

    def call(self, votes, activations):
        poses = squash(ops.sum(votes * self.gate, axis=2))
        return poses, ops.max(activations, axis=1, keepdims=True) * ops.ones_like(poses[..., 0])


@pytest.mark.parametrize(
    ("routing", "n_weights"),
    [("self_attention", 2), ("inverted_dot_product", 3), (mean_vote, 1)],
)
def test_layers_of_each_routing(check_layer, routing, n_weights):
    arguments = {"num_capsule": 3, "dim_capsule": 7, "routing": routing}
    if callable(routing):
        arguments["routing"] = keras.saving.serialize_keras_object(routing)
    check_layer(CapsuleLayer, arguments, CAPSULES, (4, 3, 7), n_weights)


def test_em_returns_poses_and_activations(check_layer):
    arguments = {"num_capsule": 3, "dim_capsule": 7, "routing": "em"}
    check_layer(CapsuleLayer, arguments, CAPSULES, [(4, 3, 7), (4, 3)], 3)


def test_a_users_layer_is_built_trained_and_saved(tmp_path):
    inputs = keras.Input(CAPSULES.shape[1:])
    layer = CapsuleLayer(3, 7, routing=GatedRouting(name="gated"))
    model = keras.Model(inputs, layer(inputs))
    assert [weight.path.split("/")[-1] for weight in model.weights] == ["kernel", "gate"]
    model.compile("sgd", loss="mse")
    before = model.get_weights()
    model.fit(CAPSULES, [np.ones((4, 3, 7)), np.ones((4, 3))], verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[1].routing, GatedRouting)
    poses, active = loaded.predict(CAPSULES, verbose=0)
    np.testing.assert_array_equal(poses, model.predict(CAPSULES, verbose=0)[0])
    lengths = np.linalg.norm(CAPSULES, axis=-1).max(axis=1, keepdims=True)
    np.testing.assert_allclose(active, np.repeat(lengths, 3, axis=1), rtol=1e-6)


def test_a_users_function_gets_votes_and_activations():
    layer = CapsuleLayer(3, 7, routing=mean_vote)
    result = layer([CAPSULES, ACTIVATIONS])
    votes = np.einsum("bid,idjk->bjik", CAPSULES, np.reshape(layer.kernel, (6, 5, 3, 7)))
    shares = ACTIVATIONS / ACTIVATIONS.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result, np.einsum("bjik,bi->bjk", votes, shares), atol=1e-5)


def test_votes_and_activations_are_float32_under_half_precision():
    seen = []

    def spy(votes, activations):
        seen.extend(keras.backend.standardize_dtype(t.dtype) for t in (votes, activations))
        return mean_vote(votes, activations)

    for policy in ("mixed_bfloat16", "mixed_float16"):
        result = CapsuleLayer(3, 7, routing=spy, dtype=policy)(CAPSULES)
        assert keras.backend.standardize_dtype(result.dtype) == policy[len("mixed_") :]
    assert seen == ["float32"] * 4


def test_a_lambda_works_but_is_not_saved():
    layer = CapsuleLayer(3, 7, routing=lambda votes, activations: votes[:, :, 0])
    assert layer(CAPSULES).shape == (4, 3, 7)
    with pytest.raises(ValueError, match=r"`routing` must be a function with a name.*a lambda"):
        layer.get_config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: CapsuleLayer(3, 7, routing=lambda v, a: v)(CAPSULES),
            r"`routing` must return \('batch', 3, 7\), .* is False.*\(4, 3, 6, 7\)",
        ),
        (
            lambda: CapsuleLayer(3, 7, routing=lambda v, a: (v[:, :, 0], v[:, :, 0, 0]))(CAPSULES),
            r"`returns_activations` is False.*\(4, 3, 7\), \(4, 3\)",
        ),
        (
            lambda: CapsuleLayer(3, 7, routing=lambda v, a: None)(CAPSULES),
            r"`routing` must return \('batch', 3, 7\), .*NoneType",
        ),
        (
            lambda: CapsuleLayer(3, 7, routing="em", use_bias=True),
            r"`use_bias` is for the routings 'dynamic' and 'leaky'.*routing='em'",
        ),
        (
            lambda: CapsuleLayer(3, 7, routing="self_attention", stop_gradients=True),
            r"`stop_gradients` is for .*routing='self_attention'",
        ),
        (
            lambda: CapsuleLayer(3, 7)([CAPSULES, ACTIVATIONS]),
            r"routing='dynamic' expects capsules alone. Received: 2 inputs",
        ),
        (
            lambda: CapsuleLayer(3, 7, routing="em")([CAPSULES, ACTIVATIONS[:, :5]]),
            r"activations must have the shape.*\(4, 5\).*\(4, 6, 5\)",
        ),
        (lambda: CapsuleLayer(3, 7, routing=3), r"`routing` must be one of 'dynamic'.*routing=3"),
        (lambda: CapsuleLayer(3, 7, routing=EMRouting), r"`routing` must be .*function or object"),
        (lambda: CapsuleLayer(3, 7, transform="affine"), r"`transform` .*'linear', 'matrix'"),
        (
            lambda: CapsuleLayer(3, 4, transform="matrix")(CAPSULES),
            r"square number. Received: input capsules of dimension 5, dim_capsule=4",
        ),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_frozen_routing_comes_back_from_the_config():
    layer = CapsuleLayer(3, 7, routing="self_attention")
    layer.router.trainable = False
    again = CapsuleLayer.from_config(layer.get_config())
    again.build(CAPSULES.shape)
    assert [weight.trainable for weight in again.weights] == [True, False]
    assert isinstance(again.router, SelfAttentionRouting)


def test_options_of_a_routing_object_are_saved():
    layer = CapsuleLayer(3, 7, routing=EMRouting(2, inverse_temperature=0.5))
    again = CapsuleLayer.from_config(layer.get_config())
    assert (again.routing.routings, again.routing.inverse_temperature) == (2, 0.5)


def test_configs_of_older_files_route_as_before():
    config = CapsuleLayer(3, 7, routing="leaky").get_config()
    older = {name: config[name] for name in config if name not in ("transform", "sublayers")}
    layer = CapsuleLayer.from_config(older)
    assert (layer.routing, layer.transform) == ("leaky", "linear")


def test_primary_capsules_keep_their_places_where_told(check_layer):
    images = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32")
    arguments = {"dim_capsule": 4, "n_channels": 3, "kernel_size": 3, "flatten": False}
    check_layer(PrimaryCap, arguments, images, (2, 7, 6, 3, 4), 2)
    layer = PrimaryCap(4, 3, 3, flatten=False)
    flat = PrimaryCap(4, 3, 3)
    flat.build(images.shape)
    layer.build(images.shape)
    flat.set_weights(layer.get_weights())
    np.testing.assert_array_equal(np.reshape(layer(images), (2, -1, 4)), flat(images))
