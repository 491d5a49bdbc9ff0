"""Ways to bring batches to the training step: some steps each, ended when the last one is.

Every function takes a compiled GAN and an `EpochBatches`, and returns a function without
arguments that trains on all batches of the epoch in order. All of them do the same steps.
"""

import keras
import numpy as np

from benchmarks.measuring import DisagreementError

STEP_BY_STEP = "step by step"
TOLERANCE = 1e-3
"""Largest difference of weights, as a share of the largest change of the variable."""


def step_by_step(gan, batches):
    """`train_on_batch`, whose losses come back to Python after each step."""

    def train():
        for images in stacked(batches):
            gan.train_on_batch(images)

    return train


def fit(gan, batches):
    """`fit` on the batches as the experiments give them."""
    return lambda: gan.fit(batches.feed(), shuffle=False, verbose=0)


def fit_sequence(gan, batches):
    """`fit` on the `EpochBatches` itself, of which Keras makes a data set that tunes itself."""
    return lambda: gan.fit(batches, shuffle=False, verbose=0)


def fit_dataset(gan, batches):
    """`fit` on a `tf.data.Dataset` that holds the images as a tensor and makes batches ahead."""
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False  # see `EpochBatches.feed`
    data = tf.data.Dataset.from_tensor_slices(stacked(batches)).prefetch(2).with_options(options)
    return lambda: gan.fit(data, shuffle=False, verbose=0)


def scan(gan, batches):
    """On JAX: one compiled loop over batches that lie on the device, one dispatch for all."""
    import jax

    data = jax.device_put(stacked(batches))
    groups = (
        gan.trainable_variables,
        gan.non_trainable_variables,
        gan.optimizer.variables,
        gan.metrics_variables,
    )

    @jax.jit
    def steps(state, data):
        def step(state, images):
            logs, state = gan.train_step(state, images)
            return state, logs["d_loss"]

        return jax.lax.scan(step, state, data)

    def train():
        state = tuple([variable.value for variable in group] for group in groups)
        state, _ = jax.block_until_ready(steps(state, data))
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)

    return train


def ways(n_steps):
    """Return the ways on this backend: name -> (way, arguments of `GAN.compile`).

    Args:
        n_steps: Steps in an epoch, all of them in one execution where several are.
    """
    found = {
        STEP_BY_STEP: (step_by_step, {}),
        "fit": (fit, {}),
        "fit, one execution": (fit, {"steps_per_execution": n_steps}),
    }
    if keras.backend.backend() == "jax":
        found["scan"] = scan, {}
    else:
        found["fit, self-tuning"] = fit_sequence, {}
        found["fit, dataset"] = fit_dataset, {}
        found["fit, dataset, one execution"] = fit_dataset, {"steps_per_execution": n_steps}
    return found


def stacked(batches):
    """Return all batches of an `EpochBatches` as one array `(steps, batch, height, ...)`."""
    return np.stack([batches[index] for index in range(batches.num_batches)])


def check(new_gan, batches):
    """Compare the weights that all ways end with.

    Args:
        new_gan: Function that returns a GAN, not compiled, always with the same weights and seed.
        batches: `EpochBatches`.

    Returns:
        Dictionary of ways: the largest difference from `STEP_BY_STEP`, as a share of the largest
        change of the same variable.

    Raises:
        DisagreementError: Where one is above `TOLERANCE`, or not a number.
    """
    before = new_gan().get_weights()
    weights = {}
    for name, (way, options) in ways(batches.num_batches).items():
        gan = new_gan()
        # Steps of one size in the direction of the gradients: Adam's first ones are their signs.
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.01), **options)
        way(gan, batches)()
        weights[name] = gan.get_weights()
    reference = weights.pop(STEP_BY_STEP)
    differences = {name: difference(before, ours, reference) for name, ours in weights.items()}
    return agreeing("ways to feed the step", differences)


def agreeing(what, differences):
    """Return differences of weights, where all are small enough.

    Args:
        what: Words for what ended with the weights.
        differences: Dictionary of numbers that `difference` returned.

    Raises:
        DisagreementError: Where one is above `TOLERANCE`, or not a number.
    """
    if not all(value <= TOLERANCE for value in differences.values()):
        raise DisagreementError(
            f"{what} end with weights that differ by more than {TOLERANCE:g} of their change. "
            f"Received: {differences}"
        )
    return differences


def difference(before, ours, reference):
    """Return the largest difference of weights, as a share of the largest change of a variable.

    Args:
        before, ours, reference: Lists of arrays: at the start, and two to compare.
    """
    shares = [0.0]
    for start, one, other in zip(before, ours, reference, strict=True):
        change = np.max(np.abs(np.subtract(other, start, dtype="float64")), initial=0.0)
        if change:
            shares.append(np.max(np.abs(np.subtract(one, other, dtype="float64"))) / change)
    return float(max(shares))
