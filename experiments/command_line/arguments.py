"""Command lines made from the fields of settings.

Neither Keras nor NumPy is imported here: `--help` and wrong arguments answer at once.
"""

import argparse
import dataclasses
import re

from experiments.settings.fields import usable_path
from experiments.settings.training import Settings


def new_parser(command, description, **options):
    """Return the parser of `python -m experiments.COMMAND`.

    Args:
        command: Name of the module under `experiments`.
        description: The module's docstring.
        **options: Further arguments of `argparse.ArgumentParser`.
    """
    return argparse.ArgumentParser(
        prog=f"python -m experiments.{command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **options,
    )


def path(word):
    """Return a path of the command line, with `~` expanded.

    Raises:
        argparse.ArgumentTypeError: Where it can be neither a file nor a folder.
    """
    try:
        return usable_path(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_verbose(parser):
    """Give a parser the option `--verbose`, for `experiments.command_line.logs.progress`."""
    parser.add_argument(
        "--verbose",
        type=int,
        choices=(0, 1, 2),
        help="0: no progress, 1: a progress bar, 2: lines (default: 1 on a terminal, else 2)",
    )


def add_settings(parser, defaults, leave_out=(), helps=None):
    """Give a parser an option for each field of some settings.

    Args:
        parser: The parser.
        defaults: A dataclass whose fields were made by `experiments.settings.fields.setting`; its
            values are those of options that are not given.
        leave_out: Names of fields without an option.
        helps: Texts for `--help` in the place of those of some fields, by name.
    """
    for field in dataclasses.fields(defaults):
        if field.name not in leave_out:
            text = (helps or {}).get(field.name, field.metadata["help"])
            _add_setting(parser, field, getattr(defaults, field.name), text)


def settings_from(arguments, defaults):
    """Return settings with the values of parsed arguments.

    Args:
        arguments: What a parser returned that `add_settings` was called on.
        defaults: The same settings as there; they keep the values of fields without an option.

    Raises:
        ValueError: Where a value is refused.
    """
    names = {field.name for field in dataclasses.fields(defaults)}
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(arguments).items()
        if name in names
    }
    return dataclasses.replace(defaults, **given)


def _add_setting(parser, field, default, text):
    of = field.metadata
    option = "--" + (of["option"] or field.name).replace("_", "-")
    if default is not None and not of["flag"]:
        values = default if isinstance(default, tuple) else (default,)
        words = " ".join(map(of["show"], values))
        # It takes the place of the package's default, where the text names that.
        text = re.sub(r" \(default: [^)]*\)$", "", text) + f" (default: {words})"
    options = {"dest": field.name, "default": default, "help": text.replace("%", "%%")}
    if of["parse"] is bool:
        action = "store_true" if of["flag"] else argparse.BooleanOptionalAction
        parser.add_argument(option, action=action, **options)
        return
    parser.add_argument(
        option,
        type=of["parse"],
        choices=of["choices"],
        nargs=None if not of["many"] else "*" if of["choices"] else "+",
        metavar=None if of["choices"] else of["parse"].__name__.strip("_").upper(),
        **options,
    )


def parse_settings(experiment, published, description, argv):
    """Return the settings of an experiment, one of the published ones with the values of arguments.

    Args:
        experiment: Name of the module under `experiments`.
        published: `Settings`, one or several, of which --settings chooses by their `settings` (the
            first if it is not given). Arguments replace their values one by one.
        description: The module's docstring, shown by `--help`.
        argv: Arguments.

    Raises:
        ValueError: Where `Settings` refuses a value.
        SystemExit: Where argparse does, or after `--help`.
    """
    by_name = {settings.settings: settings for settings in published}
    first = published[0]
    defaults = first
    usage = {"usage": "%(prog)s [options]"}
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    text = fields["settings"].metadata["help"]
    if len(by_name) > 1:  # they are the defaults of the other options, also in --help
        chooser = new_parser(experiment, None, add_help=False, **usage)
        _add_setting(chooser, fields["settings"], first.settings, text)
        defaults = by_name[chooser.parse_known_args(argv)[0].settings]
    parser = new_parser(experiment, description, **usage)
    if len(by_name) > 1:
        _add_setting(parser, fields["settings"], first.settings, text)
    add_settings(parser, defaults, leave_out=("settings",))
    return settings_from(parser.parse_args(argv), defaults)
