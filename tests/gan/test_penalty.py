"""R1, the gradient penalty on real images, and the hinge loss with its generator's loss."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import GAN, CapsuleGAN, ConvolutionalGAN
from capsgan_keras.gan.outputs import first_score
from capsgan_keras.gan.penalty import gradient_penalties
from capsgan_keras.layers import CapsuleLayer, Length, PrimaryCap
from capsgan_keras.losses import HingeLoss, MarginLoss
from capsgan_keras.models import build_generator

SHAPE = (16, 16, 1)
RNG = np.random.default_rng(0)
REAL = RNG.uniform(-1, 1, (6, *SHAPE)).astype("float32")


def linear_gan(loss="mse", outputs="score", activation=None, units=1, **options):
    """A GAN whose discriminator is linear, but for its activation."""
    images = keras.Input(SHAPE)
    weights = keras.initializers.RandomNormal(stddev=0.1, seed=1)
    dense = keras.layers.Dense(units, activation=activation, kernel_initializer=weights)
    discriminator = keras.Model(images, dense(keras.layers.Flatten()(images)))
    generator = build_generator(SHAPE, 4, filters=(4, 4), seed=0)
    return GAN(generator, discriminator, loss, seed=0, discriminator_outputs=outputs, **options)


@pytest.mark.parametrize(
    ("loss", "outputs", "activation"),
    [
        ("mse", "score", None),
        (keras.losses.BinaryCrossentropy(from_logits=True), "logit", None),
        ("binary_crossentropy", "probability", "sigmoid"),
    ],
)
def test_of_a_linear_discriminator_it_is_half_of_the_squared_weights(loss, outputs, activation):
    gan = linear_gan(loss, outputs, activation, gradient_penalty=3.0)
    kernel = ops.convert_to_numpy(gan.discriminator.layers[-1].kernel)
    penalties = ops.convert_to_numpy(gradient_penalties(gan, ops.convert_to_tensor(REAL)))
    np.testing.assert_allclose(penalties, np.full((6, 1), 1.5 * (kernel**2).sum()), rtol=1e-4)


@pytest.mark.parametrize("gan_class", [CapsuleGAN, ConvolutionalGAN])
def test_gradients_are_those_of_finite_differences(gan_class):
    gan = gan_class(SHAPE, 4, discriminator_options={"filters": (4, 4)}, gradient_penalty=1.0)
    penalties = ops.convert_to_numpy(gradient_penalties(gan, ops.convert_to_tensor(REAL)))

    def score(images):
        outputs = gan.discriminator(images, training=False)
        return ops.convert_to_numpy(
            first_score(outputs, gan.discriminator_outputs, gan.loss)
        ).astype("float64")

    # The slope along the gradient's own direction is the gradient's norm.
    slopes = gan.input_gradients(
        lambda x: first_score(gan.discriminator(x), gan.discriminator_outputs, gan.loss),
        ops.convert_to_tensor(REAL),
    )
    slopes = ops.convert_to_numpy(slopes)
    norms = np.sqrt((slopes**2).sum(axis=(1, 2, 3)))
    directions = slopes / norms[:, None, None, None]
    measured = (score(REAL + 1e-2 * directions) - score(REAL - 1e-2 * directions)) / 2e-2
    np.testing.assert_allclose(measured, norms, rtol=3e-2)
    np.testing.assert_allclose(penalties[:, 0], norms**2 / 2, rtol=1e-3)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_one_step_follows_the_penalty(update):
    """Of a linear discriminator the penalty pulls each weight by `gamma w`."""
    after = {}
    for weight in (0.0, 2.0):
        gan = linear_gan(gradient_penalty=weight)
        before = gan.discriminator.get_weights()[0]
        gan.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), update=update)
        gan.fit(REAL, batch_size=6, shuffle=False, verbose=0)
        after[weight] = gan.discriminator.get_weights()[0]
    np.testing.assert_allclose(after[2.0] - after[0.0], -0.01 * 2.0 * before, rtol=1e-3, atol=1e-6)


def test_every_third_step_takes_three_times_the_penalty():
    after = {}
    for every in (1, 3):
        gan = linear_gan(gradient_penalty=2.0, penalty_every=every)
        gan.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
        losses = []
        for _ in range(4):
            losses.append(gan.train_on_batch(REAL, return_dict=True)["d_loss"])
            gan.reset_metrics()
        after[every] = losses
    with_penalty = np.array(after[3]) > np.array(after[1])
    assert with_penalty.tolist() == [True, False, False, True]


def test_penalties_are_saved_with_the_model(tmp_path):
    gan = linear_gan(gradient_penalty=2.0, penalty_every=4)
    gan.compile()
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert (loaded.gradient_penalty, loaded.penalty_every) == (2.0, 4)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf, "1", None])
def test_other_weights_are_refused(wrong):
    with pytest.raises(ValueError, match="`gradient_penalty` must be"):
        linear_gan(gradient_penalty=wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, None])
def test_other_steps_are_refused(wrong):
    with pytest.raises(ValueError, match="`penalty_every` must be"):
        linear_gan(penalty_every=wrong)


def test_hinge_losses_are_those_of_their_formulas():
    gan = linear_gan(HingeLoss(), outputs=None)
    assert gan.discriminator_outputs == "score"
    real, generated = (np.array(x, "float32")[:, None] for x in ([-2, 0.5, 3], [-3, 0.25, 1]))
    expected = np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + generated).mean()
    np.testing.assert_allclose(gan.discriminator_loss(real, generated), expected, rtol=1e-6)
    np.testing.assert_allclose(gan.generator_loss(generated), -generated.mean(), rtol=1e-6)
    # As the other losses, it is a sum for both players or for none.
    summed = linear_gan(HingeLoss(reduction="sum"), outputs=None)
    np.testing.assert_allclose(summed.discriminator_loss(real, generated), 3 * expected, rtol=1e-6)
    np.testing.assert_allclose(summed.generator_loss(generated), -generated.sum(), rtol=1e-6)


def test_a_generator_loss_that_is_no_function_is_refused():
    loss = keras.losses.MeanSquaredError()
    loss.generator_loss = 3.0
    with pytest.raises(ValueError, match=r"`loss\.generator_loss` must be a function"):
        linear_gan(loss)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CapsuleGAN(SHAPE, 4, loss=HingeLoss()),
        lambda: ConvolutionalGAN(SHAPE, 4, loss=HingeLoss()),
        lambda: linear_gan(HingeLoss(), outputs="logit"),
        lambda: linear_gan(HingeLoss(), units=2),
    ],
)
def test_hinge_loss_is_for_one_score(make):
    with pytest.raises(ValueError, match="`loss` HingeLoss is for one score"):
        make()


@pytest.mark.parametrize(
    "routing", ["inverted_dot_product", lambda votes, activations: votes[:, :, 0]]
)
@pytest.mark.parametrize("loss", ["mse", MarginLoss()])
def test_lengths_that_are_no_probabilities_are_scores(routing, loss):
    images = keras.Input(SHAPE)
    capsules = PrimaryCap(4, 2, 5, strides=4)(images)
    lengths = Length()(CapsuleLayer(1, 4, routing=routing)(capsules))
    discriminator = keras.Model(images, lengths)
    generator = build_generator(SHAPE, 4, filters=(4, 4), seed=0)
    with pytest.raises(ValueError, match="`discriminator"):
        GAN(generator, discriminator, loss)
    with pytest.raises(ValueError, match="must end in lengths that are probabilities"):
        GAN(generator, discriminator, loss, discriminator_outputs="probability")
    assert GAN(generator, discriminator, "mse", discriminator_outputs="score")


def test_a_gan_with_hinge_loss_trains_and_is_saved(tmp_path):
    options = {"activation": "linear", "filters": (4, 4)}
    gan = ConvolutionalGAN(
        SHAPE,
        4,
        loss=HingeLoss(),
        seed=0,
        generator_options={"filters": (4, 4)},
        discriminator_options=options,
    )
    gan.compile()
    logs = gan.fit(REAL, batch_size=3, verbose=0).history
    assert np.isfinite([logs["d_loss"], logs["g_loss"]]).all()
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert isinstance(loaded.loss, HingeLoss)
    np.testing.assert_array_equal(loaded.discriminate(REAL), gan.discriminate(REAL))
