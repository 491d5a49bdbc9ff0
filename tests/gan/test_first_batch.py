"""Images and latents are looked at before a weight moves, in whatever container they come."""

import contextlib

import keras
import numpy as np
import pytest

from capsgan_keras import CapsuleGAN
from capsgan_keras.models import build_capsule_discriminator, build_generator

SHAPE = (16, 16, 1)
GOOD = np.random.default_rng(0).uniform(-1, 1, (8, *SHAPE)).astype("float32")
WRONG = {
    "0..255": (GOOD * 127.5 + 127.5, r"in \[-1, 1\]"),
    "NaN": (np.full_like(GOOD, np.nan), r"in \[-1, 1\].*nan"),
    "shape": (GOOD[:, :8], r"images of shape \(n, 16, 16, 1\).*\(\d, 8, 16, 1\)"),
    "dtype": (GOOD.astype("int32"), "uint8.*int32"),
}


class Batches(keras.utils.PyDataset):
    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return len(self.images) // 4

    def __getitem__(self, index):
        return self.images[4 * index : 4 * index + 4]


class DataLoader:
    """Torch's protocol, without Torch: an iterable of batches."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


DataLoader.__module__ = "torch.utils.data.dataloader"


def as_dataset(images):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(images).batch(4)


def as_other_tensor(images):
    if keras.backend.backend() == "jax":
        return pytest.importorskip("tensorflow").convert_to_tensor(images)
    return pytest.importorskip("jax").numpy.asarray(images)


CONTAINERS = {
    "array": np.asarray,
    "tensor": keras.ops.convert_to_tensor,
    "other tensor": as_other_tensor,
    "dataset": as_dataset,
    "labelled dataset": lambda images: as_dataset((images, np.arange(len(images)))),
    "generator": lambda images: ((images[i : i + 4],) for i in range(0, len(images), 4)),
    "bare generator": lambda images: (images[i : i + 4] for i in range(0, len(images), 4)),
    "iterator": lambda images: iter([(images[:4], np.zeros(4)), (images[4:], np.zeros(4))]),
    "PyDataset": Batches,
    "DataLoader": lambda images: DataLoader([[images[:4], None], [images[4:], None]]),
}
TRAINABLE = [name for name in CONTAINERS if name != "DataLoader"]  # Keras asks Torch for these


@pytest.fixture(scope="module")
def gan():
    return new_gan()


def new_gan():
    discriminator = build_capsule_discriminator(SHAPE, 4, 3, n_channels=2, seed=2)
    generator = build_generator(SHAPE, latent_dim=5, filters=(4, 3), seed=1)
    gan = CapsuleGAN(SHAPE, 5, generator=generator, discriminator=discriminator, seed=3)
    gan.compile()
    return gan


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("fault", WRONG)
def test_wrong_images_are_refused_before_a_weight_moves(gan, container, fault):
    images, message = WRONG[fault]
    before = gan.get_weights()
    for name, use in {
        "x": lambda data: gan.fit(data, verbose=0),
        "validation_data": lambda data: gan.fit(GOOD, validation_data=data, verbose=0),
        "x ": lambda data: gan.evaluate(data, verbose=0),
    }.items():
        with pytest.raises(ValueError, match=f"`{name.strip()}` must be .*{message}"):
            use(CONTAINERS[container](images))
    assert int(gan.optimizer.iterations) == 0
    for old, new in zip(before, gan.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("container", ["array", "tensor", "other tensor"])
@pytest.mark.parametrize("fault", WRONG)
def test_single_batches_are_looked_at_too(gan, container, fault):
    images, message = WRONG[fault]
    for use in (gan.train_on_batch, gan.test_on_batch, gan.discriminate):
        with pytest.raises(ValueError, match=message):
            use(CONTAINERS[container](images))
    assert int(gan.optimizer.iterations) == 0


@pytest.mark.parametrize("container", TRAINABLE)
def test_no_batch_is_lost_and_no_step_changed(container):
    ours, plain = new_gan(), new_gan()
    plain.fit(GOOD, batch_size=4, shuffle=False, verbose=0)
    held_out = CONTAINERS[container](GOOD)
    ours.fit(
        CONTAINERS[container](GOOD),
        batch_size=4,
        shuffle=False,
        verbose=0,
        validation_data=held_out,
        validation_batch_size=4,
        steps_per_epoch=2,  # else Keras warns of a generator's end
        validation_steps=2,
    )
    for one, other in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    expected = plain.evaluate(GOOD, batch_size=4, verbose=0, return_dict=True)
    options = {"batch_size": 4, "steps": 2, "verbose": 0, "return_dict": True}
    logs = ours.evaluate(CONTAINERS[container](GOOD), **options)
    assert logs == pytest.approx(expected, abs=1e-5)
    assert ours.history.history["val_d_real"][0] == pytest.approx(expected["d_real"], abs=1e-5)


@pytest.mark.parametrize("container", CONTAINERS)
def test_images_that_look_scaled_to_0_and_1_are_warned_of(gan, container):
    class Stop(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise ZeroDivisionError

    unit = CONTAINERS[container]((GOOD + 1) / 2)
    ended = contextlib.suppress(ZeroDivisionError, ImportError)  # a DataLoader needs Torch
    with pytest.warns(UserWarning, match=r"pass `2 \* x - 1`") as record, ended:
        gan.fit(unit, shuffle=False, verbose=0, callbacks=[Stop()])
    ours = [warning for warning in record if "floats without" in str(warning.message)]
    assert [warning.filename for warning in ours] == [__file__]


@pytest.mark.parametrize(
    "data",
    [
        list(GOOD),
        (GOOD, np.zeros(8)),
        {"images": GOOD},
        "images",
        None,
        7,
        Batches(np.zeros((4, 3), object)),
        (batch for batch in [{"images": GOOD}]),
        (batch for batch in [list(GOOD)]),
        DataLoader([{"images": GOOD}]),
        np.array(["a.png"]),
    ],
    ids=lambda data: type(data).__name__,
)
def test_other_forms_are_refused_with_the_form_that_is_expected(gan, data):
    for use in (lambda: gan.fit(data, verbose=0), lambda: gan.evaluate(data, verbose=0)):
        with pytest.raises(ValueError, match=r"`x` must .*\(n, 16, 16, 1\).*Received: "):
            use()


def test_unbatched_and_empty_data_and_unknown_shapes_are_named(gan):
    tf = pytest.importorskip("tensorflow")
    unbatched = tf.data.Dataset.from_tensor_slices(GOOD)
    unknown = tf.data.Dataset.from_generator(
        lambda: iter([GOOD]), output_signature=tf.TensorSpec(None, "float32")
    )
    cases = {
        r"batch the dataset.*\(16, 16, 1\)": [unbatched, GOOD[0], iter(GOOD)],
        "unknown rank": [unknown],
        "at least one batch": [unbatched.batch(4).take(0), iter([]), Batches(GOOD[:0])],
        "at least one image": [GOOD[:0]],
        r"tuples \(images,\)": [DataLoader([GOOD])],
    }
    for message, several in cases.items():
        for data in several:
            with pytest.raises(ValueError, match=message):
                gan.fit(GOOD, validation_data=data, verbose=0)
    assert int(gan.optimizer.iterations) == 0


def test_labels_and_weights_of_validation_data_are_refused_before_training(gan):
    with pytest.raises(ValueError, match="pass no labels"):
        gan.fit(GOOD, validation_data=(GOOD, np.zeros(8)), verbose=0)
    for data in ((GOOD, None, np.ones(8)), as_dataset((GOOD, np.zeros(8), np.ones(8)))):
        with pytest.raises(ValueError, match="no sample weights"):
            gan.fit(GOOD, validation_data=data, verbose=0)
    for use in (gan.train_on_batch, gan.test_on_batch):
        with pytest.raises(ValueError, match="pass no labels"):
            use(GOOD, np.zeros(8))
        with pytest.raises(ValueError, match="one batch of images"):
            use((GOOD, None))
    assert int(gan.optimizer.iterations) == 0


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        (np.full((2, 5), np.nan, "float32"), "finite numbers"),
        (np.zeros((2, 5), "uint8"), "floating point.*uint8"),
        (np.zeros((2, 4), "float32"), "5 components"),
        (np.zeros((2, 5, 1), "float32"), r"shape \(n, 5\)"),
        (GOOD, r"shape \(n, 5\)"),
        (None, r"latents of shape \(n, 5\)"),
        ([[0.0] * 5], r"latents of shape \(n, 5\)"),
    ],
)
def test_wrong_latents_are_refused(gan, latents, message):
    containers = [lambda data: data]
    if isinstance(latents, np.ndarray):
        containers += [CONTAINERS["tensor"], CONTAINERS["generator"], as_dataset]
    for container in containers:
        with pytest.raises(ValueError, match=f"`latents` must .*{message}"):
            gan.predict(container(latents), verbose=0)
    with pytest.raises(ValueError, match=f"`latents` must .*{message}"):
        gan.predict_on_batch(latents)


def test_all_forms_of_latents_give_the_same_images(gan):
    latents = np.random.default_rng(1).standard_normal((8, 5)).astype("float32")
    expected = gan.predict(latents, verbose=0)
    for name in TRAINABLE:
        images = gan.predict(CONTAINERS[name](latents), batch_size=4, steps=2, verbose=0)
        np.testing.assert_allclose(images, expected, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"validation_split": 1.5},
        {"validation_split": -0.1},
        {"epochs": -1},
        {"epochs": 1.5},
        {"initial_epoch": -1},
        {"steps_per_epoch": 0},
        {"validation_batch_size": 0},
        {"validation_steps": -3},
    ],
)
def test_numbers_that_mean_nothing_are_refused(gan, options):
    (name,) = options
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        gan.fit(GOOD, verbose=0, **options)
