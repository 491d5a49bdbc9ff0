"""What every command does around its work: exit statuses, and messages on standard error."""

import sys

from experiments.command_line.interrupts import INTERRUPTS
from experiments.command_line.logs import quiet_tensorflow
from experiments.command_line.surroundings import (
    end_without_other_workers,
    escape_what_cannot_be_printed,
)
from experiments.errors import DIVERGED, INTERRUPTED, OK, REFUSED, DivergedError
from experiments.settings.fields import run_package_file


def parse_and_run(parser, argv, work, if_interrupted):
    """Parse arguments and do a command's work with them.

    Args:
        parser: The `argparse.ArgumentParser`; its `prog` names the command in messages.
        argv: Arguments; None for those of the process.
        work: Function of the parsed arguments.
        if_interrupted: What to say after an interrupt from the keyboard.

    Returns:
        The exit status, as `run` gives it.
    """
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:  # argparse, after --help or an error of its own
        return stop.code
    return run(parser.prog, lambda: work(arguments), if_interrupted)


def run(program, work, if_interrupted, if_blocked=None):
    """Do a command's work.

    Args:
        program: Name of the command, for messages.
        work: Function without arguments.
        if_interrupted: What to say after an interrupt from the keyboard.
        if_blocked: What to say where the system refuses a file; None for nothing.

    Returns:
        The exit status: 0; 1 where training diverged; 2 where arguments, files or surroundings
        are wrong; 130 after an interrupt.
    """
    message = f"Interrupted. {if_interrupted}"
    quiet_tensorflow()
    escape_what_cannot_be_printed()
    try:
        with INTERRUPTS.while_working(message):
            run_package_file("keras_backend.py")  # before a module imports Keras
            work()
    except (KeyboardInterrupt, Exception) as error:
        # Libraries in C turn an interrupt into errors of their own.
        if INTERRUPTS.received or isinstance(error, KeyboardInterrupt):
            print(f"\n{message}", file=sys.stderr)
            end_without_other_workers(INTERRUPTED)
            return INTERRUPTED
        # An import fails where Keras's backend, or another library, is not installed.
        if not isinstance(error, (DivergedError, ValueError, OSError, ImportError)):
            raise
        print(f"{program}: error: {error}", file=sys.stderr)
        if isinstance(error, OSError):
            if if_blocked:
                print(if_blocked, file=sys.stderr)
            end_without_other_workers(REFUSED)
        return DIVERGED if isinstance(error, DivergedError) else REFUSED
    return OK
