"""Spectral normalization of capsule layers too, alike on all backends."""

from typing import Any

import keras
import numpy as np
from keras import ops

from capsgan_keras.checks import check_positive
from capsgan_keras.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="capsgan_keras")
class SpectralNormalization(keras.layers.SpectralNormalization):
    """Divide a layer's kernel by its largest singular value at each training step.

    It is Keras's wrapper with its power iteration, and differs in three points:

    - Under mixed precision the kernel stays float32. Keras's wrapper stores it rounded to half
      precision, which loses small updates.
    - The gradient passes the division as if it were not there, on every backend. Keras's wrapper
      does so on TensorFlow alone.
    - The outputs keep the dtype that the layer gives them.

    Args:
        layer: A layer with a `kernel`: a dense layer, a convolution, `PrimaryCap` or
            `CapsuleLayer`; no depthwise convolution. The kernel counts as a matrix with as many
            columns as its last axis has. Where the layer is frozen, its kernel stays.
        power_iterations: Positive integer: steps towards the singular value at each call.
        **kwargs: `name` and `trainable`, as in every Keras layer. The dtype is that of the
            layer's weights.

    Input and output shape: those of `layer`.

    Source: Miyato et al. 2018 (arXiv 1802.05957).

    Example:

    ```python
    import numpy as np

    from capsgan_keras.layers import PrimaryCap, SpectralNormalization

    layer = SpectralNormalization(PrimaryCap(dim_capsule=4, n_channels=2, kernel_size=3))
    capsules = layer(np.zeros((1, 8, 8, 3), "float32"), training=True)  # (1, 72, 4)
    ```
    """

    def __init__(self, layer: keras.layers.Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        if not isinstance(layer, keras.layers.Layer):
            raise ValueError(f"`layer` must be a Keras layer. Received: layer={layer!r}")
        check_positive(power_iterations=power_iterations)
        convolution = getattr(layer, "convolution", layer)
        if isinstance(convolution, keras.layers.DepthwiseConv1D | keras.layers.DepthwiseConv2D):
            raise ValueError(
                "`layer` must have one matrix as its kernel: a depthwise convolution has one for "
                f"each channel. Received: layer of type {type(layer).__name__}"
            )
        # The layer casts its inputs for itself, and its kernel is read as it is stored.
        kwargs |= {"dtype": layer.variable_dtype, "autocast": False}
        super().__init__(layer, power_iterations, **kwargs)

    def build(self, input_shape: Shape) -> None:
        """Build the layer, and the vector of the power iteration."""
        super().build(input_shape)
        self.input_spec = None  # the layer's own says more
        # Always the same, so that equal seeds of the layer give equal runs.
        first = np.random.default_rng(0).standard_normal(self.vector_u.shape)
        self.vector_u.assign(first.astype(self.vector_u.dtype))

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Return the layer's outputs; in training divide its kernel first."""
        if training and self.trainable and self.layer.trainable:
            vector, kernel = ops.cond(
                ops.all(ops.equal(self.kernel.value, 0)),  # zeros have nothing to be divided by
                lambda: (self.vector_u.value, self.kernel.value),
                self.normalized_weights,
            )
            self.vector_u.assign(vector)
            self.kernel.assign(kernel)
        return self.layer(inputs)

    def normalized_weights(self) -> tuple[Tensor, Tensor]:
        """Return the next vector, and the kernel over its largest singular value."""
        vector, kernel = super().normalized_weights()
        before = self.kernel.value
        return vector, before + ops.stop_gradient(kernel - before)
