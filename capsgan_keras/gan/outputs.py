"""What a discriminator's outputs are: probabilities, logits or scores."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_choice
from capsgan_keras.layers import CapsuleLayer, Length, SelectClass
from capsgan_keras.losses import HingeLoss, MarginLoss
from capsgan_keras.routing.choice import LENGTHS_ARE_PROBABILITIES
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
# Names of activations, and of Keras's layers and operations, without underlines.
_PROBABILITIES = ("sigmoid", "hardsigmoid", "softmax")
_OF_OTHER_RANGES = (
    *("celu", "elu", "exponential", "gelu", "glu", "hardshrink", "hardsilu", "hardswish"),
    *("hardtanh", "leakyrelu", "logsigmoid", "logsoftmax", "mish", "prelu", "relu", "relu6"),
    *("selu", "silu", "softplus", "softshrink", "softsign", "softmin", "sparseplus"),
    *("squareplus", "swish", "tanh", "tanhshrink", "threshold"),
)


def resolve_outputs(
    outputs: str | None, loss: keras.losses.Loss | Callable, discriminator: keras.Model
) -> str:
    """Return what a discriminator's outputs are.

    Args:
        outputs: One of `OUTPUTS`; or None, where the loss or the last layer leaves no doubt.
        loss: The GAN's loss.
        discriminator: The GAN's discriminator.

    Raises:
        ValueError: On something else, where None leaves a doubt, or where the last layer cannot
            give such outputs.
    """
    if outputs is None:
        outputs = _inferred(loss, discriminator)
    check_choice("discriminator_outputs", outputs, OUTPUTS)
    _check_last_activation(discriminator, outputs)
    last = _last_activation(discriminator.outputs[0])
    bounded = last in (*_PROBABILITIES, "length")
    if isinstance(loss, HingeLoss) and (
        outputs != "score" or bounded or discriminator.output_shape[-1] != 1
    ):
        raise ValueError(
            "`loss` HingeLoss is for one score, any number: the discriminator must end in no "
            "activation, and a capsule's length is never negative. Received: a discriminator of "
            f"{discriminator.output_shape[-1]} outputs, {outputs}s, that ends in {last}"
        )
    return outputs


def _inferred(loss: keras.losses.Loss | Callable, discriminator: keras.Model) -> str:
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


def ends_in_lengths(discriminator: keras.Model) -> bool:
    """Return whether a discriminator's outputs are the lengths of vectors."""
    return _measured(discriminator.outputs[0]) is not None


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


def _check_last_activation(discriminator: keras.Model, outputs: str) -> None:
    """Raise a `ValueError` where the last layer's activation is known, and does not fit."""
    activation = _last_activation(discriminator.outputs[0])
    refused = {
        "probability": _OF_OTHER_RANGES,
        "logit": (*_PROBABILITIES, *_OF_OTHER_RANGES),
        "score": (),
    }[outputs]
    measured = _measured(discriminator.outputs[0])
    others = isinstance(measured, CapsuleLayer) and not _gives_probabilities(measured)
    if outputs == "probability" and others:
        raise ValueError(
            "`discriminator` must end in lengths that are probabilities: those of capsules with "
            f"the routings {', '.join(map(repr, LENGTHS_ARE_PROBABILITIES))}. Received: another "
            "routing; `discriminator_outputs` 'score' takes its lengths"
        )
    constant = activation in ("softmax", "logsoftmax") and discriminator.output_shape[-1] == 1
    if activation in refused or constant:
        wanted = {
            "probability": "a sigmoid (or a softmax over two outputs)",
            "logit": "no activation",
            "score": "another activation than a softmax over one output",
        }[outputs]
        raise ValueError(
            f"`discriminator` must end in {wanted}, where its outputs are taken for {outputs}s; "
            "`discriminator_outputs` says what they are. "
            f"Received: a discriminator that ends in {activation}"
        )


def _ends_in_probabilities(output: keras.KerasTensor) -> bool:
    measured = _measured(output)
    if measured is not None:  # only capsules are sure to be shorter than 1
        return isinstance(measured, CapsuleLayer) and _gives_probabilities(measured)
    return _last_activation(output) in _PROBABILITIES


def _measured(output: keras.KerasTensor) -> keras.Operation | None:
    """Return the layer whose vectors' lengths an output holds; None where it holds no lengths."""
    layer = _last_layer(output)
    if not isinstance(layer, Length):
        return None
    return _unwrapped(layer.input._keras_history.operation)


def _gives_probabilities(capsules: CapsuleLayer) -> bool:
    return capsules.routing in LENGTHS_ARE_PROBABILITIES


def _last_activation(output: keras.KerasTensor) -> str:
    """Return the name of the last activation, or of the last layer or operation's class."""
    layer = _last_layer(output)
    activation = getattr(layer, "activation", None)
    name = type(layer).__name__ if activation is None else getattr(activation, "__name__", "")
    return name.replace("_", "").lower()


def _last_layer(output: keras.KerasTensor) -> keras.Operation:
    """Return what made an output, within a model too, and before a change of shape alone."""
    layer = _unwrapped(output._keras_history.operation)
    if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        return _last_layer(layer.outputs[0])
    if isinstance(layer, SelectClass):
        return _last_layer(layer.input[0])
    if isinstance(layer, (keras.layers.Flatten, keras.layers.Reshape, keras.layers.Identity)):
        return _last_layer(layer.input)
    return layer


def _unwrapped(layer: keras.Operation) -> keras.Operation:
    """Return the layer that is normalized spectrally, or the layer itself."""
    return layer.layer if isinstance(layer, keras.layers.SpectralNormalization) else layer
