import re
from pathlib import Path

import pytest

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
