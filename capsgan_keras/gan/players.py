"""What the train step asks of a GAN: images, noise, losses and logs."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.gan.first_batch import refuse_weights
from capsgan_keras.gan.input_checks import check_batch, check_latents, checked_latents
from capsgan_keras.gan.labels import LabelRange, classes_of, labels_of_batch
from capsgan_keras.gan.outputs import first_output
from capsgan_keras.gan.penalty import gradient_penalties
from capsgan_keras.models.generator import category_offsets
from capsgan_keras.training import AdversarialTrainer, loss_divisor
from capsgan_keras.training.adversarial import Batch
from capsgan_keras.types import Shape, Tensor


class Players(AdversarialTrainer):
    """A generator and a discriminator with the losses and logs of both; see `GAN`."""

    @property
    def latent_dim(self) -> int:
        """Number of components of a latent vector."""
        return self.generator.input_shape[-1]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of the images."""
        return tuple(self.generator.output_shape[1:])

    def build(self, input_shape: Shape) -> None:
        """Do nothing: both networks are built."""
        del input_shape
        self.built = True

    def compute_output_spec(self, latents: Tensor, training: bool = False) -> keras.KerasTensor:
        """Return the shape and dtype of the images, without a forward pass."""
        del training
        check_latents(latents, self.latent_dim)
        dtype = self.generator.outputs[0].dtype
        return keras.KerasTensor((latents.shape[0], *self.image_shape), dtype=dtype)

    def real_images(self, data: Any) -> Tensor:
        """Return a batch's images as float32 in [-1, 1]."""
        images, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        refuse_weights(sample_weight=sample_weight)
        check_batch("x", images, self.image_shape)
        scaled = ops.cast(images, "float32")
        if keras.backend.standardize_dtype(images.dtype) == "uint8":
            scaled = scaled / 127.5 - 1.0
        return scaled

    num_classes: int | None = None
    """Number of classes; None where labels are not used."""

    @property
    def label_range(self) -> LabelRange | None:
        """The labels that training takes; None where labels are not used."""
        return None if self.num_classes is None else LabelRange(self.num_classes)

    def real_labels(self, data: Any) -> Tensor | None:
        """Return a batch's classes, int32 `(batch,)`; None where labels are not used."""
        return None if self.num_classes is None else labels_of_batch(data)

    @property
    def player_variables(self) -> tuple[list[keras.Variable], list[keras.Variable]]:
        """The trainable variables of the generator's side, and of the discriminator's."""
        return self.generator.trainable_variables, self.discriminator.trainable_variables

    def freeze_offsets(self) -> None:
        """Freeze a generator's offsets of categories, which have no gradient.

        They are frozen from the start. But freezing the generator and then letting it train again
        thaws all of its layers.
        """
        if (offsets := category_offsets(self.generator)) is not None:
            offsets.trainable = False

    generator_learns_from_real = False
    """Whether outputs on real images have a gradient for the generator's side."""

    def shape_beside(self, generator: keras.Model) -> Shape | None:
        """Return the shape, without the batch, of what the discriminator sees beside images."""
        del generator
        return None if self.num_classes is None else ()

    def beside_generated(self, latents: Tensor) -> Tensor | None:
        """Return what the discriminator sees beside the images of latents: their classes."""
        return None if self.num_classes is None else classes_of(latents, self.num_classes)

    def beside_real(self, batch: Batch, training: bool) -> Tensor | None:
        """Return what the discriminator sees beside real images: their classes."""
        del training
        return batch.labels

    def judge(self, images: Tensor, beside: Tensor | None, training: bool) -> Tensor:
        """Return the discriminator's outputs for images and what is beside them."""
        inputs = images if beside is None else [images, beside]
        return self.discriminator(inputs, training=training)

    def judge_generated(
        self, batch: Batch, latents: Tensor, training: bool = True, teach_generator: bool = True
    ) -> Tensor:
        """Return the discriminator's outputs on the images of latents, for the global batch.

        Args:
            batch: The batch.
            latents: Its own rows of the latents.
            training: As in Keras.
            teach_generator: Whether gradients reach the generator's side.
        """
        generated = self.generator(latents, training=training)
        beside = self.beside_generated(latents)
        if not teach_generator:
            generated = ops.stop_gradient(generated)
        return batch.gather(self.judge(generated, beside, training))

    def judge_real(
        self,
        batch: Batch,
        training: bool = True,
        teach_generator: bool = True,
        beside: Tensor | None = None,
    ) -> Tensor:
        """Return the discriminator's outputs on real images, as `judge_generated` does.

        Args:
            batch: The batch.
            training: As in Keras.
            teach_generator: Whether gradients reach the generator's side.
            beside: What `beside_real` returned for the batch; None to ask for it.
        """
        if beside is None:
            beside = self.beside_real(batch, training)
        if self.generator_learns_from_real and not teach_generator:
            beside = ops.stop_gradient(beside)
        return batch.gather(self.judge(batch.real, beside, training))

    def sample_latents(self, batch_size: int | Tensor, evaluation: bool = False) -> Tensor:
        """Draw latents `(batch_size, latent_dim)` from the model's noise."""
        noise = self.evaluation_noise if evaluation else self.noise
        return keras.random.normal((batch_size, self.latent_dim), dtype="float32", seed=noise)

    def generator_loss(self, on_generated: Tensor, on_real: Tensor | None = None) -> Tensor:
        """Return `loss(1, D(G(z)))`, or what the loss has for it, averaged over the batch.

        Args:
            on_generated: The discriminator's outputs on generated images.
            on_real: Those on real images, for models whose `generator_learns_from_real`.
        """
        del on_real
        own = getattr(self.loss, "generator_loss", None)
        if own is None:
            loss = self._mean_loss(on_generated, real=True)
        else:
            loss = ops.mean(own(on_generated))
        return loss + sum(self.generator.losses)

    def label_loss(self, batch: Batch, beside: Tensor | None) -> Tensor | float:
        """Return what labels add to the loss of the generator's side: for a plain GAN nothing.

        Args:
            batch: The batch.
            beside: What `beside_real` returned for it.
        """
        del batch, beside
        return 0.0

    def discriminator_loss(self, on_real: Tensor, on_generated: Tensor) -> Tensor:
        """Return `loss(1, D(x)) + loss(0, D(G(z)))`, each averaged over the batch."""
        losses = self._mean_loss(on_real, real=True) + self._mean_loss(on_generated, real=False)
        return losses + sum(self.discriminator.losses)

    def penalty(self, batch: Batch) -> Tensor | float:
        """Return the mean gradient penalty on a batch's real images; 0 where there is none.

        It is taken before a step's training passes, with the moving averages of earlier steps. JAX
        would differentiate averages that the same step has updated, and TensorFlow would not.
        """
        if not self.gradient_penalty:
            return 0.0
        beside = self.beside_real(batch, training=False)
        return ops.mean(batch.gather(gradient_penalties(self, batch.real, beside)))

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
        """Turn the discriminator's outputs into probabilities of being real, `(batch,)`.

        Where `discriminator_outputs` is `"score"`, return the scores as they are.
        """
        return first_output(outputs, self.discriminator_outputs, self.loss)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Running means of the losses, of D's outputs and of D's accuracy."""
        return list(self._means.values())

    def update_metrics(
        self, d_loss: Tensor, g_loss: Tensor, on_real: Tensor, on_generated: Tensor
    ) -> dict[str, Tensor]:
        """Add one batch to the running means; return them as logs."""
        real, generated = self.probabilities(on_real), self.probabilities(on_generated)
        real_accuracy = ops.mean(ops.cast(real >= self._accuracy_cut, "float32"))
        generated_accuracy = ops.mean(ops.cast(generated < self._accuracy_cut, "float32"))
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

    def predict_on_batch(self, x: Any) -> Any:
        """Return images for one batch of latents, an array or a tensor, as `predict` does."""
        return super().predict_on_batch(checked_latents(x, self.latent_dim))
