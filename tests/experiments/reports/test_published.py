"""`results/` holds runs of the published settings."""

import dataclasses
import json
from pathlib import Path

import pytest

from experiments import cifar10, mnist
from experiments.settings.differences import differences
from experiments.training.networks import build_gan

RESULTS = Path(__file__).parents[3] / "results"
SETTINGS = [settings for module in (mnist, cifar10) for settings in (module.TUNED, module.PAPER)]


def run_folders(settings, model):
    name = "" if settings.settings == "tuned" else settings.settings
    return sorted((RESULTS / settings.dataset / name).glob(f"{model}-seed*"))


@pytest.mark.parametrize("model", ["capsule", "convolutional"])
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: f"{s.dataset}-{s.settings}")
def test_published_runs_are_those_of_the_settings(settings, model):
    """Another default of the package would show too: in the networks' sizes."""
    folders = run_folders(settings, model)
    assert len(folders) >= 3
    for seed, folder in enumerate(folders):
        config, metrics = (
            json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))
            for part in ("config", "metrics")
        )
        asked = dataclasses.replace(settings, seed=seed).identity(model)
        asked |= {"precision": config["settings"]["precision"]}
        stored = {"validation": 0} | config["settings"]  # older runs could not hold images out
        assert not differences(stored, json.loads(json.dumps(asked)))
    gan = build_gan(settings, model, tuple(config["dataset"]["image_shape"]), steps=10)
    for part, count in metrics["parameters"].items():
        assert getattr(gan, part).count_params() == count
