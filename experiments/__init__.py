"""Experiments: `python -m experiments.digits`, `.mnist`, `.cifar10`."""

import sys

from experiments.command_line.interrupts import INTERRUPTS

if sys.argv[0] == "-m":  # so Python calls it while it looks for the module of a command
    INTERRUPTS.listen()
    # Here and not above: from the line before on, an interrupt is answered.
    from experiments.command_line.surroundings import prepare

    prepare()
