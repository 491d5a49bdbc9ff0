"""Public functions, methods and constructors say the types of their parameters and results."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "capsgan_keras").rglob("*.py"))


def missing_hints(tree):
    """Return what lacks hints: `name(parameter, ...)`, with `return` for the result."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found += [f"{node.name}.{missing}" for missing in missing_hints(node)]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_public(node.name):
            arguments = node.args
            parameters = [*arguments.posonlyargs, *arguments.args]
            if isinstance(tree, ast.ClassDef) and not _is_static(node):
                del parameters[0]
            parameters += [*arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            names = [p.arg for p in parameters if p is not None and p.annotation is None]
            names += ["return"] if node.returns is None else []
            if names:
                found.append(f"{node.name}({', '.join(names)})")
    return found


def _is_public(name):
    return not name.startswith("_") or name.endswith("__")


def _is_static(node):
    return any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_function_has_hints(path):
    missing = missing_hints(ast.parse(path.read_text(encoding="utf-8")))
    assert not missing, f"{path.relative_to(ROOT)} lacks type hints: {'; '.join(missing)}"


def test_what_lacks_hints_is_found():
    tree = ast.parse(
        """
def typed(a: int, *args: int, b: str = "", **kwargs: int) -> None: ...
def no_result(a: int): ...
def _private(a): ...
class Model:
    def __init__(self, size, *args, **kwargs): ...
    @property
    def size(self): ...
    @staticmethod
    def scale(x) -> int: ...
    @classmethod
    def make(cls, *, x) -> int: ...
    def _private(self, a): ...
"""
    )
    assert missing_hints(tree) == [
        "no_result(return)",
        "Model.__init__(size, args, kwargs, return)",
        "Model.size(return)",
        "Model.scale(x)",
        "Model.make(x)",
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_ignored_errors_have_a_reason(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        if "type: ignore" in line:
            assert re.search(r"# type: ignore\[[\w, -]+\]  # \w+", line), line


def test_hints_come_with_the_installed_package():
    assert "capsgan_keras = py.typed" in (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert (ROOT / "capsgan_keras" / "py.typed").is_file()


def test_mypy_finds_no_error():
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--cache-dir", "/dev/null"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
