"""What every experiment does: train both models with all seeds, compare them, print the tables."""

import shlex
import sys

from experiments.command_line.arguments import parse_settings
from experiments.command_line.running import run
from experiments.errors import REFUSED


def main(experiment, published, evaluation, description, argv=None):
    """Parse the arguments, train and evaluate.

    Args:
        experiment: Name of the module under `experiments`.
        published: The experiment's `Settings`, one or several of them, of which --settings chooses
            by their `settings` (the first if it is not given). Arguments replace their values one
            by one.
        evaluation: The experiment's `Evaluation`.
        description: The module's docstring, shown by `--help`.
        argv: Arguments; by default those of the process.

    Returns:
        The exit status: 0; 1 where training diverged; 2 where arguments or surroundings are wrong;
        130 after an interrupt from the keyboard.
    """
    argv = sys.argv[1:] if argv is None else argv
    program = f"python -m experiments.{experiment}"
    try:
        settings = parse_settings(experiment, published, description, argv)
    except ValueError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return REFUSED
    except SystemExit as stop:  # argparse, after --help or an error of its own
        return stop.code
    wanted = settings.evaluate
    if wanted is None:
        wanted = settings.dataset == published[0].dataset
    arguments = [*argv, *([] if "--resume" in argv else ["--resume"])]
    resume = f"  {program} {shlex.join(arguments)}"
    return run(
        program,
        lambda: train_and_compare(settings, evaluation if wanted else None),
        if_interrupted=f"Whole epochs are kept; to go on:\n{resume}",
        if_blocked=f"Whole epochs are kept. Once this is mended:\n{resume}",
    )


def train_and_compare(settings, evaluation=None):
    """Train what is not trained yet, and compare all runs.

    Args:
        settings: `experiments.settings.training.Settings`.
        evaluation: `experiments.settings.evaluations.Evaluation`, or None for none.

    Raises:
        ValueError: Where settings, images, runs or results do not fit each other.
        DivergedError: Where training diverges.
        OSError: Where files cannot be read or written.
    """
    # Here and not above: --help must not wait for Keras.
    from experiments.evaluations.comparison import check_comparison, compare
    from experiments.reports.pages import tables
    from experiments.training.train import load_training_images, train

    dataset = load_training_images(settings)
    if evaluation is None:
        train(settings, dataset)
        return
    trained = train(settings, dataset, check=lambda: check_comparison(evaluation, dataset))
    for results in compare(settings, evaluation, trained):
        print(tables(results))
