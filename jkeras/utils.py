"""Utilities, under the names that Keras gives them."""

from jkeras.data import PyDataset, pack_x_y_sample_weight, unpack_x_y_sample_weight
from jkeras.data import PyDataset as Sequence

__all__ = ["PyDataset", "Sequence", "pack_x_y_sample_weight", "unpack_x_y_sample_weight"]
