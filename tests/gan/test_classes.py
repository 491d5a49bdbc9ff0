"""GANs conditioned on classes: labels in, images of wanted classes out."""

import keras
import numpy as np
import pytest
from keras import ops

from capsgan_keras import GAN, CapsuleGAN, ConvolutionalGAN, load_dataset
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)
from capsgan_keras.training.adversarial import Batch

SHAPE = (16, 16, 1)
DRAWS = np.random.default_rng(0)
IMAGES = DRAWS.uniform(-1, 1, (12, *SHAPE)).astype("float32")
LABELS = DRAWS.integers(0, 3, 12)
MODELS = {"capsule": CapsuleGAN, "convolutional": ConvolutionalGAN}
SMALL = {
    "capsule": {"filters": (4,), "n_channels": 2, "kernel_size": 5, "strides": 2},
    "convolutional": {"filters": (4, 4), "batch_norm": False},
}


def new_gan(model="capsule", seed=0, **options):
    gan = MODELS[model](
        SHAPE,
        latent_dim=6,
        num_classes=3,
        seed=seed,
        generator_options={"filters": (8, 4)},
        discriminator_options=SMALL[model] | options,
    )
    gan.compile()
    return gan


@pytest.fixture(scope="module", params=MODELS)
def gan(request):
    return new_gan(request.param)


def test_training_moves_every_weight(gan):
    before = [ops.convert_to_numpy(weight).copy() for weight in gan.trainable_weights]
    history = gan.fit(IMAGES, LABELS, batch_size=4, epochs=2, verbose=0)
    assert len(history.history["d_loss"]) == 2
    for weight, value in zip(gan.trainable_weights, before, strict=True):
        assert not np.array_equal(ops.convert_to_numpy(weight), value), weight.path


def test_the_class_of_an_image_is_the_one_wanted(gan):
    """The images of labels are those of latents whose last components say so."""
    labels = np.array([0, 1, 2, 1])
    latents = np.random.default_rng(3).standard_normal((4, 6), "float32")
    latents[:, 3:] = np.eye(3)[labels]
    by_latents = gan.predict(latents, verbose=0)
    wanted = gan.generate(4, seed=3, labels=labels)
    np.testing.assert_allclose(wanted / 127.5 - 1.0, by_latents, atol=0.5 / 127.5 + 1e-5)
    np.testing.assert_array_equal(gan.generate(4, seed=3, labels=1)[1], wanted[1])
    np.testing.assert_array_equal(gan.generate(2, seed=3, labels=labels[:2]), wanted[:2])


def test_without_labels_each_class_is_drawn(gan):
    classes = gan.beside_generated(gan.sample_latents(3000))
    shares = np.bincount(ops.convert_to_numpy(classes), minlength=3) / 3000
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)
    assert gan.generate(3, seed=0).shape == (3, *SHAPE)


def test_both_kinds_of_images_are_judged_as_of_their_class(gan):
    """The step's outputs are D's for the labels of the batch, and for the latents' classes."""
    batch = Batch(ops.convert_to_tensor(IMAGES), ops.convert_to_tensor(LABELS.astype("int32")))
    outputs = gan.discriminator([IMAGES, LABELS.astype("int32")])
    np.testing.assert_allclose(gan.judge_real(batch, training=False), outputs, atol=1e-6)
    latents = np.random.default_rng(1).standard_normal((12, 6), "float32")
    classes = latents[:, 3:].argmax(axis=1).astype("int32")
    outputs = gan.discriminator([gan.generator(latents), ops.convert_to_tensor(classes)])
    found = gan.judge_generated(batch, ops.convert_to_tensor(latents), training=False)
    np.testing.assert_allclose(found, outputs, atol=1e-6)


def test_scores_are_those_of_the_class(gan):
    pixels = ((IMAGES + 1.0) * 127.5).astype("uint8")
    scores = gan.discriminate(pixels, labels=LABELS)
    assert scores.shape == (12,)
    assert scores.dtype == np.float32
    outputs = gan.discriminator([pixels / np.float32(127.5) - 1.0, LABELS.astype("int32")])
    np.testing.assert_allclose(scores, ops.convert_to_numpy(outputs)[:, 0], atol=1e-5)
    others = gan.discriminate(pixels, labels=(LABELS + 1) % 3)
    assert not np.allclose(scores, others)


def test_a_capsule_for_each_class_and_routing_acts():
    """The longest way round: capsules of all classes, and the length of the own one."""
    once, thrice = (
        build_capsule_discriminator(SHAPE, **SMALL["capsule"], num_classes=3, routings=r, seed=0)
        for r in (1, 3)
    )
    inputs = [IMAGES, LABELS.astype("int32")]
    capsules = keras.Model(once.inputs[0], once.get_layer("final_capsules").output)(IMAGES)
    lengths = np.linalg.norm(capsules, axis=-1)[np.arange(12), LABELS]
    np.testing.assert_allclose(once(inputs)[:, 0], lengths, atol=1e-5)
    assert not np.allclose(once(inputs), thrice(inputs), atol=1e-4)


def test_lengths_start_where_squash_has_a_slope():
    """A tenth of the votes each, and squash would make lengths of a hundredth of them."""
    options = {"filters": (16,), "kernel_size": 5, "strides": 2, "seed": 0}
    labels = np.arange(12) % 10
    for num_classes in (3, 10):
        network = build_capsule_discriminator(SHAPE, **options, num_classes=num_classes)
        lengths = ops.convert_to_numpy(network([IMAGES, labels.astype("int32") % num_classes]))
        assert lengths.mean() > 0.05


def test_the_projection_written_out():
    """Miyato and Koyama 2018, equation 4: a score of the image, plus features times the class."""
    network = build_convolutional_discriminator(
        SHAPE, **SMALL["convolutional"], num_classes=3, activation="linear", seed=0
    )
    flat = network.get_layer("logits").input
    features = ops.convert_to_numpy(keras.Model(network.inputs[0], flat)(IMAGES))
    kernel, bias = network.get_layer("logits").get_weights()
    (vectors,) = network.get_layer("class_embedding").get_weights()
    expected = features @ kernel[:, 0] + bias + (features * vectors[LABELS]).sum(axis=1)
    found = network([IMAGES, LABELS.astype("int32")])[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "update"),
    [
        ("convolutional", "simultaneous"),
        pytest.param("convolutional", "alternating", marks=pytest.mark.long),
        pytest.param("capsule", "simultaneous", marks=pytest.mark.long),
        pytest.param("capsule", "alternating", marks=pytest.mark.long),
    ],
)
def test_a_file_trains_on_as_the_model_does(model, update, tmp_path):
    first = new_gan(model)
    first.compile(update=update)
    first.fit(IMAGES, LABELS, batch_size=6, epochs=1, verbose=0, shuffle=False)
    first.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert again.num_classes == 3
    for gan in (first, again):
        gan.fit(IMAGES, LABELS, batch_size=6, epochs=1, verbose=0, shuffle=False)
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        first.generate(3, seed=1, labels=2), again.generate(3, seed=1, labels=2)
    )


class Pairs(keras.utils.PyDataset):
    def __init__(self, labels):
        super().__init__()
        self.labels = labels

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(4 * index, 4 * index + 4)
        return IMAGES[rows], self.labels[rows]


def as_dataset(labels):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((IMAGES, labels)).batch(4)


STREAMS = {
    "PyDataset": Pairs,
    "dataset": as_dataset,
    "generator": lambda labels: (Pairs(labels)[index] for index in range(3)),
}


@pytest.mark.parametrize("container", STREAMS)
def test_labels_in_batches_are_those_of_an_array(container):
    gan, options = new_gan(), {"verbose": 0, "return_dict": True}
    expected = gan.evaluate(IMAGES, LABELS, batch_size=4, **options)
    found = gan.evaluate(STREAMS[container](LABELS), steps=3, **options)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("place", [0, 5])
@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize("container", STREAMS)
def test_a_wrong_label_is_refused_in_first_and_later_batches(container, label, place):
    labels = LABELS.copy()
    labels[place] = label
    with pytest.raises(ValueError, match=r"`x\[1\]` must be integer classes from 0 to 2"):
        new_gan().evaluate(STREAMS[container](labels), verbose=0)


@pytest.mark.parametrize(
    "labels",
    [None, LABELS[:5], LABELS.astype("float32"), np.eye(3)[LABELS], LABELS + 1, LABELS - 1, "abc"],
    ids=["none", "few", "floats", "one-hot", "large", "negative", "text"],
)
def test_labels_of_another_form_are_refused_everywhere(gan, labels):
    pixels = ((IMAGES + 1.0) * 127.5).astype("uint8")
    form = r"must be integer classes from 0 to 2, of shape \(n,\)"
    calls = [
        lambda: gan.fit(IMAGES, labels, verbose=0),
        lambda: gan.fit(IMAGES, LABELS, validation_data=(IMAGES, labels), verbose=0),
        lambda: gan.train_on_batch(IMAGES, labels),
        lambda: gan.test_on_batch(IMAGES, labels),
        lambda: gan.evaluate(IMAGES, labels, verbose=0),
        lambda: gan.discriminate(pixels, labels=labels),
    ]
    if labels is not None and not isinstance(labels, str):
        calls.append(lambda: gan.generate(12, labels=labels))
    for call in calls:
        with pytest.raises(ValueError, match=form):
            call()


def test_one_hot_labels_are_told_what_to_pass():
    one_hot = np.eye(3)[LABELS]
    with pytest.raises(ValueError, match=r"Of one-hot rows pass `argmax\(axis=-1\)`"):
        new_gan().generate(12, labels=one_hot)
    assert len(new_gan().generate(12, labels=one_hot.argmax(axis=-1))) == 12


def test_images_without_labels_and_labels_without_classes():
    conditional, plain = new_gan(), CapsuleGAN(SHAPE, 6, seed=0)
    plain.compile()
    with pytest.raises(ValueError, match=r"must give batches \(images, labels\)"):
        conditional.evaluate(as_dataset(LABELS).map(lambda images, labels: images), verbose=0)
    with pytest.raises(ValueError, match="Labels must be in the batches"):
        conditional.evaluate(as_dataset(LABELS), LABELS, verbose=0)
    with pytest.raises(ValueError, match="without `num_classes` learns from images alone"):
        plain.fit(IMAGES, LABELS, verbose=0)
    with pytest.raises(ValueError, match="`labels` are for a GAN with classes"):
        plain.generate(2, labels=1)
    with pytest.raises(ValueError, match="`labels` are for a GAN with classes"):
        plain.discriminate(plain.generate(2), labels=[0, 1])


@pytest.mark.long
def test_validation_and_labels_as_a_column(gan):
    logs = gan.fit(
        IMAGES, LABELS[:, None], validation_data=(IMAGES, LABELS), epochs=1, verbose=0
    ).history
    assert np.isfinite(logs["val_d_loss"]).all()
    logs = gan.fit(IMAGES, LABELS, validation_split=0.5, epochs=1, verbose=0).history
    assert np.isfinite(logs["val_d_loss"]).all()
    assert np.isfinite(list(gan.train_on_batch(IMAGES, LABELS, return_dict=True).values())).all()


@pytest.mark.parametrize("num_classes", [1, 7, 2.5, "3"])
def test_numbers_of_classes_that_cannot_be(num_classes):
    with pytest.raises(ValueError, match="`num_classes` must be None, or a whole number"):
        CapsuleGAN(SHAPE, 6, num_classes=num_classes)


def test_networks_that_take_no_labels_are_refused():
    generator = build_generator(SHAPE, 6, latent_categories=3, seed=0)
    discriminator = build_convolutional_discriminator(SHAPE, seed=0)
    with pytest.raises(ValueError, match=r"must take the list \[images, labels\]"):
        GAN(generator, discriminator, "binary_crossentropy", num_classes=3)
    discriminator = build_convolutional_discriminator(SHAPE, num_classes=3, seed=0)
    with pytest.raises(ValueError, match="must have one input and one output"):
        GAN(generator, discriminator, "binary_crossentropy")
    for options in ({"num_capsule": 2}, {"num_classes": 1}):
        with pytest.raises(ValueError, match="`num_c"):
            build_capsule_discriminator(SHAPE, **{"num_classes": 3} | options)
    with pytest.raises(ValueError, match="`head` must be 'dense' with `num_classes`"):
        build_convolutional_discriminator(SHAPE, num_classes=3, head="average")


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [{"gradient_penalty": 1.0}, {"dtype": "mixed_bfloat16"}],
    ids=["penalty", "bfloat16"],
)
@pytest.mark.parametrize("model", MODELS)
def test_with_the_other_options(model, options):
    gan = MODELS[model](SHAPE, 6, num_classes=3, seed=0, **options)
    gan.compile()
    logs = gan.fit(IMAGES, LABELS, batch_size=6, epochs=1, verbose=0).history
    assert np.isfinite(list(logs.values())).all()


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
def test_digits_are_of_the_class_that_was_asked_for(model):
    """A classifier of real digits, the nearest training image, names what was wanted."""
    from sklearn.neighbors import KNeighborsClassifier

    digits = load_dataset("digits")
    gan = MODELS[model].tuned(digits, steps=600, seed=0, num_classes=10)
    gan.fit(digits.x_train, digits.y_train, batch_size=64, epochs=30, verbose=0)
    wanted = np.repeat(np.arange(10), 20)
    images = gan.generate(200, seed=0, labels=wanted)
    known = KNeighborsClassifier(1).fit(
        digits.x_train.reshape(len(digits.x_train), -1), digits.y_train
    )
    found = known.predict(images.reshape(200, -1))
    assert (found == wanted).mean() > 0.8
