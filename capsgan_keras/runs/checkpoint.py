"""A complete checkpoint of a run: what training goes on from."""

import dataclasses
from pathlib import Path
from typing import Any

from capsgan_keras.gan import GAN
from capsgan_keras.runs.models import check_gan, file_checksum, load_model
from capsgan_keras.runs.records import RunError
from capsgan_keras.types import History


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        path: Its folder.
        epoch: Number of epochs done.
        history: The logs of these epochs.
        seconds: Seconds that these epochs took.
        gan_checksum: SHA-256 of its network's file; None in checkpoints of older versions.
        network: The name of that file.
    """

    path: Path
    epoch: int
    history: History
    seconds: float
    gan_checksum: str | None = None
    network: str = "gan.keras"

    def load_gan(self, config: dict[str, Any] | None = None) -> GAN:
        """Return the GAN, compiled, with its moments and seeds.

        Args:
            config: The run's `config.json`, which the GAN must fit; None for no such check.

        Raises:
            RunError: Where the file is damaged, or of another run or epoch.
        """
        gan = self.load_network()
        if config is not None:
            check_gan(self.path / self.network, gan, config)
        return gan

    def load_network(self) -> Any:
        """Return the model as it was saved; raise a `RunError` where the file is another."""
        file = self.path / self.network
        model = load_model(file)
        if self.gan_checksum not in (None, file_checksum(file)):
            raise RunError(
                f"{file}: is not the file that was saved with the state.json beside it. Put back "
                "the checkpoint's own, or move the run away to start from the beginning"
            )
        return model
