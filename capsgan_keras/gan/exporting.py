"""Exporting a GAN's networks, by Keras, to formats that run without this package."""

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_choice
from capsgan_keras.files import file_in_the_way, names_in, replacing, usable_path
from capsgan_keras.types import Tensor

BACKENDS = {
    "tf_saved_model": ("tensorflow", "jax"),
    "onnx": ("tensorflow",),
    "litert": ("tensorflow",),
}
"""The formats, each with the Keras backends that export to it."""
PARTS = ("generator", "discriminator")
"""The networks of a GAN without an encoder."""
_CONVERTERS = {"tf_saved_model": "tensorflow", "onnx": "tf2onnx", "litert": "tensorflow"}
_SAVED_MODEL = {
    *("saved_model.pb", "fingerprint.pb", "variables"),
    *("assets", "assets.extra", "keras_metadata.pb"),
}
"""What TensorFlow and Keras write into the folder of a SavedModel; the first is always there."""
_INSTALL = 'pip install "capsgan_keras[export]"'


class _FirstLargest(keras.Operation):
    """The place of the first of the largest components, as `keras.ops.argmax` gives it.

    On TensorFlow, Keras's own tells 0 from -0 by operations that neither ONNX nor LiteRT has.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """Return `(...)`, int32, for `(..., n)`."""
        return ops.top_k(inputs, 1)[1][..., 0]

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Return the shape and dtype of the places."""
        return keras.KerasTensor(inputs.shape[:-1], dtype="int32")


class _RepeatPixels(keras.layers.Layer):
    """Nearest-neighbour upsampling by operations that keep the shape known.

    Keras repeats rows and columns in a way whose shape LiteRT's converter loses.
    """

    def __init__(self, size: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs: Tensor) -> Tensor:
        """Return `(batch, height * size[0], width * size[1], channels)`."""
        height, width, channels = inputs.shape[1:]
        times_down, times_across = self.size
        # A pixel's copies stand beside it once its channels are written again behind themselves.
        rows = ops.concatenate([inputs] * times_across, axis=-1)
        rows = ops.reshape(rows, (-1, height, width * times_across * channels))
        grid = ops.concatenate([rows] * times_down, axis=-1)
        return ops.reshape(grid, (-1, height * times_down, width * times_across, channels))


def check_export(
    filepath: str | os.PathLike, format: str, part: str, parts: tuple[str, ...]
) -> Path:
    """Return the place to write, or raise an error, whatever the networks are.

    Args:
        filepath: As in `keras.Model.export`.
        format: One of `BACKENDS`.
        part: Name of the network.
        parts: The names of all networks of the GAN.

    Raises:
        ValueError: On another format or part, a path without LiteRT's ending, a path that can be
            neither a file nor a folder, or one where something else is than the format makes.
        NotImplementedError: On a Keras backend that does not export to this format.
        ImportError: Where the converter is not installed.
    """
    check_choice("format", format, BACKENDS)
    check_choice("part", part, parts)
    place = Path(os.path.abspath(usable_path(filepath, "filepath")))
    if format == "litert" and not str(filepath).endswith(".tflite"):
        raise ValueError(
            f"`filepath` must end with .tflite for LiteRT. Received: filepath={filepath}"
        )
    backend = keras.backend.backend()
    if backend not in BACKENDS[format]:
        raise NotImplementedError(
            f"The format {format!r} needs the Keras backend {' or '.join(BACKENDS[format])}: save "
            "the GAN, and load it in a process with KERAS_BACKEND=tensorflow. "
            f"Received: backend {backend}"
        )
    converter = _CONVERTERS[format]
    if importlib.util.find_spec(converter) is None:
        raise ImportError(
            f"The format {format!r} needs {converter}, which is not installed. Install it by "
            f"{_INSTALL}"
        )
    _check_place(place, format)
    return place


def _check_place(place: Path, format: str) -> None:
    """Refuse a place where something else would be lost.

    Raises:
        ValueError: Where a file is to be a folder or the other way round, or a folder that would be
            replaced holds other things than a SavedModel.
    """
    reason, is_folder = "", format == "tf_saved_model"
    blocked = file_in_the_way(place if is_folder else place.parent)
    if blocked is not None:
        reason = f"{blocked} is a file"
    elif not is_folder and place.is_dir():
        reason = "it is a folder, and not a file"
    elif place.is_dir():
        found = names_in(place)
        others = [name for name in found if name not in _SAVED_MODEL]
        if others or (found and "saved_model.pb" not in found):
            reason = f"the folder holds {', '.join((others or found)[:3])}, and no SavedModel alone"
    if reason:
        raise ValueError(
            f"`filepath` must be a new place, or what {format!r} made before: {reason}. "
            f"Received: filepath={place}"
        )


def export_network(
    network: keras.Model,
    filepath: Path,
    format: str,
    verbose: bool | None = None,
    **options: Any,
) -> None:
    """Write a network to a file or folder that appears whole.

    Args:
        network: A built network; for other formats than SavedModel, one that computes in float32.
        filepath: The place, as `check_export` returned it.
        format: One of `BACKENDS`.
        verbose: Whether to print where it is; None, as in Keras, does so.
        **options: Further arguments of `keras.Model.export`.

    Raises:
        ValueError: Where the network has operations that the format does not have.
    """
    if format != "tf_saved_model":
        network = convertible(network)
        network(network.input)  # Keras exports to ONNX what was called
    if format == "litert":
        # Without a choice Keras allows operations that an interpreter runs with TensorFlow alone.
        options = {"target_spec": {"supported_ops": _litert_operations()}} | options
    filepath.parent.mkdir(parents=True, exist_ok=True)
    with replacing(filepath) as partial, warnings.catch_warnings():
        # Keras looks for a name that older releases of NumPy had.
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        try:
            network.export(str(partial), format=format, verbose=False, **options)
            if format == "onnx":
                _check_onnx(str(partial))
        except OSError:
            raise
        except Exception as error:  # each converter raises errors of its own
            raise ValueError(
                f"The network could not be converted to {format!r}: {type(error).__name__}: {error}"
            ) from error
    if verbose is not False:  # Keras would name the file under which it was written
        print(f"Saved artifact at '{os.fspath(filepath)}'.")


def convertible(network: keras.Model) -> keras.Model:
    """Return a network with the same weights and values, of operations that all formats have.

    Args:
        network: A functional or sequential model. Its layers are shared, not copied.
    """
    return keras.models.clone_model(network, clone_function=_convertible_step)


def _convertible_step(step: keras.Operation) -> keras.Operation:
    if isinstance(step, keras.Model):
        return convertible(step)
    # Keras has no public name for the class of this operation.
    if type(step).__name__ == "Argmax" and step.axis == -1 and not step.keepdims:
        return _FirstLargest()
    if isinstance(step, keras.layers.UpSampling2D):
        settings = step.interpolation, step.data_format
        if settings == ("nearest", "channels_last") and None not in step.input.shape[1:]:
            return _RepeatPixels(step.size, name=step.name, dtype=step.dtype_policy)
    return step


def _litert_operations() -> list[Any]:
    import tensorflow as tf  # other backends do without it

    return [tf.lite.OpsSet.TFLITE_BUILTINS]


def _check_onnx(filepath: str) -> None:
    """Raise an error where a file has operations that ONNX lacks: tf2onnx only logs them."""
    import onnx  # comes with the converter

    onnx.checker.check_model(filepath)
