"""Trainings that show, to the bit, what the number of routings does with one final capsule."""

import dataclasses

import keras
import numpy as np
from keras import ops

from capsgan_keras import GAN
from capsgan_keras.layers import CapsuleLayer
from capsgan_keras.routing.blockwise import route_inputs
from experiments.study.training import start, train

TRAININGS = {
    "package": ("dynamic", False, (1, 3)),
    "computed": ("dynamic", True, (2, 3)),
    "leaky": ("leaky", False, (2, 3)),
}
"""Kind of routing, whether one capsule's is computed too, and the numbers of routings compared."""


class ComputedRouting(CapsuleLayer):
    """A `CapsuleLayer` that computes the routing of one capsule, which has a shorter way."""

    def call(self, inputs):
        """Return the output capsules of `inputs`."""
        shape = (*inputs.shape[1:], self.num_capsule, self.dim_capsule)
        return route_inputs(inputs, ops.reshape(self.kernel, shape), routings=self.routings)


def compare_routings(settings, policy, images, sizes):
    """Train with two numbers of routings each time, and compare all weights at the end.

    Three pairs, from the same seed and with the same batches:

    - `package`: the package's layer with 1 and 3 routings. It takes the short way for one capsule.
    - `computed`: 2 and 3 routings with every coupling computed and differentiated. Not 1, whose
      sum is taken in another order and so rounded otherwise.
    - `leaky`: 2 and 3 leaky routings, where the couplings are not 1. They must differ, or the
      comparison could not tell.

    Equal bits need kernels that add up in a fixed order, as those of the CPU do.

    Args:
        settings: `experiments.settings.training.Settings` of the capsule model with one capsule.
        policy: Name of the dtype policy.
        images: uint8 `(n, height, width, channels)`.
        sizes: `experiments.study.cases.StudySizes`; `proof_steps` is the length.

    Returns:
        Dictionary, as JSON can hold it, from each pair to `routings`, `steps`, `numbers` (how many
        were compared: both networks' variables) and `different` (how many of these differ in any
        bit).

    Raises:
        ArithmeticError: Where a training is not finite.
    """
    steps = sizes.proof_steps
    sizes = dataclasses.replace(sizes, steps=steps, every=steps)
    results = {}
    for name, (routing, computed, numbers) in TRAININGS.items():
        one, other = (
            _weights(settings, policy, images, sizes, routing, routings, computed)
            for routings in numbers
        )
        results[name] = {
            "routings": list(numbers),
            "steps": steps,
            "numbers": len(one),
            "different": int(np.count_nonzero(one.view(np.uint32) != other.view(np.uint32))),
        }
    return results


def _weights(settings, policy, images, sizes, routing, routings, computed):
    """Train, and return all variables of both networks as one float32 array."""
    settings = dataclasses.replace(settings, routing=routing, routings=routings)
    gan = start(settings, policy, images.shape[1:], sizes.steps)
    if computed:
        gan = _with_computed_routing(gan)
    training = train(gan, settings, images, sizes)
    if training.diverged:
        raise ArithmeticError(training.diverged)
    variables = [*gan.generator.weights, *gan.discriminator.weights]
    return np.concatenate([ops.convert_to_numpy(variable).ravel() for variable in variables])


def _with_computed_routing(gan):
    """Return the same GAN with a discriminator of the same weights that computes its routing."""

    def clone(layer):
        kind = ComputedRouting if isinstance(layer, CapsuleLayer) else type(layer)
        return kind.from_config(layer.get_config())

    discriminator = keras.models.clone_model(gan.discriminator, clone_function=clone)
    discriminator.set_weights(gan.discriminator.get_weights())
    again = GAN(gan.generator, discriminator, gan.loss, seed=gan.seed)
    again.compile_from_config(gan.get_compile_config())
    return again
