"""The control of a capsule classifier: the same network without capsules."""

from typing import Any

import keras
from keras import layers

from capsgan_keras.checks import check_choice, check_kind
from capsgan_keras.layers import CapsuleLayer, ConvCapsuleLayer
from capsgan_keras.layers.grouped_convolution import GroupedConvolution
from capsgan_keras.models.capsule_classifier import CapsuleClassifier
from capsgan_keras.types import Tensor


def build_plain_classifier(
    network: CapsuleClassifier, activation: str = "softmax", dtype: Any = None
) -> keras.Model:
    """Build the plain convolutional network that has the layers of a capsule classifier.

    Each layer has as many weights as there. Primary capsules become a convolution, convolutional
    capsules too, and the final capsules a dense layer with `num_classes * dim_capsule` units: with
    equal couplings these compute the same sums. A ReLU stands in the place of the squash and the
    routing. A last dense layer of `num_classes` units comes in the place of lengths. There is no
    decoder.

    Args:
        network: The capsule classifier, whose weights are not used.
        activation: `"softmax"` for one class an image, `"sigmoid"` for several.
        dtype: Dtype policy of the layers; None for Keras's global one. The outputs are float32.

    Returns:
        A functional `keras.Model` from images with pixels in 0 to 255,
        `(batch, *image_shape)`, to `(batch, num_classes)` in [0, 1].

    Raises:
        ValueError: On another network or activation.

    Example:

    ```python
    from capsgan_keras.models import EfficientCapsNet, build_plain_classifier

    control = build_plain_classifier(EfficientCapsNet((28, 28, 1), 10))
    control.count_params()  # 164,010: 163,434, and 576 moving means and variances
    ```
    """
    check_kind(CapsuleClassifier, "a capsule classifier of this package", network=network)
    check_choice("activation", activation, ("softmax", "sigmoid"))
    images = keras.Input(network.image_shape, name="images")
    features = layers.Rescaling(1 / 255, dtype=dtype)(images)
    for layer in network.encoder.layers:
        features = _without_capsules(layer, features, dtype)
    outputs = layers.Dense(network.num_classes, activation=activation, dtype="float32")(features)
    return keras.Model(images, outputs, name="plain_classifier")


def _without_capsules(layer: keras.Layer, features: Tensor, dtype: Any) -> Tensor:
    options = {"activation": "relu", "kernel_initializer": "he_normal", "dtype": dtype}
    if isinstance(layer, GroupedConvolution):
        config = layer.convolution.get_config()
        named = f"{layer.kernel_name}_initializer"
        config |= {"activation": "relu", named: "he_normal", "dtype": dtype}
        return type(layer.convolution).from_config(config)(features)
    if isinstance(layer, ConvCapsuleLayer):
        channels = layer.num_capsule * layer.dim_capsule
        return layers.Conv2D(
            channels,
            layer.kernel_size,
            layer.strides,
            layer.padding,
            data_format="channels_last",
            **options,
        )(features)
    if isinstance(layer, CapsuleLayer):
        units = layer.num_capsule * layer.dim_capsule
        return layers.Dense(units, **options)(layers.Flatten(dtype=dtype)(features))
    if isinstance(layer, layers.Conv2D | layers.BatchNormalization):
        return type(layer).from_config(layer.get_config() | {"dtype": dtype})(features)
    return features  # the input, reshaping, and what reads lengths
