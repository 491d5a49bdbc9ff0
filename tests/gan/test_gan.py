import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import GAN, CapsuleGAN, ConvolutionalGAN
from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)

SHAPE = (16, 16, 1)
MODELS = [CapsuleGAN, ConvolutionalGAN]
LOGS = {"d_loss", "g_loss", "d_real", "d_fake", "d_accuracy"}


def tiny_generator(**options):
    return build_generator(SHAPE, latent_dim=5, filters=(4, 3), seed=1, **options)


def tiny_discriminator(model=CapsuleGAN, **options):
    if model is CapsuleGAN:
        options = {"filters": 4, "kernel_size": 3, "n_channels": 2, "dim_capsule": 4} | options
        return build_capsule_discriminator(SHAPE, seed=2, **options)
    return build_convolutional_discriminator(SHAPE, filters=(4, 6), seed=2, **options)


def tiny(model=CapsuleGAN, seed=3, loss=None, **options):
    """A GAN of 16x16 images that trains in no time."""
    discriminator = tiny_discriminator(model, **options)
    return model(
        SHAPE, 5, generator=tiny_generator(), discriminator=discriminator, seed=seed, loss=loss
    )


def away_from_zero(gan):
    """Move D away from zero lengths, where squash is flat and changes drown in rounding."""
    gan.discriminator.set_weights([2.0 * weight for weight in gan.discriminator.get_weights()])
    return gan


def sgd(rate):
    return keras.optimizers.SGD(rate)


def weights_of(gan):
    return [*gan.get_weights(), *(np.asarray(v.value) for v in gan.optimizer.variables)]


def assert_same(one, other):
    for a, b in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (24, *SHAPE), dtype=np.uint8)


def fit(gan, images, **options):
    return gan.fit(images, **{"batch_size": 8, "shuffle": False, "verbose": 0} | options)


# ---- the train step


def textbook_step(gan, real, latents, update):
    """One step with two SGD optimizers, written out; `latents` holds the noise of each pass."""
    import tensorflow as tf

    generator, discriminator = gan.generator, gan.discriminator
    one, zero = tf.ones((len(real), 1)), tf.zeros((len(real), 1))

    def d_loss():
        fake = generator(latents[0], training=True)
        on_fake = discriminator(fake, training=True)
        on_real = discriminator(real, training=True)
        return gan.loss(one, on_real) + gan.loss(zero, on_fake), gan.loss(one, on_fake)

    with tf.GradientTape(persistent=True) as tape:
        loss, generator_loss = d_loss()
    d_gradients = tape.gradient(loss, discriminator.trainable_variables)
    g_gradients = tape.gradient(generator_loss, generator.trainable_variables)
    for variable, gradient in zip(discriminator.trainable_variables, d_gradients, strict=True):
        variable.assign_sub(0.2 * gradient)
    if update == "alternating":
        with tf.GradientTape() as tape:
            fake = generator(latents[1], training=True)
            generator_loss = gan.loss(one, discriminator(fake, training=True))
        g_gradients = tape.gradient(generator_loss, generator.trainable_variables)
    for variable, gradient in zip(generator.trainable_variables, g_gradients, strict=True):
        variable.assign_sub(0.1 * gradient)
    return float(loss), float(generator_loss)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_train_step_is_the_textbook_step(model, update, images, monkeypatch):
    latents = np.random.default_rng(1).normal(size=(2, 8, 5)).astype("float32")
    gan, expected = tiny(model), tiny(model)
    gan.compile(sgd(0.1), sgd(0.2), update=update)
    draws = iter([0, 1])
    monkeypatch.setattr(
        gan, "sample_latents", lambda n: ops.convert_to_tensor(latents[next(draws)])
    )
    logs = gan.train_on_batch(images[:8], return_dict=True)
    losses = textbook_step(expected, images[:8] / np.float32(127.5) - 1, latents, update)
    assert (logs["d_loss"], logs["g_loss"]) == pytest.approx(losses, rel=1e-5)
    for one, other in zip(gan.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_logs_are_the_means_over_the_epoch(model, images):
    gan = tiny(model)
    gan.compile(sgd(0.0), sgd(0.0))
    history = fit(gan, images).history
    assert set(history) == LOGS
    scores = gan.discriminator(images / np.float32(127.5) - 1, training=True)
    assert history["d_real"][0] == pytest.approx(float(ops.mean(scores)), abs=0.02)
    assert 0.0 <= history["d_accuracy"][0] <= 1.0


def test_accuracy_counts_both_kinds():
    gan = tiny()
    on_real = ops.convert_to_tensor(np.array([[0.9], [0.6], [0.4], [0.5]], "float32"))
    on_fake = ops.convert_to_tensor(np.array([[0.1], [0.5], [0.6], [0.7]], "float32"))
    logs = gan.update_metrics(1.0, 2.0, on_real, on_fake)
    assert float(logs["d_accuracy"]) == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert float(logs["d_real"]) == pytest.approx(0.6)
    assert float(logs["d_fake"]) == pytest.approx(0.475)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
@pytest.mark.parametrize(
    "options", [{"routing": "leaky"}, {"routing": "self_attention"}, {"num_capsule": 2}]
)
def test_routing_heads_train_and_gradients_reach_all_weights(update, options, images):
    gan = away_from_zero(tiny(batch_norm=False, **options))
    gan.compile(sgd(0.5), sgd(0.1), update=update)
    before = [variable.numpy() for variable in gan.trainable_variables]
    history = fit(gan, images).history
    assert all(np.isfinite(values[0]) for values in history.values())
    for variable, old in zip(gan.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != old), variable.path


def test_two_capsules_have_one_hot_targets():
    gan = tiny(num_capsule=2)
    outputs = ops.convert_to_tensor(np.array([[0.7, 0.3]], "float32"))
    loss = MarginLoss()
    real, fake = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    expected = float(loss(real, outputs)) + float(loss(fake, outputs))
    assert float(gan.discriminator_loss(outputs, outputs)) == pytest.approx(expected)
    assert float(gan.generator_loss(outputs)) == pytest.approx(float(loss(real, outputs)))
    np.testing.assert_allclose(gan.probabilities(outputs), [0.7])


def test_regularizers_count_for_their_own_player(images):
    plain = tiny(ConvolutionalGAN)
    discriminator = tiny_discriminator(ConvolutionalGAN)
    kernel = discriminator.get_layer("logits").kernel
    kernel.regularizer = keras.regularizers.L2(10.0)
    gan = ConvolutionalGAN(
        SHAPE, 5, generator=tiny_generator(), discriminator=discriminator, seed=3
    )
    penalty = 10.0 * float(np.sum(np.square(kernel.numpy())))
    for model in (plain, gan):
        model.compile(sgd(0.0), sgd(0.0))
    ours, theirs = (m.train_on_batch(images[:8], return_dict=True) for m in (gan, plain))
    assert ours["d_loss"] == pytest.approx(theirs["d_loss"] + penalty, rel=1e-5)
    assert ours["g_loss"] == pytest.approx(theirs["g_loss"], rel=1e-5)


def test_uint8_and_floats_are_the_same_images(images):
    as_bytes, as_floats = tiny(), tiny()
    for gan, data in ((as_bytes, images), (as_floats, images / np.float32(127.5) - 1)):
        gan.compile(sgd(0.1), sgd(0.1))
        fit(gan, data)
    for one, other in zip(weights_of(as_bytes), weights_of(as_floats), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_losses_on_logits_are_turned_into_probabilities(images):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    logits = tiny(ConvolutionalGAN, activation="linear", loss=loss)
    plain = tiny(ConvolutionalGAN)
    np.testing.assert_allclose(logits.discriminate(images), plain.discriminate(images), rtol=1e-4)


@pytest.mark.parametrize("name", ["gan.h5", "gan.hdf5"])
def test_hdf5_is_refused_before_anything_is_written(name, tmp_path):
    gan = GAN(tiny_generator(), tiny_discriminator(ConvolutionalGAN), MarginLoss(), seed=1)
    with pytest.raises(ValueError, match=rf"`filepath` must end with \.keras.*{name}"):
        gan.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("loss", ["mean_squared_error", "MeanSquaredError", MarginLoss(0.8)])
def test_any_loss_can_be_saved(loss, images, tmp_path):
    gan = GAN(tiny_generator(), tiny_discriminator(ConvolutionalGAN), loss, seed=1)
    gan.compile()
    fit(gan, images)
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    outputs = ops.convert_to_tensor(np.array([[0.3], [0.9]], "float32"))
    assert float(again.generator_loss(outputs)) == float(gan.generator_loss(outputs))


# ---- optimizers


def held_by(optimizer):
    return {id(variable) for variable in optimizer._trainable_variables}


@pytest.mark.parametrize("model", MODELS)
def test_each_variable_is_held_by_its_players_optimizer(model, images, tmp_path):
    gan = tiny(model)
    gan.compile(keras.optimizers.RMSprop(1e-4), keras.optimizers.Adam(1e-3))
    fit(gan, images)
    gan.save(tmp_path / "gan.keras")
    for checked in (gan, keras.saving.load_model(tmp_path / "gan.keras")):
        assert isinstance(checked.optimizer, keras.optimizers.MultiOptimizer)
        players = (
            (checked.generator, checked.generator_optimizer, keras.optimizers.RMSprop),
            (checked.discriminator, checked.discriminator_optimizer, keras.optimizers.Adam),
        )
        for player, optimizer, kind in players:
            assert type(optimizer) is kind
            assert any(optimizer is inner for inner in checked.optimizer.optimizers)
            assert held_by(optimizer) == {id(v) for v in player.trainable_variables}
            assert int(optimizer.iterations) == 3


def test_schedules_and_clipping_are_kept(images, tmp_path):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    gan = tiny()
    gan.compile(keras.optimizers.Adam(schedule), keras.optimizers.SGD(0.01, clipnorm=0.5))
    fit(gan, images)
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert float(again.generator_optimizer.learning_rate) == pytest.approx(0.05)
    assert again.discriminator_optimizer.clipnorm == 0.5
    for one, other in ((gan, again),):
        fit(one, images)
        fit(other, images)
        assert_same(one, other)


def test_callbacks_of_learning_rates_keep_the_ratio_of_the_players(images):
    gan = tiny()
    gan.compile(keras.optimizers.Adam(0.04), keras.optimizers.Adam(0.01))
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    fit(gan, images, callbacks=[scheduler])
    never_better = keras.callbacks.ReduceLROnPlateau(
        "d_real", factor=0.5, patience=1, mode="max", min_delta=2.0
    )
    fit(gan, images, epochs=2, callbacks=[never_better])
    rates = gan.generator_optimizer.learning_rate, gan.discriminator_optimizer.learning_rate
    assert [float(rate) for rate in rates] == pytest.approx([0.01, 0.0025])


def test_names_of_optimizers_and_defaults():
    gan = tiny()
    gan.compile("adam", "sgd")
    assert isinstance(gan.discriminator_optimizer, keras.optimizers.SGD)
    gan.compile()
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(2e-4)
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(2e-4)
    assert gan.discriminator_optimizer.beta_1 == 0.5


@pytest.mark.parametrize(("shape", "rate"), [((28, 28, 1), 1e-4), ((16, 16, 3), 2e-4)])
def test_a_normalized_capsule_discriminator_learns_more_slowly(shape, rate):
    generator, discriminator = CapsuleGAN(shape).default_optimizers()
    assert float(generator.learning_rate) == pytest.approx(2e-4)
    assert float(discriminator.learning_rate) == pytest.approx(rate)


def test_compile_names_wrong_arguments():
    gan, optimizer = tiny(), sgd(0.1)
    with pytest.raises(ValueError, match="must be two instances"):
        gan.compile(optimizer, optimizer)
    with pytest.raises(ValueError, match=r"`update` must be one of .*update='both'"):
        gan.compile(update="both")
    with pytest.raises(TypeError, match="loss"):
        gan.compile(loss="mse")


# ---- repeatability and saving


@pytest.mark.parametrize("model", MODELS)
def test_same_seeds_same_run(model, images):
    runs = [tiny(model, dropout=0.2), tiny(model, dropout=0.2), tiny(model, seed=4, dropout=0.2)]
    for gan in runs:
        gan.compile()
        fit(gan, images, epochs=2)
    assert_same(runs[0], runs[1])
    assert any(
        np.any(a != b) for a, b in zip(runs[0].get_weights(), runs[2].get_weights(), strict=True)
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
@pytest.mark.parametrize("model", MODELS)
def test_a_loaded_model_trains_on_as_the_unsaved_one(model, update, policy, images, tmp_path):
    keras.config.set_dtype_policy(policy)
    gan = tiny(model, dropout=0.2)
    gan.compile(update=update)
    fit(gan, images)
    gan.save(tmp_path / "gan.keras")
    keras.config.set_dtype_policy("float32")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(again) is model
    assert again.update == update
    for one in (gan, again):
        fit(one, images, epochs=2)
    assert_same(gan, again)


def test_weights_files_hold_the_seeds_too(images, tmp_path):
    gan = tiny(dropout=0.2)
    gan.compile()
    fit(gan, images)
    gan.save_weights(tmp_path / "gan.weights.h5")
    again = tiny(seed=99, dropout=0.2)
    again.compile()
    again.load_weights(tmp_path / "gan.weights.h5")
    for one in (gan, again):
        fit(one, images)
    assert_same(gan, again)


def test_weights_of_another_model_are_refused(images, tmp_path):
    plain = tiny()
    plain.save_weights(tmp_path / "plain.weights.h5")
    with pytest.raises(ValueError, match="state of 3 seed generators"):
        tiny(dropout=0.2).load_weights(tmp_path / "plain.weights.h5")


def test_config_round_trip():
    gan = tiny()
    again = CapsuleGAN.from_config(gan.get_config())
    assert again.get_config() == gan.get_config()
    assert (again.image_shape, again.latent_dim, again.seed) == (SHAPE, 5, 3)
    general = GAN(tiny_generator(), tiny_discriminator(), MarginLoss(0.8), seed=5, name="mine")
    again = GAN.from_config(general.get_config())
    assert (again.loss.m_plus, again.seed, again.name) == (0.8, 5, "mine")


def test_loading_in_a_new_process(images, tmp_path, run_python):
    gan = tiny()
    gan.compile()
    fit(gan, images)
    gan.save(tmp_path / "gan.keras")
    np.save(tmp_path / "images.npy", gan.generate(4, seed=7))
    run_python(
        f"""
import keras, numpy as np
import capsgan_keras
gan = keras.saving.load_model({str(tmp_path / "gan.keras")!r})
assert type(gan) is capsgan_keras.CapsuleGAN
np.testing.assert_array_equal(gan.generate(4, seed=7), np.load({str(tmp_path / "images.npy")!r}))
"""
    )


# ---- precision


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains(model, policy, images, tmp_path):
    keras.config.set_dtype_policy(policy)
    gan = away_from_zero(tiny(model)) if model is CapsuleGAN else tiny(model)
    gan.compile()
    before = [variable.numpy() for variable in gan.trainable_variables]
    history = fit(gan, images, epochs=2).history
    assert all(np.all(np.isfinite(values)) for values in history.values())
    for variable, old in zip(gan.trainable_variables, before, strict=True):
        assert variable.dtype == "float32"
        if variable.name != "bias":
            assert np.any(variable.numpy() != old), variable.path
    scaled = isinstance(gan.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    for one in (gan, again):
        fit(one, images)
    assert_same(gan, again)


def test_the_loss_scale_is_taken_out_of_the_gradients(images):
    plain = tiny()
    plain.compile(sgd(0.1), sgd(0.1))
    fit(plain, images[:8])
    keras.config.set_dtype_policy("mixed_float16")
    scaled = tiny()
    scaled.compile(sgd(0.1), sgd(0.1))
    fit(scaled, images[:8])
    for one, other in zip(plain.get_weights(), scaled.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)


def test_alternating_float16_is_refused():
    keras.config.set_dtype_policy("mixed_float16")
    with pytest.raises(ValueError, match="not supported under float16"):
        tiny().compile(update="alternating")


# ---- evaluating, generating, scoring


def test_evaluate_is_repeatable_and_leaves_training_alone(images):
    watched, alone = tiny(), tiny()
    for gan in (watched, alone):
        gan.compile()
    first = watched.evaluate(images, verbose=0, return_dict=True)
    assert set(first) == LOGS
    assert watched.evaluate(images, verbose=0, return_dict=True) == first
    history = fit(watched, images, epochs=2, validation_data=images[:8]).history
    fit(alone, images, epochs=2)
    assert set(history) == LOGS | {f"val_{name}" for name in LOGS}
    assert_same(watched, alone)


def test_evaluate_gives_the_losses_of_inference(images):
    gan = tiny()
    gan.compile()
    logs = gan.evaluate(images, verbose=0, return_dict=True)
    assert logs["d_real"] == pytest.approx(float(gan.discriminate(images).mean()), rel=1e-5)


def test_calling_and_predicting_give_images():
    gan = tiny()
    latents = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    images = ops.convert_to_numpy(gan(latents))
    assert images.shape == (3, *SHAPE)
    np.testing.assert_allclose(gan.predict(latents, verbose=0), images, atol=1e-6)
    levels = np.clip(np.rint((images + 1) * 127.5), 0, 255)
    assert np.abs(levels - gan.generator.predict(latents, verbose=0) * 127.5 - 127.5).max() <= 0.51


def test_generate():
    gan = tiny()
    images = gan.generate(10, seed=0)
    assert images.shape == (10, *SHAPE)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(gan.generate(10, seed=0), images)
    assert np.any(gan.generate(10, seed=1) != images)
    assert np.any(gan.generate(10) != gan.generate(10))
    by_threes = gan.generate(10, seed=0, batch_size=3).astype(int)
    assert np.abs(by_threes - images).max() <= 1
    with pytest.raises(ValueError, match=r"`n` must be a positive integer.*n=0"):
        gan.generate(0)


def test_generate_leaves_training_alone(images):
    busy, alone = tiny(), tiny()
    for gan in (busy, alone):
        gan.compile()
        fit(gan, images)
        if gan is busy:
            gan.generate(5)
            gan.generate(5, seed=1)
        fit(gan, images)
    assert_same(busy, alone)


def test_discriminate(images):
    gan = tiny()
    scores = gan.discriminate(images)
    assert scores.shape == (24,)
    assert scores.dtype == np.float32
    assert 0.0 <= scores.min() < scores.max() < 1.0
    np.testing.assert_allclose(gan.discriminate(images / 127.5 - 1), scores, atol=1e-6)
    np.testing.assert_allclose(gan.discriminate(images, batch_size=5), scores, atol=1e-6)


def test_summary(capsys):
    tiny().summary()
    printed = capsys.readouterr().out
    assert "generator" in printed
    assert "capsule_discriminator" in printed


# ---- what is refused


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((8, 16, 16), "uint8"), r"`x` must be images of shape \(n, 16, 16, 1\).*Received"),
        (np.zeros((8, 16, 16, 3), "uint8"), r"`x` must be images of shape"),
        (np.full((8, *SHAPE), 255.0), r"in \[-1, 1\].*in \[255, 255\]"),
        (np.full((8, *SHAPE), np.nan), r"in \[-1, 1\].*nan"),
        (np.zeros((8, *SHAPE), "int64"), r"must be uint8.*int64"),
        (np.zeros((0, *SHAPE), "uint8"), r"at least one image"),
    ],
)
def test_wrong_images_are_refused(data, message):
    gan = tiny()
    gan.compile()
    for use in (lambda: fit(gan, data), lambda: gan.evaluate(data, verbose=0)):
        with pytest.raises(ValueError, match=message):
            use()
    with pytest.raises(ValueError, match=message.replace("`x`", "`images`")):
        gan.discriminate(data)


def test_images_that_look_scaled_to_0_and_1_are_warned_of():
    gan = tiny()
    gan.compile()
    unit = np.linspace(0, 1, 8 * 256, dtype="float32").reshape(8, *SHAPE)
    uses = {
        "x": [lambda x: fit(gan, x), lambda x: gan.evaluate(x, verbose=0)],
        "images": [gan.discriminate],
    }
    for name, methods in uses.items():
        for use in methods:
            with pytest.warns(UserWarning, match=rf"pass `2 \* {name} - 1`.*in \[0, 1\]") as record:
                use(unit)
            assert len(record) == 1
            use(2 * unit - 1)  # a warning would be an error here
            use(np.full((8, *SHAPE), 128, "uint8"))
    with pytest.warns(UserWarning, match="pass") as record:
        gan.discriminate(unit)
    assert record[0].filename == __file__


def test_labels_and_sample_weights_are_refused(images):
    gan = tiny()
    gan.compile()
    with pytest.raises(ValueError, match="pass no labels"):
        gan.fit(images, np.zeros(24), verbose=0)
    with pytest.raises(ValueError, match="no sample weights"):
        gan.train_on_batch(images, sample_weight=np.ones(24))


@pytest.mark.parametrize(
    ("players", "message"),
    [
        (lambda: ("x", tiny_discriminator()), "`generator` must be a keras.Model"),
        (lambda: (tiny_generator(), keras.Sequential()), "`discriminator` must have a known"),
        (lambda: (tiny_discriminator(), tiny_discriminator()), "`generator` must map latents"),
        (
            lambda: (tiny_generator(), build_capsule_discriminator((28, 28, 1))),
            r"`discriminator` must take .*\(16, 16, 1\).*\(28, 28, 1\)",
        ),
        (lambda: (tiny_generator(), tiny_generator()), "`discriminator` must take"),
    ],
)
def test_networks_that_do_not_fit_are_refused(players, message):
    with pytest.raises(ValueError, match=message):
        GAN(*players(), "mse")


def test_a_generator_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"`generator` must map 100 latent components"):
        CapsuleGAN(SHAPE, generator=tiny_generator(), discriminator=tiny_discriminator())


def test_numpy_integers_are_integers():
    gan = CapsuleGAN((np.int64(16), 16, 1), np.int64(4), seed=np.int64(3))
    assert gan.generate(np.int64(2), seed=np.int32(0)).shape == (2, 16, 16, 1)
    assert gan.get_config()["seed"] == 3


def test_weights_of_samples_and_classes_are_refused(images):
    gan = CapsuleGAN((16, 16, 1), 4)
    gan.compile()
    for weights in ({"sample_weight": np.ones(len(images))}, {"class_weight": {0: 1.0}}):
        with pytest.raises(ValueError, match=f"no class weights. Received: {next(iter(weights))}"):
            gan.fit(images, **weights)
    with pytest.raises(ValueError, match="no sample weights"):
        gan.evaluate(images, sample_weight=np.ones(len(images)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CapsuleGAN((16, 16, 1), seed=-1), "`seed` must be an integer"),
        (lambda: CapsuleGAN((16, 16, 1), 4).generate(2, seed=-1), "`seed` must be an integer"),
        (lambda: CapsuleGAN(28), "`image_shape` must be"),
        (lambda: CapsuleGAN((28, 28, 1.0)), "`image_shape` must be"),
        (lambda: build_generator((16, 16, 1), filters=8), "`filters` must be 2 positive"),
        (lambda: build_generator((16, 16, 1), momentum=5), "`momentum` must be a number in"),
        (
            lambda: build_convolutional_discriminator((16, 16, 1), filters=()),
            "`filters` must be one or more",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
