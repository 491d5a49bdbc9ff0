"""Whether generated images are copies of training images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from capsgan_keras.evaluation.images import as_numbers, check_images
from capsgan_keras.evaluation.neighbours.distances import pixel_vectors
from capsgan_keras.evaluation.neighbours.nearest import nearest
from capsgan_keras.evaluation.record import Record


@dataclass(frozen=True)
class Memorising(Record):
    """Distances to the nearest training image, of generated and of held-out real images.

    A generator that copies its training images comes nearer to them than real images do that were
    held out: `ratio` is then well below 1 and `closer_than_held_out` well above its nominal 5 %.
    See `memorising`.

    Attributes:
        generated_median: Median distance of the generated images.
        held_out_median: Median distance of the held-out real images.
        ratio: The former over the latter; None where the latter is 0.
        closer_than_held_out: Share of the generated images nearer to a training image than all
            but 5 % of the held-out ones are.
        copies: Number of generated images that equal a training image exactly.
    """

    generated_median: float
    held_out_median: float
    ratio: float | None
    closer_than_held_out: float
    copies: int


def nearest_training_distances(
    images: npt.ArrayLike, x_train: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each image is from the nearest training image, and which one that is.

    Args:
        images: `(n, height, width, channels)`, uint8 or float in [0, 1].
        x_train: Training images of the same shape.

    Returns:
        Euclidean distances of the pixels in [0, 1], float64 `(n,)`, exact for 8-bit images, and
        the indices of the nearest training images, int64 `(n,)`; of equally near ones the first.

    Raises:
        ValueError: If the images do not fit each other.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import nearest_training_distances
    x_train = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 1), np.uint8)
    print(nearest_training_distances(x_train[3:5], x_train))  # distances 0, indices 3 and 4
    ```
    """
    x_train = check_images("x_train", x_train)
    images = check_images("images", images, like=x_train)
    queries, training = pixel_vectors(images, x_train)
    lists = nearest(queries, training, 1)
    distances = np.sqrt(lists.squared_distances[:, 0].astype(np.float64)) * training.unit
    return distances, lists.indices[:, 0]


def memorising(generated_distances: npt.ArrayLike, held_out_distances: npt.ArrayLike) -> Memorising:
    """Compare distances to the nearest training image.

    Args:
        generated_distances: `(n,)`, as `nearest_training_distances` returns them for generated
            images.
        held_out_distances: `(m,)`, the same for real images that were not trained on.

    Raises:
        ValueError: If either is empty, not of one dimension, or holds what is no distance.

    Example:

    ```python
    from capsgan_keras.evaluation import memorising
    result = memorising(generated_distances=[0.0, 1.0, 2.0], held_out_distances=[1.0, 2.0, 3.0])
    print(result.ratio, result.copies)  # 0.5 1
    ```
    """
    sets = {"generated_distances": generated_distances, "held_out_distances": held_out_distances}
    arrays = [as_numbers(name, distances) for name, distances in sets.items()]
    for name, distances in zip(sets, arrays, strict=True):
        if distances.ndim != 1 or distances.size == 0:
            raise ValueError(
                f"`{name}` must have shape (n,), at least one distance. "
                f"Received: shape {distances.shape}"
            )
        if not (np.isfinite(distances).all() and distances.min() >= 0):
            raise ValueError(
                f"`{name}` must be finite distances of at least 0. "
                f"Received: {name} from {distances.min()} to {distances.max()}"
            )
    generated, held_out = arrays
    held_out_median = float(np.median(held_out))
    generated_median = float(np.median(generated))
    return Memorising(
        generated_median=generated_median,
        held_out_median=held_out_median,
        ratio=generated_median / held_out_median if held_out_median > 0 else None,
        closer_than_held_out=float((generated < np.quantile(held_out, 0.05)).mean()),
        copies=int((generated == 0).sum()),
    )
