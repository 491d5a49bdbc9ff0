"""Settings of classifiers: names, folders, what tells runs apart, what is refused."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from capsgan_keras.routing.choice import NAMES
from experiments.capsnet.__main__ import main
from experiments.settings.classifiers import ROUTINGS, ClassifierSettings

ROOT = Path(__file__).parents[3]


def test_the_routings_are_the_packages():
    assert set(ROUTINGS) == set(NAMES)


def test_runs_have_names_and_folders():
    settings = ClassifierSettings
    assert settings().run_path("efficient") == Path("runs/capsnet/mnist/efficient-seed0")
    assert settings(model="capsnet", routing="em").name == "capsnet-em"
    plain = settings(model="plain", size_of="capsnet", overlap=True, validation=9)
    assert plain.name == "plain-capsnet"
    assert plain.network == "capsnet"
    assert plain.runs_folder == Path("runs/capsnet/mnist/overlap/validation")
    assert plain.tests == ("overlap",)
    assert settings(test=("overlap", "affine")).tests == ("affine", "overlap")
    assert [each.seed for each in settings(seed=3, seeds=2).by_seed] == [3, 4]


def test_what_has_no_effect_tells_no_runs_apart():
    identity = ClassifierSettings(test=("affine",), seeds=4).identity("efficient")
    assert identity["model"] == "efficient"
    assert identity == ClassifierSettings(size_of="capsnet").identity("efficient")
    assert {"size_of", "test", "seeds", "run_dir", "verbose", "dataset"}.isdisjoint(identity)
    plain = ClassifierSettings(model="plain").identity("plain-efficient")
    assert plain["size_of"] == "efficient"
    assert {"routing", "routings", "reconstruction"}.isdisjoint(plain)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--model lenet", "argument --model: invalid choice: 'lenet'"),
        ("--routing fast", "argument --routing: invalid choice: 'fast'"),
        ("--test noise", "argument --test: invalid choice: 'noise'"),
        ("--test affine affine", "`test` must be different ones of"),
        ("--shift -1", "`shift` must be a whole number of at least 0"),
        ("--width 0", "`width` must be a positive number"),
        ("--epochs 0", "`epochs` must be a whole number of at least 1"),
        ("--reconstruction -1", "`reconstruction` must be a finite number of at least 0"),
        ("--model plain --routing em", "`routing` is for networks of capsules"),
        ("--seed 4294967295 --seeds 2", "`seed` and `seeds` must leave every seed below 2**32"),
        ("--distribute", "unrecognized arguments: --distribute"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_else(arguments, message, capsys):
    assert main(arguments.split()) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert "python -m experiments.capsnet: error: " in output.err
    assert output.out == ""


def test_every_field_is_an_option_with_help(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(ClassifierSettings):
        assert f"  --{field.name.replace('_', '-')}" in text
        assert field.metadata["help"].split()[0] in text


def test_wrong_arguments_import_no_keras():
    code = (
        "import sys; from experiments.capsnet.__main__ import main; status = main(['--shift=x']); "
        "print(status, [name for name in ('keras', 'tensorflow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "2 []\n"
