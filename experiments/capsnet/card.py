"""The model card of a classifier: the README that a program writes from a run's own records."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capsgan_keras.runs.card_head import hub_head
from capsgan_keras.runs.model_card import counted, markdown_table, settings_section, terms
from experiments.capsnet.directory import NETWORK

_TASK = "image-classification"
_KINDS = {
    "capsnet": "The capsule network of Sabour et al. 2017 (arXiv 1710.09829)",
    "efficient": "Efficient-CapsNet, of Mazzia et al. 2021 (arXiv 2101.12491)",
    "deep": "A network of convolutional capsules",
    "plain": "A plain convolutional network: the control, with the layers of a capsule network, "
    "ReLU in the place of the squash and no routing",
}
MEASURES = {
    "test_error": "error on the test images",
    "affine_error": "error on test images that are turned, sheared, scaled and moved",
    "overlap_exact_match": "share of overlapping pairs of which both classes are found",
}
_PICTURES = {
    "reconstructions": "images, and what the decoder makes of their capsules",
    "variations": "one component of a capsule changed at a time: rows are components, columns "
    "what is added",
    "couplings": "how strongly each place, or type, is coupled to each class",
    "curves": "losses and accuracy in training",
}


def classifier_card(folder: Path, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return a run's model card, a Markdown text with a head that model hubs read.

    Args:
        folder: The run's folder, with its pictures; it is named in the example.
        config: The run's `config.json` as a dictionary.
        metrics: The run's `metrics.json` as a dictionary.
    """
    settings, dataset = config["settings"], config["dataset"]
    title = f"{settings['model']} on {dataset['name']}, seed {settings['seed']}"
    kind = settings["model"].partition("-")[0]
    tags = ("capsgan_keras", *(() if kind == "plain" else ("capsule-network",)))
    results = {name: metrics[name] for name in MEASURES if name in metrics}
    held_out = bool(settings["validation"])
    split = "validation" if held_out else "test"
    rows = {MEASURES[name]: _percent(value) for name, value in results.items()}
    pictures = "\n\n".join(
        f"![{text}]({name}.png)\n\n{name}: {text}."
        for name, text in _PICTURES.items()
        if (folder / f"{name}.png").is_file()
    )
    parameters = ", ".join(f"{name} {n:,}" for name, n in metrics["parameters"].items())
    instead = "\n\nTraining images that were held out took the place of the test images."
    return f"""{hub_head(title, _TASK, tags, dataset, split, results)}
# {title}

{_KINDS[kind]}.

Trained by capsgan_keras for research and teaching; no claim is made for any other use.

## Results

{markdown_table(("measured", "value"), rows)}{instead if held_out else ""}

{counted(metrics["epochs"], "epoch")}, {metrics["seconds_per_epoch"]:.1f} s each. Trainable
parameters: {parameters}. `history.csv` has every epoch.

{pictures}

## Data

{dataset["name"]}: {dataset["images"]:,} training images. SHA-256 of the data set's arrays:
`{dataset["checksum"]}`.

{terms(dataset)}

{settings_section(config)}

## Use

{_use(folder, kind, metrics["image_shape"])}
"""


def _use(folder: Path, kind: str, image_shape: list[int]) -> str:
    outputs = "network.predict(images)" + ("" if kind == "plain" else '["lengths"]')
    shape = ", ".join(map(str, image_shape))
    return f"""```python
import capsgan_keras, keras

network = keras.saving.load_model("{folder / NETWORK}")
classes = {outputs}.argmax(axis=-1)  # images: uint8 (n, {shape})
```"""


def _percent(share: float) -> str:
    return f"{share:.2%}"
