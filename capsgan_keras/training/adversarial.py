"""The adversarial step, in `keras.ops` alone.

A backend's trainer gives it two functions:

`differentiate(gan, play, groups)` calls `play() -> (losses, outputs)` and returns
`(losses, outputs, gradients)`, where `gradients[k]` holds the gradients of `losses[k]` with
respect to the variables in `groups[k]`; moving averages and seeds that `play` changes stay
changed.

`apply_gradients(gan, optimizer, gradients, variables)` updates the variables.

`batch` holds the images at hand, `batch.real`, and says how they belong to the batch of the step:
they are all of it (`WholeBatch`), or the part of one of several replicas. Each replica takes its
own part of the whole batch's noise; losses and logs are those of D's outputs on the whole batch.
"""

from keras import ops


class WholeBatch:
    """A batch that is not divided among replicas.

    Args:
        real: Its images.

    Attributes:
        real: The images.
        size: Number of images in the whole batch.
    """

    def __init__(self, real):
        self.real = real
        self.size = ops.shape(real)[0]

    def part(self, whole):
        """Return the rows of a tensor of the whole batch that belong to the images at hand."""
        return whole

    def whole(self, part):
        """Return the rows of the whole batch, where `part` has those of the images at hand."""
        return part


def train_step(gan, batch, differentiate, apply_gradients):
    """Update both players on one batch of real images and return the logs."""
    if gan.update == "alternating":
        results = _alternating(gan, batch, differentiate, apply_gradients)
    else:
        results = _simultaneous(gan, batch, differentiate, apply_gradients)
    return gan.update_metrics(*results)


def test_step(gan, batch):
    """Score one batch of held-out images and as many generated ones; return the logs."""
    latents = batch.part(gan.sample_latents(batch.size, evaluation=True))
    generated = gan.generator(latents, training=False)
    on_generated = batch.whole(gan.discriminator(generated, training=False))
    on_real = batch.whole(gan.discriminator(batch.real, training=False))
    losses = gan.discriminator_loss(on_real, on_generated), gan.generator_loss(on_generated)
    return gan.update_metrics(*losses, on_real, on_generated)


def _simultaneous(gan, batch, differentiate, apply_gradients):
    """Both players learn from the same forward pass, as in the paper's stack."""
    players = gan.generator.trainable_variables, gan.discriminator.trainable_variables

    def play():
        generated = gan.generator(batch.part(gan.sample_latents(batch.size)), training=True)
        on_generated = batch.whole(gan.discriminator(generated, training=True))
        on_real = batch.whole(gan.discriminator(batch.real, training=True))
        generator_loss = gan.generator_loss(on_generated)
        discriminator_loss = gan.discriminator_loss(on_real, on_generated)
        scaled = gan.scale_loss(generator_loss), gan.scale_loss(discriminator_loss)
        return scaled, (discriminator_loss, generator_loss, on_real, on_generated)

    _, results, (generator_gradients, discriminator_gradients) = differentiate(gan, play, players)
    gradients = [*generator_gradients, *discriminator_gradients]
    apply_gradients(gan, gan.optimizer, gradients, [*players[0], *players[1]])
    return results


def _alternating(gan, batch, differentiate, apply_gradients):
    """First the discriminator, then the generator against it with new noise."""

    def discriminate():
        generated = gan.generator(batch.part(gan.sample_latents(batch.size)), training=True)
        on_generated = gan.discriminator(ops.stop_gradient(generated), training=True)
        on_generated = batch.whole(on_generated)
        on_real = batch.whole(gan.discriminator(batch.real, training=True))
        loss = gan.discriminator_loss(on_real, on_generated)
        return (gan.scale_loss(loss),), (loss, on_real, on_generated)

    def generate():
        generated = gan.generator(batch.part(gan.sample_latents(batch.size)), training=True)
        loss = gan.generator_loss(batch.whole(gan.discriminator(generated, training=True)))
        return (gan.scale_loss(loss),), loss

    variables = gan.discriminator.trainable_variables
    _, results, (gradients,) = differentiate(gan, discriminate, (variables,))
    apply_gradients(gan, gan.discriminator_optimizer, gradients, variables)
    discriminator_loss, on_real, on_generated = results

    variables = gan.generator.trainable_variables
    _, generator_loss, (gradients,) = differentiate(gan, generate, (variables,))
    apply_gradients(gan, gan.generator_optimizer, gradients, variables)
    return discriminator_loss, generator_loss, on_real, on_generated
