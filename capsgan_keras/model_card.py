"""The model card of a run: a README that a program writes from the run's own records."""

_TERMS = {
    "digits": "Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998; UCI "
    "Machine Learning Repository), the test part that scikit-learn ships. Licence: CC BY 4.0.",
    "mnist": "MNIST (Y. LeCun, C. Cortes, C. J. C. Burges), made from NIST's special databases 1 "
    "and 3. Licence: CC BY-SA 3.0.",
    "cifar10": "CIFAR-10 (A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, "
    "2009). No licence is stated; its author asks to cite that report. The images come from 80 "
    "Million Tiny Images, which its makers withdrew in 2020.",
}
_OWN_TERMS = "A data set of your own: its terms hold for the trained networks' images too."
_KINDS = {
    "capsule": "CapsuleGAN (arXiv 1802.06167): a capsule discriminator, trained with the margin "
    "loss",
    "convolutional": "The convolutional GAN that CapsuleGAN (arXiv 1802.06167) is compared with: "
    "a DCGAN discriminator, trained with cross-entropy",
}


def model_card(path, config, metrics):
    """Return a run's model card, a Markdown text.

    Args:
        path: The run's folder, named in the example.
        config: The run's `config.json` as a dictionary.
        metrics: The run's `metrics.json` as a dictionary.
    """
    settings, dataset = config["settings"], config["dataset"]
    kind = settings["model"]
    last = f"samples/epoch-{metrics['epochs']:04d}.png"
    return f"""# The {kind} GAN on {dataset["name"]}, seed {settings["seed"]}

{_KINDS[kind]}.

Trained by capsgan_keras for research and teaching; no claim is made for any other use.

![100 images after the last epoch]({last})

![training curves](curves.png)

## Data

{dataset["name"]}: {dataset["images"]:,} training images of {_sides(dataset["image_shape"])}.
SHA-256 of the data set's arrays: `{dataset["checksum"]}`.

{_TERMS.get(dataset["source"], _OWN_TERMS)}

## Results

{_table(("log after the last epoch", "value"), _rounded(metrics["final"]))}

{metrics["epochs"]} epochs in {metrics["seconds"]:.0f} s: {metrics["images_per_second"]:.0f} real
images/s{_on_devices(config)}. Parameters: {_counts(metrics["parameters"])}.
`history.csv` has every epoch.

## Settings

A dash stands for the package's default.

{_table(("setting", "value"), settings | config["learning_rates"])}

{_table(("made with", "version"), config["versions"] | {"commit": config["commit"]})}

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


def _table(header, rows):
    lines = [f"| {header[0]} | {header[1]} |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(lines)


def _cell(value):
    if value is None:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _rounded(logs):
    return {name: f"{value:.4f}" for name, value in logs.items()}


def _on_devices(config):
    devices = config.get("devices", 1)  # runs of older versions do not say it
    return f" on {devices} devices together" if devices > 1 else ""


def _counts(parameters):
    return ", ".join(f"{name} {count:,}" for name, count in parameters.items())


def _sides(shape, separator=" x "):
    return separator.join(map(str, shape))
