"""Model cards: the README of a run, written from the run's own records."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from capsgan_keras.datasets.registry import find_dataset

_OWN_TERMS = "A data set of your own: its terms hold for the trained networks' images too."
_KINDS = {
    "capsule": "CapsuleGAN (arXiv 1802.06167): a capsule discriminator, trained with the margin "
    "loss",
    "convolutional": "The convolutional GAN that CapsuleGAN (arXiv 1802.06167) is compared with: "
    "a convolutional discriminator after DCGAN, trained with cross-entropy",
}
_USE = "Trained by capsgan_keras for research and teaching; no claim is made for any other use."


def model_card(path: str | os.PathLike, config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Return a run's model card, a Markdown text.

    Args:
        path: The run's folder, named in the example.
        config: The run's `config.json` as a dictionary.
        metrics: The run's `metrics.json` as a dictionary.
    """
    settings, dataset = config["settings"], config["dataset"]
    last = f"samples/epoch-{metrics['epochs']:04d}.png"
    return f"""# {_title(settings, dataset)}

{_KINDS[settings["model"]]}.

{_USE}

![100 images after the last epoch]({last})

![training curves](curves.png)

## Data

{_data(dataset)}

{_terms(dataset["source"])}

## Results

{_training(config, metrics)}

## Settings

{_settings(config)}

## Use

```python
from capsgan_keras import load_run

gan = load_run("{path}").gan
images = gan.generate(64, seed=0)  # uint8 (64, {_sides(dataset["image_shape"], ", ")})
scores = gan.discriminate(images)  # (64,) probabilities of being real
```

`generator.keras` alone maps latents (n, {settings["latent_dim"]}) to images in [-1, 1], and loads
with `keras.saving.load_model` without this package.
"""


_MEASURES = """`r_samples` is the convolutional discriminator's accuracy on
CapsuleGAN's images over the capsule discriminator's on the convolutional GAN's, `r_test` the same
ratio on test images: `r_samples` below 1 with `r_test` about 1 is a win for CapsuleGAN (section 5.2
of the paper). In brackets bootstrap 95 % intervals; after ± the standard deviation over draws of
the n labelled images. The other figures are measured by a classifier of real images and in its
features, which are not an Inception network's."""


def pretrained_card(config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Return the model card of trained networks that come with the package, a Markdown text.

    Args:
        config: The run's `config.json` as a dictionary.
        metrics: The `metrics.json` of `python -m experiments.publish` as a dictionary: the run's,
            and in `pretrained` what was measured of the stored networks.
    """
    settings, dataset = config["settings"], config["dataset"]
    stored = metrics["pretrained"]
    evaluation = stored["evaluation"]
    measured = _table(("measured of the run", "value"), evaluation) if evaluation else "None."
    if evaluation:
        measured += (
            f"\n\nOf the networks as they were trained, computing in {settings['precision']}, "
            f"not of those stored here.\n\n{_MEASURES}"
        )
    return f"""# {_title(settings, dataset)}: trained networks

{_KINDS[settings["model"]]}.

{_USE}

![100 images of the stored generator, latents of seed {settings["seed"]}, not chosen](samples.png)

## Data

{_data(dataset)}

## Terms of use

The files of this folder come under the package's licence, Apache 2.0. They were made from images
that have terms of their own, which may reach what is generated:

{_terms(dataset["source"])}

## Results

{_training(config, metrics)}

## Evaluation

{measured}

## What is stored

{_stored(stored, settings["precision"])}

## Settings

{_settings(config)}

## Use

```python
from capsgan_keras import load_pretrained

gan = load_pretrained("{settings["model"]}", "{dataset["source"]}")
images = gan.generate(64, seed=0)  # uint8 (64, {_sides(dataset["image_shape"], ", ")})
scores = gan.discriminate(images)  # (64,) probabilities of being real
```
"""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 epoch" and "2,000 epochs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _terms(source: str) -> str:
    definition = find_dataset(source)
    return definition.terms if definition else _OWN_TERMS


def _title(settings: dict[str, Any], dataset: dict[str, Any]) -> str:
    return f"The {settings['model']} GAN on {dataset['name']}, seed {settings['seed']}"


def _data(dataset: dict[str, Any]) -> str:
    return (
        f"{dataset['name']}: {dataset['images']:,} training images of "
        f"{_sides(dataset['image_shape'])}.\n"
        f"SHA-256 of the data set's arrays: `{dataset['checksum']}`."
    )


def _training(config: dict[str, Any], metrics: dict[str, Any]) -> str:
    counts, epochs = _counts(metrics["parameters"]), counted(metrics["epochs"], "epoch")
    return f"""{_table(("log after the last epoch", "value"), _rounded(metrics["final"]))}

{epochs} in {metrics["seconds"]:.0f} s: {metrics["images_per_second"]:.0f} real
images/s{_on_devices(config)}. Parameters: {counts}. `history.csv` has every epoch."""


def _stored(stored: dict[str, Any], precision: str) -> str:
    rows = {
        "largest difference": stored["largest_difference"],
        "share that differs": f"{stored['share_that_differs']:.4%}",
        "share that differs by more than one": f"{stored['share_beyond_one']:.4%}",
        f"largest difference from the run's own {precision}": stored["largest_difference_from_run"],
        "largest difference of a score, in [0, 1]": f"{stored['largest_score_difference']:.5f}",
    }
    size = f"{stored['bytes'] / 1e6:.2f} MB"
    images = f"{stored['compared_images']:,} images from latents of seed {stored['compared_seed']}"
    return f"""`gan.keras` ({size}) holds both networks without optimizers, with kernels in float16.
They compute in float32. {images}, and their
scores, compared with those of the same networks in float32 with the weights as trained:

{_table(("pixels, in grey levels of 255", "value"), rows)}"""


def _settings(config: dict[str, Any]) -> str:
    return f"""A dash stands for the package's default.

{_table(("setting", "value"), config["settings"] | config["learning_rates"])}

{_table(("made with", "version"), config["versions"] | {"commit": config["commit"]})}"""


def _table(header: tuple[str, str], rows: Mapping[str, Any]) -> str:
    lines = [f"| {header[0]} | {header[1]} |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _rounded(logs: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{value:.4f}" for name, value in logs.items()}


def _on_devices(config: dict[str, Any]) -> str:
    devices = config.get("devices", 1)  # runs of older versions do not say it
    return f" on {devices} devices together" if devices > 1 else ""


def _counts(parameters: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in parameters.items())


def _sides(shape: Iterable[int], separator: str = " x ") -> str:
    return separator.join(map(str, shape))
