"""Data: from what users hold to batches on the device."""

from jkeras.data.arrays import Arrays, check_arrays, class_weights, split, take

__all__ = ["Arrays", "check_arrays", "class_weights", "split", "take"]
