"""The data sets that have a name: those of the package, and those that a user registers."""

import importlib
import re

from capsgan_keras.datasets.cifar10 import CIFAR10
from capsgan_keras.datasets.dataset import DatasetError
from capsgan_keras.datasets.definition import DatasetDefinition
from capsgan_keras.datasets.digits import DIGITS
from capsgan_keras.datasets.mnist import MNIST

REGISTERED = {definition.name: definition for definition in (DIGITS, MNIST, CIFAR10)}
"""All definitions by name."""

DATASET_NAMES = tuple(REGISTERED)
"""Names of the data sets that come with the package."""


def register_dataset(definition: DatasetDefinition) -> DatasetDefinition:
    """Make a data set known by its name.

    Call it in the module that defines the data set. `load_dataset("module:name")` and
    `--dataset module:name` import that module. Once it is imported, the name alone will do.

    Args:
        definition: The data set. It takes the place of an earlier one of the same name.

    Returns:
        `definition`.

    Raises:
        ValueError: If the name is one of `DATASET_NAMES`.

    Example:

    ```python
    import numpy as np
    from capsgan_keras.datasets import DatasetDefinition, load_dataset, register_dataset
    def load():
        images, labels = np.zeros((6, 32, 32), np.uint8), np.arange(6) % 2
        return [("made up", array) for array in (images, labels, images[:2], labels[:2])]

    coins = DatasetDefinition(
        name="coins",
        title="Coins",
        image_shape=(32, 32, 1),
        class_names=("heads", "tails"),
        terms="Made up.",
        load=load,
    )
    register_dataset(coins)
    print(load_dataset("coins").image_shape)  # (32, 32, 1)
    ```
    """
    if definition.name in DATASET_NAMES:
        raise ValueError(
            f"`name` must not be one of {DATASET_NAMES}. Received: name={definition.name!r}"
        )
    REGISTERED[definition.name] = definition
    return definition


def find_dataset(source: str) -> DatasetDefinition | None:
    """Return the definition of a registered name, or None; `"module:name"` imports the module.

    Raises:
        DatasetError: If the module registers no data set of that name.
    """
    parts = re.fullmatch(r"(\w[\w.]*):([\w-]+)", source)
    if parts is None:
        return REGISTERED.get(source)
    module, name = parts.groups()
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # the module is there, and lacks another
            raise
        return None
    if name not in REGISTERED:
        raise DatasetError(f"{source}: the module registers no data set of the name {name!r}")
    return REGISTERED[name]


def dataset_title(name: str) -> str:
    """Return a data set's name for reports; that of an unknown one is `name`."""
    return REGISTERED[name].title if name in REGISTERED else name
