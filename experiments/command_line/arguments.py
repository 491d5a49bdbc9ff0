"""The command line of the experiments, made from the fields of `Settings`.

Arguments are parsed before Keras is imported: `--help` and wrong arguments answer at once.
"""

import argparse
import dataclasses
import re
import shlex
import sys

from experiments.command_line.logs import quiet_tensorflow
from experiments.settings.training import Settings

USAGE_ERROR = 2
INTERRUPTED = 130


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
        The exit status: 0; 1 where a loss is not finite; 2 where arguments or surroundings are
        wrong; 130 after an interrupt from the keyboard.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        settings = parse(experiment, published, description, argv)
    except ValueError as error:
        print(f"python -m experiments.{experiment}: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except SystemExit as stop:  # argparse, after --help or an error of its own
        return stop.code

    wanted = settings.evaluate
    if wanted is None:
        wanted = settings.dataset == published[0].dataset
    if not wanted:
        evaluation = None
    arguments = [*argv, *([] if "--resume" in argv else ["--resume"])]
    resume_command = f"python -m experiments.{experiment} {shlex.join(arguments)}"
    quiet_tensorflow()
    try:
        from experiments.training.train import run

        return run(experiment, settings, evaluation, resume_command)
    except KeyboardInterrupt:
        print(
            f"\nInterrupted. Whole epochs are kept; to go on:\n  {resume_command}", file=sys.stderr
        )
        return INTERRUPTED


def parse(experiment, published, description, argv):
    """Return one of the published settings with the values of the arguments; see `main`.

    Raises:
        ValueError: Where `Settings` refuses a value.
        SystemExit: Where argparse does, or after `--help`.
    """
    options = {
        "prog": f"python -m experiments.{experiment}",
        "usage": "%(prog)s [options]",
        "allow_abbrev": False,
    }
    by_name = {settings.settings: settings for settings in published}
    defaults = published[0]
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    choice = fields.pop("settings")
    if len(by_name) > 1:  # they are the defaults of the other options, also in --help
        first = argparse.ArgumentParser(**options, add_help=False)
        _add_argument(first, choice, defaults.settings)
        defaults = by_name[first.parse_known_args(argv)[0].settings]
    parser = argparse.ArgumentParser(
        **options,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if len(by_name) > 1:
        _add_argument(parser, choice, published[0].settings)
    for field in fields.values():
        _add_argument(parser, field, getattr(defaults, field.name))
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(parser.parse_args(argv)).items()
    }
    return dataclasses.replace(defaults, **given)


def _add_argument(parser, field, default):
    option = "--" + field.name.replace("_", "-")
    text = field.metadata["help"]
    if default is not None:  # the experiment's own takes the place of the package's
        text = re.sub(r" \(default: [^)]*\)$", "", text)
    if field.metadata["parse"] is bool:
        action = "store_true" if field.name == "resume" else argparse.BooleanOptionalAction
        if default is not None and field.name != "resume":
            text += f" (default: {'yes' if default else 'no'})"
        parser.add_argument(option, action=action, default=default, help=text)
        return
    if default is not None:
        words = map(str, default) if isinstance(default, tuple) else [str(default)]
        text += f" (default: {' '.join(words)})"
    parser.add_argument(
        option,
        type=field.metadata["parse"],
        choices=field.metadata["choices"],
        nargs="+" if field.metadata["many"] else None,
        metavar=None if field.metadata["choices"] else field.metadata["parse"].__name__.upper(),
        default=default,
        help=text.replace("%", "%%"),
    )
