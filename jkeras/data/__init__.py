"""Data: from arrays, datasets and loaders to batches on the device."""

from jkeras.data.adapt import adapt
from jkeras.data.arrays import (
    Arrays,
    check_arrays,
    class_weights,
    pack_x_y_sample_weight,
    split,
    take,
    unpack_x_y_sample_weight,
)
from jkeras.data.prefetch import prefetch, to_device
from jkeras.data.py_dataset import PyDataset
from jkeras.data.source import Source

__all__ = [
    "Arrays",
    "PyDataset",
    "Source",
    "adapt",
    "check_arrays",
    "class_weights",
    "pack_x_y_sample_weight",
    "prefetch",
    "split",
    "take",
    "to_device",
    "unpack_x_y_sample_weight",
]
