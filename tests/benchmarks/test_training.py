import json
import math
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import costs, feeding, limit, operations, textbook, textbook_ways, training
from benchmarks.measuring import DisagreementError
from capsgan_keras import GAN, CapsuleGAN, ConvolutionalGAN
from capsgan_keras.layers import CapsuleLayer, PrimaryCap
from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)
from capsgan_keras.training.batches import EpochBatches

SHAPE = (16, 16, 1)
TOLERANCE = training.TOLERANCES["float32"]
TINY = ["--batch-size", "4", "--steps", "1", "--repeats", "2"]


def capsules(batch=5, num_input=6, input_dim=3):
    return np.random.default_rng(0).normal(size=(batch, num_input, input_dim)).astype("float32")


def routed_discriminator():
    """One output on top of three routed capsules."""
    images = keras.Input(SHAPE)
    features = PrimaryCap(dim_capsule=3, n_channels=2, kernel_size=5, strides=4)(images)
    features = CapsuleLayer(3, 4, name="final_capsules")(features)
    features = keras.layers.Flatten()(features)
    return keras.Model(images, keras.layers.Dense(1, "sigmoid")(features))


def new_gan(kind, seed=1, dtype=None):
    """A tiny GAN with weights so large that differences between the ways would show."""
    generator = build_generator(SHAPE, 5, filters=(4, 3), dtype=dtype)
    if kind == "three capsules":
        gan = GAN(generator, routed_discriminator(), MarginLoss(), seed=seed)
    elif kind == "one capsule":
        discriminator = build_capsule_discriminator(
            SHAPE, filters=4, kernel_size=5, n_channels=2, dim_capsule=4, dtype=dtype
        )
        gan = CapsuleGAN(SHAPE, 5, generator=generator, discriminator=discriminator, seed=seed)
    else:
        discriminator = build_convolutional_discriminator(SHAPE, filters=(4, 6))
        gan = ConvolutionalGAN(
            SHAPE, 5, generator=generator, discriminator=discriminator, seed=seed
        )
    rng = np.random.default_rng(2)
    gan.set_weights(
        [
            rng.uniform(0.5, 1.5, weight.shape)
            if weight.ndim < 2
            else rng.normal(0, 0.3, weight.shape)
            for weight in gan.get_weights()
        ]
    )
    return gan


def images(count=8, seed=3):
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def test_a_kernel_in_the_textbook_layout():
    kernel = np.arange(6 * 3 * 2 * 4).reshape(6 * 3, 2 * 4)
    moved = textbook.textbook_kernel(kernel, num_capsule=2, input_dim=3)
    assert moved.shape == (2, 6, 4, 3)
    # Output capsule 1, input capsule 5, component 3 out of component 2.
    assert moved[1, 5, 3, 2] == kernel[5 * 3 + 2, 1 * 4 + 3]
    np.testing.assert_array_equal(textbook.package_kernel(moved), kernel)


@pytest.mark.parametrize("routings", [1, 3])
@pytest.mark.parametrize("num_capsule", [1, 3])
def test_the_textbook_layer_computes_what_the_package_does(num_capsule, routings):
    inputs = tf.constant(capsules())
    ours = CapsuleLayer(num_capsule, 4, routings=routings)
    ours.build(inputs.shape)
    theirs = textbook.textbook_layer(ours)
    theirs.build(inputs.shape)
    textbook.copy_weights(ours, theirs)
    results = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = layer(inputs)
            total = tf.reduce_sum(value * tf.range(4.0))
        results.append([value, *tape.gradient(total, [inputs, layer.kernel.value])])
    results[1][2] = textbook.package_kernel(results[1][2].numpy())
    assert results[0][0].shape == (5, num_capsule, 4)
    for one, other in zip(*results, strict=True):
        assert np.abs(other).max() > 0.01
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert max(textbook.compare_layers(ours, capsules()).values()) < 1e-5


def test_another_number_of_routings_is_another_layer(monkeypatch):
    layer = CapsuleLayer(3, 4, routings=3)
    layer.build((None, 6, 3))
    other = textbook.TextbookCapsules(3, 4, routings=2)
    monkeypatch.setattr(textbook, "textbook_layer", lambda layer: other)
    assert min(textbook.compare_layers(layer, capsules()).values()) > TOLERANCE


@pytest.mark.parametrize(
    "options", [{"routing": "leaky"}, {"use_bias": True}, {"stop_gradients": True}]
)
def test_the_textbook_layer_refuses_what_it_has_not(options):
    with pytest.raises(ValueError, match=f"Received: .*{next(iter(options))}="):
        textbook.textbook_layer(CapsuleLayer(2, 4, **options))


def test_a_textbook_copy_keeps_the_other_layers_and_their_precision():
    network = build_capsule_discriminator(
        SHAPE, filters=4, kernel_size=5, n_channels=2, dtype="mixed_bfloat16"
    )
    copy = textbook.textbook_copy(network)
    for ours, theirs in zip(network.layers, copy.layers, strict=True):
        replaced = isinstance(ours, CapsuleLayer)
        assert type(theirs) is (textbook.TextbookCapsules if replaced else type(ours))
        assert theirs.dtype_policy.name == ours.dtype_policy.name
    batch = images().astype("float32") / 127.5 - 1
    before = network(batch).numpy()
    np.testing.assert_allclose(copy(batch), before, rtol=1e-5)
    copy.set_weights([np.zeros(weight.shape) for weight in copy.get_weights()])
    assert np.any(copy(batch).numpy() != before)
    np.testing.assert_array_equal(network(batch), before)  # has weights of its own


@pytest.mark.parametrize("update", ["alternating", "simultaneous"])
@pytest.mark.parametrize("kind", ["one capsule", "three capsules", "convolutional"])
def test_the_textbook_step_does_what_the_package_does(kind, update):
    gan = new_gan(kind)
    start = [weight.copy() for weight in gan.get_weights()]
    rates = 0.2, 0.05
    theirs = textbook.TextbookGAN(gan, *map(keras.optimizers.SGD, rates), update=update)
    gan.compile(*map(keras.optimizers.SGD, rates), update=update)
    for step in range(3):
        batch = images(seed=step)
        logs = gan.train_on_batch(batch, return_dict=True)
        losses = theirs.train_step(batch)
        np.testing.assert_allclose([logs["d_loss"], logs["g_loss"]], losses, rtol=1e-4)
    assert all(np.any(old != new) for old, new in zip(start, gan.get_weights(), strict=True))
    for ours, other in (
        (gan.generator, theirs.generator),
        (gan.discriminator, theirs.discriminator),
    ):
        ours, other = textbook.package_weights(ours), textbook.package_weights(other)
        assert ours.keys() == other.keys()
        for layer in ours:
            for one, two in zip(ours[layer], other[layer], strict=True):
                np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-5, err_msg=layer)


@pytest.mark.parametrize("kind", ["one capsule", "three capsules", "convolutional"])
def test_steps_are_compared(kind):
    assert max(textbook.compare_steps(new_gan(kind), images()).values()) < TOLERANCE
    gan = new_gan(kind)
    gan.sample_latents(1)  # its noise is one draw ahead
    assert min(textbook.compare_steps(gan, images()).values()) > TOLERANCE
    assert textbook.compare_steps(new_gan(kind), images(), "simultaneous")["losses"] < TOLERANCE


def test_bfloat16_steps_are_compared():
    largest = training.TOLERANCES["mixed_bfloat16"]
    gan = new_gan("one capsule", dtype="mixed_bfloat16")
    assert 0 < max(textbook.compare_steps(gan, images()).values()) < largest
    gan = new_gan("one capsule", dtype="mixed_bfloat16")
    gan.sample_latents(1)  # its noise is one draw ahead
    assert max(textbook.compare_steps(gan, images()).values()) > largest


def test_a_step_of_other_values_is_refused(monkeypatch):
    def compare(gan, images, update):
        value = 0.1 if (gan, update) == ("float32", "simultaneous") else 0.0
        return {"losses": 0.0, "generator_weights": value}

    monkeypatch.setattr(textbook, "compare_steps", compare)
    monkeypatch.setattr(training, "_compare_capsules", lambda gan, batch_size: None)
    with pytest.raises(DisagreementError, match="simultaneous step in float32 differs"):
        training.check(lambda precision: precision, ["float32"], images())
    monkeypatch.setattr(textbook, "compare_steps", lambda *arguments: {"losses": 0.1})
    monkeypatch.setitem(training.TOLERANCES, "float32", 0.1)
    found = training.check(lambda precision: precision, training.PRECISIONS, images())
    assert list(found) == [
        "alternating float32",
        "simultaneous float32",
        "alternating mixed_bfloat16",
    ]


@pytest.mark.long
def test_all_forms_of_the_textbook_step_do_the_same_steps(monkeypatch):
    batches = EpochBatches(images(12), 4, seed=0)
    assert textbook_ways.check(lambda: new_gan("convolutional"), batches).keys() == {
        "textbook, dataset",
        "textbook, one execution",
    }
    differences = textbook_ways.check(tiny_gan, batches)
    assert list(differences) == [
        "textbook, one product",
        "textbook, dataset",
        "textbook, one execution",
    ]
    assert max(differences.values()) <= feeding.TOLERANCE

    def one_step(gan, batches):
        return lambda: gan.train_step(batches[0])

    monkeypatch.setattr(textbook_ways, "one_execution", one_step)
    with pytest.raises(DisagreementError, match="ways to do the textbook step end"):
        textbook_ways.check(tiny_gan, batches)


def test_a_copy_with_the_packages_capsules():
    network = new_gan("one capsule").discriminator
    copy = textbook.textbook_copy(network, one_product=True)
    assert isinstance(copy.get_layer("final_capsules"), CapsuleLayer)
    batch = images().astype("float32") / 127.5 - 1
    np.testing.assert_array_equal(copy(batch), network(batch))


def tiny_gan():
    return new_gan("one capsule")


def test_all_ways_of_feeding_do_the_same_steps():
    batches = EpochBatches(images(12), 4, seed=0)
    differences = feeding.check(tiny_gan, batches)
    assert list(differences) == [
        "fit",
        "fit, one execution",
        "fit, self-tuning",
        "fit, dataset",
        "fit, dataset, one execution",
    ]
    assert max(differences.values()) <= feeding.TOLERANCE


def test_a_way_of_feeding_that_does_something_else_is_found(monkeypatch):
    def in_another_order(gan, batches):
        return lambda: gan.fit(
            feeding.stacked(batches)[::-1].reshape(-1, *SHAPE),
            batch_size=4,
            shuffle=False,
            verbose=0,
        )

    monkeypatch.setattr(feeding, "fit_dataset", in_another_order)
    with pytest.raises(DisagreementError, match="end with weights that differ"):
        feeding.check(tiny_gan, EpochBatches(images(12), 4, seed=0))


def test_multiply_adds_are_counted():
    gan = new_gan("one capsule")
    # Dense 5 -> 4 x 4 x 4; transposed 4 x 4 kernels from 4 x 4 x 4 to 3 and from 8 x 8 x 3 to 1.
    generator = [5 * 64, 16 * 16 * 4 * 3, 64 * 16 * 3 * 1]
    assert limit.forward_multiply_adds(gan.generator) == generator
    first, primary, final = limit.forward_multiply_adds(gan.discriminator)
    layers = gan.discriminator.layers
    assert first == math.prod(layers[1].output.shape[1:]) * 5 * 5 * 1
    capsules = gan.discriminator.get_layer("primary_capsules").output.shape[1]
    assert primary == capsules * 8 * 5 * 5 * 4
    assert final == capsules * 8 * 4
    total = 3 * sum(generator) - generator[0] + 7 * (first + primary + final) - 2 * first
    assert limit.step_multiply_adds(gan) == total
    forward = sum(generator) + first + primary + final
    assert limit.alternating_multiply_adds(gan) == total + forward


@pytest.fixture
def small_products(monkeypatch):
    """Rates from products that take no time."""
    monkeypatch.setattr(limit, "MATRICES", (16,))
    monkeypatch.setattr(limit, "CONVOLUTIONS", ((1, 2, 3),))
    monkeypatch.setattr(limit, "ROUNDS", 2)
    monkeypatch.setattr(limit, "LEAST_SECONDS", 1e-3)


def test_best_rates_are_positive_and_finite(small_products):
    for dtype in ("float32", "bfloat16"):
        rates = limit.best_rates(dtype)
        assert list(rates) == ["matmul", "convolution"]
        for values in rates.values():
            assert 0 < values["min"] <= values["median"] <= values["max"] < 1e15


def test_a_rate_is_that_of_many_products_in_a_call(monkeypatch):
    asked = []

    def repeating(function, one, other):
        assert (function, one, other) == ("product", "one", "other")
        return asked.append

    # 2 ms a call and 1 ms a product.
    monkeypatch.setattr(limit, "_repeating", repeating)
    monkeypatch.setattr(
        limit, "_seconds", lambda repeat, count: repeat(count) or 2e-3 + 1e-3 * count
    )
    found = limit.rate(6.0, "product", "one", "other")
    count = asked[-1]
    assert 2e-3 + 1e-3 * count >= limit.LEAST_SECONDS
    assert asked[-limit.ROUNDS :] == limit.ROUNDS * [count]
    assert found["median"] == found["max"] == pytest.approx(6.0 * count / (2e-3 + 1e-3 * count))


def test_products_are_made_one_after_the_other():
    made = []

    def product(one, other):
        tf.py_function(lambda: made.append(1), [], [])
        return one @ other

    repeat = limit._repeating(product, tf.eye(3), 2.0 * tf.eye(3))
    for count in (1, 4):
        made.clear()
        repeat(count)
        assert len(made) == count


@pytest.mark.parametrize("transposed", [False, True])
def test_the_passes_of_a_convolution(transposed):
    kind = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    layer = kind(3, 3, strides=2, padding="same", use_bias=False)
    inputs = tf.random.stateless_normal((2, 8, 8, 4), (1, 2))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = layer(inputs)
        total = tf.reduce_sum(value * value) / 2  # whose gradient is the value
    expected = [value, *tape.gradient(total, [inputs, layer.kernel.value])]
    names, functions, operands = zip(*limit._passes(layer, inputs.shape, "float32"), strict=True)
    assert names == tuple(limit.PASSES["generator"])
    kernel = layer.kernel.value
    given = [(inputs, kernel), (value, kernel), (inputs, value)]
    for function, tensors, shapes, result in zip(functions, given, operands, expected, strict=True):
        assert [one.shape for one in tensors] == [one.shape for one in shapes]
        np.testing.assert_allclose(function(*tensors), result, rtol=1e-4, atol=1e-5)


def test_a_gans_own_convolutions(monkeypatch):
    # A second for every product.
    def rate(operations, *others):
        return {"median": float(operations), "min": 1.0, "max": 2.0}

    monkeypatch.setattr(limit, "rate", rate)
    gan = new_gan("one capsule")
    found = limit.own_convolutions(gan, 4, "float32")
    generator = limit.forward_multiply_adds(gan.generator)
    discriminator = limit.forward_multiply_adds(gan.discriminator)
    large = [
        *(
            (player, count)
            for player, counts in (("generator", generator[1:]), ("discriminator", discriminator))
            for count in counts
            if count >= limit.LARGE * sum({"generator": generator}.get(player, discriminator))
        )
    ]
    passes = {player: sum(each.values()) for player, each in limit.PASSES.items()}
    assert [one["rate"]["median"] for one in found["products"]] == [
        2.0 * 4 * count for _, count in large for _ in range(3)
    ]
    # The seconds of a step are 1/(2 * 4) for every image and product.
    operations = sum(passes[player] * count for player, count in large)
    assert found["rate"] == pytest.approx(8 * operations / sum(passes[p] for p, _ in large))


def test_shares_of_the_limit_count_each_steps_own_work():
    best = {"float32": {"matmul": {"median": 8e9}, "convolution": {"median": 4e9}}}
    row = {"precision": "float32", "images_per_second": {"median": 100.0}}
    counts = {"multiply_adds": 10_000_000, "multiply_adds_alternating": 15_000_000}
    for step, convolution in (
        ("fit", 0.5),
        ("simultaneous", 0.5),
        ("textbook, simultaneous", 0.5),
        ("alternating", 0.75),
        ("textbook", 0.75),
        ("textbook, dataset", 0.75),
    ):
        shares = training.shares_of_limit(row | {"step": step}, counts, best)
        assert shares == {"matmul": convolution / 2, "convolution": convolution}


def test_the_experiments_networks(tmp_path):
    new_gan = training.gan_maker("capsule", "mnist", "tuned")
    gan = new_gan("mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    assert gan.latent_dim == 28
    assert gan.discriminator.get_layer("primary_capsules").compute_dtype == "bfloat16"
    for one, other in zip(gan.get_weights(), new_gan("float32").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    for dataset, options, batch in (
        ("mnist", ["--networks", "tuned"], 64),
        ("cifar10", ["--networks", "tuned"], 64),
        ("mnist", [], 128),
    ):
        options = training.parse(["--dataset-shape", dataset, *options])
        assert options.batch_size is None
        assert training.default_batch(options) == batch


def test_models_are_compared_at_the_same_step_and_batch():
    def of(model, batch_size, **rates):
        rows = [
            {"step": step, "precision": "float32", "images_per_second": {"median": rate}}
            for step, rate in rates.items()
        ]
        return {"model": model, "batch_size": batch_size, "steps": rows}

    measured = [
        of("capsule", 8, fit=1000.0, scan=2000.0),
        of("convolutional", 8, fit=4000.0),
        of("capsule", 16, fit=1.0),
    ]
    (one,) = costs.compare_models(measured)
    assert one == {
        "batch_size": 8,
        "step": "fit",
        "precision": "float32",
        "capsule_over_convolutional": 0.25,
        "full_training_seconds": {"capsule": 3000, "convolutional": 750, "together": 3750},
    }


def test_the_profile_names_operations():
    matrix = tf.ones((200, 200))
    multiply = tf.function(lambda: tf.exp(matrix @ matrix))
    multiply()
    shares = operations.profile(multiply, calls=2)
    assert {"Exp"} < {share["operation"] for share in shares}
    assert any("MatMul" in share["operation"] for share in shares)
    assert sum(share["share"] for share in shares) == pytest.approx(1.0)


def test_ratios_are_taken_within_a_round():
    rows = training.summarize(
        {
            ("simultaneous", "float32"): [30.0, 8.0, 20.0],
            ("textbook", "float32"): [10.0, 2.0, 10.0],
            ("simultaneous", "mixed_bfloat16"): [50.0, 12.0, 70.0],
        }
    )
    assert [(row["step"], row["precision"]) for row in rows] == [
        ("simultaneous", "float32"),
        ("textbook", "float32"),
        ("simultaneous", "mixed_bfloat16"),
    ]
    assert rows[0]["images_per_second"] == {
        "median": 20.0,
        "min": 8.0,
        "max": 30.0,
        "rounds": [30.0, 8.0, 20.0],
    }
    assert rows[0]["times_textbook"] == {"median": 3.0, "min": 2.0, "max": 4.0}
    assert rows[0]["times_textbook_float32"] == rows[0]["times_textbook"]
    assert rows[2]["times_textbook"] is None  # not timed in this precision
    assert rows[2]["times_textbook_float32"] == {"median": 6.0, "min": 5.0, "max": 7.0}


def test_bfloat16_is_timed_where_the_hardware_has_it(monkeypatch):
    for policy in training.PRECISIONS:
        monkeypatch.setattr(
            "experiments.training.precision.resolve_precision",
            lambda asked, policy=policy: (policy, ""),
        )
        assert training.default_precisions() == ("float32", policy)


@pytest.mark.long
def test_the_command(tmp_path, capsys, monkeypatch, small_products):
    monkeypatch.setattr(training, "SHAPES", {"mnist": SHAPE})
    monkeypatch.setattr(training, "new_gan", lambda model, shape, dtype: new_gan("one capsule"))
    path = tmp_path / "new" / "speed.json"
    arguments = [*TINY, "--model", "capsule", "--precision", "float32", "--output", str(path)]
    assert training.main(arguments) == 0
    printed = capsys.readouterr().out
    assert f"Written to {path}" in printed
    assert "capsule, 16x16x1, batch 4" in printed
    text = path.read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    result = json.loads(text)
    assert result["settings"] == {
        "image_shape": [16, 16, 1],
        "networks": "default",
        "steps": 1,
        "repeats": 2,
    }
    assert result["machine"]["cores"] >= 1
    assert result["machine"]["cpu"]
    assert result["machine"]["versions"]["keras"] == keras.__version__
    (measured,) = result["models"]
    assert (measured["model"], measured["batch_size"]) == ("capsule", 4)
    assert list(measured["differences"]) == [
        "layer",
        "alternating float32",
        "simultaneous float32",
    ]
    assert measured["multiply_adds_alternating"] > measured["multiply_adds"] > 1e4
    assert measured["convolutions"]["float32"]["rate"] > 0
    assert len(measured["operations"]["float32"]) > 3
    for values in measured["differences"].values():
        assert all(0.0 <= value <= TOLERANCE for value in values.values())
    steps = {row["step"]: row for row in measured["steps"]}
    assert list(steps) == [
        "textbook",
        "textbook, one product",
        "textbook, simultaneous",
        "textbook, dataset",
        "textbook, one execution",
        "alternating",
        "simultaneous",
        "fit",
        "fit, dataset, one execution",
    ]
    reference = steps["textbook"]["images_per_second"]["rounds"]
    for row in steps.values():
        rounds = row["images_per_second"]["rounds"]
        assert len(rounds) == 2
        assert min(rounds) > 0
        ratios = sorted(one / other for one, other in zip(rounds, reference, strict=True))
        assert row["times_textbook"]["min"] == pytest.approx(ratios[0])
        assert row["times_textbook"]["max"] == pytest.approx(ratios[1])
        assert f"{row['images_per_second']['median']:.1f}" in printed
    assert [file.name for file in path.parent.iterdir()] == ["speed.json"]


def test_nothing_is_timed_where_values_differ(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(textbook, "_squash", lambda vectors: vectors)
    monkeypatch.setattr(training, "time_in_turn", lambda *arguments: pytest.fail("timed"))
    path = tmp_path / "speed.json"
    assert training.main([*TINY, "--model", "capsule", "--output", str(path)]) == 1
    assert (
        "error: the capsule layer in float32 differs from the textbook's" in capsys.readouterr().err
    )
    assert not path.exists()


def test_a_folder_to_write_to_shows_before_anything_is_timed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training, "measure", lambda *arguments: pytest.fail("timed"))
    assert training.main(["--output", str(tmp_path)]) == 2
    assert f"error: [Errno 21] Is a directory: '{tmp_path}'" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_shows_before_anything_is_timed(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(training, "measure", lambda *arguments: pytest.fail("timed"))
    (tmp_path / "file").write_text("")
    assert training.main(["--output", str(tmp_path / "file" / "speed.json")]) == 2
    assert f"error: [Errno 17] File exists: '{tmp_path / 'file'}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--steps", "0"], ["--repeats", "x"], ["--precision", "float64"], ["--model", ""]]
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        training.main(arguments)
    assert stop.value.code == 2
    assert f"error: argument {arguments[0]}: " in capsys.readouterr().err


def test_help_does_not_wait_for_keras(run_python):
    run_python(
        """
import sys
from benchmarks import training
try:
    training.main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
assert not {"keras", "tensorflow", "numpy"} & set(sys.modules)
"""
    )


def test_the_backend_is_chosen_before_keras_is_imported(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(training, "run_command", lambda *_: os.environ["KERAS_BACKEND"])
    assert training.main(["--backend", "jax"]) == "jax"


@pytest.mark.long
def test_on_jax_the_package_is_timed_alone(tmp_path, run_python):
    path = tmp_path / "speed.json"
    arguments = [*TINY, "--model", "convolutional", "--precision", "float32", "--backend", "jax"]
    printed = run_python(
        f"""
import os
os.environ["KERAS_BACKEND"] = "jax"
from benchmarks import limit, training
limit.MATRICES, limit.CONVOLUTIONS = (16,), ((1, 2, 3),)
limit.ROUNDS, limit.LEAST_SECONDS = 1, 1e-3
assert training.main({[*arguments, "--output", str(path)]!r}) == 0
try:
    import benchmarks.textbook
except ImportError as error:
    print(error)
""",
        JAX_PLATFORMS="cpu",
    )
    assert "The textbook step needs the Keras backend tensorflow" in printed
    assert "Received: backend 'jax'" in printed
    (measured,) = json.loads(path.read_text())["models"]
    assert measured["differences"] is None
    assert max(measured["feeding"].values()) < 1e-3
    assert [row["step"] for row in measured["steps"]] == [
        "alternating",
        "simultaneous",
        "fit",
        "fit, one execution",
        "scan",
    ]
    assert all(row["times_textbook"] is None for row in measured["steps"])


def test_other_backends_are_refused(tmp_path, run_python):
    printed = run_python(
        f"""
import contextlib, sys
from benchmarks import training
with contextlib.redirect_stderr(sys.stdout):
    assert training.main(["--output", {str(tmp_path / "speed.json")!r}]) == 2
""",
        KERAS_BACKEND="numpy",
    )
    assert "error: GANs train on the Keras backends tensorflow and jax" in printed
    assert "Received: backend 'numpy'" in printed
    assert not list(tmp_path.iterdir())
