"""Which runs the metric compares, and at which cuts."""

import dataclasses

from experiments.errors import EvaluationError


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


def with_fitting_cuts(settings, runs):
    """Return settings without the cut of 0.5 where a run's discriminator gives scores, not shares.

    Args:
        settings: `MetricSettings`.
        runs: `Run`s by name.

    Raises:
        EvaluationError: Where no cut is left.
    """
    scoring = [name for name, run in runs.items() if run.gan.discriminator_outputs == "score"]
    if not scoring or "paper" not in settings.cuts:
        return settings
    left = tuple(cut for cut in settings.cuts if cut != "paper")
    if not left:
        raise EvaluationError(
            "A cut of 0.5 is between probabilities: take --cut calibrated. "
            f"Received: runs whose discriminators give scores, {', '.join(scoring)}"
        )
    print(f"cut 0.5 is left out: the discriminators of {', '.join(scoring)} give scores")
    return dataclasses.replace(settings, cuts=left)
