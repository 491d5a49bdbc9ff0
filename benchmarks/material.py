"""What the benchmarks work on: synthetic images, and GANs that were trained for a moment."""

import numpy as np

SEED = 0
_CHUNK = 10_000
"""Images held as floats at a time."""


def synthetic_images(count, shape=(28, 28, 1), seed=SEED):
    """Make images of ten classes: a random prototype each, with noise.

    Args:
        count: How many.
        shape: `(height, width, channels)`.
        seed: Of prototypes, classes and noise.

    Returns:
        uint8 images `(count, height, width, channels)` and int64 classes `(count,)` in 0 to 9.
    """
    rng = np.random.default_rng(seed)
    prototypes = rng.integers(0, 256, (10, *shape)).astype(np.float32)
    classes = rng.integers(0, 10, count)
    images = np.empty((count, *shape), np.uint8)
    for start in range(0, count, _CHUNK):
        part = slice(start, start + _CHUNK)
        pixels = 150 * rng.standard_normal(images[part].shape, np.float32)
        images[part] = np.clip(pixels + prototypes[classes[part]], 0, 255)
    return images, classes


def trained_gan(model, shape, steps, batch_size=64):
    """Return a GAN that has had a few steps on synthetic images, in float32.

    Of untrained networks all images are nearly grey and all scores nearly alike, so that two
    ways to compute them would agree whatever they did.

    Args:
        model: `"capsule"` or `"convolutional"`.
        shape: `(height, width, channels)`.
        steps: How many.
        batch_size: Images in a step.
    """
    from benchmarks.training import new_gan

    gan = new_gan(model, shape, "float32")
    gan.compile()
    images, _ = synthetic_images(steps * batch_size, shape)
    for batch in images.reshape(steps, batch_size, *shape):
        gan.train_on_batch(batch)
    return gan
