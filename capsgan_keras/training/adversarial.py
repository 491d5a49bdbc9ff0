"""The adversarial step, in `keras.ops` alone.

A backend's trainer gives it two functions:

`differentiate(gan, forward, groups)` calls `forward() -> (losses, outputs)` and returns
`(losses, outputs, gradients)`, where `gradients[k]` holds the gradients of `losses[k]` with
respect to the variables in `groups[k]`. What `forward` changes in moving averages and seeds is
kept.

`apply_gradients(gan, optimizer, gradients, variables)` updates the variables.

Several replicas each take their own rows of the batch's noise and images. Losses and logs are
those of D's outputs on the global batch, which `Batch.gather` puts together.
"""

from collections.abc import Callable

import keras
from keras import ops

from capsgan_keras.types import Tensor


class Batch:
    """The images of one step, all on one device.

    Args:
        real: Images `(batch, height, width, channels)`.
        labels: Their classes, int32 `(batch,)`; None where they are not used.

    Attributes:
        real: The images.
        labels: Their classes.
        size: Number of images in the global batch.
    """

    def __init__(self, real: Tensor, labels: Tensor | None = None) -> None:
        self.real = real
        self.labels = labels
        self.size = ops.shape(real)[0]

    def local_rows(self, tensor: Tensor) -> Tensor:
        """Return the rows of a tensor of the global batch that belong to `real`."""
        return tensor

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the rows of the global batch, from a tensor with those of `real`."""
        return tensor


def check_compiled(gan: keras.Model) -> None:
    """Raise a `ValueError` where layers were frozen, or thawed, after `compile`.

    Offsets of categories stay frozen.
    """
    if gan.optimizer is None:
        return  # Keras says that `compile` is missing
    optimizer = getattr(gan.optimizer, "inner_optimizer", gan.optimizer)
    compiled = {id(variable) for variable in optimizer._trainable_variables}
    gan.freeze_offsets()
    trainable = {id(variable) for player in gan.player_variables for variable in player}
    if trainable != compiled:
        raise ValueError(
            "`trainable` has changed since `compile`, whose optimizers still hold the variables "
            "of before: compile again. "
            f"Received: {len(trainable)} trainable variables, compiled for {len(compiled)}"
        )


def train_step(
    gan: keras.Model, batch: Batch, differentiate: Callable, apply_gradients: Callable
) -> dict[str, Tensor]:
    """Update both players on one batch of real images and return the logs."""
    if gan.update == "alternating":
        results = _alternating(gan, batch, differentiate, apply_gradients)
    else:
        results = _simultaneous(gan, batch, differentiate, apply_gradients)
    return gan.update_metrics(*results)


def test_step(gan: keras.Model, batch: Batch) -> dict[str, Tensor]:
    """Score one batch of held-out images and as many generated ones; return the logs."""
    latents = batch.local_rows(gan.sample_latents(batch.size, evaluation=True))
    on_generated = gan.judge_generated(batch, latents, training=False)
    beside = gan.beside_real(batch, training=False)
    on_real = gan.judge_real(batch, training=False, beside=beside)
    losses = (
        gan.discriminator_loss(on_real, on_generated),
        gan.generator_loss(on_generated, on_real) + gan.label_loss(batch, beside),
    )
    return gan.update_metrics(*losses, on_real, on_generated)


def _simultaneous(gan, batch, differentiate, apply_gradients):
    """Let both players learn from the same forward pass, as in the paper's stack."""
    players = gan.player_variables

    def forward():
        penalty = gan.penalty(batch)  # first: see `penalty`
        latents = batch.local_rows(gan.sample_latents(batch.size))
        on_generated = gan.judge_generated(batch, latents)
        beside = gan.beside_real(batch, training=True)
        on_real = gan.judge_real(batch, beside=beside)
        generator_loss = gan.generator_loss(on_generated, on_real) + gan.label_loss(batch, beside)
        discriminator_loss = gan.discriminator_loss(on_real, on_generated) + penalty
        scaled = gan.scale_loss(generator_loss), gan.scale_loss(discriminator_loss)
        return scaled, (discriminator_loss, generator_loss, on_real, on_generated)

    _, results, (generator_gradients, discriminator_gradients) = differentiate(
        gan, forward, players
    )
    gradients = [*generator_gradients, *discriminator_gradients]
    apply_gradients(gan, gan.optimizer, gradients, [*players[0], *players[1]])
    return results


def _alternating(gan, batch, differentiate, apply_gradients):
    """Update the discriminator, then the generator against it, with new noise."""

    def discriminator_forward():
        penalty = gan.penalty(batch)  # first: see `penalty`
        latents = batch.local_rows(gan.sample_latents(batch.size))
        on_generated = gan.judge_generated(batch, latents, teach_generator=False)
        on_real = gan.judge_real(batch, teach_generator=False)
        loss = gan.discriminator_loss(on_real, on_generated) + penalty
        return (gan.scale_loss(loss),), (loss, on_real, on_generated)

    def generator_forward():
        latents = batch.local_rows(gan.sample_latents(batch.size))
        on_generated = gan.judge_generated(batch, latents)
        if gan.generator_learns_from_real:
            beside = gan.beside_real(batch, training=True)
            on_real = gan.judge_real(batch, beside=beside)
            loss = gan.generator_loss(on_generated, on_real) + gan.label_loss(batch, beside)
        else:
            loss = gan.generator_loss(on_generated)
        return (gan.scale_loss(loss),), loss

    of_generator, of_discriminator = gan.player_variables
    _, results, (gradients,) = differentiate(gan, discriminator_forward, (of_discriminator,))
    apply_gradients(gan, gan.discriminator_optimizer, gradients, of_discriminator)
    discriminator_loss, on_real, on_generated = results

    _, generator_loss, (gradients,) = differentiate(gan, generator_forward, (of_generator,))
    apply_gradients(gan, gan.generator_optimizer, gradients, of_generator)
    return discriminator_loss, generator_loss, on_real, on_generated
