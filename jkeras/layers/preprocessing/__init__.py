"""Layers that prepare data."""

from jkeras.layers.preprocessing.rescaling import Rescaling

__all__ = ["Rescaling"]
