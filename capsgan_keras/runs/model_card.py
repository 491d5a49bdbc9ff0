"""Model cards: the README that a program writes from a run's own records."""

import os
from collections.abc import Mapping
from typing import Any

from capsgan_keras.datasets.registry import find_dataset
from capsgan_keras.files import quoted
from capsgan_keras.runs.card_head import NO_LICENSE, card_head

_OWN_TERMS = "A data set of your own: its terms hold for the trained networks' images too."
_BIGAN = (
    "BiGAN (arXiv 1605.09782): an encoder, {}, is trained with the generator against a "
    "discriminator of images and codes"
)
_BICOGAN = (
    "BiCoGAN (arXiv 1711.07461): an encoder, {}, infers class and style, and is trained with the "
    "generator against a discriminator of images and codes"
)
_KINDS = {
    "capsule": "CapsuleGAN (arXiv 1802.06167): a capsule discriminator, trained with the margin "
    "loss",
    "convolutional": "The convolutional GAN that CapsuleGAN (arXiv 1802.06167) is compared with: "
    "a convolutional discriminator after DCGAN, trained with cross-entropy",
    "bigan-capsule": _BIGAN.format("a CapsNet"),
    "bigan-convolutional": _BIGAN.format("a convolutional network"),
    "bicogan-capsule": _BICOGAN.format("a CapsNet"),
    "bicogan-convolutional": _BICOGAN.format("a convolutional network"),
}
_MEASURES = """`r_samples` is the convolutional discriminator's accuracy on
CapsuleGAN's images over the capsule discriminator's on the convolutional GAN's, `r_test` the same
ratio on test images: `r_samples` below 1 with `r_test` about 1 is a win for CapsuleGAN (section 5.2
of the paper). In brackets bootstrap 95 % intervals; after ± the standard deviation over draws of
the n labelled images. The other figures are measured by a classifier of real images and in its
features, which are not an Inception network's."""


def model_card(path: str | os.PathLike, config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Return a run's model card, a Markdown text with a head that model hubs read.

    Args:
        path: The run's folder, named in the example.
        config: The run's `config.json` as a dictionary.
        metrics: The run's `metrics.json` as a dictionary.
    """
    latent_dim = config["settings"]["latent_dim"]
    pictures = f"""![100 images after the last epoch](samples/epoch-{metrics["epochs"]:04d}.png)

![training curves](curves.png)"""
    return f"""{card_head(config, metrics, NO_LICENSE)}
{_introduction(config, "", pictures)}

{terms(config["dataset"])}

{_training(config, metrics)}

{settings_section(config)}

{_use(config, "load_run", f"load_run({quoted(path)}).gan")}

`generator.keras` alone maps latents (n, {latent_dim}) to images in [-1, 1], and loads
with `keras.saving.load_model` without this package.{_of_encoder(config["settings"])}
"""


def _of_encoder(settings):
    kind = settings["model"].partition("-")[0]
    if kind not in ("bigan", "bicogan"):
        return ""
    logits = " Its last outputs are the logits of the classes." if kind == "bicogan" else ""
    return (
        f" `encoder.keras` maps images in [-1, 1] to codes (n, {settings['latent_dim']}). Capsules "
        f"in it need this package.{logits}"
    )


def pretrained_card(config: dict[str, Any], metrics: dict[str, Any]) -> str:
    """Return the model card of trained networks that come with the package, a Markdown text.

    Args:
        config: The run's `config.json` as a dictionary.
        metrics: The `metrics.json` of `python -m experiments.publish` as a dictionary: the run's,
            and in `pretrained` what was measured of the stored networks.
    """
    settings, stored = config["settings"], metrics["pretrained"]
    precision = settings["precision"]
    picture = (
        f"![100 images of the stored generator, latents of seed {settings['seed']}, not chosen]"
        "(samples.png)"
    )
    of = (
        f"Of the networks as they were trained, computing in {precision}, not of those stored here."
    )
    load = f'load_pretrained("{settings["model"]}", "{config["dataset"]["source"]}")'
    return f"""{card_head(config, metrics, "apache-2.0")}
{_introduction(config, ": trained networks", picture)}

## Terms of use

The files of this folder come under the package's licence, Apache 2.0. They were made from images
that have terms of their own, which may reach what is generated:

{terms(config["dataset"])}

{_training(config, metrics)}

{_evaluation(stored["evaluation"], of)}

## What is stored

{_stored(stored, precision)}

{settings_section(config)}

{_use(config, "load_pretrained", load)}
"""


def shared_card(
    name: str,
    config: dict[str, Any],
    metrics: dict[str, Any],
    evaluation: dict[str, str],
    license: str,
) -> str:
    """Return the model card of a folder that is to be pushed to a model hub, a Markdown text.

    Args:
        name: The folder's name.
        config: The run's `config.json` as a dictionary.
        metrics: The run's `metrics.json` as a dictionary.
        evaluation: What was measured of the run, a dictionary of texts.
        license: The licence's name on the hub.
    """
    seed = config["settings"]["seed"]
    pictures = f"""![100 images of the generator, latents of seed {seed}, not chosen](samples.png)

![training curves](curves.png)"""
    return f"""{card_head(config, metrics, license)}
{_introduction(config, ": trained networks", pictures)}

{terms(config["dataset"])}

{_training(config, metrics, "run/history.csv")}

{_evaluation(evaluation, "")}

{settings_section(config)}

{_use(config, "load_pretrained", f"load_pretrained({quoted(name)})")}

The folder has Keras's own form of a model. So on a hub Keras loads it by its place there:

```python
import capsgan_keras, keras

gan = keras.saving.load_model("hf://OWNER/NAME")
```
"""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 epoch" and "2,000 epochs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _introduction(config, title_end, pictures):
    dataset = config["dataset"]
    model, seed = config["settings"]["model"], config["settings"]["seed"]
    return f"""# The {model} GAN on {dataset["name"]}, seed {seed}{title_end}

{_KINDS[model]}.

Trained by capsgan_keras for research and teaching; no claim is made for any other use.

{pictures}

## Data

{dataset["name"]}: {dataset["images"]:,} training images of {_sides(dataset, " x ")}.
SHA-256 of the data set's arrays: `{dataset["checksum"]}`."""


def terms(dataset: Mapping[str, Any]) -> str:
    """Return a data set's terms of use; `dataset` is that part of a run's `config.json`."""
    definition = find_dataset(dataset["source"])
    return definition.terms if definition else _OWN_TERMS


def _training(config, metrics, history="history.csv"):
    final = {name: f"{value:.4f}" for name, value in metrics["final"].items()}
    counts = ", ".join(f"{name} {count:,}" for name, count in metrics["parameters"].items())
    devices = config.get("devices", 1)  # runs of older versions do not say it
    together = f" on {devices} devices together" if devices > 1 else ""
    epochs = counted(metrics["epochs"], "epoch")
    return f"""## Results

{markdown_table(("log after the last epoch", "value"), final)}

{epochs} in {metrics["seconds"]:.0f} s: {metrics["images_per_second"]:.0f} real
images/s{together}. Parameters: {counts}. `{history}` has every epoch."""


def _stored(stored, precision):
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

{markdown_table(("pixels, in grey levels of 255", "value"), rows)}"""


def _evaluation(measured, of):
    if not measured:
        return "## Evaluation\n\nNone."
    table = markdown_table(("measured of the run", "value"), measured)
    return "\n\n".join(filter(None, ["## Evaluation", table, of, _MEASURES]))


def settings_section(config: Mapping[str, Any]) -> str:
    """Return the section of a run's settings and versions; `config` is its `config.json`."""
    return f"""## Settings

A dash stands for the package's default.

{markdown_table(("setting", "value"), config["settings"] | config.get("learning_rates", {}))}

{markdown_table(("made with", "version"), config["versions"] | {"commit": config["commit"]})}"""


def _use(config, function, load):
    # Runs of older versions do not say it; their discriminators gave probabilities.
    scores = config.get("discriminator_outputs") == "score"
    judged = "scores, larger for real images" if scores else "probabilities of being real"
    encoding = ""
    if _of_encoder(config["settings"]):
        encoding = f"""
codes = gan.encode(images)  # float32 (64, {config["settings"]["latent_dim"]})
again = gan.reconstruct(images)  # uint8 images: G(E(x))"""
    return f"""## Use

```python
from capsgan_keras import {function}

gan = {load}
images = gan.generate(64, seed=0)  # uint8 (64, {_sides(config["dataset"], ", ")})
scores = gan.discriminate(images)  # (64,) {judged}{encoding}
```"""


def markdown_table(header: tuple[str, str], rows: Mapping[str, Any]) -> str:
    """Return a Markdown table of two columns; a dash stands for None."""
    lines = [f"| {header[0]} | {header[1]} |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(lines)


def _cell(value):
    if value is None:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _sides(dataset, separator):
    return separator.join(map(str, dataset["image_shape"]))
