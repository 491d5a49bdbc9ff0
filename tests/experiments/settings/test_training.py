import dataclasses

import pytest

from experiments import cifar10, mnist
from experiments.digits import DIGITS
from experiments.settings.training import Settings


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
        ("loss", "wasserstein"),
        ("beta_1", 1.0),
        ("beta_1", float("nan")),
        ("beta_2", 1.0),
        ("generator_learning_rate", 0.0),
        ("capsule_learning_rate", float("inf")),
        ("convolutional_learning_rate", float("nan")),
        ("latent_dim", 0),
        ("latent_categories", -1),
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
        ("convolutional_dropout", 1.0),
        ("capsule_batch_norm", "yes"),
        ("settings", "own"),
        ("seeds", 0),
        ("validation", -1),
        ("generator_ema", 1.0),
        ("generator_scales", (3, 3)),
        ("width", 0.0),
        ("time_decay", -1.0),
        ("keep_every", 0),
        ("keep_every", 11),
        ("time_decay", 10**400),
        ("gradient_penalty", 10**400),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"^`{name}` must be .* Received: {name}="):
        Settings(**{name: value})


@pytest.mark.parametrize("categories", [1, 9])
def test_categories_are_components_of_the_latents(categories):
    with pytest.raises(ValueError, match=r"^`latent_categories` must be .*latent_dim=8"):
        Settings(latent_dim=8, latent_categories=categories)
    Settings(latent_dim=8, latent_categories=8)


def test_float16_cannot_alternate():
    with pytest.raises(ValueError, match="alternating"):
        Settings(update="alternating", precision="mixed_float16")
    Settings(update="alternating", precision="mixed_bfloat16")


def test_settings_are_frozen_and_the_experiments_differ_in_their_data():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DIGITS.epochs = 3
    published = (DIGITS, mnist.TUNED, mnist.PAPER, cifar10.TUNED, cifar10.PAPER)
    assert [s.dataset for s in published] == ["digits", "mnist", "mnist", "cifar10", "cifar10"]
    assert {s.models for s in published} == {("capsule", "convolutional")}


def test_runs_lie_under_the_name_of_the_data_set_if_nothing_is_said():
    assert mnist.TUNED.runs_folder.as_posix() == "runs/mnist"
    assert Settings(dataset="some/faces.npz").runs_folder.as_posix() == "runs/faces"
    assert Settings(run_dir="elsewhere").runs_folder.as_posix() == "elsewhere"


def test_identity_leaves_out_places_and_the_other_models_settings():
    settings = Settings(run_dir="a", data_dir="b", resume=True, verbose=0, distribute=True)
    capsule, convolutional = (settings.identity(m) for m in ("capsule", "convolutional"))
    places = {"run_dir", "data_dir", "resume", "verbose", "dataset", "distribute", "seeds"}
    assert not places & set(capsule)
    assert {"settings", "generator_ema"} <= set(capsule)
    assert {"epochs", "batch_size", "seed", "precision", "latent_dim", "dropout"} <= set(capsule)
    assert capsule["model"] == "capsule"
    assert set(capsule) - set(convolutional) >= {"routings", "capsule_learning_rate"}
    assert set(convolutional) - set(capsule) == {
        "convolutional_activation",
        "convolutional_batch_norm",
        "convolutional_downsampling",
        "convolutional_dropout",
        "convolutional_filters",
        "convolutional_head",
        "convolutional_layer_dropout",
        "convolutional_learning_rate",
        "convolutional_units",
    }


@pytest.mark.parametrize("module", [mnist, cifar10])
def test_runs_of_different_settings_lie_apart_and_are_told_apart(module):
    tuned, paper = module.TUNED, module.PAPER
    for model in tuned.models:
        assert tuned.run_path(model) != paper.run_path(model)
        elsewhere = (dataclasses.replace(tuned, **vars(paper) | {"settings": "tuned"}), paper)
        assert elsewhere[0].identity(model) != elsewhere[1].identity(model)
    assert paper.runs_folder == tuned.runs_folder / "paper"


@pytest.mark.parametrize("module", [mnist, cifar10])
def test_the_papers_settings_are_what_the_paper_says(module):
    """Sections 3 and 5; the CapsNet of arXiv 1710.09829, section 4, at a quarter of its width."""
    paper = module.PAPER
    assert (paper.num_capsule, paper.dim_capsule, paper.primary_dim_capsule) == (1, 16, 8)
    assert (paper.capsule_filters, paper.capsule_kernel_size) == ((256 // 4,), 9)
    assert paper.n_channels == 32 // 4
    assert (paper.generator_ema, paper.decay, paper.dropout) == (0.0, 0.0, 0.0)
    assert paper.update == "simultaneous"
    assert paper.capsule_learning_rate == paper.convolutional_learning_rate


def test_several_seeds_are_as_many_settings_of_one_seed():
    settings = Settings(seed=4, seeds=3, epochs=7)
    assert settings.by_seed == [Settings(seed=seed, epochs=7) for seed in (4, 5, 6)]
    assert Settings(seed=2).by_seed == [Settings(seed=2)]
