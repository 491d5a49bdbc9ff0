import json
import math
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import feeding, limit, operations, textbook, training
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


def new_gan(kind, seed=1):
    """A tiny GAN with weights so large that differences between the ways would show."""
    generator = build_generator(SHAPE, 5, filters=(4, 3))
    if kind == "three capsules":
        gan = GAN(generator, routed_discriminator(), MarginLoss(), seed=seed)
    elif kind == "one capsule":
        discriminator = build_capsule_discriminator(
            SHAPE, filters=4, kernel_size=5, n_channels=2, dim_capsule=4
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
    assert min(textbook.compare_layers(layer, capsules()).values()) > training.TOLERANCE


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


@pytest.mark.parametrize("kind", ["one capsule", "three capsules", "convolutional"])
def test_the_textbook_step_does_what_alternating_updates_do(kind):
    gan = new_gan(kind)
    start = [weight.copy() for weight in gan.get_weights()]
    rates = 0.2, 0.05
    theirs = textbook.TextbookGAN(gan, *map(keras.optimizers.SGD, rates))
    gan.compile(*map(keras.optimizers.SGD, rates), update="alternating")
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
    assert max(textbook.compare_steps(new_gan(kind), images()).values()) < training.TOLERANCE
    gan = new_gan(kind)
    gan.sample_latents(1)  # its noise is one draw ahead
    assert min(textbook.compare_steps(gan, images()).values()) > training.TOLERANCE


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


@pytest.fixture
def small_products(monkeypatch):
    """The machine's best rate, from products that take no time."""
    monkeypatch.setattr(limit, "MATRICES", (16,))
    monkeypatch.setattr(limit, "CONVOLUTIONS", ((1, 2, 3),))


def test_best_rates_are_positive_and_finite(small_products):
    for dtype in ("float32", "bfloat16"):
        rates = limit.best_rates(dtype)
        assert list(rates) == ["matmul", "convolution"]
        assert all(0 < rate < 1e15 for rate in rates.values())


def test_only_simultaneous_steps_have_a_share_of_the_limit():
    best = {"float32": {"matmul": 8e9, "convolution": 4e9}}
    row = {"precision": "float32", "images_per_second": {"median": 100.0}}
    shares = training.shares_of_limit(row | {"step": "fit"}, 10_000_000, best)
    assert shares == {"matmul": 0.25, "convolution": 0.5}
    assert training.shares_of_limit(row | {"step": "alternating"}, 10_000_000, best) is None


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
            "experiments.precision.resolve_precision", lambda asked, policy=policy: (policy, "")
        )
        assert training.default_precisions() == ("float32", policy)


def test_the_command(tmp_path, capsys, small_products):
    path = tmp_path / "new" / "speed.json"
    arguments = [*TINY, "--model", "capsule", "--precision", "float32", "--output", str(path)]
    assert training.main(arguments) == 0
    printed = capsys.readouterr().out
    assert f"Written to {path}" in printed
    assert "capsule, 28x28x1, batch 4" in printed
    text = path.read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    result = json.loads(text)
    assert result["settings"] == {
        "image_shape": [28, 28, 1],
        "steps": 1,
        "repeats": 2,
    }
    assert result["machine"]["cores"] >= 1
    assert result["machine"]["cpu"]
    assert result["machine"]["versions"]["keras"] == keras.__version__
    (measured,) = result["models"]
    assert (measured["model"], measured["batch_size"]) == ("capsule", 4)
    assert list(measured["differences"]) == ["layer", "step"]
    assert measured["multiply_adds"] > 1e6
    assert len(measured["operations"]["float32"]) > 3
    for values in measured["differences"].values():
        assert all(0.0 <= value <= training.TOLERANCE for value in values.values())
    steps = {row["step"]: row for row in measured["steps"]}
    assert list(steps) == [
        "simultaneous",
        "fit",
        "fit, one execution",
        "fit, self-tuning",
        "fit, dataset",
        "fit, dataset, one execution",
        "alternating",
        "textbook",
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
    assert "error: capsule: the layer differs from the textbook's" in capsys.readouterr().err
    assert not path.exists()


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


def test_on_jax_the_package_is_timed_alone(tmp_path, run_python):
    path = tmp_path / "speed.json"
    arguments = [*TINY, "--model", "convolutional", "--precision", "float32", "--backend", "jax"]
    printed = run_python(
        f"""
import os
os.environ["KERAS_BACKEND"] = "jax"
from benchmarks import limit, training
limit.MATRICES, limit.CONVOLUTIONS = (16,), ((1, 2, 3),)
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
        "simultaneous",
        "fit",
        "fit, one execution",
        "scan",
        "alternating",
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
