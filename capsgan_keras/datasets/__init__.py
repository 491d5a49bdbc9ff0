"""Data sets of images: `load_dataset`, distorted images, and scaling of uint8 to [-1, 1]."""

from capsgan_keras.datasets.dataset import Dataset, DatasetError
from capsgan_keras.datasets.definition import DatasetDefinition
from capsgan_keras.datasets.distortions import (
    Overlaps,
    affine_images,
    overlap_images,
    shift_images,
)
from capsgan_keras.datasets.loading import load_dataset
from capsgan_keras.datasets.pixels import scale_images, to_uint8
from capsgan_keras.datasets.registry import DATASET_NAMES, register_dataset

__all__ = [
    "DATASET_NAMES",
    "Dataset",
    "DatasetDefinition",
    "DatasetError",
    "Overlaps",
    "affine_images",
    "load_dataset",
    "overlap_images",
    "register_dataset",
    "scale_images",
    "shift_images",
    "to_uint8",
]
