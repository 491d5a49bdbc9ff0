"""The head of a model card: what model hubs read of it, in YAML between two lines of dashes."""

import re
from collections.abc import Iterable, Mapping
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
    "bicogan-capsule": ("capsgan_keras", "gan", "bicogan", "capsule-network"),
    "bicogan-convolutional": ("capsgan_keras", "gan", "bicogan"),
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
    settings, dataset = config["settings"], config["dataset"]
    title = f"{settings['model']} GAN on {dataset['name']}, seed {settings['seed']}"
    tags = _TAGS[settings["model"]]
    return hub_head(title, _TASK, tags, dataset, "train", metrics["final"], license)


def hub_head(
    title: str,
    task: str,
    tags: Iterable[str],
    dataset: Mapping[str, Any],
    split: str,
    results: Mapping[str, float],
    license: str = NO_LICENSE,
) -> str:
    """Return the head of a model card.

    Args:
        title: The model's name.
        task: The hub's word for what it does.
        tags: The hub's words for what it is.
        dataset: The part `dataset` of a run's `config.json`.
        split: The images that results are of, `"train"` or `"test"`.
        results: Numbers, by their names.
        license: The licence's name on the hub.
    """
    definition = find_dataset(dataset["source"])
    hub_name = definition.hub_name if definition else ""
    lines = [
        "---",
        "library_name: keras",
        f"license: {check_license(license)}",
        f"pipeline_tag: {task}",
        "tags:",
        *(f"- {tag}" for tag in tags),
        *(["datasets:", f"- {hub_name}"] if hub_name else []),
        "metrics:",
        *(f"- {_quoted(name)}" for name in results),
        "model-index:",
        f"- name: {_quoted(title)}",
        "  results:",
        "  - task:",
        f"      type: {task}",
        "    dataset:",
        f"      name: {_quoted(dataset['name'])}",
        f"      type: {_quoted(hub_name or dataset['name'])}",
        f"      split: {split}",
        "    metrics:",
    ]
    for name, value in results.items():
        lines += [f"    - type: {_quoted(name)}", f"      value: {value:.6f}"]
    return "\n".join([*lines, "---", ""])


def _quoted(text: str) -> str:
    """Return a text as YAML's quoted one: it has Python's escapes for all but ASCII."""
    escaped = readable(text).encode("unicode_escape").decode("ascii")
    return '"' + escaped.replace('"', '\\"') + '"'
