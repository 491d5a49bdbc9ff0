"""The couplings that a layer shows are those by which its output is made of the votes."""

import keras
import numpy as np
import pytest

from capsgan_keras.layers import CapsuleLayer
from capsgan_keras.routing import exponential_squash, squash

N_OUT, N_IN, DIM = 4, 6, 5
INPUTS = np.random.default_rng(0).normal(size=(3, N_IN, 7)).astype("float32")


def normalized(sums):
    return keras.ops.layer_normalization(sums, axis=-1, epsilon=1e-5)


def built(**options):
    layer = CapsuleLayer(N_OUT, DIM, **options)
    output = layer(INPUTS)
    kernel = np.asarray(layer.kernel).reshape(N_IN, 7, N_OUT, DIM)
    return layer, output, np.einsum("bid,idjk->bjik", INPUTS, kernel)


@pytest.mark.parametrize("routings", [1, 2, 4])
@pytest.mark.parametrize(
    ("routing", "ending"),
    [
        ("dynamic", squash),
        ("leaky", squash),
        ("self_attention", exponential_squash),
        ("inverted_dot_product", normalized),
    ],
)
def test_the_output_is_made_of_coupled_votes(routing, ending, routings):
    layer, output, votes = built(routing=routing, routings=routings)
    for weight in layer.router.weights if isinstance(layer.router, keras.Layer) else ():
        if weight.name == "prior":
            weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    output = layer(INPUTS)
    couplings = np.asarray(layer.couplings(INPUTS))
    assert couplings.shape == (3, N_OUT, N_IN)
    expected = ending(np.einsum("bji,bjik->bjk", couplings, votes))
    np.testing.assert_allclose(output, expected, atol=1e-5)
    if routing in ("dynamic", "inverted_dot_product"):
        np.testing.assert_allclose(couplings.sum(axis=1), 1.0, atol=1e-6)
    if routing == "leaky":
        shares = couplings.sum(axis=1)
        assert shares.max() < 1.0 + 1e-6
        if routings == 1:  # shared out among the capsules and the orphans
            np.testing.assert_allclose(shares, N_OUT / (N_OUT + 1), atol=1e-6)


def test_a_bias_takes_part_in_the_agreements():
    options = {"use_bias": True, "bias_initializer": "ones", "routings": 3}
    layer, output, votes = built(**options)
    couplings = np.asarray(layer.couplings(INPUTS))
    expected = squash(np.einsum("bji,bjik->bjk", couplings, votes) + 1.0)
    np.testing.assert_allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize("routings", [1, 3])
def test_em_routing_means_are_of_coupled_active_votes(routings):
    layer, (poses, _), votes = built(routing="em", routings=routings)
    couplings = np.asarray(layer.couplings(INPUTS))
    weights = couplings * np.linalg.norm(INPUTS, axis=-1)[:, np.newaxis]
    means = np.einsum("bji,bjik->bjk", weights, votes) / weights.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(poses, means, atol=1e-4)
    np.testing.assert_allclose(couplings.sum(axis=1), 1.0, atol=1e-6)


def test_one_capsule_without_routing_has_couplings_of_one():
    layer = CapsuleLayer(1, DIM)
    layer(INPUTS)
    np.testing.assert_array_equal(layer.couplings(INPUTS), np.ones((3, 1, N_IN)))


def test_your_own_routing_may_have_a_method():
    def mean(votes, activations):
        return keras.ops.mean(votes, axis=2)

    layer = CapsuleLayer(N_OUT, DIM, routing=mean)
    layer(INPUTS)
    with pytest.raises(ValueError, match=r"`routing` must have a method `couplings.*mean"):
        layer.couplings(INPUTS)
    mean.couplings = lambda votes, activations: votes[..., 0]
    assert layer.couplings(INPUTS).shape == (3, N_OUT, N_IN)
