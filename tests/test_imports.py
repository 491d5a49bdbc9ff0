"""How modules import each other: without circles, and at the top but for a reason.

An import counts wherever it stands, also inside a function. To import `package.module` runs
`package/__init__.py` first, so that it counts as an import of both, unless the importing module
belongs to `package` itself.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("benchmarks", "capsgan_keras", "experiments")


def modules_of(root, packages):
    """Return the paths of all modules, by their dotted names; a package's is its `__init__`."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def packages_of(module):
    """Return the names of the packages around a module."""
    parts = module.split(".")
    return {".".join(parts[:end]) for end in range(1, len(parts))}


def imported_names(node, module, is_package):
    """Return for each import of a statement the names that it may mean, the longest first."""
    if isinstance(node, ast.Import):
        return [[alias.name] for alias in node.names]
    base = node.module or ""
    if node.level:
        own = module.split(".") if is_package else module.split(".")[:-1]
        base = ".".join([*own[: len(own) - node.level + 1], *filter(None, [node.module])])
    return [[f"{base}.{alias.name}", base] for alias in node.names]


def import_graph(root, packages):
    """Return the modules of these packages that each module imports, by dotted names."""
    modules = modules_of(root, packages)
    graph = {module: set() for module in modules}
    for module, path in modules.items():
        is_package = path.name == "__init__.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            for names in imported_names(node, module, is_package):
                target = next((name for name in names if name in modules), None)
                if target is not None:
                    others = packages_of(target) - packages_of(module)
                    graph[module] |= {target, *others & modules.keys()} - {module}
    return graph


def find_circle(graph):
    """Return one circle as a list of modules, its first again at the end; None if there is none."""
    done = set()

    def visit(module, path):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        for target in sorted(graph[module]):
            circle = visit(target, [*path, module])
            if circle:
                return circle
        done.add(module)
        return None

    return next(filter(None, (visit(module, []) for module in sorted(graph))), None)


def inner_imports_without_reason(text):
    """Return the lines of imports inside functions with no comment there or on the line above.

    One comment is enough for imports that follow each other.
    """
    lines = text.splitlines()
    found, explained = [], set()
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        inner = (n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom))
        for node in sorted(inner, key=lambda node: node.lineno):
            above = lines[node.lineno - 2].strip()
            own = " ".join(lines[node.lineno - 1 : node.end_lineno]).partition("# noqa")[0]
            if "# " in own or above.startswith("# ") or node.lineno - 1 in explained:
                explained.add(node.end_lineno)
            else:
                found.append(node.lineno)
    return sorted(set(found))


def test_no_module_imports_itself_by_way_of_others():
    circle = find_circle(import_graph(ROOT, PACKAGES))
    assert circle is None, "imports go in a circle: " + " -> ".join(circle)


def test_the_package_does_not_import_the_experiments():
    graph = import_graph(ROOT, PACKAGES)
    wrong = [
        f"{module} imports {target}"
        for module, targets in graph.items()
        for target in targets
        if module.split(".")[0] == "capsgan_keras" != target.split(".")[0]
    ]
    assert not wrong


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_inside_functions_have_a_reason(package):
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules_of(ROOT, [package]).values()
        for line in inner_imports_without_reason(path.read_text(encoding="utf-8"))
    ]
    assert not found, f"move to the top, or give the reason in a comment: {', '.join(found)}"


def test_no_module_of_the_package_is_long():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules_of(ROOT, ["capsgan_keras"]).values()
    }
    assert {path: lines for path, lines in lengths.items() if lines > 400} == {}


def test_few_modules_lie_directly_in_experiments():
    assert len(list((ROOT / "experiments").glob("*.py"))) <= 12


# ---- the checks themselves, on made-up trees


@pytest.fixture
def tree(tmp_path):
    """Write modules, given as paths and texts, and return their import graph."""

    def write(modules):
        for path, text in ({"pkg/__init__.py": "", "other/__init__.py": ""} | modules).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return import_graph(tmp_path, ("pkg", "other"))

    return write


@pytest.mark.parametrize(
    ("modules", "circle"),
    [
        (
            {"pkg/a.py": "import pkg.b", "pkg/b.py": "def f():\n    from pkg import a"},
            ["pkg.a", "pkg.b", "pkg.a"],
        ),
        (
            {
                "pkg/__init__.py": "from pkg.sub.a import x",
                "pkg/sub/__init__.py": "",
                "pkg/sub/a.py": "from pkg import y\nx = 1",
            },
            ["pkg", "pkg.sub.a", "pkg"],
        ),
        (
            {
                "pkg/a.py": "from . import b",
                "pkg/b.py": "from .c import x",
                "pkg/c.py": "import pkg.a",
            },
            ["pkg.a", "pkg.b", "pkg.c", "pkg.a"],
        ),
        (
            {"pkg/a.py": "import other.b", "other/__init__.py": "import pkg.a", "other/b.py": ""},
            ["other", "pkg.a", "other"],
        ),
    ],
    ids=["inside a function", "own package's name", "relative", "another package's __init__"],
)
def test_circles_are_found(tree, modules, circle):
    assert find_circle(tree(modules)) == circle


def test_imports_without_a_circle(tree):
    graph = tree(
        {
            "pkg/__init__.py": "from pkg.a import x\nfrom pkg.sub import y",
            "pkg/a.py": "import os\nfrom pkg import b\nx = b.z",
            "pkg/b.py": "from other import z",
            "pkg/sub/__init__.py": "from .c import y",
            "pkg/sub/c.py": "from ..b import z as y",
            "other/__init__.py": "z = 1",
        }
    )
    assert graph == {
        "pkg": {"pkg.a", "pkg.sub"},
        "pkg.a": {"pkg.b"},
        "pkg.b": {"other"},
        "pkg.sub": {"pkg.sub.c"},
        "pkg.sub.c": {"pkg.b"},
        "other": set(),
    }
    assert find_circle(graph) is None


def test_imports_without_a_reason_are_found():
    text = """
import a
def f():
    import b
    import c  # optional
    import d  # noqa: F401
def g():
    # slow
    from e import (
        f,
    )
    x = 1
    import h  # noqa: F401
"""
    assert inner_imports_without_reason(text) == [4, 13]
