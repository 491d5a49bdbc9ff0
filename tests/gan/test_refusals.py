"""Arguments of a GAN and of `compile` that cannot be meant."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from capsgan_keras import GAN, CapsuleGAN, ConvolutionalGAN
from capsgan_keras.models import build_convolutional_discriminator, build_generator

SHAPE = (16, 16, 1)


def small_generator():
    return build_generator(SHAPE, 4, filters=(4, 3), seed=0)


def small_discriminator():
    return build_convolutional_discriminator(SHAPE, filters=4, seed=0)


@pytest.fixture(scope="module")
def gan():
    return GAN(small_generator(), small_discriminator(), "mse", seed=0)


def wrapped(network, form):
    """The same network with another form of input or output."""
    if form == "two inputs":
        extra = keras.Input((1,))
        inputs = [keras.Input(network.input_shape[1:]), extra]
        return keras.Model(inputs, network(inputs[0]))
    output = network(network.input)
    if form == "dictionary of inputs":
        return keras.Model({network.input.name: network.input}, output)
    outputs = {
        "dictionary": {"output": output},
        "two outputs": [output, output],
        "tuple": (output, output),
    }
    return keras.Model(network.input, outputs[form])


@pytest.mark.parametrize(
    "form", ["two inputs", "dictionary of inputs", "dictionary", "two outputs", "tuple"]
)
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_networks_with_other_inputs_or_outputs_are_refused(form, player):
    players = {"generator": small_generator(), "discriminator": small_discriminator()}
    players[player] = wrapped(players[player], form)
    with pytest.raises(ValueError, match=f"`{player}` must have one input and one output"):
        GAN(**players, loss="mse")


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_learning_rates_that_mean_nothing_are_refused(gan, player, rate):
    schedule = keras.optimizers.schedules.ExponentialDecay(rate, 10, 0.5)
    for given in (rate, schedule):
        with pytest.raises(ValueError, match=f"`{player}_optimizer` must have a learning rate"):
            gan.compile(**{f"{player}_optimizer": keras.optimizers.SGD(given)})


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_optimizers_of_optimizers_are_named(gan, player):
    inner = keras.optimizers.SGD(0.1)
    for optimizer in (
        keras.optimizers.LossScaleOptimizer(inner),
        keras.optimizers.MultiOptimizer(lambda _: inner),
    ):
        name = type(optimizer).__name__
        with pytest.raises(ValueError, match=f"`{player}_optimizer` must be a plain .*{name}"):
            gan.compile(**{f"{player}_optimizer": optimizer})


@pytest.mark.parametrize("steps", [0, -1, 1.5])
def test_steps_per_execution_must_be_positive(gan, steps):
    with pytest.raises(ValueError, match="`steps_per_execution` must be a positive integer"):
        gan.compile(steps_per_execution=steps)


@pytest.mark.parametrize(
    ("model", "options", "player"),
    [
        (CapsuleGAN, {"routings": 3}, "discriminator"),
        (CapsuleGAN, {"num_capsule": 2}, "discriminator"),
        (CapsuleGAN, {"latent_categories": 2}, "generator"),
        (ConvolutionalGAN, {"dropout": 0.5}, "discriminator"),
    ],
)
def test_options_of_the_networks_are_said_where_they_belong(model, options, player):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=rf"`{player}_options=\{{'{name}': {value}\}}`"):
        model(SHAPE, 4, **options)
    networks = {"generator": small_generator(), "discriminator": small_discriminator()}
    given = {player: networks[player], f"{player}_options": options}
    with pytest.raises(ValueError, match=f"`{player}_options` are for the {player} that"):
        model(SHAPE, 4, **given)


def test_options_of_the_networks_reach_them_and_are_saved():
    options = {"filters": (4, 6), "dropout": 0.5, "kernel_size": 3}
    gan = ConvolutionalGAN(
        SHAPE, 4, generator_options={"filters": (4, 3)}, discriminator_options=options, seed=0
    )
    again = ConvolutionalGAN.from_config(gan.get_config())
    for one in (gan, again):
        dropout = [x for x in one.discriminator.layers if isinstance(x, keras.layers.Dropout)]
        assert [layer.rate for layer in dropout] == [0.5]
        shapes = [w.shape for w in one.discriminator.weights if len(w.shape) == 4]
        assert shapes == [(3, 3, 1, 4), (3, 3, 4, 6)]
    with pytest.raises(TypeError, match="unknown"):
        ConvolutionalGAN(SHAPE, 4, discriminator_options={"unknown": 1})


def test_a_missing_argument_of_fit_is_named(gan):
    gan.compile()
    for use in (gan.fit, gan.evaluate, gan.predict, gan.train_on_batch, gan.test_on_batch):
        with pytest.raises(ValueError, match=r"must be .*Received: .* of type NoneType"):
            use(None)
    with pytest.raises(ValueError, match=r"must be a batch of images.*NoneType"):
        gan.discriminate(None)
    assert np.isfinite(gan.generate(1)).all()


@pytest.mark.parametrize("name", ["bogus", "Jax", "mxnet"])
def test_a_backend_that_is_not_there_is_named(name):
    result = subprocess.run(
        [sys.executable, "-c", "import capsgan_keras"],
        env=os.environ | {"KERAS_BACKEND": name},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError: The environment variable KERAS_BACKEND must name")
    assert message.endswith(f"Received: KERAS_BACKEND='{name}'")


def flat_discriminator(units, *last):
    layers = [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(units), *last]
    return keras.Sequential(layers)


CATEGORICAL = [
    "categorical_crossentropy",
    "CategoricalCrossentropy",
    "categorical_focal_crossentropy",
    "kl_divergence",
    "kld",
    "cosine_similarity",
    keras.losses.CategoricalCrossentropy(),
    keras.losses.CategoricalCrossentropy(from_logits=True),
    keras.losses.CategoricalFocalCrossentropy(),
    keras.losses.CosineSimilarity(),
    keras.losses.KLDivergence(),
    keras.losses.categorical_crossentropy,
]


@pytest.mark.parametrize("loss", CATEGORICAL)
def test_losses_that_say_nothing_of_one_output_are_refused(loss):
    with pytest.raises(ValueError, match=r"`loss` must say something of one output"):
        GAN(small_generator(), small_discriminator(), loss, discriminator_outputs="score")
    GAN(small_generator(), flat_discriminator(2), loss, discriminator_outputs="score")


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", keras.losses.Circle()])
@pytest.mark.parametrize("units", [1, 2])
def test_losses_of_integers_are_refused(loss, units):
    with pytest.raises(ValueError, match="`loss` must take targets 0 and 1"):
        GAN(small_generator(), flat_discriminator(units), loss, discriminator_outputs="score")


@pytest.mark.parametrize("loss", [None, "no such loss", 3, object(), ["mse"]])
def test_what_is_no_loss_is_refused_by_name(loss):
    with pytest.raises(ValueError, match="`loss` must be a Keras loss, its name, or a function"):
        GAN(small_generator(), small_discriminator(), loss)


def through_a_model(activation):
    inner = keras.Sequential([keras.Input((1,)), keras.layers.Activation(activation)])
    return inner, keras.layers.Reshape((1,))


LAST = {
    "tanh": lambda: (keras.layers.Activation("tanh"),),
    "relu": lambda: (keras.layers.Dense(1, "relu"),),
    "relu ": lambda: (keras.layers.ReLU(),),
    "leakyrelu": lambda: (keras.layers.LeakyReLU(),),
    "softplus": lambda: through_a_model("softplus"),
    "softmax": lambda: (keras.layers.Softmax(),),
    "softmax ": lambda: (keras.layers.Activation("softmax"),),
}


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("model", [GAN, CapsuleGAN, ConvolutionalGAN])
def test_last_activations_that_give_no_probability_are_refused(model, last):
    discriminator = flat_discriminator(1, *LAST[last]())
    first = {} if model is GAN else {"image_shape": SHAPE, "latent_dim": 4}
    message = f"`discriminator` must end in .*Received: .* ends in {last.strip()}$"
    for outputs in ("probability", "logit"):
        with pytest.raises(ValueError, match=message):
            model(
                **first,
                generator=small_generator(),
                discriminator=discriminator,
                loss="binary_crossentropy",
                discriminator_outputs=outputs,
            )


def test_last_activations_that_fit_are_taken():
    fitting = [("probability", 1, "sigmoid"), ("probability", 2, "softmax"), ("logit", 1, "linear")]
    fitting += [("score", 1, "tanh"), ("score", 1, "linear"), ("probability", 1, "linear")]
    for outputs, units, activation in fitting:
        network = flat_discriminator(units, keras.layers.Activation(activation))
        gan = GAN(small_generator(), network, "mse", discriminator_outputs=outputs)
        assert gan.discriminator_outputs == outputs
    network = flat_discriminator(1, keras.layers.Activation("sigmoid"))
    with pytest.raises(ValueError, match="must end in no activation"):
        GAN(small_generator(), network, keras.losses.BinaryCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match="`activation` must be one of 'sigmoid', 'linear'"):
        build_convolutional_discriminator(SHAPE, filters=4, activation="tanh")


@pytest.mark.parametrize("options", [{"run_eagerly": "no"}, {"jit_compile": "no"}])
def test_options_of_compile_are_looked_at(gan, options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}={value!r}"):
        gan.compile(**options)
