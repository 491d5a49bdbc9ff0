"""Generative adversarial networks: CapsuleGAN and its convolutional opponent."""

import math
import warnings

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_choice, check_positive, check_seed
from capsgan_keras.datasets import scale_images, to_uint8
from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)
from capsgan_keras.training import AdversarialTrainer, count_parts, loss_divisor
from capsgan_keras.training.averages import use_averages

_CHUNK = 4096
"""Images held as floats at a time while many are generated or scored."""


@keras.saving.register_keras_serializable(package="capsgan_keras")
class GAN(AdversarialTrainer, keras.Model):
    """A generator and a discriminator, trained against each other by `fit`.

    The discriminator minimises `loss(1, D(x)) + loss(0, D(G(z)))`, the generator
    `loss(1, D(G(z)))`, with z from a standard normal distribution. Where the discriminator has
    two outputs (real, generated), the targets are one-hot. Regularization losses count for the
    player that has them.

    Training is that of one device, but for rounding, on several devices too: made and compiled in
    the scope of a `tf.distribute.MirroredStrategy` or `MultiWorkerMirroredStrategy` on TensorFlow,
    and under a `keras.distribution.DataParallel` on JAX. On TensorFlow each replica draws dropout
    of its own.

    Args:
        generator: A built `keras.Model` from latents `(batch, latent_dim)` to images
            `(batch, height, width, channels)` in [-1, 1].
        discriminator: A built `keras.Model` from images to `(batch, 1)` or `(batch, 2)`.
        loss: A Keras loss, its name, or a function `(y_true, y_pred)`.
        seed: Integer that sets the noise of training, so that equal weights, data and seeds give
            equal runs. By default a random one.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras model.

    Call arguments:
        latents: `(batch, latent_dim)`, floating point.

    Returns:
        Images `(batch, height, width, channels)`, float32 in [-1, 1].

    Raises:
        ValueError: Where the two networks do not fit each other.
    """

    def __init__(self, generator, discriminator, loss, seed=None, **kwargs):
        # The networks cast for themselves, and a generator chooses categories before it does.
        super().__init__(autocast=False, **kwargs)
        _check_players(generator, discriminator)
        self.generator = generator
        self.discriminator = discriminator
        if loss is None:
            raise ValueError("`loss` must be a Keras loss or its name. Received: loss=None")
        self.loss = keras.losses.get(loss)
        self.seed = seed = check_seed(seed)
        self.update = "simultaneous"
        self._players_optimizers = (None, None)
        self.noise = keras.random.SeedGenerator(seed, name="noise")
        self.evaluation_noise = keras.random.SeedGenerator(0, name="evaluation_noise")
        self._means = {
            name: keras.metrics.Mean(name=name)
            for name in ("d_loss", "g_loss", "d_real", "d_fake", "d_accuracy")
        }
        self.build((None, self.latent_dim))

    def build(self, input_shape):
        """Do nothing: both networks are built."""
        del input_shape
        self.built = True

    @property
    def latent_dim(self):
        """Number of components of a latent vector."""
        return self.generator.input_shape[-1]

    @property
    def image_shape(self):
        """`(height, width, channels)` of the images."""
        return tuple(self.generator.output_shape[1:])

    def call(self, latents, training=False):
        """Return images in [-1, 1]."""
        if latents.shape[-1] not in (None, self.latent_dim):
            raise ValueError(
                f"`latents` must have {self.latent_dim} components, shape (batch, "
                f"{self.latent_dim}). Received: shape {tuple(latents.shape)}"
            )
        return self.generator(latents, training=training)

    # ---- compiling

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        update="simultaneous",
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Set up training. The loss belongs to the model.

        Args:
            generator_optimizer: A Keras optimizer or its name; see `default_optimizers`. Where it
                averages weights (`use_ema=True`), `fit` ends with the averages in their place,
                and with batch normalization's moving statistics taken anew for them.
            discriminator_optimizer: Likewise, another instance.
            update: `"simultaneous"`: both players learn from one forward pass, as in the paper's
                stack; or `"alternating"`: the discriminator first, then the generator against
                the updated discriminator with new noise.
            run_eagerly, steps_per_execution, jit_compile: As in `keras.Model.compile`.

        Raises:
            ValueError: Where both players share one optimizer, or alternating updates are asked
                for under float16, where one loss scale cannot follow two losses.
        """
        check_choice("update", update, ("simultaneous", "alternating"))
        defaults = self.default_optimizers()
        given = [
            keras.optimizers.get(default if optimizer is None else optimizer)
            for optimizer, default in zip(
                (generator_optimizer, discriminator_optimizer), defaults, strict=True
            )
        ]
        if given[0] is given[1]:
            raise ValueError(
                "`generator_optimizer` and `discriminator_optimizer` must be two instances, "
                f"since each holds the moments of its own player. Received: {given[0]} twice"
            )
        scaled = any(layer.compute_dtype == "float16" for layer in self._flatten_layers())
        if scaled and update == "alternating":
            raise ValueError(
                "Alternating updates are not supported under float16, where both losses share "
                "one loss scale: use update='simultaneous' or the policy 'mixed_bfloat16'. "
                f"Received: update={update!r}"
            )
        variables = [
            *self.generator.trainable_variables,
            *self.discriminator.trainable_variables,
        ]
        generators = {id(variable) for variable in self.generator.trainable_variables}
        # By identity: the paths of a functional model's variables do not hold the model's name.
        optimizer = keras.optimizers.MultiOptimizer(lambda v: given[id(v) not in generators])
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        super().compile(
            optimizer=optimizer,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=False,
        )
        self.update = update
        self._players_optimizers = tuple(given)
        self._compile_arguments = {
            "generator_optimizer": keras.saving.serialize_keras_object(given[0]),
            "discriminator_optimizer": keras.saving.serialize_keras_object(given[1]),
            "update": update,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        optimizer.build(variables)

    def default_optimizers(self):
        """Return the generator's and the discriminator's optimizer: Adam(2e-4, 0.5) each."""
        return _adam(2e-4), _adam(2e-4)

    @property
    def generator_optimizer(self):
        """The optimizer that holds the generator's variables."""
        return self._players_optimizers[0]

    @property
    def discriminator_optimizer(self):
        """The optimizer that holds the discriminator's variables."""
        return self._players_optimizers[1]

    def get_compile_config(self):
        """Return the arguments of `compile`, serialized; None before it was called."""
        return self._compile_arguments if self.compiled else None

    def compile_from_config(self, config):
        """Compile with the arguments that `get_compile_config` returned."""
        players = ("generator_optimizer", "discriminator_optimizer")
        optimizers = {key: keras.saving.deserialize_keras_object(config[key]) for key in players}
        self.compile(**config | optimizers)

    # ---- what the train step needs

    def real_images(self, data):
        """Return a batch's images as float32 in [-1, 1]; labels in the batch are not used."""
        images, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise ValueError(
                "A GAN takes no sample weights and no class weights. Received: sample_weight"
            )
        _check_batch("x", images, self.image_shape)
        scaled = ops.cast(images, "float32")
        if keras.backend.standardize_dtype(images.dtype) == "uint8":
            scaled = scaled / 127.5 - 1.0
        return scaled

    def sample_latents(self, batch_size, evaluation=False):
        """Draw latents `(batch_size, latent_dim)` from the model's noise."""
        noise = self.evaluation_noise if evaluation else self.noise
        return keras.random.normal((batch_size, self.latent_dim), dtype="float32", seed=noise)

    def generator_loss(self, on_generated):
        """`loss(1, D(G(z)))`, averaged over the batch."""
        return self._mean_loss(on_generated, real=True) + sum(self.generator.losses)

    def discriminator_loss(self, on_real, on_generated):
        """`loss(1, D(x)) + loss(0, D(G(z)))`, each averaged over the batch."""
        losses = self._mean_loss(on_real, real=True) + self._mean_loss(on_generated, real=False)
        return losses + sum(self.discriminator.losses)

    def _mean_loss(self, outputs, real):
        real_targets = ops.ones_like(outputs[:, :1])
        targets = real_targets if real else 1.0 - real_targets
        if outputs.shape[-1] == 2:
            targets = ops.concatenate([targets, 1.0 - targets], axis=-1)
        divisor = loss_divisor(self.loss, targets, outputs)
        return ops.mean(self.loss(targets, outputs)) * divisor

    def scale_loss(self, loss):
        """Multiply by the loss scale, which is 1 but for float16."""
        return self.optimizer.scale_loss(loss)

    def probabilities(self, outputs):
        """Turn the discriminator's outputs into probabilities of being real, `(batch,)`."""
        first = outputs[:, 0]
        return ops.sigmoid(first) if getattr(self.loss, "from_logits", False) else first

    @property
    def metrics(self):
        """Running means of the losses, of D's outputs and of D's accuracy."""
        return list(self._means.values())

    def update_metrics(self, d_loss, g_loss, on_real, on_generated):
        """Take in one batch and return the logs."""
        real, generated = self.probabilities(on_real), self.probabilities(on_generated)
        right = ops.mean(ops.cast(real >= 0.5, "float32"))
        right_too = ops.mean(ops.cast(generated < 0.5, "float32"))
        values = {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "d_real": ops.mean(real),
            "d_fake": ops.mean(generated),
            "d_accuracy": (right + right_too) / 2.0,
        }
        size = ops.shape(on_real)[0]
        for name, mean in self._means.items():
            mean.update_state(values[name], sample_weight=size)
        return {name: mean.result() for name, mean in self._means.items()}

    # ---- fitting, evaluating

    def fit(self, x=None, y=None, batch_size=None, *args, **kwargs):
        """Train both players; arguments as in `keras.Model.fit`.

        Logs: `d_loss`, `g_loss` (the players' losses), `d_real`, `d_fake` (D's mean probability
        on real and generated images), `d_accuracy` (share of both kinds that a cut at 0.5 tells
        right, each counted half).

        Args:
            x: Images `(n, height, width, channels)`: floats in [-1, 1], or uint8, which the
                train step scales; or a `tf.data.Dataset` or `keras.utils.PyDataset` of batches
                of these. Labels that a dataset yields beside the images are not used.
            y: Must be None.
            batch_size: Positive integer: images in a batch, over all devices together.
            *args: Further arguments of `keras.Model.fit`.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            ValueError: On images of another shape or range, on labels or on weights of samples or
            classes; on several devices, on an array of images with a batch that cannot be
            divided among them.

        Warns:
            UserWarning: On an array of floats without a negative number, which looks like images
            scaled to [0, 1]: a generator's black is -1.
        """
        self._check_images(x, y)
        _warn_of_unit_range("x", x)
        _check_no_weights(kwargs)
        if kwargs.get("steps_per_epoch") is None:
            validation = kwargs.get("validation_data")
            self._check_batches(x, batch_size, kwargs.get("validation_split", 0.0))
            self._check_batches(validation, kwargs.get("validation_batch_size") or batch_size)
        history = super().fit(x, None, batch_size, *args, **kwargs)
        use_averages(self)
        return history

    def evaluate(self, x=None, y=None, batch_size=None, *args, **kwargs):
        """Return the losses and D's accuracy on held-out images, with the same noise each time.

        Arguments as in `keras.Model.evaluate`, `x` as in `fit`, with the same errors and warning.
        As many images are generated as `x` holds.
        """
        self._check_images(x, y)
        _warn_of_unit_range("x", x)
        _check_no_weights(kwargs)
        if kwargs.get("steps") is None:
            self._check_batches(x, batch_size)
        state = self.evaluation_noise.state
        state.assign(ops.convert_to_tensor(np.zeros(2), dtype=state.dtype))
        return super().evaluate(x, None, batch_size, *args, **kwargs)

    def _check_images(self, x, y):
        if y is not None:
            raise ValueError(
                "A GAN learns from images alone: pass no labels. "
                f"Received: y of type {type(y).__name__}"
            )
        if isinstance(x, np.ndarray):
            check_images("x", x, self.image_shape)

    def _check_batches(self, x, batch_size, validation_split=0.0):
        """Look at the sizes of all batches of an array, so that none is refused in mid-epoch."""
        if count_parts(self) == 1 or not isinstance(x, np.ndarray):
            return
        batch_size = batch_size or 32  # as in Keras
        learnt = math.floor(len(x) * (1.0 - validation_split))
        for n in {learnt, len(x) - learnt}:
            for size in {min(n, batch_size), n % batch_size} - {0}:
                self.check_batch_size(size)

    # ---- using

    def generate(self, n, seed=None, batch_size=256):
        """Generate images.

        Args:
            n: Positive integer: how many.
            seed: Integer for the latents: the same seed gives the same latents on every machine
                and backend. By default new ones at each call. The noise of training is not
                touched.
            batch_size: Images per forward pass; does not change the result beyond rounding.

        Returns:
            uint8 array `(n, height, width, channels)`.
        """
        check_positive(n=n, batch_size=batch_size)
        latents = np.random.default_rng(check_seed(seed)).standard_normal(
            (n, self.latent_dim), "float32"
        )
        chunks = (latents[start : start + _CHUNK] for start in range(0, n, _CHUNK))
        return np.concatenate([to_uint8(_predict(self, chunk, batch_size)) for chunk in chunks])

    def discriminate(self, images, batch_size=256):
        """Score images.

        Args:
            images: `(n, height, width, channels)`, uint8, or floats in [-1, 1].
            batch_size: Images per forward pass; does not change the result beyond rounding.

        Returns:
            float32 array `(n,)`: the discriminator's probability that each image is real.

        Raises:
            ValueError: On images of another shape or range.

        Warns:
            UserWarning: On floats without a negative number, as `fit` does.
        """
        check_positive(batch_size=batch_size)
        images = np.asarray(images)
        check_images("images", images, self.image_shape)
        _warn_of_unit_range("images", images)
        scores = []
        for start in range(0, len(images), _CHUNK):
            chunk = images[start : start + _CHUNK]
            chunk = scale_images(chunk) if chunk.dtype == np.uint8 else chunk.astype("float32")
            outputs = _predict(self.discriminator, chunk, batch_size)
            scores.append(ops.convert_to_numpy(self.probabilities(outputs)))
        return np.concatenate(scores).astype("float32")

    # ---- saving

    def get_config(self):
        """Return all constructor arguments, the networks with their architectures."""
        serialize = keras.saving.serialize_keras_object
        return {
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "loss": serialize(self.loss),
            "seed": self.seed,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Return the model that `get_config` describes."""
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects=custom_objects)
            for key in ("generator", "discriminator", "loss")
        }
        return cls(**config | parts)

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Save the GAN as `keras.Model.save` does, in Keras's own format only.

        Args:
            filepath: The `.keras` file, or with `zipped=False` a folder.
            overwrite: Whether what is there is replaced without a question.
            zipped: As in Keras.
            **kwargs: Keras's own.

        Raises:
            ValueError: Where `filepath` ends with `.h5` or `.hdf5`: Keras's old format has no place
                for a class of one's own, its optimizers and seeds.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                "`filepath` must end with .keras, since HDF5 cannot hold a GAN. "
                f"Received: filepath={filepath}"
            )
        super().save(filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_own_variables(self, store):
        """Save the seeds' states too (noise, dropout), which Keras leaves out."""
        super().save_own_variables(store)
        for index, state in enumerate(self.seed_states()):
            store[f"seed_{index}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        """Load what `save_own_variables` saved."""
        states = {f"seed_{index}": state for index, state in enumerate(self.seed_states())}
        names = list(store.keys())  # an HDF5 store is no dictionary
        seeds = {name for name in names if name.startswith("seed_")}
        if seeds != set(states):
            raise ValueError(
                f"The file must hold the state of {len(states)} seed generators, as saved by "
                f"the same model. Received: {len(seeds)}"
            )
        super().load_own_variables({name: store[name] for name in names if name not in seeds})
        for key, state in states.items():
            state.assign(store[key])

    def seed_states(self):
        """The states of all seed generators in the model, in a fixed order."""
        weights = {id(weight) for weight in self.weights}
        return [variable for variable in self.variables if id(variable) not in weights]


class _GANWithDefaults(GAN):
    """A GAN that builds the networks and the loss that it is not given."""

    build_discriminator = None
    default_loss = None

    def __init__(
        self,
        image_shape=(28, 28, 1),
        latent_dim=100,
        generator=None,
        discriminator=None,
        loss=None,
        seed=None,
        dtype=None,
        **kwargs,
    ):
        if generator is None:
            generator = build_generator(image_shape, latent_dim, dtype=dtype, seed=seed)
        if discriminator is None:
            discriminator = self.build_discriminator(image_shape, dtype=dtype, seed=seed)
        loss = self.default_loss() if loss is None else loss
        super().__init__(generator, discriminator, loss, seed=seed, dtype=dtype, **kwargs)
        if (self.latent_dim, self.image_shape) != (latent_dim, tuple(image_shape)):
            raise ValueError(
                f"`generator` must map {latent_dim} latent components to images of shape "
                f"{tuple(image_shape)}. Received: a generator from {self.latent_dim} to "
                f"{self.image_shape}"
            )

    def get_config(self):
        """Return all constructor arguments, the networks with their architectures."""
        return super().get_config() | {
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
        }


@keras.saving.register_keras_serializable(package="capsgan_keras")
class CapsuleGAN(_GANWithDefaults):
    """CapsuleGAN (arXiv 1802.06167): a capsule discriminator trained with the margin loss.

    Args:
        image_shape: `(height, width, channels)`: sides multiples of 4 and at least 16, 1 to 4
            channels.
        latent_dim: Positive integer: the components of a latent vector.
        generator: A generator; by default that of `build_generator`.
        discriminator: A discriminator; by default that of `build_capsule_discriminator`.
        loss: By default `MarginLoss()`.
        seed: Integer that sets the initial weights of the default networks and the noise.
        dtype: Dtype policy of the default networks; by default Keras's global policy.
        **kwargs: `name` and `trainable`, as in every Keras model.

    Raises:
        ValueError: Where the networks do not fit `image_shape` and `latent_dim`.

    Example:

    ```python
    gan = CapsuleGAN(image_shape=(28, 28, 1), seed=0)
    gan.compile()
    gan.fit(load_dataset("digits").x_train, epochs=50, batch_size=64)
    images = gan.generate(64, seed=0)
    ```
    """

    build_discriminator = staticmethod(build_capsule_discriminator)
    default_loss = MarginLoss

    def default_optimizers(self):
        """Return Adam(2e-4, 0.5) for the generator, and 1e-4 or 2e-4 for the discriminator.

        A batch-normalized capsule discriminator is far ahead at equal rates for the first epochs,
        and the generator learns late: it gets 1e-4.
        """
        normalized = any(
            isinstance(layer, keras.layers.BatchNormalization)
            for layer in self.discriminator.layers
        )
        return _adam(2e-4), _adam(1e-4 if normalized else 2e-4)


@keras.saving.register_keras_serializable(package="capsgan_keras")
class ConvolutionalGAN(_GANWithDefaults):
    """The paper's opponent: the same generator, a DCGAN discriminator, binary cross-entropy.

    Arguments as in `CapsuleGAN`; the default discriminator is that of
    `build_convolutional_discriminator`, the default loss `keras.losses.BinaryCrossentropy()`.
    """

    build_discriminator = staticmethod(build_convolutional_discriminator)
    default_loss = keras.losses.BinaryCrossentropy


def _predict(model, inputs, batch_size):
    """Predict with batches that can be divided among the model's devices, however many."""
    parts = count_parts(model)
    fillers = np.repeat(inputs[-1:], -len(inputs) % parts, axis=0)
    outputs = model.predict(
        np.concatenate([inputs, fillers]) if len(fillers) else inputs,
        batch_size=-(-batch_size // parts) * parts,
        verbose=0,
    )
    return outputs[: len(inputs)]


def check_images(name, images, image_shape):
    """Raise a `ValueError` unless `images` is an array of images in a known range.

    Args:
        name: The argument's name, for the message.
        images: NumPy array: uint8, or floating point in [-1, 1].
        image_shape: `(height, width, channels)` expected of each image.
    """
    _check_batch(name, images, image_shape)
    if len(images) == 0:
        raise ValueError(f"`{name}` must hold at least one image. Received: {name} of length 0")
    if images.dtype == np.uint8:
        return
    low, high = float(images.min()), float(images.max())
    if not (low >= -1.0 and high <= 1.0):  # also where they are not numbers
        raise ValueError(
            f"`{name}` must be uint8, or floating point in [-1, 1] "
            "(from 0..255: `images / 127.5 - 1`). "
            f"Received: {name} of dtype {images.dtype} in [{low:g}, {high:g}]"
        )


def _warn_of_unit_range(name, images):
    if isinstance(images, np.ndarray) and images.dtype != np.uint8 and images.min() >= 0.0:
        warnings.warn(
            f"`{name}` holds floats without a negative number. Floats must lie in [-1, 1]: if "
            f"these lie in [0, 1], pass `2 * {name} - 1`. "
            f"Received: {name} in [{images.min():g}, {images.max():g}]",
            stacklevel=3,  # where the public method was called
        )


def _check_batch(name, images, image_shape):
    shape = tuple(images.shape)
    if len(shape) != 4 or any(
        known is not None and known != side
        for known, side in zip(shape[1:], image_shape, strict=True)
    ):
        raise ValueError(
            f"`{name}` must be images of shape (n, {', '.join(map(str, image_shape))}). "
            f"Received: {name} of shape {shape}"
        )
    dtype = keras.backend.standardize_dtype(images.dtype)
    if dtype != "uint8" and "float" not in dtype:
        raise ValueError(
            f"`{name}` must be uint8, or floating point in [-1, 1]. "
            f"Received: {name} of dtype {dtype}"
        )


def _check_players(generator, discriminator):
    for name, player in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(player, keras.Model):
            raise ValueError(f"`{name}` must be a keras.Model. Received: {name}={player!r}")
        if not player.built or getattr(player, "inputs", None) is None:
            raise ValueError(
                f"`{name}` must have a known input shape: build it from `keras.Input`. "
                f"Received: {name}={player!r}"
            )
    images = tuple(generator.output_shape[1:])
    if len(generator.input_shape) != 2 or len(images) != 3 or None in images:
        raise ValueError(
            "`generator` must map latents (batch, latent_dim) to images (batch, height, width, "
            f"channels). Received: a generator from {generator.input_shape} to "
            f"{generator.output_shape}"
        )
    if tuple(discriminator.input_shape[1:]) != images:
        raise ValueError(
            f"`discriminator` must take the generator's images of shape {images}. "
            f"Received: a discriminator of images of shape {discriminator.input_shape[1:]}"
        )
    if len(discriminator.output_shape) != 2 or discriminator.output_shape[1] not in (1, 2):
        raise ValueError(
            "`discriminator` must give outputs of shape (batch, 1) or (batch, 2). "
            f"Received: {discriminator.output_shape}"
        )


def _check_no_weights(arguments):
    for name in ("sample_weight", "class_weight"):
        if arguments.get(name) is not None:
            raise ValueError(
                "A GAN takes no sample weights and no class weights. "
                f"Received: {name} of type {type(arguments[name]).__name__}"
            )


def _adam(learning_rate):
    """Adam as the DCGAN guidelines set it."""
    return keras.optimizers.Adam(learning_rate, beta_1=0.5)
