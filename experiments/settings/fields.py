"""Fields of settings: a default, a line of help, a check, and how a command line reads them.

Only the standard library is imported here, so that `--help` need not wait for Keras.
"""

import dataclasses
import importlib.util
import math
import runpy
import sys
from pathlib import Path

SMALLEST_FLOAT32, LARGEST_FLOAT32 = 2.0**-126, (2.0 - 2.0**-23) * 2.0**127

MOST_SEEDS = 10_000
"""More trainings end in no lifetime, and a list of billions fills the memory before the first. The
same goes for draws of labelled images, each of which is a row of label spreadings."""


def run_package_file(*parts):
    """Run one of the package's files alone and return its names.

    Importing the package would import Keras.

    Args:
        *parts: Its path below the package's folder.
    """
    package = Path(importlib.util.find_spec("capsgan_keras").origin).parent
    return runpy.run_path(str(package.joinpath(*parts)))


usable_path = run_package_file("files.py")["usable_path"]


def setting(
    default,
    help,
    check=None,
    parse=str,
    *,
    choices=None,
    many=False,
    option=None,
    show=None,
    flag=False,
    model=None,
    identity=True,
):
    """Describe one setting, a field of a frozen dataclass.

    Args:
        default: Its value where nothing else is said. None stands for the package's default.
        help: One line for `--help`.
        check: Function `(name, value)` that raises a `ValueError`; not asked about None. By
            default the value must be one of `choices`.
        parse: What turns a word of the command line into a value.
        choices: Values that the command line offers.
        many: Whether the command line takes several values; of choices also none.
        option: Name of the option where it is not that of the field.
        show: Function that turns a value into a word of the command line.
        flag: Whether a truth value can only be switched on.
        model: The only model that it belongs to; None for both.
        identity: Whether a run with another value is another run.
    """
    if choices:
        check = some_of(choices) if many else one_of(choices)
    metadata = {
        "help": help,
        "check": check,
        "parse": parse,
        "choices": choices,
        "many": many,
        "option": option,
        "show": show or _word,
        "flag": flag,
        "model": model,
        "identity": identity,
        "optional": default is None,
    }
    return dataclasses.field(default=default, metadata=metadata)


def _word(value):
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def check_fields(settings):
    """Check every field of a dataclass whose fields were made by `setting`.

    Raises:
        ValueError: Where a value is out of its range.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value is not None or not field.metadata["optional"]:
            field.metadata["check"](field.name, value)


def anything(name, value):
    """Check nothing: another part of the program knows the range, and refuses what is outside."""
    del name, value


def text(name, value):
    """Check that a value is a text that is not empty."""
    if not isinstance(value, str) or not value:
        _fail(name, "must be a text that is not empty", value)


def place(name, value):
    """Check that a value is a path that can be a file or a folder."""
    text(name, value)
    usable_path(value, name)


def whole_number(low, high=math.inf):
    """Return a check that a value is a whole number in a range."""

    def check(name, value):
        if not _is_whole(value) or not low <= value <= high:
            limit = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
            _fail(name, f"must be a whole number {limit}", value)

    return check


def countable(name, value):
    """Check that a value is a number of trainings or draws that a person can wait for."""
    whole_number(1)(name, value)
    whole_number(1, MOST_SEEDS)(name, value)


def whole_numbers(count=None):
    """Return a check that a value is a tuple of positive whole numbers, `count` of them."""

    def check(name, value):
        numbers = value if isinstance(value, tuple) else ()
        good = all(_is_whole(n) and n > 0 for n in numbers)
        if not numbers or not good or count not in (None, len(numbers)):
            wanted = "one or more" if count is None else count
            _fail(name, f"must be {wanted} positive whole numbers", value)

    return check


def rate(name, value):
    """Check that a value is a positive number that is neither 0 nor infinite in float32."""
    if not _is_number(value) or not SMALLEST_FLOAT32 <= value <= LARGEST_FLOAT32:
        limits = f"from {SMALLEST_FLOAT32:.2g} to {LARGEST_FLOAT32:.2g}, as float32 holds it"
        _fail(name, f"must be a positive number {limits}", value)


def share(name, value):
    """Check that a value is a number in [0, 1)."""
    if not _is_number(value) or not 0.0 <= value < 1.0:
        _fail(name, "must be a number in [0, 1)", value)


def not_negative(name, value):
    """Check that a value is a finite number of at least 0."""
    if not _is_number(value) or not 0.0 <= value <= sys.float_info.max:
        _fail(name, "must be a finite number of at least 0", value)


def truth(name, value):
    """Check that a value is True or False."""
    if not isinstance(value, bool):
        _fail(name, "must be True or False", value)


def one_of(choices):
    """Return a check that a value is one of some."""

    def check(name, value):
        if value not in choices:
            _fail(name, f"must be one of {', '.join(map(repr, choices))}", value)

    return check


def some_of(choices):
    """Return a check that a value is a tuple of different ones of some, or empty."""

    def check(name, value):
        known = isinstance(value, tuple) and all(each in choices for each in value)
        if not known or len(set(value)) < len(value):
            _fail(name, f"must be different ones of {', '.join(map(repr, choices))}", value)

    return check


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fail(name, expected, value):
    raise ValueError(f"`{name}` {expected}. Received: {name}={value!r}")
