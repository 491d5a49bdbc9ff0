"""List the commands of the experiments.

python -m experiments
"""

import ast
import sys
from pathlib import Path


def commands():
    """Return the commands and the first sentence of what each does, as a dictionary."""
    folder = Path(__file__).parent
    modules = [*sorted(folder.glob("*.py")), *sorted(folder.glob("*/__main__.py"))]
    found = {}
    for path in modules:
        text = path.read_text(encoding="utf-8")
        if path != Path(__file__) and "\ndef main(" in text:
            name = path.parent.name if path.stem == "__main__" else path.stem
            found[f"python -m experiments.{name}"] = ast.get_docstring(ast.parse(text)).partition(
                "\n\n"
            )[0]
    return found


def main(argv=None):
    """Print the commands and return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv:
        print(
            f"python -m experiments: error: takes no arguments. Received: {argv[0]}. A command is "
            "python -m experiments.NAME",
            file=sys.stderr,
        )
        return 2
    print("Commands; each explains itself by --help:\n")
    width = max(map(len, commands()))
    for command, what in commands().items():
        print(f"  {command:{width}}  {' '.join(what.split())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
