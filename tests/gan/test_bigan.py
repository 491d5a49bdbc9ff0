"""BiGAN: both losses and updates written out, averages, saving, and what it is for."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import BiGAN
from capsgan_keras.losses import HingeLoss, MarginLoss
from capsgan_keras.models import (
    build_capsule_encoder,
    build_convolutional_encoder,
    build_generator,
    build_joint_discriminator,
)
from capsgan_keras.training.averages import averaged

SHAPE = (16, 16, 1)
ENCODERS = {
    "capsule": (build_capsule_encoder, {"filters": 4, "n_channels": 2, "num_capsule": 3}),
    "convolutional": (build_convolutional_encoder, {"filters": (4, 4), "units": 8}),
}
UPDATES = ["simultaneous", "alternating"]


def tiny_generator():
    return build_generator(SHAPE, latent_dim=5, filters=(4, 3), batch_norm=False, seed=1)


def tiny_encoder(kind="capsule", latent_dim=5, batch_norm=False):
    build, options = ENCODERS[kind]
    return build(SHAPE, latent_dim, batch_norm=batch_norm, seed=2, **options)


def tiny_discriminator(head="capsule", **options):
    sizes = {"filters": (4, 4), "code_units": 6, "units": 8, "n_channels": 3}
    return build_joint_discriminator(SHAPE, 5, head, seed=3, **sizes | options)


def tiny(encoder="capsule", head="capsule", dropout=0.0, **options):
    discriminator = tiny_discriminator(head, dropout=dropout)
    return BiGAN(tiny_generator(), tiny_encoder(encoder), discriminator, seed=4, **options)


def sgd(rate):
    return keras.optimizers.SGD(rate)


def fit(gan, images, **options):
    return gan.fit(images, **{"batch_size": 8, "shuffle": False, "verbose": 0} | options)


def values(variables):
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def weights_of(gan):
    return [*gan.get_weights(), *values(gan.optimizer.variables)]


def assert_same(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (24, *SHAPE), dtype=np.uint8)


# ---- the losses and the step


def test_the_losses_are_those_of_the_papers_with_the_margin_loss():
    gan = tiny()
    on_real, on_generated = np.array([[0.95], [0.4]]), np.array([[0.05], [0.7]])

    def present(lengths):
        return np.mean(np.maximum(0.0, 0.9 - lengths) ** 2)

    def absent(lengths):
        return np.mean(0.5 * np.maximum(0.0, lengths - 0.1) ** 2)

    tensors = [ops.convert_to_tensor(x, "float32") for x in (on_real, on_generated)]
    expected = present(on_real) + absent(on_generated)
    assert float(gan.discriminator_loss(*tensors)) == pytest.approx(expected, rel=1e-5)
    expected = absent(on_real) + present(on_generated)
    assert float(gan.generator_loss(*reversed(tensors))) == pytest.approx(expected, rel=1e-5)


def test_the_losses_are_those_of_the_papers_with_cross_entropy():
    gan = tiny(head="dense")
    on_real, on_generated = np.array([[0.95], [0.4]]), np.array([[0.05], [0.7]])
    tensors = [ops.convert_to_tensor(x, "float32") for x in (on_real, on_generated)]
    expected = -np.mean(np.log(on_real)) - np.mean(np.log(1 - on_generated))
    assert float(gan.discriminator_loss(*tensors)) == pytest.approx(expected, rel=1e-4)
    expected = -np.mean(np.log(1 - on_real)) - np.mean(np.log(on_generated))
    assert float(gan.generator_loss(*reversed(tensors))) == pytest.approx(expected, rel=1e-4)


def test_a_loss_with_a_generators_part_takes_negative_scores_of_real_pairs():
    gan = BiGAN(
        tiny_generator(),
        tiny_encoder(),
        tiny_discriminator("dense", activation="linear"),
        HingeLoss(),
        seed=4,
    )
    on_real, on_generated = np.array([[2.0], [-0.5]]), np.array([[0.25], [-3.0]])
    tensors = [ops.convert_to_tensor(x, "float32") for x in (on_generated, on_real)]
    expected = on_real.mean() - on_generated.mean()
    assert float(gan.generator_loss(*tensors)) == pytest.approx(expected, rel=1e-5)


def test_the_default_loss_follows_the_head():
    assert isinstance(tiny(head="capsule").loss, MarginLoss)
    assert isinstance(tiny(head="dense").loss, keras.losses.BinaryCrossentropy)


def textbook_step(gan, real, latents, update):
    """One step with two SGD optimizers, written out; `latents` holds the noise of each pass."""
    import tensorflow as tf

    one, zero = tf.ones((len(real), 1)), tf.zeros((len(real), 1))
    real = ops.convert_to_tensor(real)
    discriminator = gan.discriminator.trainable_variables
    both = [*gan.generator.trainable_variables, *gan.encoder.trainable_variables]

    def losses(noise):
        noise = ops.convert_to_tensor(noise)
        generated, codes = gan.generator(noise, training=True), gan.encoder(real, training=True)
        on_generated = gan.discriminator([generated, noise], training=True)
        on_real = gan.discriminator([real, codes], training=True)
        of_discriminator = gan.loss(one, on_real) + gan.loss(zero, on_generated)
        return of_discriminator, gan.loss(zero, on_real) + gan.loss(one, on_generated)

    with tf.GradientTape(persistent=True) as tape:
        loss, generator_loss = losses(latents[0])
    d_gradients = tape.gradient(loss, discriminator)
    gradients = tape.gradient(generator_loss, both)
    for variable, gradient in zip(discriminator, d_gradients, strict=True):
        variable.assign_sub(0.2 * gradient)
    if update == "alternating":
        with tf.GradientTape() as tape:
            generator_loss = losses(latents[1])[1]
        gradients = tape.gradient(generator_loss, both)
    for variable, gradient in zip(both, gradients, strict=True):
        variable.assign_sub(0.1 * gradient)
    return float(loss), float(generator_loss)


@pytest.mark.parametrize(("encoder", "head"), [("capsule", "dense"), ("convolutional", "capsule")])
@pytest.mark.parametrize("update", UPDATES)
def test_the_step_is_the_textbook_step(encoder, head, update, images, monkeypatch):
    latents = np.random.default_rng(1).normal(size=(2, 8, 5)).astype("float32")
    gan, expected = tiny(encoder, head), tiny(encoder, head)
    gan.compile(sgd(0.1), sgd(0.2), update=update, run_eagerly=True)
    draws = iter([0, 1])
    monkeypatch.setattr(
        gan, "sample_latents", lambda n: ops.convert_to_tensor(latents[next(draws)])
    )
    before = gan.encoder.get_weights()
    logs = gan.train_on_batch(images[:8], return_dict=True)
    losses = textbook_step(expected, images[:8] / np.float32(127.5) - 1, latents, update)
    assert (logs["d_loss"], logs["g_loss"]) == pytest.approx(losses, rel=1e-5)
    for one, other in zip(gan.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    moved = [np.abs(a - b).max() for a, b in zip(before, gan.encoder.get_weights(), strict=True)]
    assert max(moved) > 1e-5


@pytest.mark.parametrize(("side", "update"), [("generator", UPDATES[1]), ("encoder", UPDATES[0])])
def test_generator_and_encoder_each_lower_their_loss(side, update, images):
    """With the discriminator and the other one held, a small step goes down."""
    gan = tiny("convolutional", "dense")
    gan.discriminator.trainable = False
    (gan.encoder if side == "generator" else gan.generator).trainable = False
    gan.compile(sgd(0.05), sgd(0.0), update=update, run_eagerly=True)
    losses = [gan.evaluate(images, batch_size=24, verbose=0, return_dict=True)["g_loss"]]
    for _ in range(4):
        fit(gan, images, batch_size=24)
        losses.append(gan.evaluate(images, batch_size=24, verbose=0, return_dict=True)["g_loss"])
    assert losses[-1] < losses[0] - 1e-5


def test_an_encoders_moving_statistics_are_those_of_real_batches(images):
    encoder = tiny_encoder("convolutional", batch_norm=True)
    gan = BiGAN(tiny_generator(), encoder, tiny_discriminator(), seed=4)
    gan.compile(sgd(0.0), sgd(0.0), run_eagerly=True)
    (layer,) = (x for x in encoder.layers if isinstance(x, keras.layers.BatchNormalization))
    features = keras.Model(encoder.input, layer.input)(images / np.float32(127.5) - 1)
    fit(gan, images, batch_size=24, epochs=80)  # 0.9 to the power of 80 is left of their start
    mean, variance = (np.array(ops.convert_to_numpy(v)) for v in layer.non_trainable_variables)
    features = np.array(ops.convert_to_numpy(features))
    np.testing.assert_allclose(mean, features.mean(0), atol=1e-3)
    np.testing.assert_allclose(variance, features.var(0), atol=1e-3)


def test_a_regularizer_of_the_encoder_counts_for_its_side(images):
    plain, gan = tiny("convolutional"), tiny("convolutional")
    kernel = gan.encoder.get_layer("codes").kernel
    kernel.regularizer = keras.regularizers.L2(10.0)
    penalty = 10.0 * float(np.sum(np.square(kernel.numpy())))
    for model in (plain, gan):
        model.compile(sgd(0.0), sgd(0.0), run_eagerly=True)
    ours, theirs = (m.train_on_batch(images[:8], return_dict=True) for m in (gan, plain))
    assert ours["g_loss"] == pytest.approx(theirs["g_loss"] + penalty, rel=1e-5)
    assert ours["d_loss"] == pytest.approx(theirs["d_loss"], rel=1e-5)


def test_the_gradient_penalty_is_of_images_with_their_codes_held(images):
    plain, gan = tiny(head="dense"), tiny(head="dense", gradient_penalty=3.0)
    for model in (plain, gan):
        model.compile(sgd(0.0), sgd(0.0), run_eagerly=True)
    import tensorflow as tf

    real = tf.constant(images[:8] / np.float32(127.5) - 1)
    codes = gan.encoder(real)
    with tf.GradientTape() as tape:
        tape.watch(real)
        probability = gan.discriminator([real, codes])
        logits = tf.math.log(probability) - tf.math.log(1.0 - probability)
    squares = tf.reduce_sum(tf.square(tape.gradient(logits, real)), axis=(1, 2, 3))
    penalty = 3.0 / 2.0 * float(tf.reduce_mean(squares))
    ours, theirs = (m.train_on_batch(images[:8], return_dict=True) for m in (gan, plain))
    assert penalty > 1e-4
    assert ours["d_loss"] - theirs["d_loss"] == pytest.approx(penalty, rel=1e-2)


# ---- averages, precision, saving


def test_the_average_covers_generator_and_encoder(images):
    gan = tiny("convolutional")
    average = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.75)
    gan.compile(average, keras.optimizers.Adam(1e-2), run_eagerly=True)
    steps = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(values(self.model.player_variables[0]))
            with averaged(self.model):
                steps[-1].append(self.model.encoder.get_weights())
            now = values(self.model.player_variables[0])
            for kept, restored in zip(steps[-1][:-1], now, strict=True):
                np.testing.assert_array_equal(kept, restored)

    fit(gan, images, callbacks=[Record()])
    expected = steps[0][:-1]
    for step in steps[1:]:
        expected = [0.75 * a + 0.25 * w for a, w in zip(expected, step[:-1], strict=True)]
    ours_now = values(gan.player_variables[0])
    for ours, wanted in zip(ours_now, expected, strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-6)
    for ours, shown in zip(gan.encoder.get_weights(), steps[-1][-1], strict=True):
        np.testing.assert_allclose(ours, shown, atol=1e-6)
    assert np.abs(steps[-1][-2] - ours_now[-1]).max() > 1e-4


@pytest.mark.parametrize(
    ("encoder", "update", "policy"),
    [
        ("convolutional", "simultaneous", "float32"),
        pytest.param("convolutional", "alternating", "mixed_bfloat16", marks=pytest.mark.long),
        pytest.param("capsule", "simultaneous", "mixed_bfloat16", marks=pytest.mark.long),
        pytest.param("capsule", "alternating", "float32", marks=pytest.mark.long),
    ],
)
def test_a_loaded_model_trains_on_as_the_unsaved_one(encoder, update, policy, images, tmp_path):
    keras.config.set_dtype_policy(policy)
    gan = tiny(encoder, "capsule", dropout=0.2)
    gan.compile(update=update, jit_compile=False)
    fit(gan, images)
    gan.save(tmp_path / "gan.keras")
    keras.config.set_dtype_policy("float32")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(again) is BiGAN
    assert again.update == update
    np.testing.assert_array_equal(gan.encode(images), again.encode(images))
    for one in (gan, again):
        fit(one, images, epochs=2)
    assert_same(gan, again)


def test_a_frozen_gan_has_nothing_to_train(tmp_path):
    gan = tiny(trainable=False)
    assert gan.trainable_variables == []
    gan.encoder.trainable = True
    gan.save(tmp_path / "gan.keras")
    assert keras.saving.load_model(tmp_path / "gan.keras").encoder.trainable


# ---- using


def test_codes_are_the_encoders_and_reconstructions_the_generators(images):
    gan = tiny()
    scaled = images / np.float32(127.5) - 1
    expected = np.asarray(gan.encoder(scaled))
    for data in (images, scaled):
        codes = gan.encode(data, batch_size=10)
        assert codes.dtype == np.float32
        np.testing.assert_allclose(codes, expected, atol=1e-5)
    pixels = (np.asarray(gan.generator(codes)) + 1.0) * 127.5
    rebuilt = gan.reconstruct(images)
    assert rebuilt.dtype == np.uint8
    assert rebuilt.shape == images.shape
    assert np.abs(rebuilt - pixels).max() <= 0.51
    assert gan.generate(3, seed=0).shape == (3, *SHAPE)


def test_images_are_scored_beside_their_codes(images):
    gan = tiny()
    scaled = ops.convert_to_tensor(images / np.float32(127.5) - 1)
    expected = np.asarray(gan.discriminator([scaled, gan.encoder(scaled)]))[:, 0]
    np.testing.assert_allclose(gan.discriminate(images), expected, atol=1e-5)
    gan.discriminate(images)
    assert gan.layers == [gan.generator, gan.encoder, gan.discriminator]


def test_wrong_images_are_refused_and_broken_weights_named(images):
    gan = tiny()
    with pytest.raises(ValueError, match=r"`images` must be images of shape \(n, 16, 16, 1\)"):
        gan.encode(images[0])
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer"):
        gan.reconstruct(images, batch_size=0)
    gan.encoder.get_layer("codes").bias.assign(np.full(5, np.nan, "float32"))
    with pytest.raises(ArithmeticError, match="`encode` needs finite weights"):
        gan.encode(images)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"encoder": "encoder"}, "`encoder` must be a keras.Model"),
        ({"encoder": keras.Sequential([keras.layers.Dense(5)])}, "`encoder` must have a known"),
        ({"encoder": tiny_encoder(latent_dim=4)}, "`encoder` must turn the generator's images"),
        ({"discriminator": tiny_encoder(latent_dim=1)}, r"must take the list \[images, codes\]"),
        (
            {"discriminator": build_joint_discriminator(SHAPE, 4)},
            r"must take the list \[images, codes\].*16, 16, 1\) and \(batch, 5\)",
        ),
        ({"discriminator": None}, "`discriminator` must be a keras.Model"),
    ],
)
def test_networks_that_do_not_fit_are_refused(changed, message):
    players = {"generator": tiny_generator(), "encoder": tiny_encoder()}
    players |= {"discriminator": tiny_discriminator()}
    with pytest.raises(ValueError, match=message):
        BiGAN(**players | changed)


@pytest.mark.long
@pytest.mark.parametrize("part", ["encoder", "discriminator"])
def test_all_networks_can_be_exported(part, images, tmp_path):
    import tensorflow as tf

    gan = tiny()
    gan.export(tmp_path / "network", part=part, verbose=False)
    served = tf.saved_model.load(str(tmp_path / "network"))
    scaled = images / np.float32(127.5) - 1
    inputs = scaled if part == "encoder" else [scaled, gan.encode(images)]
    outputs = served.serve(inputs)
    np.testing.assert_allclose(outputs, np.asarray(getattr(gan, part)(inputs)), atol=1e-5)
