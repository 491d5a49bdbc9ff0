import dataclasses

import pytest

from experiments.cifar10 import CIFAR10
from experiments.digits import DIGITS
from experiments.mnist import MNIST
from experiments.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", ""),
        ("model", "foo"),
        ("epochs", 0),
        ("epochs", True),
        ("epochs", 1.5),
        ("batch_size", -1),
        ("seed", -1),
        ("seed", 2**32),
        ("image_size", 15),
        ("resume", 1),
        ("distribute", 1),
        ("verbose", 3),
        ("precision", "bfloat16"),
        ("update", "together"),
        ("beta_1", 1.0),
        ("beta_1", float("nan")),
        ("generator_learning_rate", 0.0),
        ("capsule_learning_rate", float("inf")),
        ("convolutional_learning_rate", float("nan")),
        ("latent_dim", 0),
        ("generator_filters", (64,)),
        ("generator_filters", [64, 32]),
        ("capsule_filters", ()),
        ("capsule_filters", (64, 0)),
        ("convolutional_filters", None),
        ("capsule_padding", "full"),
        ("num_capsule", 3),
        ("routing", "none"),
        ("routings", 0),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("capsule_batch_norm", "yes"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"^`{name}` must be .* Received: {name}="):
        Settings(**{name: value})


def test_float16_cannot_alternate():
    with pytest.raises(ValueError, match="alternating"):
        Settings(update="alternating", precision="mixed_float16")
    Settings(update="alternating", precision="mixed_bfloat16")


def test_settings_are_frozen_and_the_experiments_differ_in_their_data():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DIGITS.epochs = 3
    assert [s.dataset for s in (DIGITS, MNIST, CIFAR10)] == ["digits", "mnist", "cifar10"]
    assert {s.models for s in (DIGITS, MNIST, CIFAR10)} == {("capsule", "convolutional")}


def test_runs_lie_under_the_name_of_the_data_set_if_nothing_is_said():
    assert MNIST.runs_folder.as_posix() == "runs/mnist"
    assert Settings(dataset="some/faces.npz").runs_folder.as_posix() == "runs/faces"
    assert Settings(run_dir="elsewhere").runs_folder.as_posix() == "elsewhere"


def test_identity_leaves_out_places_and_the_other_models_settings():
    settings = Settings(run_dir="a", data_dir="b", resume=True, verbose=0, distribute=True)
    capsule, convolutional = (settings.identity(m) for m in ("capsule", "convolutional"))
    assert not {"run_dir", "data_dir", "resume", "verbose", "dataset", "distribute"} & set(capsule)
    assert {"epochs", "batch_size", "seed", "precision", "latent_dim", "dropout"} <= set(capsule)
    assert capsule["model"] == "capsule"
    assert set(capsule) - set(convolutional) >= {"routings", "capsule_learning_rate"}
    assert set(convolutional) - set(capsule) == {
        "convolutional_batch_norm",
        "convolutional_filters",
        "convolutional_learning_rate",
    }
