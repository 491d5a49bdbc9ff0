"""The margin loss of capsule networks, and the hinge loss of GANs."""

from typing import Any

import keras
from keras import ops

from capsgan_keras.checks import check_finite
from capsgan_keras.types import DType, Tensor

__all__ = ["HingeLoss", "MarginLoss"]


@keras.saving.register_keras_serializable(package="capsgan_keras")
class MarginLoss(keras.losses.Loss):
    """Margin loss on the lengths of capsules (Sabour et al. 2017, equation 4).

    `L = sum_k T_k max(0, m_plus - l_k)^2 + down_weighting (1 - T_k) max(0, l_k - m_minus)^2`,
    where `l_k` is the length of capsule k and `T_k` is 1 if the entity of capsule k is there.

    With one capsule it is a least-squares GAN loss with clipped targets. Where real and generated
    images are equally probable, the best discriminator's output is
    `(m_plus + m_minus down_weighting) / (1 + down_weighting)`. With the default margins this is
    0.6333, not 0.5.

    Args:
        m_plus: Length above which a capsule whose entity is there costs nothing, in (0, 1].
        m_minus: Length below which a capsule whose entity is absent costs nothing, in
            [0, m_plus).
        down_weighting: Positive weight of the absent entities, lambda in the paper.
        reduction: As in every Keras loss.
        name: Optional name.
        dtype: Optional dtype of the loss.

    Input shape: `y_true` and `y_pred` are both `(batch, num_capsule)`. Targets lie in [0, 1]:
    one-hot classes, or 1 for real and 0 for generated images. Lengths lie in [0, 1).

    Output shape: `(batch,)` before the reduction.

    Raises:
        ValueError: On margins or weights out of range, or shapes that differ.

    Example:

    ```python
    from capsgan_keras.losses import MarginLoss

    loss = MarginLoss()
    float(loss([[1.0]], [[0.4]]))  # (0.9 - 0.4) ** 2 = 0.25
    ```
    """

    def __init__(
        self,
        m_plus: float = 0.9,
        m_minus: float = 0.1,
        down_weighting: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "margin_loss",
        dtype: DType = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        check_finite(m_plus=m_plus, m_minus=m_minus, down_weighting=down_weighting)
        if not 0.0 <= m_minus < m_plus <= 1.0:
            raise ValueError(
                "The margins must satisfy 0 <= `m_minus` < `m_plus` <= 1. "
                f"Received: {m_plus=}, {m_minus=}"
            )
        if down_weighting <= 0.0:
            raise ValueError(f"`down_weighting` must be positive. Received: {down_weighting=}")
        self.m_plus = m_plus
        self.m_minus = m_minus
        self.down_weighting = down_weighting

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of each sample, shape `(batch,)`."""
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        if len(y_pred.shape) == len(y_true.shape) + 1 and y_pred.shape[-1] == 1:
            y_true = ops.expand_dims(y_true, -1)  # as Keras's binary losses take labels
        sizes = zip(y_true.shape, y_pred.shape, strict=False)
        if len(y_true.shape) != len(y_pred.shape) or any(
            None not in pair and pair[0] != pair[1] for pair in sizes
        ):
            raise ValueError(
                "`y_true` must have the shape of `y_pred`, with a one-hot vector for each sample. "
                f"Received: y_true of shape {tuple(y_true.shape)}, "
                f"y_pred of shape {tuple(y_pred.shape)}"
            )
        present = y_true * ops.square(ops.relu(self.m_plus - y_pred))
        absent = (1.0 - y_true) * ops.square(ops.relu(y_pred - self.m_minus))
        return ops.sum(present + self.down_weighting * absent, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return all constructor arguments."""
        return super().get_config() | {
            "m_plus": self.m_plus,
            "m_minus": self.m_minus,
            "down_weighting": self.down_weighting,
        }


@keras.saving.register_keras_serializable(package="capsgan_keras")
class HingeLoss(keras.losses.Hinge):
    """Hinge loss for a GAN whose discriminator gives scores, any numbers.

    The discriminator minimises `max(0, 1 - D(x)) + max(0, 1 + D(G(z)))`, which is Keras's hinge
    loss with targets 1 and 0; the generator minimises `-D(G(z))`. A GAN asks a loss that has a
    method `generator_loss` for the latter. Capsules' lengths are no scores: they are never
    negative.

    Args:
        reduction: As in every Keras loss.
        name: Optional name.
        dtype: Optional dtype of the loss.

    Source: Lim and Ye 2017 (arXiv 1705.02894); Miyato et al. 2018 (arXiv 1802.05957), equations
    16 and 17.

    Example:

    ```python
    from capsgan_keras import ConvolutionalGAN
    from capsgan_keras.losses import HingeLoss

    options = {"activation": "linear"}
    gan = ConvolutionalGAN((16, 16, 1), loss=HingeLoss(), discriminator_options=options)
    ```
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "hinge_loss",
        dtype: DType = None,
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=dtype)

    def generator_loss(self, on_generated: Tensor) -> Tensor:
        """Return the generator's loss of each image, `(batch,)`; with `reduction="sum"`, the sum.

        Args:
            on_generated: The discriminator's scores of generated images, `(batch, 1)`.
        """
        losses = -on_generated[:, 0]
        return ops.sum(losses) if self.reduction == "sum" else losses
