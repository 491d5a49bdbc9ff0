"""Every public name has an example in its docstring, and every example runs."""

import importlib
import inspect
import re
import textwrap

import pytest

PACKAGES = (
    "capsgan_keras",
    "capsgan_keras.callbacks",
    "capsgan_keras.datasets",
    "capsgan_keras.evaluation",
    "capsgan_keras.layers",
    "capsgan_keras.losses",
    "capsgan_keras.models",
    "capsgan_keras.plotting",
    "capsgan_keras.routing",
)

WITHOUT_EXAMPLE = {
    "at_least_float32": "a detail of the routing functions",
    "check_routings": "a detail of the routing functions",
    "in_graph": "a detail of the routing functions",
    "CandidateErrors": "choose_settings names it",
    "CapsuleClassifier": "the classes that are derived from it show it",
    "DatasetDefinition": "register_dataset shows it",
    "ConfidentShares": "confident_shares shows it",
    "GamResult": "generative_adversarial_metric shows it",
    "ManifoldScores": "manifold_scores shows it",
    "Memorising": "memorising shows it",
    "Overlaps": "overlap_images shows it",
    "SampleQuality": "sample_quality shows it",
    "SemiSupervisedCell": "semi_supervised_error shows it",
    "SemiSupervisedResult": "semi_supervised_error shows it",
    "SettingsChoice": "choose_settings shows it",
    "TournamentResult": "tournament shows it",
    "TournamentRow": "tournament shows it",
}
"""Names that need none, each with the reason. Exceptions need none either."""


def examples(docstring):
    """Return the code of the fenced Python blocks of a docstring."""
    blocks = re.finditer(r"^( *)```python\n(.*?)^\1```$", docstring, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block[2]) for block in blocks]


def public_names():
    """Return each public function and class, by the first package that exports it."""
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            is_exception = isinstance(value, type) and issubclass(value, Exception)
            if callable(value) and not is_exception:  # nor a constant, such as `__version__`
                found.setdefault(name, pytest.param(name, value, id=f"{package}.{name}"))
    return found


NAMES = public_names()


@pytest.mark.parametrize(
    ("name", "value"), [case for name, case in NAMES.items() if name not in WITHOUT_EXAMPLE]
)
def test_the_example_runs(name, value, tmp_path, monkeypatch):
    found = examples(inspect.getdoc(value) or "")
    assert found, f"{name} has no example: a block ```python in its docstring"
    monkeypatch.chdir(tmp_path)
    for example in found:
        exec(compile(example, f"<example of {name}>", "exec"), {"__name__": "__main__"})


def test_names_without_an_example_exist():
    assert set(WITHOUT_EXAMPLE) <= set(NAMES)


def test_all_blocks_are_found():
    docstring = """One.

    ```python
    a = 1

    if a:
        b = 2
    ```

```python
c = 3
```
"""
    assert examples(docstring) == ["a = 1\n\nif a:\n    b = 2\n", "c = 3\n"]
