"""The GAN that the package's models derive from: compiling, training, generating, saving."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.balance import balanced_output
from capsgan_keras.checks import check_seed
from capsgan_keras.gan.category_shares import check_category_shares
from capsgan_keras.gan.input_checks import (
    check_fit_numbers,
    check_latents,
    check_one_batch,
    check_players,
    check_shared_batches,
    check_steps,
    checked_latents,
    checked_pair,
    checked_validation_data,
)
from capsgan_keras.gan.labels import check_num_classes
from capsgan_keras.gan.later_batches import refusals_by_name
from capsgan_keras.gan.optimizers import (
    OptimizerPair,
    check_compile,
    dcgan_adams,
    given_or_default,
    join_optimizers,
)
from capsgan_keras.gan.outputs import resolve_outputs
from capsgan_keras.gan.penalty import check_penalty
from capsgan_keras.gan.saving import SavedGAN
from capsgan_keras.gan.using import UsableGAN
from capsgan_keras.loss_checks import checked_loss
from capsgan_keras.training.callbacks import with_checks_and_averages
from capsgan_keras.types import Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class GAN(UsableGAN, SavedGAN):
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
        discriminator: A built `keras.Model` from images, or from images and labels, to
            `(batch, 1)` or `(batch, 2)`.
        loss: A Keras loss, its name, or a function `(y_true, y_pred)`. Where it has a method
            `generator_loss(on_generated)`, as `HingeLoss` has, the generator minimises the mean of
            that.
        seed: Integer that sets the noise of training, so that equal weights, data and seeds give
            equal runs. By default a random one.
        discriminator_outputs: `"probability"`, `"logit"`, or `"score"`: any number, larger for
            real images. By default what the loss or the discriminator's last layer shows.
        gradient_penalty: Weight of R1 in the discriminator's loss (Mescheder et al. 2018, arXiv
            1801.04406): times half of the squared gradient of its logit, or score, with respect
            to each real image, as it is without dropout and augmentation. 0: none.
        penalty_every: Positive integer: the penalty is taken at every so many steps, times this.
        num_classes: Integer from 2 to `latent_dim`, for a GAN conditioned on classes (Mirza and
            Osindero 2014, arXiv 1411.1784). The last `num_classes` components of a latent vector
            choose the class, by the largest, as with `latent_categories` in `build_generator`.
            The discriminator takes the list of images and labels, int32 `(batch,)`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras model.

    Input shape: `(batch, latent_dim)`, floating point.

    Output shape: `(batch, height, width, channels)`, float32 in [-1, 1].

    Raises:
        ValueError: Where the two networks do not fit each other, or nothing shows what the
            discriminator's outputs are.

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
        discriminator_outputs: str | None = None,
        gradient_penalty: float = 0.0,
        penalty_every: int = 1,
        num_classes: int | None = None,
        **kwargs: Any,
    ) -> None:
        # The networks cast for themselves, and a generator chooses categories before it does.
        super().__init__(autocast=False, **kwargs)
        self.num_classes = num_classes
        beside = self.shape_beside(generator)
        check_players(generator, discriminator, beside)
        check_num_classes(num_classes, generator.input_shape[-1])
        check_category_shares(generator, num_classes)
        self.generator = generator
        self.discriminator = discriminator
        self.loss = checked_loss(loss, units=discriminator.output_shape[-1])
        self.discriminator_outputs = resolve_outputs(
            discriminator_outputs, self.loss, discriminator
        )
        scores = self.discriminator_outputs == "score"
        self._accuracy_cut = balanced_output(self.loss, "score") if scores else 0.5
        check_penalty(gradient_penalty, penalty_every)
        self.gradient_penalty, self.penalty_every = gradient_penalty, penalty_every
        self.seed = seed = check_seed(seed)
        self.update, self._players_optimizers = "simultaneous", (None, None)
        self.noise = keras.random.SeedGenerator(seed, name="noise")
        self.evaluation_noise = keras.random.SeedGenerator(0, name="evaluation_noise")
        self._means = {
            name: keras.metrics.Mean(name=name)
            for name in ("d_loss", "g_loss", "d_real", "d_fake", "d_accuracy")
        }
        # Called models have `input` and `output`, and can be exported.
        self(keras.Input((self.latent_dim,), dtype="float32", name="latents"))
        if not self.trainable:  # Keras hands it on only where it changes
            generator.trainable = discriminator.trainable = False

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
                averages weights (`use_ema=True`), `fit` ends with the averages in their place, and
                batch normalization's moving statistics are estimated again for them.
            discriminator_optimizer: Another instance. Where it averages weights, the moving
                statistics of the discriminator are not estimated again.
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
        options = {
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        check_compile(update, float16, options)
        given = (generator_optimizer, discriminator_optimizer)
        players = given_or_default(given, self.default_optimizers())
        self.freeze_offsets()
        of_generator, of_discriminator = self.player_variables
        optimizer = join_optimizers(players, of_generator, with_loss_scale=float16)
        super().compile(optimizer=optimizer, auto_scale_loss=False, **options)
        self.update = update
        self._players_optimizers = players
        self._compile_arguments = {
            "generator_optimizer": keras.saving.serialize_keras_object(players[0]),
            "discriminator_optimizer": keras.saving.serialize_keras_object(players[1]),
            "update": update,
            **options,
        }
        optimizer.build([*of_generator, *of_discriminator])

    def default_optimizers(self) -> OptimizerPair:
        """Return the generator's and the discriminator's optimizer: Adam(2e-4, 0.5) each."""
        return dcgan_adams(2e-4, 2e-4)

    @property
    def generator_optimizer(self) -> keras.optimizers.Optimizer | None:
        """The optimizer that holds the generator's variables."""
        return self._players_optimizers[0]

    @property
    def discriminator_optimizer(self) -> keras.optimizers.Optimizer | None:
        """The optimizer that holds the discriminator's variables."""
        return self._players_optimizers[1]

    # ---- fitting, evaluating

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train both players; arguments as in `keras.Model.fit`.

        The logs are the players' losses `d_loss` and `g_loss`, and D's mean outputs `d_real` and
        `d_fake` on real and on generated images. `d_accuracy` is the mean of D's accuracies on
        both kinds, with a cut at 0.5. Scores are cut at the `calibrated_cut` of the loss.

        The first batch of `x` and of `validation_data` is looked at before training starts, for
        which a dataset is asked for it once more. Later batches are looked at as they come, but
        for those of a loader and of a `tf.distribute.DistributedDataset`.

        Args:
            x: Images `(n, height, width, channels)`: floats in [-1, 1], or uint8, which the
                train step scales. An array or a tensor, or batches of these from a
                `tf.data.Dataset`, a `keras.utils.PyDataset`, a generator or a loader. Labels
                beside the images are used where the GAN has classes.
            y: Of a GAN with classes, beside an array of images: integers `(n,)` or `(n, 1)`, from 0
                to `num_classes` - 1. Else None; batches then hold them: (images, labels).
            batch_size: Positive integer: images in a batch, over all devices together.
            epochs: Integer of at least 0.
            verbose: As in Keras.
            callbacks: As in Keras.
            validation_split: Share of an array's images held out, in [0, 1).
            validation_data: Held-out images in any form of `x`, or the pair of images and labels.
            **kwargs: Further arguments of `keras.Model.fit`.

        Returns:
            The `keras.callbacks.History`.

        Raises:
            ValueError: On images of another shape or range, on weights, on labels without classes
                and classes without labels. On several devices also on an array with a batch that
                they cannot share.
            NonFiniteError: Where training diverges to NaN or infinity. With a
                `keras.callbacks.TerminateOnNaN` it stops instead, as that callback is set.

        Warns:
            UserWarning: On floats without a negative number in the first batch, as if scaled to
                [0, 1]: a generator's black is -1.
        """
        check_fit_numbers(batch_size, epochs, validation_split, kwargs)
        shape, labels = self.image_shape, self.label_range
        x, y = checked_pair("x", x, y, shape, labels)
        if validation_data is not None:
            validation_data = checked_validation_data(validation_data, shape, labels)
        if kwargs.get("steps_per_epoch") is None:
            validation_size = kwargs.get("validation_batch_size") or batch_size
            check_shared_batches(self, x, batch_size, validation_split)
            held_out = validation_data[0] if isinstance(validation_data, tuple) else validation_data
            check_shared_batches(self, held_out, validation_size)
        with refusals_by_name():
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=with_checks_and_averages(callbacks),
                validation_split=validation_split,
                validation_data=validation_data,
                **kwargs,
            )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        **kwargs: Any,
    ) -> Any:
        """Return losses and D's accuracy on held-out images, with as many generated ones.

        The noise is the same each time. Arguments as in `keras.Model.evaluate`, `x` and `y` as in
        `fit`.
        """
        if not kwargs.get("_use_cached_eval_dataset"):  # `fit` has looked at it
            check_fit_numbers(batch_size, 1, 0.0, kwargs)
            x, y = checked_pair("x", x, y, self.image_shape, self.label_range)
            if kwargs.get("steps") is None:
                check_shared_batches(self, x, batch_size)
        state = self.evaluation_noise.state
        state.assign(ops.convert_to_tensor(np.zeros(2), dtype=state.dtype))
        with refusals_by_name():
            return super().evaluate(x, y, batch_size=batch_size, verbose=verbose, **kwargs)

    def predict(self, x: Any, batch_size: int | None = None, *args: Any, **kwargs: Any) -> Any:
        """Return images in [-1, 1] for latents, as `keras.Model.predict` does.

        Args:
            x: Latents `(n, latent_dim)`, finite floats, in any form that `fit` takes. They are
                meant to be drawn from a standard normal distribution; others give images too.
            batch_size: Positive integer: latents in a batch.
            *args: Further arguments of `keras.Model.predict`.
            **kwargs: Further arguments of `keras.Model.predict`.

        Returns:
            float32 array `(n, height, width, channels)`.

        Raises:
            ValueError: On latents of another form.
        """
        check_steps(batch_size=batch_size)
        x = checked_latents(x, self.latent_dim)
        with refusals_by_name():
            return super().predict(x, batch_size, *args, **kwargs)

    def train_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Update both players on one batch, as `keras.Model.train_on_batch` does.

        Args:
            x: One batch of images, an array or a tensor as in `fit`, with the same errors.
            y: Labels, an array or a tensor as in `fit`.
            *args: Further arguments of `keras.Model.train_on_batch`.
            **kwargs: Further arguments of `keras.Model.train_on_batch`.
        """
        y = check_one_batch(x, self.image_shape, y, self.label_range)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Score one batch, as `keras.Model.test_on_batch` does; arguments as `train_on_batch`."""
        y = check_one_batch(x, self.image_shape, y, self.label_range)
        return super().test_on_batch(x, y, *args, **kwargs)
