"""Layers."""

from jkeras.core import Input, InputLayer, InputSpec, Layer
from jkeras.layers.core import Dense

__all__ = ["Dense", "Input", "InputLayer", "InputSpec", "Layer"]
