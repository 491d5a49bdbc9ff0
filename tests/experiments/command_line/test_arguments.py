import dataclasses
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import cifar10, digits, mnist
from experiments.command_line.arguments import parse_settings
from experiments.settings.training import Settings

ROOT = Path(__file__).parents[3]


def parsed(arguments="", *published):
    return parse_settings("digits", published or (digits.DIGITS,), "", shlex.split(arguments))


def test_every_field_is_an_option_with_help(capsys):
    assert mnist.main(["--help"]) == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(Settings):
        assert f"  --{field.name.replace('_', '-')}" in text
        assert field.metadata["help"].split()[0] in text


def test_nothing_given_leaves_the_experiments_settings():
    for settings in (digits.DIGITS, mnist.TUNED, cifar10.TUNED):
        assert parsed("", settings) == settings


@pytest.mark.parametrize("module", [mnist, cifar10])
def test_the_published_settings_are_chosen_by_name(module, capsys):
    published = module.TUNED, module.PAPER
    assert parsed("", *published) == module.TUNED
    assert parsed("--settings tuned", *published) == module.TUNED
    assert parsed("--settings paper", *published) == module.PAPER
    changed = dataclasses.replace(module.PAPER, epochs=3, seeds=2)
    assert parsed("--epochs 3 --seeds 2 --settings=paper", *published) == changed
    assert module.main(["--settings", "own"]) == 2
    assert "--settings: invalid choice: 'own'" in capsys.readouterr().err


def test_help_shows_the_values_of_the_chosen_settings(capsys):
    defaults = {"tuned": "(default: 64)", "paper": "(default: 128)"}
    for name, default in defaults.items():
        assert mnist.main(["--settings", name, "--help"]) == 0
        help_of = capsys.readouterr().out.partition("--batch-size ")[2]
        assert default in help_of.partition("  --")[0]


def test_digits_has_one_settings_only(capsys):
    assert digits.main(["--settings", "paper"]) == 2
    assert "unrecognized arguments: --settings" in capsys.readouterr().err


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
        ("--seeds 0", "`seeds` must be a whole number of at least 1"),
        ("--seed 4294967295 --seeds 2", "`seed` and `seeds` must leave every seed below 2**32"),
        ("--epochs ten", "argument --epochs: invalid int value: 'ten'"),
        (
            "--generator-filters 64",
            "`generator_filters` must be as many as `generator_scales`, or 2 without them",
        ),
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


@pytest.mark.parametrize(
    "module", ["digits", "mnist", "cifar10", "study", "sample", "capsnet", "bigan"]
)
def test_help(module):
    done = subprocess.run(
        [sys.executable, "-m", f"experiments.{module}", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert f"python -m experiments.{module}" in done.stdout


def test_wrong_arguments_import_no_keras():
    code = (
        "import sys; from experiments import digits; status = digits.main(['--epochs', '0']); "
        "print(status, [name for name in ('keras', 'tensorflow', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "2 []\n"
