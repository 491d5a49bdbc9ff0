"""BiCoGAN: classes and styles in codes, the loss on labels, and what it is for."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import BiCoGAN, BiGAN
from capsgan_keras.models import (
    build_convolutional_encoder,
    build_generator,
    build_joint_discriminator,
)

SHAPE = (16, 16, 1)
CLASSES, LATENT_DIM = 3, 7


def networks():
    return (
        build_generator(
            SHAPE, LATENT_DIM, (4, 3), batch_norm=False, latent_categories=CLASSES, seed=1
        ),
        build_convolutional_encoder(SHAPE, LATENT_DIM, (4, 4), units=8, batch_norm=False, seed=2),
        build_joint_discriminator(
            SHAPE, LATENT_DIM, "dense", filters=(4, 4), code_units=6, units=8, seed=3
        ),
    )


def tiny(label_weight=1.0, **options):
    return BiCoGAN(*networks(), CLASSES, seed=4, label_weight=label_weight, **options)


def fit(gan, images, labels, **options):
    options = {"batch_size": 8, "shuffle": False, "verbose": 0} | options
    return gan.fit(images, labels, **options)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (24, *SHAPE), dtype=np.uint8)


@pytest.fixture
def labels():
    labels = np.arange(24, dtype="int32") % CLASSES
    labels[::2] = -1
    return labels


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def cross_entropy(gan, images, labels):
    """The mean over the images whose label is known, from the encoder's own outputs."""
    encoded = np.asarray(gan.encoder(images / np.float32(127.5) - 1))
    known = labels >= 0
    shares = softmax(encoded[known, -CLASSES:])
    return -np.mean(np.log(shares[np.arange(known.sum()), labels[known]]))


def test_a_code_is_the_style_and_the_softmax_of_the_class(images):
    gan = tiny()
    encoded = np.asarray(gan.encoder(images / np.float32(127.5) - 1))
    codes = gan.encode(images)
    np.testing.assert_allclose(codes[:, :-CLASSES], encoded[:, :-CLASSES], atol=1e-5)
    expected = np.sqrt(CLASSES) * softmax(encoded[:, -CLASSES:])
    np.testing.assert_allclose(codes[:, -CLASSES:], expected, atol=1e-5)
    np.testing.assert_array_equal(gan.classify(images), encoded[:, -CLASSES:].argmax(axis=1))
    assert len(np.unique(gan.classify(images))) > 1


def test_the_discriminator_sees_the_class_that_the_generator_took():
    latents = np.random.default_rng(0).normal(size=(20, LATENT_DIM)).astype("float32")
    beside = np.asarray(tiny().beside_generated(ops.convert_to_tensor(latents)))
    np.testing.assert_array_equal(beside[:, :-CLASSES], latents[:, :-CLASSES])
    chosen = np.eye(CLASSES)[latents[:, -CLASSES:].argmax(axis=1)]
    np.testing.assert_allclose(beside[:, -CLASSES:], np.sqrt(CLASSES) * chosen, rtol=1e-6)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_known_labels_add_the_encoders_cross_entropy(update, images, labels):
    plain, gan = tiny(label_weight=0.0), tiny(label_weight=2.5)
    expected = 2.5 * cross_entropy(gan, images, labels)
    for model in (plain, gan):
        model.compile(
            keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), update=update, run_eagerly=True
        )
    logs = [m.train_on_batch(images, labels, return_dict=True) for m in (plain, gan)]
    assert expected > 0.5
    assert logs[1]["g_loss"] - logs[0]["g_loss"] == pytest.approx(expected, rel=1e-4)
    assert logs[1]["d_loss"] == pytest.approx(logs[0]["d_loss"], rel=1e-6)


def test_without_a_label_nothing_is_added_and_a_sure_mistake_has_a_gradient(images):
    gan = tiny()
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    plain = tiny(label_weight=0.0)
    plain.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    unknown = np.full(24, -1, "int32")
    logs = [m.train_on_batch(images, unknown, return_dict=True) for m in (plain, gan)]
    assert logs[0]["g_loss"] == logs[1]["g_loss"]

    import tensorflow as tf

    from capsgan_keras.training.adversarial import Batch

    logits = tf.constant([[0.0] * 4 + [40.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        batch = Batch(tf.zeros((1, *SHAPE)), tf.constant([1]))
        loss = gan.label_loss(batch, gan.code_of(logits))
    assert float(loss) == pytest.approx(40.0, rel=1e-4)
    np.testing.assert_allclose(
        tape.gradient(loss, logits)[0, -CLASSES:], [1.0, -1.0, 0.0], atol=1e-4
    )


def test_labels_teach_the_encoder_and_not_the_others(images, labels):
    gan, plain = tiny(label_weight=5.0), tiny(label_weight=0.0)
    for model in (gan, plain):
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
        model.train_on_batch(images, labels)
    same = [np.allclose(a, b, atol=1e-7) for a, b in pairs(gan, plain, "generator")]
    same += [np.allclose(a, b, atol=1e-7) for a, b in pairs(gan, plain, "discriminator")]
    assert all(same)
    assert not all(np.allclose(a, b, atol=1e-4) for a, b in pairs(gan, plain, "encoder"))
    before = cross_entropy(gan, images, labels)
    for _ in range(10):
        gan.train_on_batch(images, labels)
    assert cross_entropy(gan, images, labels) < before


def pairs(one, other, name):
    networks = (getattr(gan, name).get_weights() for gan in (one, other))
    return list(zip(*networks, strict=True))


@pytest.mark.long
def test_a_loaded_model_trains_on_as_the_unsaved_one(images, labels, tmp_path):
    gan = tiny(label_weight=2.0)
    gan.compile()
    fit(gan, images, labels, validation_data=(images[:8], labels[:8]))
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(again) is BiCoGAN
    assert (again.num_classes, again.label_weight) == (CLASSES, 2.0)
    for model in (gan, again):
        fit(model, images, labels)
    for one, other in zip(gan.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_wanted_classes_have_the_same_styles(images):
    gan = tiny()
    both = [gan.generate(4, seed=0, labels=label) for label in (0, 2)]
    assert np.any(both[0] != both[1])
    mixed = gan.generate(4, seed=0, labels=np.array([0, 2, 2, 0]))
    np.testing.assert_array_equal(mixed[[0, 3]], both[0][[0, 3]])
    np.testing.assert_array_equal(mixed[[1, 2]], both[1][[1, 2]])
    scaled = ops.convert_to_tensor(images / np.float32(127.5) - 1)
    codes = ops.convert_to_tensor(gan.encode(images))
    expected = np.asarray(gan.discriminator([scaled, codes]))[:, 0]
    np.testing.assert_allclose(gan.discriminate(images), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.full(24, CLASSES), "integer classes from -1 to 2"),
        (np.full(24, -2), "integer classes from -1 to 2"),
        (np.zeros(23, "int32"), "n = 24"),
        (None, "integer classes from -1 to 2"),
    ],
)
def test_other_labels_are_refused(wrong, message, images):
    gan = tiny()
    gan.compile()
    with pytest.raises(ValueError, match=message):
        fit(gan, images, wrong)


def test_wrong_arguments_are_refused(images):
    with pytest.raises(ValueError, match="`label_weight` must be at least 0"):
        tiny(label_weight=-1.0)
    with pytest.raises(ValueError, match="`num_classes` must be"):
        BiCoGAN(*networks(), num_classes=LATENT_DIM + 1)
    with pytest.raises(ValueError, match="`num_classes` must be"):
        BiCoGAN(*networks(), num_classes=None)
    with pytest.raises(ValueError, match="`num_classes` is for BiCoGAN"):
        BiGAN(*networks(), num_classes=CLASSES)
    with pytest.raises(ValueError, match="`labels` are not for a GAN with an encoder"):
        tiny().discriminate(images, labels=np.zeros(24, "int32"))
