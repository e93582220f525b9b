"""Convolution layers."""

from jkeras.layers.convolution.conv import Conv1D, Conv2D, Conv3D

__all__ = ["Conv1D", "Conv2D", "Conv3D"]
