"""Train a CapsuleGAN on scikit-learn's handwritten digits, which need no download.

    python -m capsgan_keras.demo

It has the settings of `CapsuleGAN.tuned`, and leaves a run directory, with a picture of generated
images after each epoch. The comparison with the convolutional GAN is `python -m experiments.digits`
in a clone of the repository.
Time: about a minute on 2 CPU cores that are free.
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence

import keras

from capsgan_keras.checks import check_positive, check_seed
from capsgan_keras.datasets import load_dataset
from capsgan_keras.files import usable_path
from capsgan_keras.gan import CapsuleGAN
from capsgan_keras.gan.settings import TUNED
from capsgan_keras.runs import RunDirectory, RunError, WriteRun
from capsgan_keras.runs.finishing import finish_run
from capsgan_keras.runs.lock import working
from capsgan_keras.runs.provenance import describe
from capsgan_keras.terminal import progress, quiet_tensorflow
from capsgan_keras.training.callbacks import NonFiniteError

PROGRAM = "python -m capsgan_keras.demo"
DATASET = "digits"


def train(folder: str, epochs: int, seed: int, verbose: int | None) -> str:
    """Train, write the run, and return where everything lies, as a text.

    Args:
        folder: The run's folder, which must be new or empty.
        epochs: Positive integer.
        seed: Of the weights, the noise and the order of images.
        verbose: As in Keras; None for what fits the place where the output goes.

    Raises:
        ValueError: Where the folder holds something, or a number is out of its range.
        NonFiniteError: Where training diverges.
        OSError: Where a file cannot be written.
    """
    check_positive(epochs=epochs)
    check_seed(seed)
    directory = RunDirectory(usable_path(folder, "folder"))
    if directory.exists:
        raise RunError(f"{directory.path}: holds a run already. Choose another folder")
    directory.check_place()
    keras.utils.set_random_seed(seed)
    digits, settings = load_dataset(DATASET), TUNED[DATASET]
    batch_size = settings.batch_size
    gan = CapsuleGAN.tuned(digits, epochs * -(-len(digits.x_train) // batch_size), seed=seed)
    identity = {
        "model": "capsule",
        "settings": "tuned",
        "epochs": epochs,
        "seed": seed,
        "precision": keras.config.dtype_policy().name,
        **{
            name: value
            for name, value in dataclasses.asdict(settings).items()
            if name != "steps" and not name.startswith("convolutional")
        },
    }
    writer = WriteRun(directory, seed)
    with working(directory.lock):
        directory.create(describe(identity, digits, DATASET) | {"learning_rates": {}})
        gan.fit(
            digits.x_train,
            batch_size=batch_size,
            epochs=epochs,
            verbose=progress(verbose),
            callbacks=[writer],
        )
        return finish_run(directory, gan, writer, len(digits.x_train))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = "capsgan-demo"
    parser.add_argument("--folder", default=default, help=f"the run's folder (default: {default})")
    parser.add_argument("--epochs", type=int, default=40, help="(default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    parser.add_argument(
        "--verbose",
        type=int,
        choices=(0, 1, 2),
        help="0: no progress, 1: a progress bar, 2: a line for each epoch (default: 1 on a "
        "terminal, else 2)",
    )
    arguments = parser.parse_args(argv)
    quiet_tensorflow()
    try:
        print(train(**vars(arguments)))
    except KeyboardInterrupt:
        print("\nInterrupted. Whole epochs are kept, and load_run reads them.", file=sys.stderr)
        return 130
    except (NonFiniteError, ValueError, OSError) as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return 1 if isinstance(error, NonFiniteError) else 2
    print(
        f"\nNext, in Python:\n"
        f"  from capsgan_keras import load_run\n"
        f"  run = load_run({arguments.folder!r})  # in a notebook, `run` shows itself\n"
        f"  images = run.gan.generate(64)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
