"""The settings of `python -m experiments.bigan` for each data set."""

import dataclasses

from experiments.settings.encoders import EncoderSettings

_COMMON = EncoderSettings(
    batch_size=64,
    # BiGAN's own: Adam with these momenta for all networks.
    beta_1=0.5,
    beta_2=0.999,
    generator_learning_rate=2e-4,
    discriminator_learning_rate=2e-4,
    latent_dim=50,
)

PUBLISHED = {
    "mnist": dataclasses.replace(_COMMON, dataset="mnist", epochs=20, decay=0.5),
    "cifar10": dataclasses.replace(
        _COMMON, dataset="cifar10", epochs=20, decay=0.5, latent_dim=100
    ),
    "digits": dataclasses.replace(_COMMON, dataset="digits", epochs=40, decay=0.5),
}


def settings_for(dataset):
    """Return the settings for a data set; one without its own gets those of digits.

    Args:
        dataset: Its name, as in `EncoderSettings`.
    """
    known = PUBLISHED.get(dataset)
    return known or dataclasses.replace(PUBLISHED["digits"], dataset=dataset)
