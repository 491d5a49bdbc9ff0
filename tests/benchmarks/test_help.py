import pytest


@pytest.mark.parametrize("name", ["generation", "gam", "semi_supervised", "startup", "growth"])
def test_help_does_not_wait_for_keras(name, run_python):
    printed = run_python(
        f"""
import sys
from benchmarks import {name}
try:
    {name}.main(["--help"])
except SystemExit as stop:
    assert stop.code == 0
assert not {{"keras", "tensorflow", "numpy"}} & set(sys.modules)
"""
    )
    assert f"python -m benchmarks.{name}" in printed
    assert "SUPPRESS" not in printed
    assert "--memory-of" not in printed
