"""The end of a run: what is written once its last epoch is done."""

from capsgan_keras.balance import balanced_output
from capsgan_keras.gan import GAN
from capsgan_keras.plotting import training_curves
from capsgan_keras.runs.callbacks import WriteRun
from capsgan_keras.runs.directory import RunDirectory
from capsgan_keras.runs.model_card import counted, model_card
from capsgan_keras.runs.models import network_sizes


def finish_run(directory: RunDirectory, gan: GAN, writer: WriteRun, images_per_epoch: int) -> str:
    """Write what a finished run has besides, and return where everything lies, as a text.

    Args:
        directory: The run's.
        gan: The trained GAN.
        writer: The callback that wrote the run while it was trained.
        images_per_epoch: Real images seen in an epoch.

    Raises:
        OSError: Where a file cannot be written.
    """
    epochs = max(map(len, writer.history.values()))
    # A clock may stand.
    speed = images_per_epoch * epochs / writer.seconds if writer.seconds else 0.0
    metrics = {
        "epochs": epochs,
        "final": {name: values[-1] for name, values in writer.history.items()},
        "seconds": writer.seconds,
        "images_per_second": speed,
        "parameters": network_sizes(gan),
    }
    files = ", ".join(f"{name}.keras" for name in ("gan", *gan.networks) if name != "discriminator")
    directory.finish(
        gan,
        metrics,
        training_curves(writer.history, balanced_output(gan.loss, gan.discriminator_outputs)),
        model_card(directory.path, directory.read_config(), metrics),
    )
    return (
        f"{counted(epochs, 'epoch')} in {writer.seconds:.0f} s ({speed:.0f} images/s). "
        f"In {directory.path}:\n"
        f"  samples/epoch-{epochs:04d}.png      images from the last epoch's generator\n"
        "  curves.png, history.csv     losses and the discriminator's outputs, epoch by epoch\n"
        f"  {files:27} the trained networks\n"
        "  README.md, metrics.json     the model card, time and final values"
    )
