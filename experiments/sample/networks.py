"""The generator to take images from: of a run, of a file, or of what comes with the package."""

import dataclasses
import hashlib
from pathlib import Path

import keras
import numpy as np

from capsgan_keras import GAN
from capsgan_keras.files import standing, usable_path
from capsgan_keras.pretrained.loading import find_run, package_names
from capsgan_keras.runs.models import load_model
from experiments.errors import EvaluationError


@dataclasses.dataclass(frozen=True)
class Networks:
    """A generator, and where it is from.

    Attributes:
        model: A `GAN` or a generator: `predict` turns latents into images in [-1, 1].
        source: The path or the name that it was found by.
        epoch: How many epochs it was trained; None where a file does not say it.
        epochs: How many the whole run has; None where that is not known.
    """

    model: keras.Model
    source: str
    epoch: int | None = None
    epochs: int | None = None

    @property
    def generator(self):
        """The generator alone."""
        return self.model.generator if isinstance(self.model, GAN) else self.model

    @property
    def latent_dim(self):
        """The components of a latent vector."""
        return self.generator.input_shape[-1]

    @property
    def image_shape(self):
        """`(height, width, channels)` of the images."""
        return tuple(self.generator.output_shape[1:])

    @property
    def text(self):
        """Where the generator is from, and its epoch."""
        if self.epoch is None:
            return self.source
        return f"{self.source}, epoch {self.epoch}" + (f" of {self.epochs}" if self.epochs else "")

    def checksum(self):
        """Return the SHA-256 of what sets the images: weights, shapes and precision."""
        digest = hashlib.sha256(repr((self.latent_dim, self.image_shape)).encode())
        for layer in self.generator._flatten_layers():
            digest.update(f"{type(layer).__name__} {layer.dtype_policy.name}".encode())
        for weight in self.generator.get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
        return digest.hexdigest()


def find_networks(word, epoch=None):
    """Return the `Networks` that a person names.

    Args:
        word: A `.keras` file, or what `find_run` takes: the folder of a run, one that was made to
            be shared, or `<data set>/<model>` of what comes with the package.
        epoch: A kept epoch of the run; None for its newest networks.

    Raises:
        RunError: Where a run or a file is damaged, or has no networks yet.
        EvaluationError: Where nothing is there, or a file holds no generator of images.
    """
    place = standing(usable_path(word, "networks"))
    if place.is_file():
        if epoch is not None:
            raise EvaluationError(f"{word}: a file has no kept epochs. Received: --epoch {epoch}")
        return _checked(Networks(load_model(place), str(word)))
    names = package_names()
    if not place.exists() and Path(word).as_posix() not in names:
        raise EvaluationError(
            f"{word}: is neither a run's folder, nor a .keras file, nor what comes with the "
            f"package: {', '.join(names)}"
        )
    run = find_run(word)
    epochs = run.config["settings"].get("epochs")
    if epoch is not None:
        return _checked(Networks(run.load_kept(epoch), str(word), epoch, epochs))
    gan, epoch = run.newest()
    return _checked(Networks(gan, str(word), epoch, epochs))


def _checked(networks):
    ends = ("input_shape", "output_shape")
    shapes = [getattr(networks.generator, end, None) for end in ends]
    latents, images = (shape if isinstance(shape, tuple) else () for shape in shapes)
    if len(latents) != 2 or len(images) != 4 or images[-1] not in (1, 3, 4):
        raise EvaluationError(
            f"{networks.source}: holds no generator: it must turn latents (batch, latent_dim) into "
            f"images (batch, height, width, 1, 3 or 4). Received: a model from {shapes[0]} to "
            f"{shapes[1]}"
        )
    return networks
