"""What a discriminator's outputs are: probabilities, logits or scores."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_choice
from capsgan_keras.layers import CapsuleLayer, Length, SpectralNormalization
from capsgan_keras.losses import HingeLoss, MarginLoss
from capsgan_keras.types import Tensor

OUTPUTS = ("probability", "logit", "score")
_ON_PROBABILITIES = (
    MarginLoss,
    keras.losses.BinaryCrossentropy,
    keras.losses.BinaryFocalCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
)
_CATEGORICAL = _ON_PROBABILITIES[-2:]
_FUNCTIONS = (keras.losses.binary_crossentropy, keras.losses.categorical_crossentropy)
_PROBABILITIES = ("sigmoid", "hard_sigmoid", "softmax")


def resolve_outputs(
    outputs: str | None, loss: keras.losses.Loss | Callable, discriminator: keras.Model
) -> str:
    """Return what a discriminator's outputs are.

    Args:
        outputs: One of `OUTPUTS`; or None, where the loss or the last layer leaves no doubt.
        loss: The GAN's loss.
        discriminator: The GAN's discriminator.

    Raises:
        ValueError: On something else, or where None leaves a doubt.
    """
    if outputs is not None:
        check_choice("discriminator_outputs", outputs, OUTPUTS)
        return outputs
    if getattr(loss, "from_logits", False):
        return "logit"
    if isinstance(loss, HingeLoss):
        return "score"
    on_probabilities = isinstance(loss, _ON_PROBABILITIES) or loss in _FUNCTIONS
    if on_probabilities or _ends_in_probabilities(discriminator.outputs[0]):
        return "probability"
    raise ValueError(
        "`discriminator_outputs` must say what the discriminator's outputs are, since neither the "
        "loss nor the last layer shows it: 'probability', 'logit' or 'score' (any number, larger "
        f"for real images). Received: discriminator_outputs=None, loss={loss!r}"
    )


def outputs_of_old_files(loss: keras.losses.Loss | Callable) -> str:
    """Return what was taken for granted before files said what the outputs are."""
    return "logit" if getattr(loss, "from_logits", False) else "probability"


def check_probabilities(outputs: np.ndarray) -> None:
    """Raise a `ValueError` unless all outputs lie in [0, 1]."""
    low, high = float(outputs.min()), float(outputs.max())
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(
            "The discriminator must give probabilities, in [0, 1]: else make the GAN with "
            "`discriminator_outputs` 'logit' or 'score'. "
            f"Received: outputs in [{low:g}, {high:g}]"
        )


def first_output(outputs: Tensor, kind: str, loss: keras.losses.Loss | Callable) -> Tensor:
    """Return the probability or the score of being real, `(batch,)`.

    Args:
        outputs: The discriminator's outputs, `(batch, 1)` or `(batch, 2)`.
        kind: One of `OUTPUTS`.
        loss: The GAN's loss: two logits of a categorical loss share one softmax.
    """
    if kind == "logit" and outputs.shape[-1] == 2 and isinstance(loss, _CATEGORICAL):
        return ops.softmax(outputs, axis=-1)[:, 0]
    return ops.sigmoid(outputs[:, 0]) if kind == "logit" else outputs[:, 0]


def first_score(outputs: Tensor, kind: str, loss: keras.losses.Loss | Callable) -> Tensor:
    """Return the logit of being real, or the score, `(batch,)`; arguments as `first_output`.

    Probabilities count as at most 1e-6 away from 0 and 1.
    """
    if kind == "logit":
        two = outputs.shape[-1] == 2 and isinstance(loss, _CATEGORICAL)
        return outputs[:, 0] - outputs[:, 1] if two else outputs[:, 0]
    if kind == "score":
        return outputs[:, 0]
    probability = ops.clip(outputs[:, 0], 1e-6, 1.0 - 1e-6)
    return ops.log(probability) - ops.log1p(-probability)


def _ends_in_probabilities(output: keras.KerasTensor) -> bool:
    layer = output._keras_history.operation
    if isinstance(layer, keras.Model):
        return bool(getattr(layer, "outputs", None)) and _ends_in_probabilities(layer.outputs[0])
    if isinstance(layer, Length):  # only capsules are sure to be shorter than 1
        before = layer.input._keras_history.operation
        wrapped = isinstance(before, SpectralNormalization)
        return isinstance(before.layer if wrapped else before, CapsuleLayer)
    if isinstance(layer, SpectralNormalization):
        layer = layer.layer
    activation = getattr(getattr(layer, "activation", None), "__name__", None)
    return isinstance(layer, keras.layers.Softmax) or activation in _PROBABILITIES
