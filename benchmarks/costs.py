"""What the capsule GAN's steps cost beside the convolutional GAN's."""

EPOCHS, IMAGES = 50, 60_000
"""Of a full training on MNIST, for both models."""


def compare_models(measured):
    """Compare the two models at the same step, precision and batch.

    Args:
        measured: List of dictionaries with `model`, `batch_size` and `steps`, as
            `benchmarks.training` writes them.

    Returns:
        List of dictionaries `batch_size`, `step`, `precision`; `capsule_over_convolutional`, the
        ratio of the median images per second; and `full_training_seconds`, those that `EPOCHS` of
        `IMAGES` images take at the median rates, a dictionary `capsule`, `convolutional` and
        `together`. Only steps that were timed for both models.
    """
    rates = {
        (one["batch_size"], row["step"], row["precision"], one["model"]): row["images_per_second"][
            "median"
        ]
        for one in measured
        for row in one["steps"]
    }
    compared = []
    for (batch_size, step, precision, model), capsule in rates.items():
        convolutional = rates.get((batch_size, step, precision, "convolutional"))
        if model != "capsule" or convolutional is None:
            continue
        seconds = {
            "capsule": EPOCHS * IMAGES / capsule,
            "convolutional": EPOCHS * IMAGES / convolutional,
        }
        compared.append(
            {
                "batch_size": batch_size,
                "step": step,
                "precision": precision,
                "capsule_over_convolutional": capsule / convolutional,
                "full_training_seconds": seconds | {"together": sum(seconds.values())},
            }
        )
    return compared
