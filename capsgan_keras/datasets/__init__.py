"""Data sets of images: `load_dataset`, and the scaling between uint8 and [-1, 1]."""

from capsgan_keras.datasets.dataset import Dataset, DatasetError
from capsgan_keras.datasets.definition import DatasetDefinition
from capsgan_keras.datasets.loading import load_dataset
from capsgan_keras.datasets.pixels import scale_images, to_uint8
from capsgan_keras.datasets.registry import DATASET_NAMES, register_dataset

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "DatasetDefinition",
    "DatasetError",
    "load_dataset",
    "register_dataset",
    "scale_images",
    "to_uint8",
]
