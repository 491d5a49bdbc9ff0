"""The size of initial weights that lets stacked capsule layers learn."""


def length_keeping_variance(
    num_input: int, num_capsule: int, dim_capsule: int, routings: int = 3, routing: str = "dynamic"
) -> float:
    """Return the variance of kernel weights that keeps capsules at middle lengths.

    Squash makes short vectors shorter: a length s becomes about s^2. With the couplings c of the
    first iteration, 1 / num_capsule (leaky: 1 / (num_capsule + 1)), independent weights of
    variance v, and input capsules of mean squared length q, the sum before squash has the mean
    squared length

    `E |s|^2 = g q`, with the gain `g = c^2 num_input dim_capsule v`,

    whatever the dimension of the input capsules is. So `v = g / (c^2 num_input dim_capsule)`. A
    layer maps lengths l to `g l^2 / (1 + g l^2)`. A length other than 0 comes back from this only
    for a gain of at least 4. Without further iterations the gain here is 6, which keeps a length of
    0.79. Further iterations lengthen the sums, since couplings move to predictions that agree.
    With them a gain of 3 keeps lengths of 0.3 to 0.9.

    Args:
        num_input: Number of input capsules.
        num_capsule: Number of output capsules.
        dim_capsule: Components of an output capsule.
        routings: Routing iterations.
        routing: `"dynamic"` or `"leaky"`.

    Example:

    ```python
    from capsgan_keras.routing.initial_variance import length_keeping_variance

    length_keeping_variance(num_input=36, num_capsule=3, dim_capsule=4)  # 3 * 9 / (36 * 4) = 0.1875
    ```
    """
    categories = num_capsule + (routing == "leaky")
    gain = 6.0 if routings == 1 or categories == 1 else 3.0
    return gain * categories**2 / (num_input * dim_capsule)
