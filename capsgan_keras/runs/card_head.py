"""The head of a model card: what model hubs read of it, in YAML between two lines of dashes."""

import re
from collections.abc import Mapping
from typing import Any

from capsgan_keras.datasets.registry import find_dataset
from capsgan_keras.files import readable

NO_LICENSE = "unknown"
"""The hub's word where nobody has said under which licence the networks are."""
_TASK = "unconditional-image-generation"
_TAGS = {
    "capsule": ("capsgan_keras", "gan", "capsule-network"),
    "convolutional": ("capsgan_keras", "gan", "dcgan"),
    "bigan-capsule": ("capsgan_keras", "gan", "bigan", "capsule-network"),
    "bigan-convolutional": ("capsgan_keras", "gan", "bigan"),
    "bicogan-capsule": ("capsgan_keras", "gan", "bigan", "capsule-network"),
    "bicogan-convolutional": ("capsgan_keras", "gan", "bigan"),
}


def check_license(license: str) -> str:
    """Return a licence's name as a hub takes it, such as `"apache-2.0"`.

    Raises:
        ValueError: Where it has other characters than a hub's names have.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", license):
        raise ValueError(
            "`license` must be the name of a licence on the hub, such as apache-2.0: small "
            f"letters, digits, dots and dashes. Received: license={license!r}"
        )
    return license


def card_head(config: Mapping[str, Any], metrics: Mapping[str, Any], license: str) -> str:
    """Return the head of a run's model card.

    The form is that of the Hugging Face hub's model cards, with the logs after the last epoch as
    results on the training images.

    Args:
        config: The run's `config.json` as a dictionary.
        metrics: The run's `metrics.json` as a dictionary.
        license: The licence's name on the hub.
    """
    dataset, settings = config["dataset"], config["settings"]
    definition = find_dataset(dataset["source"])
    hub_name = definition.hub_name if definition else ""
    title = f"{settings['model']} GAN on {dataset['name']}, seed {settings['seed']}"
    lines = [
        "---",
        "library_name: keras",
        f"license: {check_license(license)}",
        f"pipeline_tag: {_TASK}",
        "tags:",
        *(f"- {tag}" for tag in _TAGS[settings["model"]]),
        *(["datasets:", f"- {hub_name}"] if hub_name else []),
        "metrics:",
        *(f"- {_quoted(name)}" for name in metrics["final"]),
        "model-index:",
        f"- name: {_quoted(title)}",
        "  results:",
        "  - task:",
        f"      type: {_TASK}",
        "    dataset:",
        f"      name: {_quoted(dataset['name'])}",
        f"      type: {_quoted(hub_name or dataset['name'])}",
        "      split: train",
        "    metrics:",
    ]
    for name, value in metrics["final"].items():
        lines += [f"    - type: {_quoted(name)}", f"      value: {value:.6f}"]
    return "\n".join([*lines, "---", ""])


def _quoted(text: str) -> str:
    """Return a text as YAML's quoted one: it has Python's escapes for all but ASCII."""
    escaped = readable(text).encode("unicode_escape").decode("ascii")
    return '"' + escaped.replace('"', '\\"') + '"'
