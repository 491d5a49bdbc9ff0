"""What the package knows of terminals and logs, read without importing it."""

from experiments.settings.fields import run_package_file

_TERMINAL = run_package_file("terminal.py")
progress, quiet_tensorflow = _TERMINAL["progress"], _TERMINAL["quiet_tensorflow"]
