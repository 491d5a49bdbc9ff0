"""What `--tensorboard` writes of a run: the logs of its epochs, its grids and its settings."""

import keras

from capsgan_keras.callbacks import SampleGrid, TensorBoardLog, check_tensorboard
from experiments.errors import SettingsError


def check_logs(settings):
    """Raise a `SettingsError` where logs are asked for that cannot be written here."""
    if settings.tensorboard:
        try:
            check_tensorboard()
        except ImportError as error:
            raise SettingsError(f"--tensorboard: {error}") from error


def logs_of(settings, plan, with_grids=True):
    """Return the callbacks that write a run's logs, a list; empty where none are asked for.

    Args:
        settings: `experiments.settings.training.Settings`.
        plan: The run's `experiments.training.plan.Plan`.
        with_grids: Whether its model is a GAN, whose images are written too.
    """
    if not settings.tensorboard:
        return []
    folder = _folder(plan)
    logs = [keras.callbacks.TensorBoard(folder, write_graph=False)]
    if with_grids:
        logs.append(SampleGrid(to="tensorboard", path=folder, seed=settings.seed))
    return logs


def log_settings(settings, plan):
    """Write a run's settings as a table for TensorBoard's page of texts.

    Args:
        settings: As in `logs_of`.
        plan: As in `logs_of`.
    """
    folder = _folder(plan) / "settings"
    if not settings.tensorboard or folder.exists():  # of a run that goes on
        return
    rows = [f"| {name} | {value} |" for name, value in plan.description["settings"].items()]
    table = "\n".join(["| setting | value |", "|---|---|", *rows])
    log = TensorBoardLog(folder)
    log.write("text", "settings", table, 0)
    log.close()


def _folder(plan):
    return plan.directory.path / "tensorboard"
