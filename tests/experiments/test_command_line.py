import dataclasses
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments import cifar10, digits, mnist
from experiments.command_line import parse
from experiments.settings import Settings

ROOT = Path(__file__).parents[2]


def parsed(arguments="", defaults=digits.DIGITS):
    return parse("digits", defaults, "", shlex.split(arguments))


def test_every_field_is_an_option_with_help(capsys):
    assert digits.main(["--help"]) == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(Settings):
        assert f"  --{field.name.replace('_', '-')}" in text
        assert field.metadata["help"].split()[0] in text


def test_nothing_given_leaves_the_experiments_settings():
    for module, defaults in ((digits, "DIGITS"), (mnist, "MNIST"), (cifar10, "CIFAR10")):
        assert parsed(defaults=getattr(module, defaults)) == getattr(module, defaults)


def test_arguments_replace_settings():
    settings = parsed(
        "--dataset ./faces --model capsule --epochs 3 --batch-size 32 --seed 7 "
        "--capsule-filters 64 32 --dropout 0.25 --resume --no-capsule-batch-norm "
        "--num-capsule 2 --capsule-learning-rate 5e-5"
    )
    assert settings == dataclasses.replace(
        digits.DIGITS,
        dataset="./faces",
        model="capsule",
        epochs=3,
        batch_size=32,
        seed=7,
        capsule_filters=(64, 32),
        dropout=0.25,
        resume=True,
        capsule_batch_norm=False,
        num_capsule=2,
        capsule_learning_rate=5e-5,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--epochs 0", "`epochs` must be a whole number of at least 1"),
        ("--batch-size 0", "`batch_size`"),
        ("--model foo", "argument --model: invalid choice: 'foo'"),
        ("--epochs ten", "argument --epochs: invalid int value: 'ten'"),
        ("--generator-filters 64", "`generator_filters` must be 2 positive whole numbers"),
        ("--epoch 3", "unrecognized arguments: --epoch 3"),
        ("--update alternating --precision mixed_float16", "one loss scale"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_else(arguments, message, capsys):
    assert digits.main(arguments.split()) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert "python -m experiments.digits: error: " in output.err
    assert output.out == ""


@pytest.mark.parametrize("module", ["digits", "mnist", "cifar10"])
def test_help_answers_in_under_a_second(module):
    times = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", f"experiments.{module}", "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        times.append(time.perf_counter() - started)
        assert done.returncode == 0
        assert f"python -m experiments.{module}" in done.stdout
    assert min(times) < 1.0


def test_wrong_arguments_import_no_keras():
    code = (
        "import sys; from experiments import digits; status = digits.main(['--epochs', '0']); "
        "print(status, [name for name in ('keras', 'tensorflow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "2 []\n"
