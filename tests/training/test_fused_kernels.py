"""Upsampled convolutions, batch normalization and Adam by TensorFlow's kernels, against Keras's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from capsgan_keras import CapsuleGAN
from capsgan_keras.models import build_capsule_discriminator, build_generator
from capsgan_keras.training.fused_kernels import fused_kernels

SHAPE = (6, 5, 4, 3)
IMAGES = np.random.default_rng(0).normal(0.5, 2.0, SHAPE).astype("float32")
BACK = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
NORMALIZE, UPDATE = "FusedBatchNormV3", "ResourceApplyAdam"
REPEAT, TRANSPOSED = "ResizeNearestNeighbor", "Conv2DBackpropInput"


def build_model(dtype="float32", layer=keras.layers.BatchNormalization, shape=SHAPE[1:], **options):
    inputs = keras.Input(shape, dtype="float32")
    model = keras.Model(inputs, layer(dtype=dtype, **options)(inputs))
    draws = np.random.default_rng(2)
    model.set_weights([draws.uniform(0.5, 1.5, w.shape) for w in model.weights])
    return model


def learn(model, images=IMAGES, back=BACK):
    """Return outputs, the gradients for images and weights, and the moving statistics."""
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = model(images, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, "float32") * back)
    gradients = tape.gradient(loss, [images, *(w.value for w in model.trainable_variables)])
    return [outputs, *gradients, *(w.value for w in model.non_trainable_variables)]


def assert_close(found, expected, rtol, atol):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(
            tf.cast(one, "float32"), tf.cast(other, "float32"), rtol=rtol, atol=atol
        )


def operations(model):
    """Return the kinds of the operations of a training forward pass."""
    with fused_kernels(model, ()):
        traced = tf.function(lambda x: model(x, training=True)).get_concrete_function(
            tf.TensorSpec(model.inputs[0].shape)
        )
    return {operation.type for operation in traced.graph.get_operations()}


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "xla"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float32", 1e-5), ("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)],
)
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 0.1}])
def test_values_gradients_and_statistics_are_those_of_keras(dtype, tolerance, compiled, options):
    options = {"momentum": 0.7} | options
    expected = learn(build_model(dtype, **options))
    model = build_model(dtype, **options)
    assert NORMALIZE in operations(model)
    with fused_kernels(model, ()):
        found = tf.function(lambda: learn(model), jit_compile=compiled)()
    assert_close(found, expected, rtol=tolerance, atol=tolerance)


def test_single_pixel():
    images = IMAGES[:1, :1, :1]
    expected = learn(build_model(shape=images.shape[1:]), images, BACK[:1, :1, :1])
    model = build_model(shape=images.shape[1:])
    with fused_kernels(model, ()):
        found = learn(model, images, BACK[:1, :1, :1])
    assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_nan_stays_nan_after_relu(dtype, broken):
    # With 8 channels oneDNN has vectors of them.
    inputs = keras.Input((7, 7, 8))
    features = keras.layers.BatchNormalization(dtype=dtype)(inputs)
    model = keras.Model(inputs, keras.layers.ReLU(dtype=dtype)(features))
    with fused_kernels(model, ()):
        found = tf.function(lambda x: model(x, training=True))(tf.fill((16, 7, 7, 8), broken))
    assert np.isnan(tf.cast(found, "float32")).all()


def penalty(model, back):
    """Return gradients for the weights of the squared gradient for images."""
    images = tf.constant(IMAGES)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(images)
            loss = tf.reduce_sum(tf.sin(model(images, training=True)) * back)
        squares = tf.reduce_sum(tf.square(inner.gradient(loss, images)))
    return outer.gradient(squares, [w.value for w in model.trainable_variables])


def test_gradients_of_gradients():
    expected = penalty(build_model(), BACK)
    model = build_model()
    with fused_kernels(model, ()):
        found = penalty(model, BACK)
    assert_close(found, expected, rtol=1e-3, atol=1e-4)


class Own(keras.layers.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=training, mask=mask) + 1.0


@pytest.mark.parametrize(
    "model",
    [
        lambda: build_model(axis=1),
        lambda: build_model(shape=(3,)),
        lambda: build_model("float64"),
        lambda: build_model(renorm=True),
        lambda: build_model(synchronized=True),
        lambda: build_model(layer=Own),
        lambda: build_model(trainable=False),
    ],
    ids=["axis", "rank", "float64", "renorm", "synchronized", "subclass", "frozen"],
)
def test_what_the_kernel_cannot_is_left_to_keras(model):
    assert NORMALIZE not in operations(model())


def test_inference_is_left_to_keras():
    model = build_model()
    expected = model(IMAGES, training=False)
    with fused_kernels(model, ()):
        np.testing.assert_array_equal(model(IMAGES, training=False), expected)
    assert "call" not in vars(model.layers[1])


def test_masked_images_are_left_to_keras():
    layer = keras.layers.BatchNormalization()
    mask = np.array([True, False, True, True, False, True])[:, None, None] & np.ones(SHAPE[:3], "?")
    expected = layer(IMAGES, training=True, mask=mask)
    model = keras.Sequential([layer])
    with fused_kernels(model, ()):
        np.testing.assert_array_equal(layer(IMAGES, training=True, mask=mask), expected)


def test_layers_are_as_before_after_an_error():
    model = build_model()
    with pytest.raises(RuntimeError, match="stop"), fused_kernels(model, ()):
        raise RuntimeError("stop")
    assert "call" not in vars(model.layers[1])


def upsampled(
    convolution=keras.layers.Conv2D,
    upsampling=keras.layers.UpSampling2D,
    dtype="float32",
    kernel_size=3,
    repeat=None,
    shows=(),
    **options,
):
    """Return a model that repeats pixels, convolves them, and shows what it is asked to show."""
    inputs = keras.Input(SHAPE[1:])
    repeated = upsampling(**{"size": 2} | (repeat or {}), dtype=dtype)(inputs)
    convolve = convolution(
        5, kernel_size, **{"padding": "same", "activation": "tanh"} | options, dtype=dtype
    )
    outputs = [convolve(repeated)]
    if "pixels" in shows:
        outputs.append(repeated)
    if "a function of pixels" in shows:
        outputs.append(Holder(keras.Function(inputs, repeated))(inputs))
    if "another reader" in shows:
        outputs.append(keras.layers.MaxPooling2D(dtype=dtype)(repeated))
    if "another use" in shows:
        outputs.append(convolve(inputs))
    if "other pixels" in shows:
        outputs.append(convolve(keras.layers.UpSampling2D(2, dtype=dtype)(inputs + 1.0)))
    if "changed pixels" in shows:
        outputs.append(convolve(repeated * 2.0))
    model = keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs)
    draws = np.random.default_rng(2)
    model.set_weights([draws.uniform(-0.3, 0.3, w.shape) for w in model.weights])
    return model


class Holder(keras.layers.Layer):
    """A layer that has another way to what the model computes."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        return self.function(inputs) + 1.0

    def compute_output_shape(self, shape):
        return self.function.outputs[0].shape


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "xla"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float32", 1e-4), ("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)],
)
@pytest.mark.parametrize("kernel_size", [1, 3, 5, (3, 7)])
@pytest.mark.parametrize("options", [{}, {"use_bias": False, "activation": None}])
def test_upsampled_convolutions_are_those_of_keras(
    dtype, tolerance, compiled, kernel_size, options
):
    back = np.random.default_rng(1).normal(size=(6, 10, 8, 5)).astype("float32")
    model = upsampled(dtype=dtype, kernel_size=kernel_size, **options)
    expected = learn(model, back=back)
    used = operations(model)
    assert TRANSPOSED in used
    assert REPEAT not in used
    with fused_kernels(model, ()):
        found = tf.function(lambda: learn(model, back=back), jit_compile=compiled)()
    for one, other in zip(found, expected, strict=True):
        scale = tf.cast(tf.reduce_max(tf.abs(other)), "float32")
        assert_close([one], [other], rtol=tolerance, atol=tolerance * scale)
    assert not any("call" in vars(layer) for layer in model.layers)


class OwnConvolution(keras.layers.Conv2D):
    def call(self, inputs):
        return super().call(inputs) + 1.0


class OwnUpsampling(keras.layers.UpSampling2D):
    def call(self, inputs):
        return super().call(inputs) + 1.0


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 4},
        {"kernel_size": (3, 2)},
        {"strides": 2},
        {"dilation_rate": 2},
        {"padding": "valid"},
        {"dtype": "float64"},
        {"convolution": OwnConvolution},
        {"upsampling": OwnUpsampling},
        {"repeat": {"size": 3}},
        {"repeat": {"interpolation": "bilinear"}},
    ],
    ids=str,
)
def test_other_upsampling_is_left_to_keras(options):
    model = upsampled(**options)
    expected = model(IMAGES, training=True)
    assert TRANSPOSED not in operations(model)
    with fused_kernels(model, ()):
        found = model(IMAGES, training=True)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "shown",
    [
        "pixels",
        "a function of pixels",
        "another reader",
        "another use",
        "other pixels",
        "changed pixels",
    ],
)
def test_other_readers_get_the_pixels_as_ever(shown):
    model = upsampled(shows=[shown])
    expected = model(IMAGES, training=True)
    assert TRANSPOSED in operations(model)
    with fused_kernels(model, ()):
        found = model(IMAGES, training=True)
    assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_gradients_of_gradients_of_upsampled_convolutions():
    model = upsampled()
    expected = penalty(model, 1.0)
    with fused_kernels(model, ()):
        found = penalty(model, 1.0)
    for one, other in zip(found, expected, strict=True):
        assert_close([one], [other], rtol=1e-4, atol=1e-4 * np.abs(other).max())


def test_weights_of_a_stateless_call_are_taken():
    model = upsampled()
    other = [2.0 * weight.value for weight in model.trainable_variables]
    expected, _ = model.stateless_call(other, [], IMAGES)
    with fused_kernels(model, ()):
        found, _ = model.stateless_call(other, [], IMAGES)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", ["call", "convolution_op"])
def test_methods_of_a_users_own_are_left_alone(method):
    model = upsampled()
    layer = model.layers[-1]
    own = {
        "call": lambda inputs: tf.zeros((6, 10, 8, 5)),
        "convolution_op": lambda inputs, kernel: tf.ones((6, 10, 8, 5)),
    }[method]
    vars(layer)[method] = own
    expected = model(IMAGES, training=True)
    with fused_kernels(model, ()):
        np.testing.assert_array_equal(model(IMAGES, training=True), expected)
    assert vars(layer)[method] is own


def test_adapted_weights_are_taken():
    model = upsampled()
    model.layers[-1].enable_lora(2)
    draws = np.random.default_rng(3)
    model.set_weights([draws.uniform(-0.3, 0.3, w.shape) for w in model.weights])
    expected = model(IMAGES, training=True)
    assert TRANSPOSED in operations(model)
    with fused_kernels(model, ()):
        found = model(IMAGES, training=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def move(optimizer, fused, compiled=False):
    """Return two variables after three steps, and the optimizer's own."""
    variables = [keras.Variable(IMAGES), keras.Variable(IMAGES[0])]
    optimizer.build(variables)

    def step(scale):
        optimizer.apply([tf.constant(BACK) * scale, tf.constant(BACK[0]) / scale], variables)

    step = tf.function(step, jit_compile=compiled)
    with fused_kernels(keras.Sequential([]), [optimizer] if fused else []):
        for scale in (1.0, -0.1, 3.0):
            step(tf.constant(scale))
    traced = step.get_concrete_function(tf.constant(1.0)).graph.get_operations()
    return [variable.value for variable in variables + optimizer.variables], {
        operation.type for operation in traced
    }


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "xla"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta_1": 0.0, "beta_2": 0.9, "epsilon": 0.1},
        {"weight_decay": 0.1, "clipnorm": 0.5, "use_ema": True, "ema_momentum": 0.5},
        {"learning_rate": keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 0.5)},
    ],
    ids=["default", "betas", "around", "schedule"],
)
def test_updates_are_those_of_keras(options, compiled):
    options = {"learning_rate": 0.1} | options
    expected, plain = move(keras.optimizers.Adam(**options), False)
    found, fused = move(keras.optimizers.Adam(**options), True, compiled)
    assert UPDATE in fused
    assert UPDATE not in plain
    # The kernel rounds 1 - beta_2 to float32.
    assert_close(found, expected, rtol=1e-4, atol=3e-6)


class OwnAdam(keras.optimizers.Adam):
    pass


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(amsgrad=True),
        lambda: keras.optimizers.AdamW(),
        lambda: OwnAdam(),
        lambda: keras.optimizers.SGD(),
    ],
    ids=["amsgrad", "adamw", "subclass", "sgd"],
)
def test_other_optimizers_are_left_to_keras(optimizer):
    expected, _ = move(optimizer(), False)
    found, operations = move(optimizer(), True)
    assert UPDATE not in operations
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sparse_gradients_are_left_to_keras():
    def rows(fused):
        variable, adam = keras.Variable(IMAGES[:, 0, 0]), keras.optimizers.Adam(0.1)
        adam.build([variable])
        gradient = tf.IndexedSlices(tf.ones((2, 3)), tf.constant([1, 4]), tf.constant([6, 3]))
        with fused_kernels(keras.Sequential([]), [adam] if fused else []):
            adam.apply([gradient], [variable])
        return variable.value

    np.testing.assert_array_equal(rows(True), rows(False))


@pytest.mark.parametrize("height", [6, None])
def test_static_shapes_are_kept(height):
    inputs = keras.Input((height, 5, 3))
    repeated = keras.layers.UpSampling2D(2)(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(5, 3, padding="same")(repeated))
    with fused_kernels(model, ()):
        traced = tf.function(lambda x: model(x, training=True)).get_concrete_function(
            tf.TensorSpec((None, height, 5, 3))
        )
    assert tuple(traced.outputs[0].shape) == (None, height and 2 * height, 10, 5)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_train_step_uses_the_kernel_and_a_saved_generator_does_not_know(update, tmp_path):
    shape = (16, 16, 1)
    gan = CapsuleGAN(
        shape,
        4,
        generator=build_generator(shape, 4, filters=(4, 4), seed=0),
        discriminator=build_capsule_discriminator(shape, filters=4, n_channels=1, seed=0),
        seed=0,
    )
    gan.compile(update=update)
    step = tf.function(gan.train_step).get_concrete_function(tf.TensorSpec((4, *shape), tf.uint8))
    assert {NORMALIZE, UPDATE} <= {operation.type for operation in step.graph.get_operations()}
    for owner in (*gan.generator.layers, gan.generator_optimizer, gan.discriminator_optimizer):
        assert not {"call", "update_step"} & vars(owner).keys()
    gan.generator.save(tmp_path / "generator.keras")
    config = keras.saving.load_model(tmp_path / "generator.keras").get_config()
    (kind, *_) = {
        (layer["module"], layer["registered_name"])
        for layer in config["layers"]
        if layer["class_name"] == "BatchNormalization"
    }
    assert kind == ("keras.layers", None)
