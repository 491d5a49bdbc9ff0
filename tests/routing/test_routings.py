"""Self-attention, inverted dot-product and EM routing against loops written out from the papers."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras.layers import CapsuleLayer
from capsgan_keras.routing import (
    EMRouting,
    InvertedDotProductRouting,
    SelfAttentionRouting,
    attention,
    blockwise,
    exponential_squash,
    in_graph,
)

BATCH, N_OUT, N_IN, DIM = 2, 3, 5, 4
rng = np.random.default_rng(0)
VOTES = rng.normal(size=(BATCH, N_OUT, N_IN, DIM))
ACTIVATIONS = rng.uniform(0.1, 1.0, size=(BATCH, N_IN))
INPUTS = rng.normal(size=(BATCH, N_IN, 6))
KERNEL = rng.normal(scale=0.4, size=(N_IN, 6, N_OUT, DIM))


def softmax(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def self_attention_loop(votes, activations, weights):
    """Efficient-CapsNet: A = U U^T / sqrt(d), C = softmax(sum_k A), squash(sum (C + B) U)."""
    (prior,) = weights
    result = np.zeros((BATCH, N_OUT, DIM))
    for b in range(BATCH):
        attention_sums = np.zeros((N_OUT, N_IN))
        for j in range(N_OUT):
            matrix = votes[b, j] @ votes[b, j].T / np.sqrt(DIM)
            attention_sums[j] = matrix.sum(axis=1)
        for j in range(N_OUT):
            total = np.zeros(DIM)
            for i in range(N_IN):
                coupling = softmax(attention_sums[:, i])[j] + prior[j, i, 0]
                total += coupling * votes[b, j, i]
            length = np.linalg.norm(total)
            result[b, j] = (1 - np.exp(-length)) * total / length
    return [result]


def inverted_dot_product_loop(votes, activations, weights, routings=3, epsilon=1e-5):
    """Procedure 1 of Tsai et al., from poses of zero."""
    scale, offset = weights
    poses = np.zeros((BATCH, N_OUT, DIM))
    for b in range(BATCH):
        for _ in range(routings):
            sums = np.zeros((N_OUT, DIM))
            for i in range(N_IN):
                agreements = np.array([poses[b, j] @ votes[b, j, i] for j in range(N_OUT)])
                for j, share in enumerate(softmax(agreements)):
                    sums[j] += share * votes[b, j, i]
            for j in range(N_OUT):
                centred = sums[j] - sums[j].mean()
                deviation = np.sqrt(np.mean(centred**2) + epsilon)
                poses[b, j] = scale * centred / deviation + offset
    return [poses]


def em_loop(votes, activations, weights, routings=3, inverse_temperature=0.01):
    """Procedure 1 of Hinton et al., with densities and not their logarithms."""
    beta_u, beta_a = weights
    poses, active = np.zeros((BATCH, N_OUT, DIM)), np.zeros((BATCH, N_OUT))
    for b in range(BATCH):
        shares = np.full((N_IN, N_OUT), 1 / N_OUT)
        for t in range(routings):
            temperature = inverse_temperature * (1 - 0.95 ** (t + 1))
            variances = np.zeros((N_OUT, DIM))
            for j in range(N_OUT):
                weight = shares[:, j] * activations[b]
                poses[b, j] = weight @ votes[b, j] / weight.sum()
                variances[j] = weight @ (votes[b, j] - poses[b, j]) ** 2 / weight.sum() + 1e-6
                costs = (beta_u[j] + np.log(np.sqrt(variances[j]))) * weight.sum()
                active[b, j] = 1 / (1 + np.exp(-temperature * (beta_a[j] - costs.sum())))
            for i in range(N_IN):
                densities = np.array(
                    [
                        np.prod(
                            np.exp(-((votes[b, j, i] - poses[b, j]) ** 2) / (2 * variances[j]))
                            / np.sqrt(2 * np.pi * variances[j])
                        )
                        for j in range(N_OUT)
                    ]
                )
                shares[i] = active[b] * densities / np.sum(active[b] * densities)
    return [poses, active]


ROUTINGS = {
    "self_attention": (SelfAttentionRouting, {}, self_attention_loop),
    "inverted_dot_product": (InvertedDotProductRouting, {}, inverted_dot_product_loop),
    "inverted_dot_product once": (
        InvertedDotProductRouting,
        {"routings": 1, "epsilon": 0.1},
        inverted_dot_product_loop,
    ),
    "em": (EMRouting, {}, em_loop),
    "em once": (EMRouting, {"routings": 1}, em_loop),
    "em, warm": (EMRouting, {"routings": 4, "inverse_temperature": 2.0}, em_loop),
}


def randomize(layer):
    """Give a layer other weights than zeros and ones, and return them."""
    draws = np.random.default_rng(3)
    weights = [draws.normal(scale=0.5, size=weight.shape) for weight in layer.weights]
    layer.set_weights(weights)
    return weights


def as_list(outputs):
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [ops.convert_to_numpy(ops.cast(output, "float32")) for output in outputs]


@pytest.mark.parametrize("name", ROUTINGS)
def test_routings_are_those_of_the_papers(name):
    kind, options, loop = ROUTINGS[name]
    routing = kind(**options)
    routing.build(VOTES.shape)
    weights = randomize(routing)
    found = as_list(routing(VOTES.astype("float32"), ACTIVATIONS.astype("float32")))
    for ours, theirs in zip(found, loop(VOTES, ACTIVATIONS, weights, **options), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["self_attention", "inverted_dot_product", "em"])
@pytest.mark.parametrize("n_blocks", [1, 3])
def test_the_layer_routes_its_votes_so(name, n_blocks, monkeypatch):
    """On TensorFlow by blocks of input capsules, without the votes."""
    monkeypatch.setattr(blockwise, "BLOCK", INPUTS.size * N_OUT / n_blocks)
    for function in ("_route_inputs_by_self_attention", "_route_inputs_by_dot_product"):
        plain = getattr(attention, function)
        plain = getattr(plain, "python_function", plain)
        monkeypatch.setattr(attention, function, in_graph(plain))
    layer = CapsuleLayer(N_OUT, DIM, routing=name)
    capsules = INPUTS.astype("float32")
    layer.build(INPUTS.shape)
    kernel, *weights = randomize(layer)
    votes = np.einsum("bid,idjk->bjik", INPUTS, kernel.reshape(KERNEL.shape))
    lengths = np.linalg.norm(INPUTS, axis=-1)
    expected = ROUTINGS[name][2](votes, lengths, weights)
    for ours, theirs in zip(as_list(layer(capsules)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_em_takes_activations_beside_the_capsules():
    layer = CapsuleLayer(N_OUT, DIM, routing="em")
    inputs = [INPUTS.astype("float32"), ACTIVATIONS.astype("float32")]
    layer.build([INPUTS.shape, ACTIVATIONS.shape])
    kernel, *weights = randomize(layer)
    votes = np.einsum("bid,idjk->bjik", INPUTS, kernel.reshape(KERNEL.shape))
    for ours, theirs in zip(
        as_list(layer(inputs)), em_loop(votes, ACTIVATIONS, weights), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("routing", ["dynamic", "self_attention", "inverted_dot_product", "em"])
def test_matrices_vote_by_products_of_matrices(routing):
    layer = CapsuleLayer(3, 9, routing=routing, transform="matrix")
    poses = rng.normal(size=(2, 5, 9)).astype("float32")
    layer.build(poses.shape)
    randomize(layer)
    kernel = ops.convert_to_numpy(layer.kernel).reshape(5, 3, 3, 3)
    votes = np.zeros((2, 3, 5, 9), "float32")
    for b, j, i in np.ndindex(2, 3, 5):
        votes[b, j, i] = (poses[b, i].reshape(3, 3) @ kernel[i, :, j]).ravel()
    lengths = np.linalg.norm(poses, axis=-1)
    expected = layer.router(votes, lengths)
    for ours, theirs in zip(as_list(layer(poses)), as_list(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", ["self_attention", "inverted_dot_product", "em, warm"])
@pytest.mark.parametrize("way", ["votes", "inputs"])
def test_gradients_are_finite_differences(name, way, gradient):
    kind, options, _ = ROUTINGS[name]
    on_jax = keras.backend.backend() == "jax"  # float64 is off by default there
    dtype, step, tolerance = ("float32", 1e-3, 2e-2) if on_jax else ("float64", 1e-5, 1e-6)
    layer, values = kind(dtype=dtype, **options), VOTES.astype(dtype)
    if way == "inputs":
        layer = CapsuleLayer(N_OUT, DIM, routing=layer, dtype=dtype)
        values = INPUTS.astype(dtype)
    layer.build(values.shape)
    randomize(layer)

    def loss(values):
        outputs = layer(values, ACTIVATIONS.astype(dtype)) if way == "votes" else layer(values)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        return sum(ops.sum(ops.square(output - 0.3)) for output in outputs)

    slopes = gradient(loss, values)
    for direction in np.random.default_rng(4).normal(size=(4, *values.shape)).astype(dtype):
        up, down = (float(loss(values + sign * step * direction)) for sign in (1, -1))
        numeric = (up - down) / (2 * step)
        assert np.sum(slopes * direction) == pytest.approx(numeric, rel=tolerance, abs=tolerance)
        assert abs(numeric) > 1e-3


@pytest.mark.parametrize("kind", [SelfAttentionRouting, InvertedDotProductRouting, EMRouting])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_computed_in_float32(kind, dtype):
    """The only rounding is that of the inputs and of the result."""
    routing = kind(dtype=f"mixed_{dtype}")
    votes, activations = (ops.cast(array, dtype) for array in (VOTES, ACTIVATIONS))
    routing.build(VOTES.shape)
    randomize(routing)
    outputs = routing(votes, activations)
    for output in outputs if isinstance(outputs, list) else [outputs]:
        assert keras.backend.standardize_dtype(output.dtype) == dtype
    exact = routing(ops.cast(votes, "float32"), ops.cast(activations, "float32"))
    exact = [
        ops.cast(ops.cast(e, "float32"), dtype)
        for e in (exact if isinstance(exact, list) else [exact])
    ]
    for ours, theirs in zip(as_list(outputs), as_list(exact), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", [SelfAttentionRouting, InvertedDotProductRouting, EMRouting])
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e4])
def test_extreme_votes_give_finite_values_and_gradients(kind, scale, gradient):
    routing = kind()
    routing.build(VOTES.shape)

    def loss(votes):
        outputs = routing(votes, np.zeros((BATCH, N_IN), "float32") if scale == 0 else ACTIVATIONS)
        return sum(ops.sum(o) for o in (outputs if isinstance(outputs, list) else [outputs]))

    votes = (scale * VOTES).astype("float32")
    assert np.isfinite(float(loss(votes)))
    assert np.isfinite(gradient(loss, votes)).all()


def test_the_exponential_squash_has_its_lengths(gradient):
    vectors = rng.normal(size=(50, 7)) * np.logspace(-3, 2, 50)[:, None]
    squashed = ops.convert_to_numpy(exponential_squash(vectors.astype("float32")))
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    np.testing.assert_allclose(squashed, -np.expm1(-lengths) * vectors / lengths, rtol=1e-4)
    moved = ops.swapaxes(exponential_squash(np.swapaxes(vectors, 0, 1), axis=0), 0, 1)
    np.testing.assert_allclose(moved, squashed, atol=1e-6)
    slope = gradient(
        lambda x: ops.sum(exponential_squash(x)[0] * np.ones(3)), np.zeros((1, 3), "float32")
    )
    np.testing.assert_allclose(slope, 1.0, atol=1e-5)


def test_em_prefers_the_capsule_whose_votes_agree():
    """Half of the input capsules agree on one pose of the first output capsule."""
    votes = rng.normal(size=(1, 2, 20, 4))
    votes[0, 0, :10] = 2.0 + 0.01 * rng.normal(size=(10, 4))
    poses, activations = EMRouting(routings=10, inverse_temperature=1.0)(
        votes.astype("float32"), np.ones((1, 20), "float32")
    )
    np.testing.assert_allclose(ops.convert_to_numpy(poses)[0, 0], 2.0, atol=0.02)
    first, second = ops.convert_to_numpy(activations)[0]
    assert first > 0.8 > second


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InvertedDotProductRouting(routings=0), r"`routings` must be .* at least 1"),
        (lambda: InvertedDotProductRouting(epsilon=0), r"`epsilon` must be above 0.*epsilon=0"),
        (lambda: EMRouting(routings=1.5), r"`routings` must be .*routings=1.5"),
        (lambda: EMRouting(inverse_temperature=-1), r"`inverse_temperature` must be above 0"),
        (lambda: SelfAttentionRouting()(VOTES[0]), r"`votes` must have the shape.*\(3, 5, 4\)"),
        (
            lambda: EMRouting()(VOTES, ACTIVATIONS[:, :4]),
            r"`activations` must .*batch, 5.*\(2, 4\)",
        ),
        (lambda: EMRouting()(VOTES.astype(int), ACTIVATIONS), "`votes` must be floating-point"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
