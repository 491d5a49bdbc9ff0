"""The settings of `python -m experiments.bigan` for each data set."""

import dataclasses

from experiments.settings.encoders import EncoderSettings

_COMMON = EncoderSettings(
    batch_size=64,
    # Of three pairs of rates, tried for 800 steps on MNIST with the convolutional encoder, these
    # had the nearest reconstructions and the best codes. At 2e-4 for all, with Adam's momentum of
    # 0.5, the discriminator was right about 94 of 100 pairs; at 1e-3 and 1e-4 it learnt nothing.
    # That was before encoders normalized by batches (docs/trials.md).
    beta_1=0.0,
    beta_2=0.99,
    generator_learning_rate=1e-3,
    discriminator_learning_rate=4e-4,
    decay=0.5,
    generator_ema=0.998,
    latent_dim=50,
)

PUBLISHED = {
    "mnist": dataclasses.replace(_COMMON, dataset="mnist", epochs=20),
    "cifar10": dataclasses.replace(_COMMON, dataset="cifar10", epochs=20, latent_dim=100),
    # No average, as in the settings of the other GANs for digits.
    "digits": dataclasses.replace(_COMMON, dataset="digits", epochs=40, generator_ema=0.0),
}


def settings_for(dataset):
    """Return the settings for a data set; one without its own gets those of digits.

    Args:
        dataset: Its name, as in `EncoderSettings`.
    """
    known = PUBLISHED.get(dataset)
    return known or dataclasses.replace(PUBLISHED["digits"], dataset=dataset)
