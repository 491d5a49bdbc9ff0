"""Data sets of images: `load_dataset`, and the scaling between uint8 and [-1, 1]."""

from capsgan_keras.datasets.dataset import Dataset, DatasetError
from capsgan_keras.datasets.loading import DATASET_NAMES, load_dataset
from capsgan_keras.datasets.pixels import scale_images, to_uint8

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "DatasetError",
    "load_dataset",
    "scale_images",
    "to_uint8",
]
