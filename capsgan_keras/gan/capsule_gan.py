"""CapsuleGAN and its convolutional opponent: GANs that build their own networks."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self

import keras

from capsgan_keras.checks import check_kind, check_positive
from capsgan_keras.datasets import Dataset
from capsgan_keras.datasets.registry import find_dataset
from capsgan_keras.gan.base import GAN
from capsgan_keras.gan.from_settings import (
    activation_of,
    generator_of,
    loss_of,
    optimizers_of,
)
from capsgan_keras.gan.labels import check_num_classes
from capsgan_keras.gan.optimizers import OptimizerPair, dcgan_adams
from capsgan_keras.gan.settings import (
    NEUTRAL,
    TUNED,
    NetworkSettings,
    for_number_of,
    widened,
)
from capsgan_keras.gan.settings_checks import check_settings, given
from capsgan_keras.losses import MarginLoss
from capsgan_keras.models import (
    build_capsule_discriminator,
    build_convolutional_discriminator,
    build_generator,
)
from capsgan_keras.types import DType


class _GANWithDefaults(GAN):
    """A GAN that builds the networks and the loss that it is not given."""

    build_discriminator: Callable[..., keras.Model]
    default_loss: Callable[[], keras.losses.Loss]
    rate_setting: str
    """The name of the discriminator's learning rate among the settings."""

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        latent_dim: int = 100,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        loss: keras.losses.Loss | Callable | str | None = None,
        seed: int | None = None,
        dtype: DType = None,
        generator_options: Mapping[str, Any] | None = None,
        discriminator_options: Mapping[str, Any] | None = None,
        num_classes: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._name_misplaced_options(kwargs)
        check_kind(
            (Mapping, type(None)),
            "a dictionary of arguments, or None",
            generator_options=generator_options,
            discriminator_options=discriminator_options,
        )
        common: dict[str, Any] = {"dtype": dtype, "seed": seed}
        check_num_classes(num_classes, latent_dim)
        if generator is None:
            choosing = {} if num_classes is None else {"latent_categories": num_classes}
            options = common | choosing | dict(generator_options or {})
            generator = build_generator(image_shape, latent_dim, **options)
        elif generator_options:
            raise _options_of_a_network("generator")
        if discriminator is None:
            options = common | {"num_classes": num_classes} | dict(discriminator_options or {})
            discriminator = self.build_discriminator(image_shape, **options)
        elif discriminator_options:
            raise _options_of_a_network("discriminator")
        loss = self.default_loss() if loss is None else loss
        super().__init__(
            generator,
            discriminator,
            loss,
            seed=seed,
            dtype=dtype,
            num_classes=num_classes,
            **kwargs,
        )
        if (self.latent_dim, self.image_shape) != (latent_dim, tuple(image_shape)):
            raise ValueError(
                f"`generator` must map {latent_dim} latent components to images of shape "
                f"{tuple(image_shape)}. Received: a generator from {self.latent_dim} to "
                f"{self.image_shape}"
            )

    @classmethod
    def tuned(
        cls,
        data: str | Dataset,
        steps: int | None = None,
        seed: int | None = None,
        dtype: DType = None,
        num_classes: int | None = None,
    ) -> Self:
        """Return a new, compiled GAN with the settings of the experiments.

        These are the networks, optimizers, decay of the learning rates and average of the
        generator's weights that trials found. Train it with `batch_size=64`, as the trials did.
        CIFAR-10's images were mirrored at random there, which `fit` does not do by itself:
        `capsgan_keras.training.batches.EpochBatches(images, 64, seed=0, flips=True)` does, with the
        callback `capsgan_keras.training.callbacks.FollowEpoch` and `shuffle=False`. On MNIST, and
        without `num_classes`, call `gan.learn_category_shares(images)` after `fit`, as they do.

        Args:
            data: The images to train on: a `Dataset`, or the name of one that has settings of its
                own: `"mnist"`, `"cifar10"` or `"digits"`. Other images get neutral settings, and
                where they are fewer than 5,000 an augmentation.
            steps: Positive integer: the training steps of the whole run, which are the epochs
                times the batches of an epoch. In the second half of them the learning rates fall
                to a twentieth. By default those of the experiment, or 4,000 for other images.
            seed: As in the constructor.
            dtype: As in the constructor.
            num_classes: As in the constructor.

        Raises:
            ValueError: On other data, on steps out of range, or where no network fits the images.

        Example:

        ```python
        from capsgan_keras import CapsuleGAN, load_dataset

        digits = load_dataset("digits")
        gan = CapsuleGAN.tuned(digits, seed=0)
        gan.fit(digits.x_train[:64], epochs=1, batch_size=64)
        images = gan.generate(4, seed=0)  # uint8 (4, 28, 28, 1)
        ```
        """
        named = find_dataset(data) if isinstance(data, str) and data in TUNED else None
        images = data if isinstance(data, Dataset) else named
        if images is None:
            raise ValueError(
                f"`data` must be {', '.join(map(repr, TUNED))} or what `load_dataset` returns. "
                f"Received: data={data!r}"
            )
        check_positive(steps=1 if steps is None else steps)
        settings = TUNED.get(images.name, NEUTRAL)
        known = find_dataset(images.name) if images.name in TUNED else None
        # A folder of one's own may have the name, and images of another kind.
        if known is None or known.image_shape[-1] != images.image_shape[-1]:
            settings = NEUTRAL
        # Those of digits were found with as few images as there are.
        if isinstance(data, Dataset) and settings is not TUNED["digits"]:
            settings = for_number_of(len(data.x_train), settings)
        return cls.from_settings(
            settings,
            images.image_shape,
            steps or settings.steps,
            seed=seed,
            dtype=dtype,
            num_classes=num_classes,
        )

    @classmethod
    def from_settings(
        cls,
        settings: NetworkSettings,
        image_shape: tuple[int, int, int],
        steps: int | None = None,
        seed: int | None = None,
        dtype: DType = None,
        num_classes: int | None = None,
    ) -> Self:
        """Return a new, compiled GAN with these settings.

        Args:
            settings: `NetworkSettings`, or any object with its fields. `flips` and `batch_size` are
                for whoever makes the batches.
            image_shape: As in the constructor.
            steps: Training steps of the whole run. Without them `decay` has no effect.
            seed: As in the constructor.
            dtype: As in the constructor.
            num_classes: As in the constructor.

        Raises:
            ValueError: Where a setting is out of its range, or they fit no network for these
                images.
        """
        check_settings(settings, steps)
        gan = cls(
            image_shape,
            settings.latent_dim,
            generator=generator_of(settings, image_shape, num_classes, dtype, seed),
            discriminator=cls.build_discriminator(
                image_shape,
                **cls.options_of_discriminator(settings),
                **given(
                    spectral_normalization=settings.spectral_normalization,
                    augmentation=settings.augmentation,
                ),
                num_classes=num_classes,
                dtype=dtype,
                seed=seed,
            ),
            num_classes=num_classes,
            loss=loss_of(settings),
            seed=seed,
            dtype=dtype,
            **given(
                gradient_penalty=settings.gradient_penalty, penalty_every=settings.penalty_every
            ),
        )
        rate = getattr(settings, cls.rate_setting)
        optimizers = optimizers_of(settings, rate, gan.default_optimizers(), steps)
        gan.compile(*optimizers, update=settings.update)
        return gan

    @staticmethod
    def options_of_discriminator(settings: NetworkSettings) -> dict[str, Any]:
        """Return the arguments of `build_discriminator` that settings stand for."""
        raise NotImplementedError

    def _name_misplaced_options(self, arguments: Mapping[str, Any]) -> None:
        """Raise a `ValueError` where an argument is an option of a network."""
        players = {"discriminator": self.build_discriminator, "generator": build_generator}
        for name, value in arguments.items():
            for player, build in players.items():
                if name in inspect.signature(build).parameters and name != "name":
                    raise ValueError(
                        f"`{name}` is an option of the {player}: pass it as "
                        f"`{player}_options={{{name!r}: {value!r}}}`. Received: {name}={value!r}"
                    )

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments, the networks with their architectures."""
        return super().get_config() | {
            "image_shape": self.image_shape,
            "latent_dim": self.latent_dim,
        }


def _options_of_a_network(player: str) -> ValueError:
    return ValueError(
        f"`{player}_options` are for the {player} that the GAN builds: pass either of both. "
        f"Received: {player} and {player}_options"
    )


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
        generator_options: Further arguments of `build_generator`, by name.
        discriminator_options: Further arguments of `build_capsule_discriminator`, by name, such
            as `{"routings": 3}`.
        num_classes: As in `GAN`, for `fit(images, labels)` and `generate(n, labels=...)`. The
            default discriminator then has a capsule for each class.
        **kwargs: `discriminator_outputs`, `gradient_penalty` and `penalty_every` as in `GAN`;
            `name` and `trainable`, as in every Keras model.

    Raises:
        ValueError: Where the networks do not fit `image_shape` and `latent_dim`, or options are
            given beside the network that they are for.

    Example:

    ```python
    from capsgan_keras import CapsuleGAN, load_dataset

    digits = load_dataset("digits", image_size=16).x_train[:64]
    gan = CapsuleGAN(image_shape=(16, 16, 1), latent_dim=8, seed=0)
    gan.compile()
    gan.fit(digits, epochs=1, batch_size=32)
    images = gan.generate(4, seed=0)  # uint8 (4, 16, 16, 1)
    ```
    """

    build_discriminator = staticmethod(build_capsule_discriminator)
    default_loss = MarginLoss
    rate_setting = "capsule_learning_rate"

    @staticmethod
    def options_of_discriminator(settings: NetworkSettings) -> dict[str, Any]:
        """Return the arguments of `build_capsule_discriminator` that settings stand for."""
        return {
            "filters": widened(settings, "capsule_filters"),
            "kernel_size": settings.capsule_kernel_size,
            "strides": settings.capsule_strides,
            "padding": settings.capsule_padding,
            "batch_norm": settings.capsule_batch_norm,
            "n_channels": widened(settings, "n_channels"),
            "primary_dim_capsule": settings.primary_dim_capsule,
            "num_capsule": settings.num_capsule,
            "dim_capsule": settings.dim_capsule,
            "routing": settings.routing,
            "routings": settings.routings,
            "dropout": settings.dropout,
            "initializer": settings.initializer,
            **given(hidden_activation=settings.capsule_activation),
        }

    def default_optimizers(self) -> OptimizerPair:
        """Return Adam(2e-4, 0.5) for the generator, and 1e-4 or 2e-4 for the discriminator.

        A batch-normalized capsule discriminator is far ahead at equal rates for the first epochs,
        and the generator learns late. Such a discriminator gets 1e-4.
        """
        normalized = any(
            isinstance(layer, keras.layers.BatchNormalization)
            for layer in self.discriminator.layers
        )
        return dcgan_adams(2e-4, 1e-4 if normalized else 2e-4)


@keras.saving.register_keras_serializable(package="capsgan_keras")
class ConvolutionalGAN(_GANWithDefaults):
    """The paper's opponent: the same generator, a DCGAN discriminator, binary cross-entropy.

    Arguments as in `CapsuleGAN`. The default discriminator is that of
    `build_convolutional_discriminator`, which takes the `discriminator_options`. The default loss
    is `keras.losses.BinaryCrossentropy()`.

    Example:

    ```python
    from capsgan_keras import ConvolutionalGAN

    gan = ConvolutionalGAN(image_shape=(16, 16, 1), latent_dim=8, seed=0)
    images = gan.generate(4, seed=0)  # uint8 (4, 16, 16, 1)
    scores = gan.discriminate(images)  # float32 (4,): how real each image looks
    ```
    """

    build_discriminator = staticmethod(build_convolutional_discriminator)
    default_loss = keras.losses.BinaryCrossentropy
    rate_setting = "convolutional_learning_rate"

    @staticmethod
    def options_of_discriminator(settings: NetworkSettings) -> dict[str, Any]:
        """Return the arguments of `build_convolutional_discriminator` that settings stand for."""
        dropout = settings.convolutional_dropout
        return {
            "filters": widened(settings, "convolutional_filters"),
            "batch_norm": settings.convolutional_batch_norm,
            "dropout": settings.dropout if dropout is None else dropout,
            "initializer": settings.initializer,
            **given(
                downsampling=settings.convolutional_downsampling,
                hidden_activation=settings.convolutional_activation,
                convolution_dropout=settings.convolutional_layer_dropout,
                units=widened(settings, "convolutional_units"),
                head=settings.convolutional_head,
                activation=activation_of(settings),
            ),
        }
