"""The command line that the experiments share: train all models, compare them, print the tables."""

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
    if not wanted:
        evaluation = None
    return run_training(
        program, argv, lambda: train_and_compare(program, settings, evaluation, argv=argv)
    )


def run_training(program, argv, work):
    """Do the work of a command that trains.

    Args:
        program: The command, for messages.
        argv: Its arguments.
        work: Function without arguments.

    Returns:
        The exit status, as in `main`.
    """
    resume = f"  {program} {shlex.join(with_resume(argv))}"
    return run(
        program,
        work,
        if_interrupted=f"Whole epochs are kept; to go on:\n{resume}",
        if_blocked=f"Whole epochs are kept. Once this is mended:\n{resume}",
    )


def with_resume(argv):
    """Return arguments with --resume among them."""
    return [*argv, *([] if "--resume" in argv else ["--resume"])]


def train_and_compare(program, settings, evaluation=None, dataset=None, argv=()):
    """Train what is not trained yet, compare all runs, and say where the pictures are.

    Args:
        program: The command, for what may be typed next.
        settings: `experiments.settings.training.Settings`.
        evaluation: `experiments.settings.evaluations.Evaluation`, or None for none.
        dataset: The images of the settings, where they are loaded already.
        argv: The command's arguments, for what may be typed next.

    Raises:
        ValueError: Where settings, images, runs or results do not fit each other.
        DivergedError: Where training diverges.
        OSError: Where files cannot be read or written.
    """
    # Here and not above: --help must not wait for Keras.
    from experiments.evaluations.comparison import check_comparison, compare
    from experiments.reports.ending import ending
    from experiments.reports.pages import tables
    from experiments.training.train import load_training_images, train

    dataset = dataset or load_training_images(settings)
    check = evaluation and (lambda: check_comparison(evaluation, dataset))
    trained = train(settings, dataset, check)
    if trained is None:  # another worker has the runs
        return
    for results in compare(settings, evaluation, trained) if evaluation else ():
        print(tables(results))
    print(ending(program, settings, argv))
