"""A run as a notebook shows it: the newest picture, the curves, the logs, and the settings."""

import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from capsgan_keras.files import readable
from capsgan_keras.html import html_picture, html_record
from capsgan_keras.plotting import training_curves
from capsgan_keras.types import History


def run_html(
    path: Path, config: Mapping[str, Any], history: History, metrics: Mapping[str, Any] | None
) -> str:
    """Return what a notebook shows of a run, HTML that needs no other file.

    Args:
        path: The run's folder.
        config: Its `config.json`.
        history: The logs of the epochs that are done.
        metrics: Its `metrics.json`; None where it has not ended.
    """
    settings, dataset = config["settings"], config["dataset"]
    done = max(map(len, history.values()), default=0)
    state = "finished" if metrics is not None else "not finished"
    title = (
        f"{settings['model']} GAN on {readable(dataset['name'])}, seed {settings['seed']}: "
        f"{state}, {done} of {settings.get('epochs', '?')} epochs"
    )
    parts = [f"<p><b>{escape(title)}</b><br/><code>{escape(readable(str(path)))}</code></p>"]
    pictures = [*sorted((path / "samples").glob("epoch-*.png")), path / "samples.png"]
    for picture in [each for each in pictures if each.is_file()][-1:]:
        parts.append(html_picture(picture.read_bytes(), "100 generated images, not chosen"))
    if done:
        parts.append(html_picture(_curves(path, history), "training curves"))
        parts.append(html_record("last epoch", {name: v[-1] for name, v in history.items()}))
    records = {"settings": settings, "images": dataset}
    if metrics is not None:
        records["metrics"] = {n: v for n, v in metrics.items() if n not in ("final", "pretrained")}
    records["made with"] = config.get("versions", {})
    parts += [
        f"<details><summary>{name}</summary>{html_record(name, values)}</details>"
        for name, values in records.items()
    ]
    return f"<div>{''.join(parts)}</div>"


def _curves(path: Path, history: History) -> bytes:
    """Return the curves as a PNG file: the run's own where it has ended, else those so far."""
    if (path / "curves.png").is_file():
        return (path / "curves.png").read_bytes()
    stream = io.BytesIO()
    training_curves(history).savefig(stream, format="png", dpi=80)
    return stream.getvalue()
