"""Which runs the metric compares."""


def opponents(models):
    """Return the pairs `(a, b)` of runs that the metric compares.

    Args:
        models: Dictionary from a run's name to its model.

    Returns:
        Every convolutional GAN as a with every CapsuleGAN as b, as in the paper; where all runs
        are of one model, every two runs in their order.
    """
    convolutional = [name for name, model in models.items() if model == "convolutional"]
    capsule = [name for name, model in models.items() if model == "capsule"]
    if convolutional and capsule:
        return [(a, b) for a in convolutional for b in capsule]
    names = list(models)
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
