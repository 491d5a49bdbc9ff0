import re
from pathlib import Path

import pytest
import yaml

from capsgan_keras.pretrained import pretrained_models
from capsgan_keras.pretrained.loading import pretrained_path
from capsgan_keras.runs.card_head import card_head, check_license
from capsgan_keras.runs.model_card import counted, model_card

CONFIG = {
    "settings": {
        "model": "capsule",
        "seed": 3,
        "latent_dim": 8,
        "capsule_filters": [64, 128],
        "capsule_padding": None,
        "capsule_learning_rate": None,
    },
    "learning_rates": {"capsule_learning_rate": 5e-5},
    "dataset": {
        "name": "cifar10",
        "source": "cifar10",
        "checksum": "0123abcd",
        "images": 50000,
        "image_shape": [32, 32, 3],
    },
    "versions": {"capsgan_keras": "0.1.0", "keras": "3.15.1"},
    "commit": None,
}
METRICS = {
    "epochs": 12,
    "final": {"d_loss": 0.123456},
    "seconds": 61.6,
    "images_per_second": 812.4,
    "parameters": {"generator": 1234567, "discriminator": 1000},
}


def test_the_card_holds_the_records_of_the_run():
    card = model_card("runs/cifar10/capsule-seed3", CONFIG, METRICS)
    for part in (
        "# The capsule GAN on cifar10, seed 3",
        "(samples/epoch-0012.png)",
        "50,000 training images of 32 x 32 x 3",
        "`0123abcd`",
        "| d_loss | 0.1235 |",
        "12 epochs in 62 s: 812 real\nimages/s",
        "generator 1,234,567, discriminator 1,000",
        "| capsule_filters | 64 128 |",
        "| capsule_padding | - |",
        "| capsule_learning_rate | 5e-05 |",
        "| keras | 3.15.1 |",
        "| commit | - |",
        'load_run("runs/cifar10/capsule-seed3")',
        "uint8 (64, 32, 32, 3)",
        "80 Million Tiny Images",
    ):
        assert part in card


@pytest.mark.parametrize(
    ("source", "terms"),
    [
        ("digits", "CC BY 4.0"),
        ("mnist", "CC BY-SA 3.0"),
        ("./mnist", "A data set of your own"),
    ],
)
def test_the_terms_are_those_of_the_data(source, terms):
    config = CONFIG | {"dataset": CONFIG["dataset"] | {"source": source}}
    assert terms in model_card("runs/a", config, METRICS)


def test_the_two_kinds_are_told_apart():
    config = CONFIG | {"settings": CONFIG["settings"] | {"model": "convolutional"}}
    assert "cross-entropy" in model_card("runs/a", config, METRICS)
    assert "margin loss" in model_card("runs/a", CONFIG, METRICS)


def test_one_epoch_is_one_epoch():
    assert "\n1 epoch in 62 s" in model_card("runs/a", CONFIG, METRICS | {"epochs": 1})
    counts = [counted(number, "step") for number in (0, 1, 2, 1234)]
    assert counts == ["0 steps", "1 step", "2 steps", "1,234 steps"]


def test_published_cards_load_only_what_a_clone_has():
    root = Path(__file__).parents[2]
    cards = [*(root / "results").rglob("README.md")]
    assert cards
    for card in cards:
        text = card.read_text(encoding="utf-8")
        for path in re.findall(r'load_run\("([^"]+)"\)', text):
            assert (root / path / "gan.keras").is_file(), card
        for model, data in re.findall(r'load_pretrained\("(\w+)", "(\w+)"\)', text):
            assert (root / "capsgan_keras/pretrained" / data / model / "gan.keras").is_file(), card


def read_head(card):
    """What a model hub reads: the YAML between the first line, of dashes, and the next such one."""
    empty, head, text = re.split(r"^---\n", card, maxsplit=2, flags=re.MULTILINE)
    assert empty == ""
    assert text.startswith("\n# ")
    return yaml.safe_load(head)


def test_the_head_of_a_card_is_what_hubs_read():
    task = "unconditional-image-generation"
    assert read_head(model_card("runs/a", CONFIG, METRICS)) == {
        "library_name": "keras",
        "license": "unknown",
        "pipeline_tag": task,
        "tags": ["capsgan_keras", "gan", "capsule-network"],
        "datasets": ["uoft-cs/cifar10"],
        "metrics": ["d_loss"],
        "model-index": [
            {
                "name": "capsule GAN on cifar10, seed 3",
                "results": [
                    {
                        "task": {"type": task},
                        "dataset": {"name": "cifar10", "type": "uoft-cs/cifar10", "split": "train"},
                        "metrics": [{"type": "d_loss", "value": 0.123456}],
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    "name",
    ["a: b # c", "\"'\\ - {x}", "yes", "1e-5", "é…😀\x7f\x85\u2028\ufeff", "two\nlines\n---", " "],
)
def test_names_of_every_kind_are_texts_in_the_head(name):
    dataset = CONFIG["dataset"] | {"name": name, "source": f"/home/me/{name}"}
    card = card_head(CONFIG | {"dataset": dataset}, METRICS, "mit") + "\n# Title"
    head = read_head(card)
    (result,) = head["model-index"][0]["results"]
    assert result["dataset"] == {"name": name, "type": name, "split": "train"}
    assert head["model-index"][0]["name"] == f"capsule GAN on {name}, seed 3"
    assert "datasets" not in head
    assert "/home/me" not in card
    assert card.isascii()


def test_small_numbers_are_numbers_in_the_head():
    head = read_head(card_head(CONFIG, METRICS | {"final": {"a": 1e-5, "b": 2}}, "mit") + "\n# ")
    metrics = head["model-index"][0]["results"][0]["metrics"]
    assert metrics == [{"type": "a", "value": 1e-5}, {"type": "b", "value": 2.0}]


@pytest.mark.parametrize("license", ["", "Apache 2.0", "mit\ntags: x", "-", "mit: x"])
def test_what_is_no_name_of_a_licence_is_refused(license):
    with pytest.raises(ValueError, match="`license` must be the name of a licence"):
        check_license(license)


@pytest.mark.parametrize(("model", "dataset"), pretrained_models())
def test_shipped_cards_have_a_head(model, dataset):
    head = read_head((pretrained_path(model, dataset) / "README.md").read_text(encoding="utf-8"))
    assert head["library_name"] == "keras"
    assert head["license"] == "apache-2.0"
    assert head["datasets"][0].endswith(f"/{dataset}")
