"""Which images of the pool are labelled in each cell of a semi-supervised table."""

import numpy as np
import numpy.typing as npt

from capsgan_keras.checks import check_bool, check_positive, check_whole
from capsgan_keras.evaluation.images import as_array, check_images, check_labels
from capsgan_keras.evaluation.label_spreading.settings import SemiSupervisedSettings
from capsgan_keras.machine import check_memory

LabelledImages = tuple[npt.ArrayLike, npt.ArrayLike]
"""Images `(n, height, width, channels)`, uint8 or float in [0, 1], and their classes `(n,)`."""


def draw_labelled(
    y_pool: npt.ArrayLike, n: int, draw: int = 0, seed: int = 0, stratified: bool = True
) -> np.ndarray:
    """Draw the images that are labelled.

    Within a draw a smaller set is the beginning of a larger one, so that rows of the table
    differ by the added labels only.

    Args:
        y_pool: Classes of the pool, `(n_pool,)`.
        n: How many images to draw, `n_pool` at most.
        draw: Number of the draw.
        seed: Seed of all draws.
        stratified: True: the same number from every class to within one, or all of a class that
            has fewer. False: any n images with equal probability.

    Returns:
        int64 `(n,)`, indices into the pool without repetition.

    Raises:
        ValueError: If a label, a number or the seed is out of its range.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.evaluation import draw_labelled
    classes = np.array([0, 0, 0, 0, 1, 1])
    print(classes[draw_labelled(classes, 4)])  # two of each class
    ```
    """
    y_pool = check_labels("y_pool", y_pool, as_array("y_pool", y_pool).size)
    check_positive(n=n)
    check_bool(stratified=stratified)
    check_whole(draw=draw, seed=seed)
    if n > len(y_pool):
        raise ValueError(f"`n` must not exceed the pool of {len(y_pool)}. Received: n={n}")
    order = np.random.default_rng([seed, draw]).permutation(len(y_pool))
    if stratified:
        by_class = order[np.argsort(y_pool[order], kind="stable")]
        counts = np.unique(y_pool, return_counts=True)[1]
        rank_in_class = np.concatenate([np.arange(count) for count in counts])
        # Every class's first image, then every class's second, and so on, classes in random
        # order within each round.
        position = np.argsort(order)  # of each image in the random order
        order = by_class[np.lexsort((position[by_class], rank_in_class))]
    return order[:n].copy()  # a view would keep the order of the whole pool for each draw


def draw_all(
    y_pool: np.ndarray, settings: SemiSupervisedSettings
) -> tuple[tuple[np.ndarray, ...], ...]:
    """Return the labelled images' indices for each number and each draw, of two classes or more."""
    check_memory(f"`draws`={settings.draws:,}", 8 * settings.draws * sum(settings.n_labelled))
    if max(settings.n_labelled) > len(y_pool):
        raise ValueError(
            f"`n_labelled` must not exceed the pool of {len(y_pool)} labelled images. "
            f"Received: n_labelled={settings.n_labelled}"
        )

    def draw_checked(n: int, draw: int) -> np.ndarray:
        labelled = draw_labelled(y_pool, n, draw, settings.seed, settings.stratified)
        if len(np.unique(y_pool[labelled])) < 2:
            raise ValueError(
                f"`n_labelled` must be large enough for labels of two classes. "
                f"Received: {len(labelled)} labelled images, all of class {y_pool[labelled[0]]}"
            )
        return labelled

    draws = range(settings.draws)
    return tuple(tuple(draw_checked(n, draw) for draw in draws) for n in settings.n_labelled)


def are_all_alike(images: np.ndarray) -> bool:
    """Return whether there are several images, all of the same pixels."""
    # One image after the other: the first that differs ends it.
    return len(images) > 1 and all(np.array_equal(image, images[0]) for image in images[1:])


def check_pool_and_test(
    pool: LabelledImages, test: LabelledImages
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the arrays `x_pool, y_pool, x_test, y_test` of an evaluation.

    Raises:
        ValueError: If images or labels do not fit each other, the pool has one class only or
            lacks one of the test, or all images of the pool, or of the test, are alike.
    """
    for name, pair in (("pool", pool), ("test", test)):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(
                f"`{name}` must be a pair of images and their classes. "
                f"Received: {name} of type {type(pair).__name__}"
            )
    x_pool = check_images("x_pool", pool[0])
    y_pool = check_labels("y_pool", pool[1], len(x_pool))
    x_test = check_images("x_test", test[0], like=x_pool)
    y_test = check_labels("y_test", test[1], len(x_test))
    if len(np.unique(y_pool)) < 2:
        raise ValueError(
            f"`y_pool` must have two classes or more. Received: {len(y_pool)} labels, "
            f"all of class {y_pool[0]}"
        )
    unknown = np.setdiff1d(y_test, y_pool)
    if len(unknown):
        raise ValueError(
            "`y_test` must have classes of `y_pool` alone: label spreading can name no other. "
            f"Received: test images of class {', '.join(map(str, unknown))}"
        )
    for name, images in (("x_pool", x_pool), ("x_test", x_test)):
        if are_all_alike(images):
            raise ValueError(
                f"`{name}` must hold images that differ, since pixels are all that tells classes "
                f"apart. Received: {len(images)} images, all alike"
            )
    return x_pool, y_pool, x_test, y_test
