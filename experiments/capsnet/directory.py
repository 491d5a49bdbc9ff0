"""The run directory of a classifier.

| file | holds |
|---|---|
| `config.json` | settings, versions, commit, data set |
| `history.csv` | the logs of each epoch |
| `checkpoint/epoch-0001/` | the last epoch's `network.keras` and `state.json`, to resume from |
| `curves.png`, `reconstructions.png`, `variations.png`, `couplings.png` | figures |
| `network.keras` | the trained network |
| `README.md` | a model card |
| `metrics.json` | errors, time, size; written last: the run is finished |
"""

from collections.abc import Mapping
from typing import Any

import keras
from matplotlib.figure import Figure

from capsgan_keras.files import remove_partial, replacing, write_json, write_text
from capsgan_keras.plotting import save_figure
from capsgan_keras.runs.directory import Checkpoint, RunDirectory
from capsgan_keras.runs.models import load_model

NETWORK = "network.keras"


class ClassifierDirectory(RunDirectory):
    """The folder of a classifier's run."""

    format = "capsgan_keras classifier 1"
    network = NETWORK

    def create(self, config: dict[str, Any]) -> None:
        """Make the folder with its `config.json`, and the one for checkpoints."""
        super().create(config)
        # Before the first file of an epoch: where it is missing later, it was lost.
        (self.path / "checkpoint").mkdir(exist_ok=True)

    def go_back(self, checkpoint: Checkpoint) -> None:
        """Bring the other files to the state of a checkpoint, whatever a kill has left."""
        for folder in (self.path, self.path / "checkpoint"):
            remove_partial(folder)
        self._remove_checkpoints(keep=checkpoint.path)
        self.write_history(checkpoint.history)

    def write_network(self, network: keras.Model) -> None:
        """Write the trained network."""
        with replacing(self.path / NETWORK) as partial:
            network.save(partial)

    def load_network(self) -> keras.Model:
        """Return the trained network."""
        return load_model(self.path / NETWORK)

    def write_figures(self, figures: Mapping[str, Figure]) -> None:
        """Write figures, given by their names."""
        for name, figure in figures.items():
            save_figure(self.path / f"{name}.png", figure)

    def write_results(self, metrics: dict[str, Any], card: str) -> None:
        """Write the model card, and last the metrics, a dictionary of what JSON can hold."""
        write_text(self.path / "README.md", card)
        write_json(self.path / "metrics.json", metrics)
