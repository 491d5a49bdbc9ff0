"""The images that runs are trained and evaluated on."""

from capsgan_keras import load_dataset
from capsgan_keras.datasets import DatasetError
from experiments.training.surroundings import check_surroundings


def load_images(source, data_dir, image_size, validation):
    """Return the images of runs, a `Dataset`.

    Args:
        source, data_dir, image_size: As in `load_dataset`.
        validation: How many training images take the place of the test images; None or 0 for none.

    Raises:
        SettingsError: Where Keras's configuration or the clock is not what a run needs.
        DatasetError: Where they cannot be had, or as many cannot be held out.
    """
    check_surroundings()
    dataset = load_dataset(source, data_dir, image_size)
    try:
        return dataset.hold_out(validation) if validation else dataset
    except DatasetError as error:
        raise DatasetError(f"--validation {validation}: {error}") from error
