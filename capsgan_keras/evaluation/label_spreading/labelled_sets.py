"""Which images of the pool are labelled in each cell of a semi-supervised table."""

import numpy as np

from capsgan_keras.evaluation.images import check_images, check_labels


def draw_labelled(y_pool, n, draw=0, seed=0, stratified=True):
    """Draws the images that are labelled.

    Within a draw a smaller set is the beginning of a larger one, so that rows of the table
    differ by the added labels only.

    Args:
        y_pool: int array of shape `(n_pool,)`. Classes of the pool.
        n: int. How many images to draw, `n_pool` at most.
        draw: int. Number of the draw.
        seed: int. Seed of all draws.
        stratified: bool. True: the same number from every class to within one, or all of a class
            that has fewer. False: any n images with equal probability.

    Returns:
        int64 array of shape `(n,)`, indices into the pool without repetition.
    """
    y_pool = np.asarray(y_pool)
    order = np.random.default_rng([seed, draw]).permutation(len(y_pool))
    if stratified:
        by_class = order[np.argsort(y_pool[order], kind="stable")]
        counts = np.unique(y_pool, return_counts=True)[1]
        rank_in_class = np.concatenate([np.arange(count) for count in counts])
        # Every class's first image, then every class's second, and so on, classes in random
        # order within each round.
        position = np.empty(len(y_pool), np.int64)
        position[order] = np.arange(len(order))
        order = by_class[np.lexsort((position[by_class], rank_in_class))]
    return order[:n]


def draw_all(y_pool, settings):
    """Draws the labelled images of every cell of a table.

    Args:
        y_pool: int array of shape `(n_pool,)`. Classes of the pool.
        settings: `SemiSupervisedSettings`.

    Returns:
        A tuple, for each number of labelled images, of a tuple, for each draw, of indices into
        the pool.

    Raises:
        ValueError: If a number is larger than the pool, or a draw has one class only.
    """
    if max(settings.n_labelled) > len(y_pool):
        raise ValueError(
            f"`n_labelled` must not exceed the pool of {len(y_pool)} labelled images. "
            f"Received: n_labelled={settings.n_labelled}"
        )
    drawn = tuple(
        tuple(
            draw_labelled(y_pool, n, draw, settings.seed, settings.stratified)
            for draw in range(settings.draws)
        )
        for n in settings.n_labelled
    )
    for row in drawn:
        for labelled in row:
            if len(np.unique(y_pool[labelled])) < 2:
                raise ValueError(
                    f"`n_labelled` must be large enough for labels of two classes. "
                    f"Received: {len(labelled)} labelled images, all of class "
                    f"{y_pool[labelled[0]]}"
                )
    return drawn


def check_pool_and_test(pool, test):
    """Checks the labelled images of an evaluation.

    Args:
        pool: pair `(x_pool, y_pool)`.
        test: pair `(x_test, y_test)`.

    Returns:
        The four arrays `x_pool, y_pool, x_test, y_test`.

    Raises:
        ValueError: If images or labels do not fit each other, or the pool has one class only.
    """
    x_pool = check_images("x_pool", pool[0])
    y_pool = check_labels("y_pool", pool[1], len(x_pool))
    x_test = check_images("x_test", test[0], like=x_pool)
    y_test = check_labels("y_test", test[1], len(x_test))
    if len(np.unique(y_pool)) < 2:
        raise ValueError(
            f"`y_pool` must have two classes or more. Received: {len(y_pool)} labels, "
            f"all of class {y_pool[0]}"
        )
    return x_pool, y_pool, x_test, y_test
