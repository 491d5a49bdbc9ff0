"""The textbook way to compute capsules and to train a GAN, which the package is measured against.

The capsule layer computes as CapsNet-Keras does (github.com/XifengGuo/CapsNet-Keras): the inputs
are repeated for every output capsule, `map_fn` makes the predictions of one image after the
other, and every iteration of routing goes through all of them. The train step alternates: the
discriminator first, then the generator on new noise, each with a loose Adam. Both are written
here from that description, for TensorFlow alone, which `map_fn` and `tf.function` belong to.
"""

import keras
import numpy as np

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "The textbook layer and train step need the Keras backend 'tensorflow'. "
        f"Received: backend {keras.backend.backend()!r}"
    )

import tensorflow as tf

from capsgan_keras.layers import CapsuleLayer
from capsgan_keras.routing.agreement import EPSILON

CHECK_RATES = 1.0, 0.01
"""Learning rates of the generator's and the discriminator's SGD where steps are compared: large,
so that a weight's change is large beside its rounding; but from a large step the discriminator
comes out so sure that it passes the generator hardly a gradient to compare."""


class TextbookCapsules(keras.layers.Layer):
    """`CapsuleLayer` with dynamic routing and no bias, as CapsNet-Keras computes it.

    Args:
        num_capsule, dim_capsule, routings: As in `CapsuleLayer`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape: `(batch, num_input_capsules, input_dim)`.

    Output shape: `(batch, num_capsule, dim_capsule)`.

    The kernel has the shape `(num_capsule, num_input_capsules, dim_capsule, input_dim)`, so that
    no step pays for moving weights about; `textbook_kernel` brings it there from
    `CapsuleLayer.kernel`.
    """

    def __init__(self, num_capsule, dim_capsule, routings=3, **kwargs):
        super().__init__(**kwargs)
        self.num_capsule = num_capsule
        self.dim_capsule = dim_capsule
        self.routings = routings

    def build(self, input_shape):
        """Create the kernel."""
        _, num_input, input_dim = input_shape
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_capsule, num_input, self.dim_capsule, input_dim),
            initializer="glorot_uniform",
        )

    def call(self, inputs):
        """Return the output capsules of `inputs`."""
        repeated = tf.tile(tf.expand_dims(inputs, 1), [1, self.num_capsule, 1, 1])
        kernel = tf.convert_to_tensor(self.kernel)
        predictions = tf.map_fn(lambda capsules: tf.linalg.matvec(kernel, capsules), repeated)
        logits = tf.zeros(tf.shape(predictions)[:3], predictions.dtype)
        for iteration in range(self.routings):
            couplings = tf.nn.softmax(logits, axis=1)
            capsules = _squash(tf.linalg.matvec(predictions, couplings, transpose_a=True))
            if iteration < self.routings - 1:
                logits += tf.linalg.matvec(predictions, capsules)
        return capsules


def _squash(vectors):
    squared = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    # The package's epsilon, not the 1e-7 of CapsNet-Keras, so that values can be compared.
    return squared / (1.0 + squared) / tf.sqrt(squared + EPSILON) * vectors


def textbook_kernel(kernel, num_capsule, input_dim):
    """Bring the weights of a `CapsuleLayer` into the layout of `TextbookCapsules`.

    Args:
        kernel: Array `(num_input_capsules * input_dim, num_capsule * dim_capsule)`.
        num_capsule: The number of output capsules.
        input_dim: The components of an input capsule.

    Returns:
        Array `(num_capsule, num_input_capsules, dim_capsule, input_dim)`.
    """
    split = np.reshape(kernel, (-1, input_dim, num_capsule, kernel.shape[1] // num_capsule))
    return np.transpose(split, (2, 0, 3, 1))


def package_kernel(kernel):
    """The inverse of `textbook_kernel`."""
    num_capsule, num_input, dim_capsule, input_dim = kernel.shape
    joined = np.transpose(kernel, (1, 3, 0, 2))
    return np.reshape(joined, (num_input * input_dim, num_capsule * dim_capsule))


def textbook_layer(layer):
    """Return `TextbookCapsules` with the options of a `CapsuleLayer`; not yet its weights.

    Raises:
        ValueError: Where the layer has options that CapsNet-Keras has not.
    """
    if layer.routing != "dynamic" or layer.use_bias or layer.stop_gradients:
        raise ValueError(
            "The textbook layer has dynamic routing with gradients through all iterations, and "
            f"no bias. Received: routing={layer.routing!r}, use_bias={layer.use_bias}, "
            f"stop_gradients={layer.stop_gradients}"
        )
    return TextbookCapsules(
        layer.num_capsule,
        layer.dim_capsule,
        layer.routings,
        dtype=layer.dtype_policy,
        name=layer.name,
    )


def textbook_copy(network, one_product=False):
    """Return a copy of a functional model that computes its capsules the textbook way.

    The copy has weights of its own, with the same values. All other layers stay as they are,
    dtype policies too.

    Args:
        network: The model.
        one_product: Whether its `CapsuleLayer` stays as well.
    """

    def copy_layer(layer):
        if isinstance(layer, CapsuleLayer) and not one_product:
            return textbook_layer(layer)
        return type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=copy_layer)
    for ours, theirs in zip(network.layers, copy.layers, strict=True):
        copy_weights(ours, theirs)
    return copy


def copy_weights(source, target):
    """Give a layer's weights to its textbook copy; both must be built."""
    weights = source.get_weights()
    if isinstance(target, TextbookCapsules):
        num_capsule, _, _, input_dim = target.kernel.shape
        weights = [textbook_kernel(weights[0], num_capsule, input_dim)]
    target.set_weights(weights)


def package_weights(network):
    """Return all weights of a network or its textbook copy, by layer, in the package's layout."""
    return {
        layer.name: [
            package_kernel(weight) if isinstance(layer, TextbookCapsules) else weight
            for weight in layer.get_weights()
        ]
        for layer in network.layers
        if layer.weights  # a copy's input layer has a name of its own
    }


class TextbookGAN:
    """Textbook copies of a GAN's networks and the step that trains them.

    Its noise starts as that of a new GAN with the same seed. Regularization losses are not
    counted.

    Args:
        gan: A `capsgan_keras.GAN` whose discriminator has one output.
        generator_optimizer: A Keras optimizer.
        discriminator_optimizer: Another one.
        update: `"alternating"`, or `"simultaneous"`, where both players learn from one forward
            pass.
        one_product: Whether the capsules are the package's `CapsuleLayer`.
    """

    def __init__(
        self,
        gan,
        generator_optimizer,
        discriminator_optimizer,
        update="alternating",
        one_product=False,
    ):
        self.generator = textbook_copy(gan.generator, one_product)
        self.discriminator = textbook_copy(gan.discriminator, one_product)
        self.update = update
        self.loss = gan.loss
        self.latent_dim = gan.latent_dim
        self.noise = keras.random.SeedGenerator(gan.seed)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        generator_optimizer.build(self.generator.trainable_variables)
        discriminator_optimizer.build(self.discriminator.trainable_variables)

    @tf.function
    def train_step(self, images):
        """Update both players.

        Args:
            images: uint8 `(batch, height, width, channels)`.

        Returns:
            The discriminator's and the generator's loss.
        """
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        return (
            self._simultaneous(real) if self.update == "simultaneous" else self._alternating(real)
        )

    @tf.function
    def train_steps(self, batches):
        """Do a step on each of several batches, in one execution.

        Args:
            batches: uint8 `(steps, batch, height, width, channels)`.

        Returns:
            The last step's losses.
        """
        losses = tf.zeros(()), tf.zeros(())
        for images in batches:
            losses = self.train_step(images)
        return losses

    def _alternating(self, real):
        """Update the discriminator, then the generator on new noise."""
        batch_size = tf.shape(real)[0]
        generated = self.generator(self._latents(batch_size), training=True)
        with tf.GradientTape() as tape:
            on_generated = self.discriminator(generated, training=True)
            on_real = self.discriminator(real, training=True)
            discriminator_loss = self._discriminator_loss(on_real, on_generated)
        variables = self.discriminator.trainable_variables
        gradients = tape.gradient(discriminator_loss, variables)
        self.discriminator_optimizer.apply_gradients(zip(gradients, variables, strict=True))

        latents = self._latents(batch_size)
        with tf.GradientTape() as tape:
            generated = self.generator(latents, training=True)
            on_generated = self.discriminator(generated, training=True)
            generator_loss = self.loss(tf.ones_like(on_generated), on_generated)
        variables = self.generator.trainable_variables
        gradients = tape.gradient(generator_loss, variables)
        self.generator_optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return discriminator_loss, generator_loss

    def _simultaneous(self, real):
        """Update both from the same forward pass."""
        latents = self._latents(tf.shape(real)[0])
        with tf.GradientTape(persistent=True) as tape:
            generated = self.generator(latents, training=True)
            on_generated = self.discriminator(generated, training=True)
            on_real = self.discriminator(real, training=True)
            discriminator_loss = self._discriminator_loss(on_real, on_generated)
            generator_loss = self.loss(tf.ones_like(on_generated), on_generated)
        players = (
            (self.generator, generator_loss, self.generator_optimizer),
            (self.discriminator, discriminator_loss, self.discriminator_optimizer),
        )
        gradients = [tape.gradient(loss, one.trainable_variables) for one, loss, _ in players]
        for (one, _, optimizer), values in zip(players, gradients, strict=True):
            optimizer.apply_gradients(zip(values, one.trainable_variables, strict=True))
        return discriminator_loss, generator_loss

    def _discriminator_loss(self, on_real, on_generated):
        return self.loss(tf.ones_like(on_real), on_real) + self.loss(
            tf.zeros_like(on_generated), on_generated
        )

    def _latents(self, batch_size):
        return keras.random.normal((batch_size, self.latent_dim), dtype="float32", seed=self.noise)


def compare_layers(layer, inputs):
    """Compare a `CapsuleLayer` with the textbook layer of the same weights.

    Args:
        layer: A built `CapsuleLayer`.
        inputs: float32 array `(batch, num_input_capsules, input_dim)`.

    Returns:
        Dictionary of the largest differences of the values and of the gradients with respect to
        inputs and kernel, each as a share of the largest element of the textbook's.
    """
    textbook = textbook_layer(layer)
    textbook.build(inputs.shape)
    copy_weights(layer, textbook)
    inputs = tf.convert_to_tensor(inputs)
    shape = (inputs.shape[0], layer.num_capsule, layer.dim_capsule)
    weights = np.random.default_rng(0).normal(size=shape).astype("float32")

    def differentiate(layer):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = layer(inputs)
            total = tf.reduce_sum(weights * value)
        gradients = tape.gradient(total, [inputs, layer.kernel.value])
        return [array.numpy() for array in (value, *gradients)]

    ours, theirs = differentiate(layer), differentiate(textbook)
    theirs[2] = package_kernel(theirs[2])
    names = ("value", "input_gradient", "kernel_gradient")
    return {
        name: _difference(one, other) for name, one, other in zip(names, ours, theirs, strict=True)
    }


def compare_steps(gan, images, update="alternating"):
    """Compare one step of a GAN with the textbook step: weights and noise alike.

    Both players learn by SGD here, whose steps are the gradients: Adam's first step is little
    more than their signs, and where a gradient is next to nothing, so is its sign.

    Args:
        gan: A new `capsgan_keras.GAN` with a seed; it is compiled and trained by one step.
        images: uint8 `(batch, height, width, channels)`.
        update: `"alternating"` or `"simultaneous"`, for both.

    Returns:
        Dictionary of the largest differences: of the losses, relative; of each player's weights,
        as a share of the textbook's largest change of the same variable. Moving averages count
        among the weights.
    """
    textbook = TextbookGAN(gan, *map(keras.optimizers.SGD, CHECK_RATES), update=update)
    gan.compile(*map(keras.optimizers.SGD, CHECK_RATES), update=update)
    players = {
        "generator": (gan.generator, textbook.generator),
        "discriminator": (gan.discriminator, textbook.discriminator),
    }
    before = {name: package_weights(ours) for name, (ours, _) in players.items()}
    logs = gan.train_on_batch(images, return_dict=True)
    losses = [loss.numpy() for loss in textbook.train_step(images)]
    differences = {
        "losses": max(
            _difference(logs[name], loss)
            for name, loss in zip(("d_loss", "g_loss"), losses, strict=True)
        )
    }
    for name, (ours, theirs) in players.items():
        ours, theirs = package_weights(ours), package_weights(theirs)
        differences[f"{name}_weights"] = max(
            _difference(one - start, other - start)
            for layer, starts in before[name].items()
            for start, one, other in zip(starts, ours[layer], theirs[layer], strict=True)
        )
    return differences


def _difference(ours, theirs):
    """Largest difference, as a share of the largest element of `theirs`."""
    largest = max(np.max(np.abs(theirs)), np.finfo("float32").tiny)
    return float(np.max(np.abs(np.subtract(ours, theirs))) / largest)
