"""The adversarial step, in `keras.ops` alone.

A backend's trainer gives it two functions:

`differentiate(gan, play, groups)` calls `play() -> (losses, outputs)` and returns
`(losses, outputs, gradients)`, where `gradients[k]` holds the gradients of `losses[k]` with
respect to the variables in `groups[k]`; moving averages and seeds that `play` changes stay
changed.

`apply_gradients(gan, optimizer, gradients, variables)` updates the variables.
"""

from keras import ops


def train_step(gan, real, differentiate, apply_gradients):
    """Update both players on one batch of real images and return the logs."""
    if gan.update == "alternating":
        results = _alternating(gan, real, differentiate, apply_gradients)
    else:
        results = _simultaneous(gan, real, differentiate, apply_gradients)
    return gan.update_metrics(*results)


def test_step(gan, real):
    """Score one batch of held-out images and as many generated ones; return the logs."""
    latents = gan.sample_latents(ops.shape(real)[0], evaluation=True)
    generated = gan.generator(latents, training=False)
    on_generated = gan.discriminator(generated, training=False)
    on_real = gan.discriminator(real, training=False)
    losses = gan.discriminator_loss(on_real, on_generated), gan.generator_loss(on_generated)
    return gan.update_metrics(*losses, on_real, on_generated)


def _simultaneous(gan, real, differentiate, apply_gradients):
    """Both players learn from the same forward pass, as in the paper's stack."""
    players = gan.generator.trainable_variables, gan.discriminator.trainable_variables

    def play():
        generated = gan.generator(gan.sample_latents(ops.shape(real)[0]), training=True)
        on_generated = gan.discriminator(generated, training=True)
        on_real = gan.discriminator(real, training=True)
        generator_loss = gan.generator_loss(on_generated)
        discriminator_loss = gan.discriminator_loss(on_real, on_generated)
        scaled = gan.scale_loss(generator_loss), gan.scale_loss(discriminator_loss)
        return scaled, (discriminator_loss, generator_loss, on_real, on_generated)

    _, results, (generator_gradients, discriminator_gradients) = differentiate(gan, play, players)
    gradients = [*generator_gradients, *discriminator_gradients]
    apply_gradients(gan, gan.optimizer, gradients, [*players[0], *players[1]])
    return results


def _alternating(gan, real, differentiate, apply_gradients):
    """First the discriminator, then the generator against it with new noise."""
    batch_size = ops.shape(real)[0]

    def discriminate():
        generated = gan.generator(gan.sample_latents(batch_size), training=True)
        on_generated = gan.discriminator(ops.stop_gradient(generated), training=True)
        on_real = gan.discriminator(real, training=True)
        loss = gan.discriminator_loss(on_real, on_generated)
        return (gan.scale_loss(loss),), (loss, on_real, on_generated)

    def generate():
        generated = gan.generator(gan.sample_latents(batch_size), training=True)
        loss = gan.generator_loss(gan.discriminator(generated, training=True))
        return (gan.scale_loss(loss),), loss

    variables = gan.discriminator.trainable_variables
    _, results, (gradients,) = differentiate(gan, discriminate, (variables,))
    apply_gradients(gan, gan.discriminator_optimizer, gradients, variables)
    discriminator_loss, on_real, on_generated = results

    variables = gan.generator.trainable_variables
    _, generator_loss, (gradients,) = differentiate(gan, generate, (variables,))
    apply_gradients(gan, gan.generator_optimizer, gradients, variables)
    return discriminator_loss, generator_loss, on_real, on_generated
