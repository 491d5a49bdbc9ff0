"""What else a GAN does, or refuses, on two replicas of a `tf.distribute` strategy."""

import numpy as np
import pytest

pytestmark = pytest.mark.long  # run by CI beside the others

OPTIONS = """
import contextlib
class MeanByItself(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

clipping = iter([{"clipnorm": 0.01}, {"clipvalue": 0.001}] * 2)
variants = {
    "clipped": {"optimizer": lambda: keras.optimizers.SGD(1.0, **next(clipping))},
    "sum": {"loss": keras.losses.MeanSquaredError(reduction="sum")},
    "each, regularized": {"loss": keras.losses.MeanSquaredError(reduction=None)},
    "mean": {"loss": MeanByItself()},
    "averaged": {"optimizer": lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.5)},
}
for name, options in variants.items():
    for key in ("one", "two"):
        with two_devices() if key == "two" else contextlib.nullcontext():
            gan = make("convolutional", **options)
            if "regularized" in name:
                kernel = gan.discriminator.get_layer("logits").kernel
                kernel.regularizer = keras.regularizers.L2(1.0)
        keep(f"{name}/{key}", gan, fit(gan, images[:13]))

def seeds(gan):
    return [strategy.experimental_local_results(s.value) for s in gan.seed_states()]
alone = make("capsule", dropout=0.5)
with two_devices():
    gan = make("capsule", dropout=0.5)
    dropout = [layer for layer in gan.discriminator.layers if "dropout" in layer.name][0]
fit(alone, images[:8])
fit(gan, images[:8])
results["seeds"] = np.array([[copy.numpy() for copy in copies] for copies in seeds(gan)])
results["seeds-alone"] = np.array([s.numpy() for s in alone.seed_states()])
from capsgan_keras.training import replicas
def masks():
    with replicas.seeds_of_this_replica(gan):
        return dropout(tf.ones((1, 8, 8, 4)), training=True)
for index, mask in enumerate(strategy.experimental_local_results(tf.function(
        lambda: strategy.run(masks))())):
    results[f"mask-{index}"] = mask.numpy()

gradients = tf.constant([[1.0, 2.0], [np.inf, 3.0]])
scaling = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
def gradients_to_apply():
    own = tf.distribute.get_replica_context().replica_id_in_sync_group
    gradient, missing = replicas.summed_gradients(scaling, [gradients[own], None])
    assert missing is None
    return gradient
results["gradients"] = np.array([gradient.numpy() for gradient in (
    strategy.experimental_local_results(strategy.run(gradients_to_apply)))])

from unittest import mock
from capsgan_keras.gan import base
mock.patch.object(base, "checked_pair", lambda name, x, y, *rest: (x, y)).start()
keras.config.set_dtype_policy("mixed_float16")
for key in ("one", "two"):
    with two_devices() if key == "two" else contextlib.nullcontext():
        gan = make("convolutional")
    keep(f"half/{key}", gan, fit(gan, images[:16]))
    # Pixels that are not finite, in the second replica's part; `fit` would refuse them.
    good = images[:8] / np.float32(127.5) - 1.0
    broken = good.copy()
    broken[7] = np.inf
    with contextlib.suppress(ArithmeticError):  # the end of training, once the step is done
        fit(gan, tf.data.Dataset.from_tensor_slices([good, broken]), batch_size=None)
    results[f"half/{key}/scale"] = gan.optimizer.dynamic_scale.numpy()
    results[f"half/{key}/finite"] = all(np.isfinite(w).all() for v in [
        gan.generator.trainable_variables, gan.discriminator.trainable_variables]
        for w in map(keras.ops.convert_to_numpy, v))
"""


@pytest.fixture(scope="module")
def options(on_two_devices):
    return on_two_devices(OPTIONS)


@pytest.mark.parametrize("case", ["clipped", "sum", "each, regularized", "mean"])
def test_losses_and_clipping_are_those_of_the_whole_batch(options, assert_close, case):
    assert_close(options, f"{case}/one", f"{case}/two", 5e-6)


def test_averages_of_the_generators_weights_are_those_of_one_device(options, assert_close):
    """With statistics from 5,120 images, whose sums round otherwise on two devices."""
    assert_close(options, "averaged/one", "averaged/two", 1e-4)


def test_dropout_differs_between_replicas_and_its_seeds_do_not(options):
    for copies, alone in zip(options["seeds"], options["seeds-alone"], strict=True):
        np.testing.assert_array_equal(copies, [alone, alone])
    masks = options["mask-0"], options["mask-1"]
    assert np.mean(masks[0] != masks[1]) == pytest.approx(0.5, abs=0.15)


def test_the_first_replica_applies_the_sum_and_sees_overflow_on_any(options):
    np.testing.assert_array_equal(options["gradients"], [[np.inf, 5.0], [0.0, 0.0]])


def test_float16_takes_a_step_that_is_not_finite_out(options):
    assert options["half/two/finite"]
    assert options["half/two/scale"] == options["half/one/scale"] == 2.0**14
