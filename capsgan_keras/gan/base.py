"""The GAN that the package's models derive from: compiling, training, generating, saving."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_positive, check_seed
from capsgan_keras.datasets import scale_images, to_uint8
from capsgan_keras.gan.input_checks import (
    check_batch,
    check_fit_arguments,
    check_latents,
    check_players,
    check_uint8_or_scaled,
    warn_of_unit_range,
)
from capsgan_keras.gan.optimizers import OptimizerPair, check_update, dcgan_adam, join_optimizers
from capsgan_keras.gan.prediction import predict_in_chunks
from capsgan_keras.gan.saving import SeedsInFiles
from capsgan_keras.layers.sublayers import from_config_with_sublayers, sublayer_states
from capsgan_keras.training import AdversarialTrainer, loss_divisor
from capsgan_keras.training.averages import use_averages
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class GAN(AdversarialTrainer, SeedsInFiles):
    """A generator and a discriminator, trained against each other by `fit`.

    The discriminator minimises `loss(1, D(x)) + loss(0, D(G(z)))`, the generator
    `loss(1, D(G(z)))`, with z from a standard normal distribution. Where the discriminator has
    two outputs (real, generated), the targets are one-hot. Regularization losses count for the
    player that has them.

    Several devices train it as one does, apart from rounding. On TensorFlow, make and compile it in
    the scope of a `tf.distribute.MirroredStrategy` or `MultiWorkerMirroredStrategy`; on JAX, set
    a `keras.distribution.DataParallel`. On TensorFlow each replica draws dropout of its own.

    Args:
        generator: A built `keras.Model` from latents `(batch, latent_dim)` to images
            `(batch, height, width, channels)` in [-1, 1].
        discriminator: A built `keras.Model` from images to `(batch, 1)` or `(batch, 2)`.
        loss: A Keras loss, its name, or a function `(y_true, y_pred)`.
        seed: Integer that sets the noise of training, so that equal weights, data and seeds give
            equal runs. By default a random one.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras model.

    Input shape: `(batch, latent_dim)`, floating point.

    Output shape: `(batch, height, width, channels)`, float32 in [-1, 1].

    Raises:
        ValueError: Where the two networks do not fit each other.

    Example:

    ```python
    from capsgan_keras import GAN
    from capsgan_keras.models import build_convolutional_discriminator, build_generator

    generator = build_generator((16, 16, 1), latent_dim=8)
    discriminator = build_convolutional_discriminator((16, 16, 1))
    gan = GAN(generator, discriminator, loss="mse")  # a least-squares GAN
    gan.compile("adam", "adam", update="alternating")
    ```
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        loss: keras.losses.Loss | Callable | str,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        # The networks cast for themselves, and a generator chooses categories before it does.
        super().__init__(autocast=False, **kwargs)
        check_players(generator, discriminator)
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
        if not self.trainable:  # Keras hands it on only where it changes
            generator.trainable = discriminator.trainable = False

    def build(self, input_shape: Shape) -> None:
        """Do nothing: both networks are built."""
        del input_shape
        self.built = True

    @property
    def latent_dim(self) -> int:
        """Number of components of a latent vector."""
        return self.generator.input_shape[-1]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of the images."""
        return tuple(self.generator.output_shape[1:])

    def call(self, latents: Tensor, training: bool = False) -> Tensor:
        """Return images in [-1, 1]."""
        check_latents(latents, self.latent_dim)
        return self.generator(latents, training=training)

    # ---- compiling

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer | str | None = None,
        discriminator_optimizer: keras.optimizers.Optimizer | str | None = None,
        update: str = "simultaneous",
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
    ) -> None:
        """Set up training. The loss belongs to the model.

        Args:
            generator_optimizer: A Keras optimizer or its name; see `default_optimizers`. Where it
                averages weights (`use_ema=True`), `fit` ends with the averages in their place.
                Batch normalization's moving statistics are then estimated again for them.
            discriminator_optimizer: Likewise, another instance.
            update: `"simultaneous"`: both players learn from one forward pass, as in the paper's
                stack. `"alternating"`: the discriminator learns first, then the generator against
                the updated discriminator, with new noise.
            run_eagerly: As in `keras.Model.compile`.
            steps_per_execution: As in `keras.Model.compile`.
            jit_compile: As in `keras.Model.compile`.

        Raises:
            ValueError: Where both players share one optimizer. Also on alternating updates under
                float16, where one loss scale cannot follow two losses.
        """
        float16 = any(layer.compute_dtype == "float16" for layer in self._flatten_layers())
        check_update(update, float16)
        default_generator, default_discriminator = self.default_optimizers()
        players = (
            keras.optimizers.get(generator_optimizer or default_generator),
            keras.optimizers.get(discriminator_optimizer or default_discriminator),
        )
        variables = self.generator.trainable_variables
        optimizer = join_optimizers(players, variables, with_loss_scale=float16)
        options = {
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        super().compile(optimizer=optimizer, auto_scale_loss=False, **options)
        self.update = update
        self._players_optimizers = players
        self._compile_arguments = {
            "generator_optimizer": keras.saving.serialize_keras_object(players[0]),
            "discriminator_optimizer": keras.saving.serialize_keras_object(players[1]),
            "update": update,
            **options,
        }
        optimizer.build([*variables, *self.discriminator.trainable_variables])

    def default_optimizers(self) -> OptimizerPair:
        """Return the generator's and the discriminator's optimizer: Adam(2e-4, 0.5) each."""
        return dcgan_adam(2e-4), dcgan_adam(2e-4)

    @property
    def generator_optimizer(self) -> keras.optimizers.Optimizer | None:
        """The optimizer that holds the generator's variables."""
        return self._players_optimizers[0]

    @property
    def discriminator_optimizer(self) -> keras.optimizers.Optimizer | None:
        """The optimizer that holds the discriminator's variables."""
        return self._players_optimizers[1]

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return the arguments of `compile`, serialized; None before it was called."""
        return self._compile_arguments if self.compiled else None

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the arguments that `get_compile_config` returned."""
        players = ("generator_optimizer", "discriminator_optimizer")
        optimizers = {key: keras.saving.deserialize_keras_object(config[key]) for key in players}
        self.compile(**config | optimizers)

    # ---- what the train step needs

    def real_images(self, data: Any) -> Tensor:
        """Return a batch's images as float32 in [-1, 1]; labels in the batch are not used."""
        images, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise ValueError(
                "A GAN takes no sample weights and no class weights. Received: sample_weight"
            )
        check_batch("x", images, self.image_shape)
        scaled = ops.cast(images, "float32")
        if keras.backend.standardize_dtype(images.dtype) == "uint8":
            scaled = scaled / 127.5 - 1.0
        return scaled

    def sample_latents(self, batch_size: int | Tensor, evaluation: bool = False) -> Tensor:
        """Draw latents `(batch_size, latent_dim)` from the model's noise."""
        noise = self.evaluation_noise if evaluation else self.noise
        return keras.random.normal((batch_size, self.latent_dim), dtype="float32", seed=noise)

    def generator_loss(self, on_generated: Tensor) -> Tensor:
        """Return `loss(1, D(G(z)))`, averaged over the batch."""
        return self._mean_loss(on_generated, real=True) + sum(self.generator.losses)

    def discriminator_loss(self, on_real: Tensor, on_generated: Tensor) -> Tensor:
        """Return `loss(1, D(x)) + loss(0, D(G(z)))`, each averaged over the batch."""
        losses = self._mean_loss(on_real, real=True) + self._mean_loss(on_generated, real=False)
        return losses + sum(self.discriminator.losses)

    def _mean_loss(self, outputs: Tensor, real: bool) -> Tensor:
        real_targets = ops.ones_like(outputs[:, :1])
        targets = real_targets if real else 1.0 - real_targets
        if outputs.shape[-1] == 2:
            targets = ops.concatenate([targets, 1.0 - targets], axis=-1)
        divisor = loss_divisor(self.loss, targets, outputs)
        return ops.mean(self.loss(targets, outputs)) * divisor

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Multiply by the loss scale, which is 1 unless the networks compute in float16."""
        return self.optimizer.scale_loss(loss)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Turn the discriminator's outputs into probabilities of being real, `(batch,)`."""
        first = outputs[:, 0]
        return ops.sigmoid(first) if getattr(self.loss, "from_logits", False) else first

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Running means of the losses, of D's outputs and of D's accuracy."""
        return list(self._means.values())

    def update_metrics(
        self, d_loss: Tensor, g_loss: Tensor, on_real: Tensor, on_generated: Tensor
    ) -> dict[str, Tensor]:
        """Add one batch to the running means; return them as logs."""
        real, generated = self.probabilities(on_real), self.probabilities(on_generated)
        real_accuracy = ops.mean(ops.cast(real >= 0.5, "float32"))
        generated_accuracy = ops.mean(ops.cast(generated < 0.5, "float32"))
        values = {
            "d_loss": d_loss,
            "g_loss": g_loss,
            "d_real": ops.mean(real),
            "d_fake": ops.mean(generated),
            "d_accuracy": (real_accuracy + generated_accuracy) / 2.0,
        }
        size = ops.shape(on_real)[0]
        for name, mean in self._means.items():
            mean.update_state(values[name], sample_weight=size)
        return {name: mean.result() for name, mean in self._means.items()}

    # ---- fitting, evaluating

    def fit(
        self,
        x: Any = None,
        y: None = None,
        batch_size: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train both players; arguments as in `keras.Model.fit`.

        The logs are the players' losses `d_loss` and `g_loss`, and D's mean outputs `d_real` and
        `d_fake` on real and on generated images. `d_accuracy` is the mean of D's accuracies on
        both kinds, with a cut at 0.5.

        Args:
            x: Images `(n, height, width, channels)`: floats in [-1, 1], or uint8, which the
                train step scales. Or a `tf.data.Dataset` or `keras.utils.PyDataset` of batches
                of these. Labels that a dataset yields beside the images are not used.
            y: Must be None.
            batch_size: Positive integer: images in a batch, over all devices together.
            *args: Further arguments of `keras.Model.fit`.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            ValueError: On images of another shape or range, on labels, on weights of samples or
                classes. On several devices also on an array with a batch that they cannot share.

        Warns:
            UserWarning: On an array of floats without a negative number, which looks like images
                scaled to [0, 1]: a generator's black is -1.
        """
        check_fit_arguments(self, x, y, batch_size, kwargs)
        history = super().fit(x, None, batch_size, *args, **kwargs)
        use_averages(self)
        return history

    def evaluate(
        self,
        x: Any = None,
        y: None = None,
        batch_size: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Return the losses and D's accuracy on held-out images, with the same noise each time.

        Arguments as in `keras.Model.evaluate`, `x` as in `fit`, with the same errors and warning.
        As many images are generated as `x` holds.
        """
        check_fit_arguments(self, x, y, batch_size, kwargs)
        state = self.evaluation_noise.state
        state.assign(ops.convert_to_tensor(np.zeros(2), dtype=state.dtype))
        return super().evaluate(x, None, batch_size, *args, **kwargs)

    # ---- using

    def generate(self, n: int, seed: int | None = None, batch_size: int = 256) -> np.ndarray:
        """Generate images.

        Args:
            n: Positive integer: how many.
            seed: Integer for the latents: the same seed gives the same latents on every machine
                and backend. By default new ones at each call. Training's noise stays as it is.
            batch_size: Images per forward pass; does not change the result beyond rounding.

        Returns:
            uint8 array `(n, height, width, channels)`.
        """
        check_positive(n=n, batch_size=batch_size)
        draws = np.random.default_rng(check_seed(seed))
        latents = draws.standard_normal((n, self.latent_dim), "float32")
        return predict_in_chunks(self, latents, batch_size, after=to_uint8)

    def discriminate(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
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
        check_uint8_or_scaled("images", images, self.image_shape)
        warn_of_unit_range("images", images, stacklevel=3)
        return predict_in_chunks(
            self.discriminator,
            images,
            batch_size,
            before=lambda x: scale_images(x) if x.dtype == np.uint8 else x.astype("float32"),
            after=lambda outputs: ops.convert_to_numpy(self.probabilities(outputs)),
        ).astype("float32")

    # ---- saving

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, the networks, and the state of all layers inside."""
        serialize = keras.saving.serialize_keras_object
        return {
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "loss": serialize(self.loss),
            "seed": self.seed,
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "sublayers": sublayer_states(self),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "GAN":
        """Return the model that `get_config` describes."""
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects=custom_objects)
            for key in ("generator", "discriminator", "loss")
        }
        return from_config_with_sublayers(cls, config | parts)
